// For tests: the agent of one machine over the memory store and a faked service manager.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/agent_manager.h"
#include "base/fake_event_loop.h"
#include "bus/fake_unit_manager.h"
#include "registry/cluster_view.h"
#include "registry/codec.h"
#include "registry/raw_record.h"
#include "store/memory_store.h"

namespace flotilla::agent {

using registry::TargetState;

inline constexpr const char* kPrefix = "/flotilla";
inline constexpr base::Micros kNow{0};

// The agent half of one fleetd; killed by destroying it.
struct Daemon {
  Daemon(store::Store& store, base::FakeEventLoop& loop, bus::UnitManager& manager,
         const std::string& directory, const std::string& nonce, const std::string& lease_program,
         const std::string& last_schedule)
      : executor(loop),
        registry(store, kPrefix),
        engine(loop),
        session(store, loop, kPrefix, machine(nonce), {std::chrono::seconds(30), true}) {
    auto opened = overlord::State::open(loop, executor, directory + "/state");
    EXPECT_TRUE(opened);
    state = std::move(*opened);
    agent = std::make_unique<AgentManager>(
        registry, loop, session, manager, *state, engine,
        AgentOptions{directory + "/units", "boot", lease_program, "/run/systemd/private",
                     last_schedule, &executor});
    engine.add(*agent);
    session.on_change([this] { engine.ensure_soon(); });
    session.start();
    const base::Status started = engine.start_up();
    EXPECT_TRUE(started) << started.error().message;
  }
  static registry::Machine machine(const std::string& nonce) {
    registry::Machine self;
    self.id = "m1";
    self.nonce = nonce;
    return self;
  }

  overlord::InlineExecutor executor;
  registry::Registry registry;
  overlord::StateEngine engine;
  registry::MachineSession session;
  std::unique_ptr<overlord::State> state;
  std::unique_ptr<AgentManager> agent;
};

struct AgentTest : testing::Test {
  AgentTest() {
    char name[] = "/tmp/flotilla-agent-XXXXXX";
    directory = ::mkdtemp(name);
    view.open();
    boot();
  }
  ~AgentTest() override { std::filesystem::remove_all(directory); }

  void boot_over(bus::UnitManager& over, store::Store& on) {
    daemon.reset();
    daemon = std::make_unique<Daemon>(on, loop, over, directory, std::to_string(++starts),
                                      lease_program, last_schedule);
    loop.advance(kNow);
  }
  void boot() { boot_over(manager, *store); }
  void raw(std::string key, std::optional<std::string> value) {
    registry::write_raw_record(*store, std::move(key), std::move(value));
    loop.advance(kNow);
  }
  void schedule(const std::string& unit, TargetState target, const std::string& exec = "/bin/x",
                const std::string& more = "") {
    registry::ScheduleEntry entry;
    entry.text = "[Service]\nExecStart=" + exec + "\n" + more;
    const auto options = unit::parse_fleet_file(entry.text);
    ASSERT_TRUE(options);
    entry.hash = unit::hash_hex(*options);
    entry.target = target;
    raw(keys.schedule("m1", unit), registry::encode(entry));
  }
  // What the agent comes to know in one turn.
  template <typename Changes>
  void at_once(Changes changes) {
    manager.set_connected(false);
    loop.advance(kNow);
    changes();
    manager.forget_calls();
    manager.set_connected(true);
    loop.advance(kNow);
  }
  void unschedule(const std::string& unit) { raw(keys.schedule("m1", unit), std::nullopt); }
  std::string state_of(const std::string& unit) {
    const auto of_unit = view.cluster().states.find(unit);
    if (of_unit == view.cluster().states.end()) return "none";
    const registry::UnitState& state = of_unit->second.at("m1");
    return state.load_state.str() + "/" + state.active_state.str() + "/" + state.sub_state.str() +
           (state.launched ? " launched" : " loaded");
  }
  std::vector<std::string> calls() {
    std::vector<std::string> kept;
    for (const std::string& call : manager.calls()) {
      if (call.find("get-properties") != 0 && call.find("list-by-names") != 0) kept.push_back(call);
    }
    manager.forget_calls();
    return kept;
  }
  std::string file(const std::string& unit) {
    std::ifstream in(directory + "/units/" + unit);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::string link_call(const std::string& unit) { return "link " + directory + "/units/" + unit; }

  base::FakeEventLoop loop;
  std::unique_ptr<store::Store> store = store::make_memory_store(loop);
  bus::FakeUnitManager manager{loop};
  registry::ClusterView view{*store, loop, kPrefix};
  registry::Keys keys{kPrefix};
  std::string directory;
  // Of the daemons that boot() starts from now on.
  std::string lease_program;
  std::string last_schedule;
  std::unique_ptr<Daemon> daemon;
  int starts = 0;
};

}  // namespace flotilla::agent
