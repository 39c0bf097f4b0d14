// The API without sockets, for tests: over the memory store, in virtual time.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/api.h"
#include "api/fake_inspector.h"
#include "api/fake_peers.h"
#include "base/fake_event_loop.h"
#include "registry/codec.h"
#include "registry/keys.h"
#include "registry/raw_record.h"
#include "store/memory_store.h"

namespace flotilla::api {

inline constexpr const char* kMachine = "113f16a7aaaabbbbccccddddeeeeffff";
inline constexpr const char* kHello =
    R"({"desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":"/bin/x"}]})";

class ApiTest : public testing::Test {
 protected:
  void SetUp() override {
    registry.open([](const base::Result<void>& opened) { ASSERT_TRUE(opened); });
    view.open();
    loop.settle();
  }
  Response call(const std::string& method, const std::string& target, const std::string& body = {},
                std::vector<std::string> types = {"application/json"}) {
    if (body.empty()) types.clear();
    return call(Request{method, target, std::move(types), body});
  }
  Response call(const Request& request) {
    std::optional<Response> response;
    api.handle(request, [&](Response answer) { response = std::move(answer); });
    loop.settle();
    EXPECT_TRUE(response) << request.method << " " << request.target << " was not answered";
    return response.value_or(Response{});
  }
  void expect_error(const Response& response, int status, const std::string& message) {
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.body, error_response(status, message).body);
  }
  void put_raw(const std::string& key, std::optional<std::string> value) {
    registry::write_raw_record(*store, key, std::move(value));
    loop.settle();
  }
  void schedule(const std::string& unit, const std::string& machine,
                registry::ScheduleEntry entry = {}) {
    entry.hash = view.cluster().units.at(unit).hash;
    entry.text = unit::serialize(view.cluster().units.at(unit).options);
    entry.target = registry::TargetState::kLaunched;
    put_raw(keys.schedule(machine, unit), registry::encode(entry));
  }
  void report(const std::string& unit, const std::string& machine) {
    registry::UnitState state;
    state.hash = view.cluster().units.at(unit).hash;
    state.load_state = "loaded";
    state.active_state = "active";
    state.sub_state = "running";
    state.launched = true;
    put_raw(keys.state(unit, machine), registry::encode(state));
  }
  void add_machine(const std::string& id, const registry::Metadata& metadata,
                   const std::string& api_address = "http://192.0.2.10:1") {
    registry::Machine machine;
    machine.api_address = api_address;
    machine.id = id;
    machine.public_ip = "192.0.2.10";
    machine.metadata = metadata;
    machine.boot_id = "b";
    machine.state_id = "s";
    machine.nonce = "n";
    put_raw(keys.machine(id), registry::encode(machine));
  }

  base::FakeEventLoop loop;
  std::unique_ptr<store::Store> store = store::make_memory_store(loop);
  registry::Registry registry{*store, "/flotilla"};
  registry::ClusterView view{*store, loop, "/flotilla"};
  registry::Keys keys{"/flotilla"};
  FakeInspector inspector;
  FakePeers peers;
  bool available = true;
  std::vector<Eligibility> verdicts;
  Api api{{registry, view, inspector, kMachine, [this] { return available; }, 3,
           [this](const std::string&) { return verdicts; }, [] { return "metrics\n"; }, &peers}};
};

}  // namespace flotilla::api
