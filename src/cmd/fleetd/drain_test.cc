#include "cmd/fleetd/drain.h"

#include <gtest/gtest.h>

#include "base/fake_event_loop.h"
#include "registry/codec.h"
#include "registry/cordon.h"
#include "registry/keys.h"
#include "registry/raw_record.h"
#include "store/memory_store.h"

namespace flotilla::fleetd {
namespace {

using std::chrono_literals::operator""s;

struct DrainTest : testing::Test {
  DrainTest() {
    view.open();
    for (const char* id : {"m1", "m2"}) {
      registry::Machine machine;
      machine.id = id;
      put(keys.machine(id), registry::encode(machine));
    }
  }
  void put(std::string key, std::optional<std::string> value) {
    registry::write_raw_record(*store, std::move(key), std::move(value));
    loop.advance(1s);
  }
  // A unit that runs here.
  void add(const std::string& name, const std::string& fleet = {}) {
    const auto options = unit::parse_fleet_file("[Service]\nExecStart=/bin/x\n[X-Fleet]\n" + fleet);
    registry.put_unit(name, *options, registry::TargetState::kLaunched,
                      [](const auto& result) { EXPECT_TRUE(result); });
    registry::ScheduleEntry entry;
    entry.hash = unit::hash_hex(*options);
    entry.text = unit::serialize(*options);
    entry.target = registry::TargetState::kLaunched;
    put(keys.schedule("m1", name), registry::encode(entry));
  }
  void leaves(const std::string& name) { put(keys.schedule("m1", name), std::nullopt); }
  void begin() {
    drain.begin(60s, [this] { ++ended; });
    loop.advance(1s);
  }
  std::string mark() const {
    const auto edits = view.cluster().metadata_edits.find("m1");
    if (edits == view.cluster().metadata_edits.end()) return "none";
    const auto found = edits->second.find(std::string(registry::kCordonKey));
    return found != edits->second.end() ? found->second : "none";
  }

  base::FakeEventLoop loop;
  overlord::InlineExecutor executor{loop};
  overlord::State state{loop, executor};
  std::unique_ptr<store::Store> store = store::make_memory_store(loop);
  registry::Keys keys{"/flotilla"};
  registry::Registry registry{*store, "/flotilla"};
  registry::ClusterView view{*store, loop, "/flotilla"};
  bool has_stopped = true;
  Drain drain{loop, registry, view, state, "m1", [this] { return has_stopped; }};
  int ended = 0;
};

TEST_F(DrainTest, EndsWhenTheLastUnitThatAnotherMachineCanTakeHasGone) {
  add("a.service");
  add("b.service");
  add("stays.service", "MachineID=m1\n");
  begin();
  EXPECT_EQ(mark(), "drain");
  leaves("a.service");
  EXPECT_EQ(ended, 0);
  leaves("b.service");
  EXPECT_EQ(ended, 1);
}

TEST_F(DrainTest, WaitsUntilWhatHasGoneIsStoppedHere) {
  has_stopped = false;
  begin();
  EXPECT_EQ(ended, 0);
  has_stopped = true;
  loop.advance(1s);
  EXPECT_EQ(ended, 1);
}

TEST_F(DrainTest, EndsAtOnceWhereNothingCanGo) {
  add("stays.service", "MachineID=m1\n");
  begin();
  EXPECT_EQ(ended, 1);
}

TEST_F(DrainTest, GivesUpAtItsLimit) {
  add("a.service");
  begin();
  loop.advance(58s);
  EXPECT_EQ(ended, 0);
  loop.advance(2s);
  EXPECT_EQ(ended, 1);
}

TEST_F(DrainTest, IsTakenBackByTheNextDaemonOnce) {
  begin();
  Drain next{loop, registry, view, state, "m1", [] { return true; }};
  next.undo();
  loop.advance(1s);
  EXPECT_EQ(mark(), "none");
  registry.edit_metadata("m1", std::string(registry::kCordonKey), "cordon", [](const auto&) {});
  loop.advance(1s);
  next.undo();
  loop.advance(1s);
  EXPECT_EQ(mark(), "cordon");
}

TEST_F(DrainTest, AMachineThatWasCordonedIsSoAgain) {
  registry.edit_metadata("m1", std::string(registry::kCordonKey), "cordon", [](const auto&) {});
  loop.advance(1s);
  begin();
  EXPECT_EQ(mark(), "drain");
  drain.undo();
  loop.advance(1s);
  EXPECT_EQ(mark(), "cordon");
}

}  // namespace
}  // namespace flotilla::fleetd
