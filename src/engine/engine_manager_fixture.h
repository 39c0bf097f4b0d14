// For tests: the scheduling half of some fleetds over one memory store.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fake_event_loop.h"
#include "engine/engine_manager.h"
#include "registry/codec.h"
#include "registry/registry.h"
#include "store/memory_store.h"

namespace flotilla::engine {

using registry::TargetState;
using std::chrono_literals::operator""s;

inline constexpr const char* kPrefix = "/flotilla";

// The scheduling half of one fleetd.
struct Node {
  Node(store::Store& store, base::FakeEventLoop& loop, const std::string& id,
       const std::string& nonce = "n")
      : state_engine(loop),
        view(store, loop, kPrefix),
        session(store, loop, kPrefix, machine(id, nonce), {30s, false}),
        manager(store, loop, kPrefix, session, view, state_engine) {
    state_engine.add(manager);
    session.on_change([this] { state_engine.ensure_soon(); });
    session.start();
    EXPECT_TRUE(state_engine.start_up());
  }
  static registry::Machine machine(const std::string& id, const std::string& nonce) {
    registry::Machine self;
    self.id = id;
    self.boot_id = "boot-" + id;
    self.state_id = "dir-" + id;
    self.nonce = nonce;
    return self;
  }

  overlord::StateEngine state_engine;
  registry::ClusterView view;
  registry::MachineSession session;
  EngineManager manager;
};

struct EngineManagerTest : testing::Test {
  Node& start(const std::string& id, const std::string& nonce = "n") {
    nodes[id] = std::make_unique<Node>(*store, loop, id, nonce);
    loop.advance(1s);
    return *nodes[id];
  }
  void put(const std::string& name, TargetState desired = TargetState::kLaunched,
           std::vector<unit::UnitOption> options = {{"Service", "ExecStart", "/bin/x"}}) {
    registry.put_unit(name, std::move(options), desired, [](auto r) { EXPECT_TRUE(r); });
    loop.advance(base::Micros(0));
  }
  std::string where(const std::string& unit) {
    registry::ClusterView view(*store, loop, kPrefix);
    view.open();
    loop.advance(base::Micros(0));
    const std::string* machine = view.cluster().machine_of(unit);
    return machine != nullptr ? *machine : "";
  }
  // Who leads by the store; empty: nobody.
  std::string leader() {
    std::string machine;
    store->range({.key = std::string(kPrefix) + "/leader"}, [&](const auto& found) {
      if (!found->kvs.empty()) machine = registry::decode_leader(found->kvs[0].value)->machine;
    });
    loop.settle();
    return machine;
  }
  int leaders() {
    int count = 0;
    for (const auto& [id, node] : nodes) count += node->manager.is_leader() ? 1 : 0;
    return count;
  }

  base::FakeEventLoop loop;
  std::unique_ptr<store::Store> store = store::make_memory_store(loop);
  registry::Registry registry{*store, kPrefix};
  std::map<std::string, std::unique_ptr<Node>> nodes;
};

}  // namespace flotilla::engine
