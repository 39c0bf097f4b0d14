#include "registry/registry.h"

#include <gtest/gtest.h>

#include "base/fake_event_loop.h"
#include "registry/cluster_view.h"
#include "registry/keys.h"
#include "registry/machine_session.h"
#include "store/memory_store.h"
#include "store/metered_store.h"

namespace flotilla::registry {
namespace {

using std::chrono_literals::operator""s;

const std::vector<unit::UnitOption> kOptions{{"Service", "ExecStart", "/bin/x"}};
const std::vector<unit::UnitOption> kOther{{"Service", "ExecStart", "/bin/y"}};

struct RegistryTest : testing::Test {
  template <typename T, typename Call>
  base::Result<T> await(Call call) {
    std::optional<base::Result<T>> answer;
    call([&](base::Result<T> result) { answer.emplace(std::move(result)); });
    EXPECT_FALSE(answer) << "answered from inside the call";
    loop.settle();
    EXPECT_TRUE(answer);
    return answer ? std::move(*answer) : base::Result<T>(base::internal("no answer"));
  }
  base::Result<PutOutcome> put(std::string name, TargetState desired,
                               std::vector<unit::UnitOption> options = kOptions) {
    return await<PutOutcome>(
        [&](auto done) { registry.put_unit(std::move(name), std::move(options), desired, done); });
  }
  base::Result<Unit> get(std::string name) {
    return await<Unit>([&](auto done) { registry.get_unit(std::move(name), done); });
  }
  void raw_put(std::string key, std::string value, store::LeaseId lease = 0) {
    store::TxnRequest txn;
    txn.then_ops.emplace_back(store::PutOp{std::move(key), std::move(value), lease});
    ASSERT_TRUE(await<store::TxnResponse>([&](auto done) { store->txn(txn, done); }));
  }
  void raw_delete(std::string key) {
    store::TxnRequest txn;
    txn.then_ops.emplace_back(store::DeleteRangeOp{std::move(key), {}});
    ASSERT_TRUE(await<store::TxnResponse>([&](auto done) { store->txn(txn, done); }));
  }

  base::FakeEventLoop loop;
  std::unique_ptr<store::Store> store = store::make_memory_store(loop);
  Registry registry{*store, "/flotilla"};
  Keys keys{"/flotilla"};
};

TEST_F(RegistryTest, CreatesOverwritesAndChangesStates) {
  auto outcome = put("a.service", TargetState::kInactive);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, PutOutcome::Kind::kCreated);
  outcome = put("a.service", TargetState::kLaunched);
  EXPECT_EQ(outcome->kind, PutOutcome::Kind::kStateChanged);
  const auto last = outcome->revision;
  outcome = put("a.service", TargetState::kLaunched);
  EXPECT_EQ(outcome->kind, PutOutcome::Kind::kUnchanged);
  EXPECT_EQ(outcome->revision, last);
  outcome = put("a.service", TargetState::kLoaded, kOther);
  EXPECT_EQ(outcome->kind, PutOutcome::Kind::kOverwritten);

  const auto unit = get("a.service");
  ASSERT_TRUE(unit);
  EXPECT_EQ(unit->options, kOther);
  EXPECT_EQ(unit->hash, "26c728449b9f5d12bbc24d827743db59eb5ec61e");
  EXPECT_EQ(unit->desired, TargetState::kLoaded);
  EXPECT_EQ(unit->mod_revision, outcome->revision);
}

TEST_F(RegistryTest, ReplacesContentsAndKeepsTheDesiredState) {
  const auto replace = [&](const std::vector<unit::UnitOption>& options) {
    return await<PutOutcome>([&](auto done) { registry.put_contents("a.service", options, done); });
  };
  auto outcome = replace(kOptions);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, base::Errc::kNotFound);
  const auto created = put("a.service", TargetState::kLaunched);
  outcome = replace(kOptions);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, PutOutcome::Kind::kUnchanged);
  EXPECT_EQ(outcome->revision, created->revision);
  outcome = replace(kOther);
  EXPECT_EQ(outcome->kind, PutOutcome::Kind::kOverwritten);
  EXPECT_EQ(get("a.service")->options, kOther);
  EXPECT_EQ(get("a.service")->desired, TargetState::kLaunched);
}

TEST_F(RegistryTest, SetsTheDesiredStateOfAnExistingUnitOnly) {
  const auto missing = await<PutOutcome>(
      [&](auto done) { registry.set_desired("a.service", TargetState::kLoaded, done); });
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, base::Errc::kNotFound);
  EXPECT_EQ(missing.error().message, "unit a.service does not exist");
  ASSERT_TRUE(put("a.service", TargetState::kInactive));
  ASSERT_TRUE(await<PutOutcome>(
      [&](auto done) { registry.set_desired("a.service", TargetState::kLoaded, done); }));
  EXPECT_EQ(get("a.service")->desired, TargetState::kLoaded);
}

TEST_F(RegistryTest, TwoChangesAtOnceBothHappen) {
  ASSERT_TRUE(put("a.service", TargetState::kInactive));
  int done = 0;
  for (const TargetState state : {TargetState::kLoaded, TargetState::kLaunched}) {
    registry.set_desired("a.service", state, [&](auto result) {
      EXPECT_TRUE(result);
      ++done;
    });
  }
  registry.edit_metadata("m", "a", "1", [&](auto result) { done += result ? 1 : 0; });
  registry.edit_metadata("m", "b", "2", [&](auto result) { done += result ? 1 : 0; });
  loop.settle();
  EXPECT_EQ(done, 4);
  ClusterView view(*store, loop, "/flotilla");
  view.open();
  loop.settle();
  EXPECT_EQ(view.cluster().metadata_edits.at("m"), (Metadata{{"a", "1"}, {"b", "2"}}));
}

TEST_F(RegistryTest, DeletesEvenWhatItCannotRead) {
  raw_put(keys.unit("a.service"), "garbage");
  EXPECT_EQ(get("a.service").error().code, base::Errc::kInternal);
  ASSERT_TRUE(await<store::Revision>([&](auto done) { registry.delete_unit("a.service", done); }));
  EXPECT_EQ(get("a.service").error().code, base::Errc::kNotFound);
  EXPECT_EQ(await<store::Revision>([&](auto done) { registry.delete_unit("a.service", done); })
                .error()
                .code,
            base::Errc::kNotFound);
}

TEST_F(RegistryTest, RefusesNamesThatCouldReachOtherKeys) {
  ASSERT_TRUE(put("a.service", TargetState::kInactive));
  for (const char* name : {"", "../unit/a.service", "x/y.service", "/"}) {
    EXPECT_EQ(get(name).error().code, base::Errc::kNotFound) << name;
    EXPECT_EQ(put(name, TargetState::kLoaded).error().code, base::Errc::kInvalid) << name;
    EXPECT_FALSE(await<store::Revision>([&](auto done) { registry.delete_unit(name, done); }));
    EXPECT_FALSE(
        await<store::Revision>([&](auto done) { registry.edit_metadata(name, "k", "v", done); }));
  }
  EXPECT_EQ(put("a.service", TargetState::kLoaded, {{"S", "A", "\xff"}}).error().message,
            "option A= in section [S] is not valid UTF-8");
}

TEST_F(RegistryTest, OpensAStoreOnceAndRefusesANewerOne) {
  ASSERT_TRUE(await<void>([&](auto done) { registry.open(done); }));
  ASSERT_TRUE(await<void>([&](auto done) { registry.open(done); }));
  raw_put(keys.format(), R"({"major":1,"minor":9,"note":"later"})");
  EXPECT_TRUE(await<void>([&](auto done) { registry.open(done); }));
  raw_put(keys.format(), R"({"major":2,"minor":1})");
  const auto refused = await<void>([&](auto done) { registry.open(done); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Errc::kUnsupported);
  EXPECT_EQ(refused.error().message,
            "the store was written by a newer version (format 2.1); this version knows 1.0");
}

TEST_F(RegistryTest, WritesManyStatesUnderALease) {
  const auto grant = await<store::LeaseGrant>([&](auto done) { store->grant_lease(10s, done); });
  std::vector<UnitState> states(300);
  for (size_t i = 0; i < states.size(); ++i) {
    states[i].name = fmt::format("u{:03}.service", i);
    states[i].machine = "m1";
    states[i].hash = "h";
  }
  ASSERT_TRUE(await<void>([&](auto done) { registry.put_states(states, grant->lease, done); }));
  ClusterView view(*store, loop, "/flotilla");
  view.open();
  loop.settle();
  EXPECT_EQ(view.cluster().states.size(), 300u);
  ASSERT_TRUE(await<void>([&](auto done) {
    registry.delete_states("m1", {"u000.service", "u299.service", "none.service"}, done);
  }));
  EXPECT_EQ(view.cluster().states.size(), 298u);
  loop.advance(11s);
  EXPECT_TRUE(view.cluster().states.empty());
  EXPECT_EQ(
      await<void>([&](auto done) { registry.put_states(states, grant->lease, done); }).error().code,
      base::Errc::kNotFound);
}

TEST_F(RegistryTest, TheViewTellsWhatChanged) {
  ASSERT_TRUE(put("a.service", TargetState::kInactive));
  ClusterView view(*store, loop, "/flotilla");
  std::vector<ClusterChange> changes;
  const auto subscription =
      view.subscribe([&](const ClusterChange& change) { changes.push_back(change); });
  view.open();
  EXPECT_FALSE(view.is_ready());
  loop.settle();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].units, std::set<std::string>{"a.service"});
  EXPECT_TRUE(view.is_ready());

  const auto outcome = put("b.service", TargetState::kLoaded);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[1].units, std::set<std::string>{"b.service"});
  EXPECT_EQ(changes[1].revision, outcome->revision);
  EXPECT_EQ(view.cluster().units.at("b.service").desired, TargetState::kLoaded);

  raw_delete(keys.unit("a.service"));
  EXPECT_FALSE(view.cluster().units.contains("a.service"));
}

TEST_F(RegistryTest, AReaderCanWaitForItsOwnWrite) {
  ClusterView view(*store, loop, "/flotilla");
  view.open();
  bool seen = false;
  registry.put_unit("a.service", kOptions, TargetState::kInactive, [&](auto outcome) {
    ASSERT_TRUE(outcome);
    view.when_at(outcome->revision, [&] { seen = view.cluster().units.contains("a.service"); });
  });
  loop.settle();
  EXPECT_TRUE(seen);
  bool again = false;
  view.when_at(1, [&] { again = true; });
  EXPECT_FALSE(again);
  loop.settle();
  EXPECT_TRUE(again);
}

TEST_F(RegistryTest, AnUnreadableRecordKeepsWhatWasLastKnownAndIsReported) {
  ASSERT_TRUE(put("a.service", TargetState::kLaunched));
  ClusterView view(*store, loop, "/flotilla");
  view.open();
  loop.settle();
  raw_put(keys.unit("a.service"), "");
  EXPECT_EQ(view.cluster().units.at("a.service").desired, TargetState::kLaunched);
  EXPECT_EQ(view.cluster().unreadable.at("/flotilla/unit/a.service"), "the record is empty");
  ASSERT_TRUE(put("a.service", TargetState::kLoaded));
  EXPECT_TRUE(view.cluster().unreadable.empty());
  EXPECT_EQ(view.cluster().units.at("a.service").desired, TargetState::kLoaded);
}

TEST_F(RegistryTest, TheViewSurvivesACompactionWhileItIsReading) {
  for (int i = 0; i < 1200; ++i) {
    ASSERT_TRUE(put(fmt::format("u{}.service", i), TargetState::kInactive));
  }
  ClusterView view(*store, loop, "/flotilla");
  view.open();
  registry.put_unit("later.service", kOptions, TargetState::kInactive, [&](auto outcome) {
    ASSERT_TRUE(outcome);
    store->compact(outcome->revision, [](auto compacted) { EXPECT_TRUE(compacted); });
  });
  loop.advance(1s);
  EXPECT_EQ(view.cluster().units.size(), 1201u);
  EXPECT_TRUE(view.is_ready());
}

TEST_F(RegistryTest, CurrentStateIsFleetsAndKnowsOverwrittenUnits) {
  Cluster cluster;
  Unit unit;
  unit.name = "a.service";
  unit.hash = "h";
  cluster.units["a.service"] = unit;
  EXPECT_EQ(cluster.current_state("a.service"), TargetState::kInactive);
  cluster.schedule["a.service"]["m1"] = {};
  EXPECT_EQ(cluster.current_state("a.service"), TargetState::kInactive);
  UnitState state;
  state.hash = "h";
  cluster.states["a.service"]["m2"] = state;
  EXPECT_EQ(cluster.current_state("a.service"), TargetState::kInactive);
  cluster.states["a.service"]["m1"] = state;
  EXPECT_EQ(cluster.current_state("a.service"), TargetState::kLoaded);
  cluster.states["a.service"]["m1"].launched = true;
  EXPECT_EQ(cluster.current_state("a.service"), TargetState::kLaunched);
  cluster.units["a.service"].hash = "new";
  EXPECT_EQ(cluster.current_state("a.service"), TargetState::kInactive);
}

TEST_F(RegistryTest, WhatHasFinishedIsKnownUntilTheUnitIsAnotherOrIsLaunchedAnew) {
  ClusterView view(*store, loop, "/flotilla");
  view.open();
  const auto finish = [&] {
    store::TxnRequest place;
    place.then_ops.emplace_back(store::PutOp{keys.schedule("m1", "a.service"), "{}"});
    store::Revision revision = 0;
    store->txn(std::move(place), [&](auto done) { revision = done->revision; });
    loop.settle();
    UnitHistory history;
    history.name = "a.service";
    history.hash = view.cluster().units.contains("a.service")
                       ? view.cluster().units.at("a.service").hash
                       : "h";
    history.finished_on = "m1";
    base::Status status;
    registry.put_finished(history, revision - 1, [&](auto done) { status = done; });
    loop.settle();
    EXPECT_EQ(status.error().message, "a.service is not scheduled here as it was");
    registry.put_finished(history, revision, [&](auto done) { status = done; });
    loop.settle();
    return status.has_value() && view.cluster().find_finished("a.service") != nullptr;
  };
  const auto is_forgotten = [&] {
    loop.settle();
    return view.cluster().histories.empty();
  };
  EXPECT_FALSE(finish()) << "there is no such unit";
  ASSERT_TRUE(put("a.service", TargetState::kLaunched));
  loop.settle();
  EXPECT_TRUE(finish());
  EXPECT_EQ(view.cluster().current_state("a.service"), TargetState::kLaunched);
  registry.set_desired("a.service", TargetState::kLaunched, [](auto) {});
  EXPECT_FALSE(is_forgotten()) << "it is that already";
  registry.set_desired("a.service", TargetState::kInactive, [](auto) {});
  EXPECT_TRUE(is_forgotten());
  registry.set_desired("a.service", TargetState::kLaunched, [](auto) {});
  EXPECT_TRUE(finish());
  registry.put_contents("a.service", {{"Service", "ExecStart", "/other"}}, [](auto) {});
  EXPECT_TRUE(is_forgotten());
  EXPECT_TRUE(finish());
  registry.delete_unit("a.service", [](auto) {});
  EXPECT_TRUE(is_forgotten());
}

// --- Machine sessions ---

struct SessionTest : RegistryTest {
  Machine machine(std::string boot, std::string state_id, std::string nonce) {
    Machine self;
    self.id = "m1";
    self.public_ip = "192.0.2." + nonce;
    self.boot_id = std::move(boot);
    self.state_id = std::move(state_id);
    self.nonce = std::move(nonce);
    return self;
  }
  std::unique_ptr<MachineSession> session(Machine self, bool sole = false,
                                          std::chrono::seconds ttl = 30s) {
    auto made = std::make_unique<MachineSession>(*store, loop, "/flotilla", std::move(self),
                                                 SessionOptions{ttl, sole});
    made->start();
    loop.settle();
    return made;
  }
  std::optional<Machine> registered() {
    ClusterView view(*store, loop, "/flotilla");
    view.open();
    loop.settle();
    const auto found = view.cluster().machines.find("m1");
    if (found == view.cluster().machines.end()) return std::nullopt;
    return found->second;
  }
};

TEST_F(SessionTest, KeepsItsRecordAliveAndItsDeathEndsIt) {
  auto first = session(machine("boot", "dir", "1"));
  EXPECT_EQ(first->state(), MachineSession::State::kRegistered);
  EXPECT_NE(first->lease(), 0);
  loop.advance(1000s);
  ASSERT_TRUE(registered());
  EXPECT_EQ(registered()->nonce, "1");
  first.reset();
  loop.advance(15s);
  EXPECT_TRUE(registered());
  loop.advance(16s);
  EXPECT_FALSE(registered());
}

TEST_F(SessionTest, KeepsAShortLeaseAliveThreeTimesInItsLength) {
  auto metered = std::make_unique<store::MeteredStore>(std::move(store), loop);
  const store::StoreFigures& figures = metered->figures();
  store = std::move(metered);
  const auto first = session(machine("boot", "dir", "1"), false, 2s);
  const uint64_t before = figures.keep_alives;
  loop.advance(20s);
  EXPECT_EQ(figures.keep_alives - before, 30U);
  EXPECT_TRUE(registered());
}

TEST_F(SessionTest, ARestartedDaemonTakesItsLeaseOverAtOnce) {
  auto first = session(machine("boot", "dir", "1"));
  const auto lease = first->lease();
  first.reset();
  const auto second = session(machine("boot", "dir", "2"));
  EXPECT_EQ(second->state(), MachineSession::State::kRegistered);
  EXPECT_EQ(second->lease(), lease);
  EXPECT_EQ(registered()->nonce, "2");
}

TEST_F(SessionTest, ADeadMachinesRecordIsWaitedFor) {
  auto first = session(machine("boot", "dir", "1"));
  first.reset();
  const auto second = session(machine("other boot", "dir", "2"));
  EXPECT_EQ(second->state(), MachineSession::State::kWaiting);
  loop.advance(29s);
  EXPECT_EQ(second->state(), MachineSession::State::kWaiting);
  loop.advance(2s);
  EXPECT_EQ(second->state(), MachineSession::State::kRegistered);
}

TEST_F(SessionTest, ALivingMachinesIdIsRefusedWithBothAddresses) {
  const auto first = session(machine("boot", "dir", "1"));
  const auto second = session(machine("boot", "other dir", "2"));
  EXPECT_EQ(second->state(), MachineSession::State::kWaiting);
  loop.advance(60s);
  EXPECT_EQ(second->state(), MachineSession::State::kRefused);
  EXPECT_EQ(second->refusal(),
            "machine id m1 is in use by another machine: here 192.0.2.2 (boot boot), there "
            "192.0.2.1 (boot boot); give one of them another id");
  EXPECT_EQ(first->state(), MachineSession::State::kRegistered);
}

TEST_F(SessionTest, OnAStoreOfItsOwnItTakesAnyRecordOver) {
  auto first = session(machine("boot", "dir", "1"), true);
  first.reset();
  const auto second = session(machine("other boot", "other dir", "2"), true);
  EXPECT_EQ(second->state(), MachineSession::State::kRegistered);
}

TEST_F(SessionTest, RegistersAgainWhenItsLeaseIsRevokedOrItsRecordDeleted) {
  const auto first = session(machine("boot", "dir", "1"));
  const auto lease = first->lease();
  int changes = 0;
  first->on_change([&] { ++changes; });
  ASSERT_TRUE(await<store::Revision>([&](auto done) { store->revoke_lease(lease, done); }));
  loop.advance(1s);
  EXPECT_TRUE(registered());
  EXPECT_NE(first->lease(), lease);
  EXPECT_GE(changes, 1);
  raw_delete(keys.machine("m1"));
  loop.advance(1s);
  EXPECT_TRUE(registered());
}

TEST_F(SessionTest, ARecordThatSomebodyHasWrittenByHandIsReplaced) {
  const auto first = session(machine("boot", "dir", "1"));
  raw_put(keys.machine("m1"), "rubbish");
  loop.advance(1s);
  EXPECT_EQ(first->state(), MachineSession::State::kRegistered);
  ASSERT_TRUE(registered());
  EXPECT_EQ(registered()->nonce, "1");
  EXPECT_EQ(registered()->lease, first->lease());
}

TEST_F(SessionTest, LeavingEndsTheRecordAtOnce) {
  const auto first = session(machine("boot", "dir", "1"));
  bool left = false;
  first->leave([&] { left = true; });
  loop.settle();
  EXPECT_TRUE(left);
  EXPECT_FALSE(registered());
}

}  // namespace
}  // namespace flotilla::registry
