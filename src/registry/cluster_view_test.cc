#include "registry/cluster_view.h"

#include <gtest/gtest.h>

#include "base/fake_event_loop.h"
#include "registry/codec.h"
#include "registry/keys.h"
#include "registry/raw_record.h"
#include "registry/registry.h"
#include "registry/text_sharing.h"
#include "store/faulty_store.h"
#include "store/memory_store.h"

namespace flotilla::registry {
namespace {

using std::chrono_literals::operator""s;

struct ClusterViewTest : testing::Test {
  // A unit that runs on m1.
  void add(const std::string& name) {
    const std::vector<unit::UnitOption> options{{"Service", "ExecStart", "/bin/" + name}};
    Unit unit;
    unit.options = options;
    unit.hash = unit::hash_hex(options);
    ScheduleEntry entry;
    entry.hash = unit.hash;
    entry.text = unit::serialize(options);
    UnitState state;
    state.hash = unit.hash;
    state.active_state = "active";
    write_raw_record(*inner, keys.unit(name), encode(unit));
    write_raw_record(*inner, keys.schedule("m1", name), encode(entry));
    write_raw_record(*inner, keys.state(name, "m1"), encode(state));
    loop.settle();
  }
  void remove(const std::string& name) {
    write_raw_record(*inner, keys.unit(name), std::nullopt);
    write_raw_record(*inner, keys.schedule("m1", name), std::nullopt);
    write_raw_record(*inner, keys.state(name, "m1"), std::nullopt);
    loop.settle();
  }

  base::FakeEventLoop loop;
  const Keys keys{"/flotilla"};
  std::unique_ptr<store::Store> inner = store::make_memory_store(loop);
  store::FaultyStore store{*inner, loop};
  ClusterView view{store, loop, "/flotilla"};
};

TEST_F(ClusterViewTest, TextsThatRecordsHaveInCommonAreKeptOnce) {
  add("a.service");
  view.open();
  add("b.service");
  loop.settle();
  const Cluster& cluster = view.cluster();
  for (const char* name : {"a.service", "b.service"}) {
    const auto unit = cluster.units.find(name);
    const auto entry = cluster.schedule.at(name).find("m1");
    const auto state = cluster.states.at(name).find("m1");
    EXPECT_EQ(&unit->first.str(), &unit->second.name.str());
    EXPECT_EQ(&unit->first.str(), &state->second.name.str());
    EXPECT_EQ(&unit->second.hash.str(), &entry->second.hash.str());
    EXPECT_EQ(&unit->second.hash.str(), &state->second.hash.str());
    EXPECT_EQ(&entry->first.str(), &state->first.str());
    EXPECT_TRUE(entry->second.text.empty()) << "the unit says it";
  }
  EXPECT_EQ(&cluster.states.at("a.service").at("m1").active_state.str(),
            &cluster.states.at("b.service").at("m1").active_state.str());
}

TEST_F(ClusterViewTest, AfterACompactionTheDifferencesAreTold) {
  for (const char* name : {"a.service", "b.service", "c.service"}) add(name);
  write_raw_record(*inner, keys.metadata("m1"), encode(Metadata{{"zone", "a"}}));
  view.open();
  loop.settle();
  store.partition();
  remove("a.service");
  add("d.service");
  write_raw_record(*inner, keys.metadata("m1"), std::nullopt);
  store::Revision now = 0;
  store::RangeRequest any;
  any.key = "x";
  inner->range(std::move(any), [&](const auto& result) { now = result->revision; });
  loop.settle();
  inner->compact(now, [](const auto& done) { EXPECT_TRUE(done); });
  ClusterChange told;
  const auto listener = view.subscribe([&](const ClusterChange& change) {
    told.units.insert(change.units.begin(), change.units.end());
    told.machines.insert(change.machines.begin(), change.machines.end());
  });
  store.heal();
  loop.advance(30s);
  ASSERT_TRUE(view.is_ready());
  EXPECT_EQ(told.units, (std::set<std::string>{"a.service", "d.service"}));
  EXPECT_EQ(told.machines, (std::set<std::string>{"m1"}));
  for (const size_t count : {view.cluster().units.size(), view.cluster().schedule.size(),
                             view.cluster().states.size()}) {
    EXPECT_EQ(count, 3U);
  }
  EXPECT_TRUE(view.cluster().metadata_edits.empty());
}

TEST_F(ClusterViewTest, AFirstReadingThatBreaksOffKeepsNothingThatIsGone) {
  for (int i = 0; i < 2500; ++i) {
    Unit unit;
    unit.options = {{"Service", "ExecStart", "/bin/x"}};
    write_raw_record(*inner, keys.unit(fmt::format("u{:04}.service", i)), encode(unit));
  }
  loop.settle();
  store.delay_answers(1s);
  view.open();
  loop.advance(1s);
  EXPECT_FALSE(view.has_data());
  write_raw_record(*inner, keys.unit("u0000.service"), std::nullopt);
  store.partition();
  loop.advance(10s);
  EXPECT_FALSE(view.has_data());
  store.heal();
  loop.advance(30s);
  ASSERT_TRUE(view.is_ready());
  EXPECT_EQ(view.cluster().units.size(), 2499U);
  EXPECT_FALSE(view.cluster().units.contains("u0000.service"));
}

TEST(Words, ThoseThatNobodyHasAreForgotten) {
  Words words;
  const SharedText kept = words.shared("active");
  for (int i = 0; i < 5000; ++i) words.shared(fmt::format("word{}", i));
  EXPECT_LT(words.size(), 2000U);
  EXPECT_EQ(&words.shared("active").str(), &kept.str());
  EXPECT_TRUE(words.shared("").empty());
}

}  // namespace
}  // namespace flotilla::registry
