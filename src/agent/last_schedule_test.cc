#include "agent/last_schedule.h"

#include "agent/agent_fixture.h"
#include "store/faulty_store.h"

namespace flotilla::agent {
namespace {

using std::chrono_literals::operator""s;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

AssignedUnits two_units() {
  AssignedUnits assigned;
  assigned.units["a.service"] = {"h1",
                                 "[Service]\nExecStart=/bin/\"\xC3\xA4\n",
                                 TargetState::kLaunched,
                                 false,
                                 0,
                                 InstallSection::kNone};
  assigned.units["b.timer"] = {"h2", "", TargetState::kLoaded, true, 0, InstallSection::kOther};
  return assigned;
}
std::string why(const std::string& text) {
  const auto assigned = decode_schedule("m1", text);
  return assigned ? "it is good" : assigned.error().message;
}

TEST(LastScheduleFile, IsReadAsItWasWritten) {
  const auto assigned = decode_schedule("m1", encode_schedule("m1", two_units()));
  ASSERT_TRUE(assigned) << assigned.error().message;
  ASSERT_THAT(assigned->units, SizeIs(2));
  EXPECT_TRUE(assigned->has_units_that_run_once);
  const Assignment& a = assigned->units.at("a.service");
  EXPECT_EQ(a.hash, "h1");
  EXPECT_EQ(a.text, two_units().units["a.service"].text);
  EXPECT_EQ(a.target, TargetState::kLaunched);
  EXPECT_FALSE(a.runs_once);
  const Assignment& b = assigned->units.at("b.timer");
  EXPECT_EQ(b.target, TargetState::kLoaded);
  EXPECT_TRUE(b.runs_once);
  EXPECT_EQ(b.install, InstallSection::kOther);
}

TEST(LastScheduleFile, NothingElseIsOne) {
  const std::string good = encode_schedule("m1", two_units());
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_NE(why(good.substr(0, length)), "it is good") << length;
  }
  EXPECT_EQ(why(good.substr(0, good.size() - 1)), "it is cut off or damaged");
  EXPECT_EQ(why(""), "it does not begin with \"flotilla-schedule 1 \"");
  EXPECT_EQ(why("flotilla-schedule 2 00000000\n{}"),
            "it does not begin with \"flotilla-schedule 1 \"");
  EXPECT_EQ(why("flotilla-schedule 1 00000000\n"), "its units are missing");
  EXPECT_EQ(why(encode_schedule("m2", two_units())), "it is that of Machine(m2)");
}

// A machine with a disk, and a store that can be away when it boots.
struct LastKnownTest : AgentTest {
  LastKnownTest() {
    last_schedule = directory + "/last-schedule";
    boot();
  }
  // The machine is switched off and on; nothing is left but its disk.
  void reboot_without_store() {
    loop.advance(2s);
    daemon.reset();
    std::filesystem::remove_all(directory + "/units");
    std::filesystem::remove(directory + "/state");
    away.partition();
    boot_over(restarted, away);
    daemon->agent->use_last_known();
    loop.advance(1s);
  }
  std::vector<std::string> starts() {
    std::vector<std::string> found;
    for (const std::string& call : restarted.calls()) {
      if (call.find("get-") != 0 && call.find("list-") != 0) found.push_back(call);
    }
    restarted.forget_calls();
    return found;
  }
  std::string kept() {
    std::ifstream in(last_schedule);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  void store_returns() {
    away.heal();
    loop.advance(40s);
  }

  store::FaultyStore away{*store, loop};
  bus::FakeUnitManager restarted{loop};
};

TEST_F(LastKnownTest, WhatIsScheduledIsKeptOnceASecondAtMost) {
  schedule("a.service", TargetState::kLaunched);
  EXPECT_EQ(kept(), "");
  loop.advance(1s);
  EXPECT_THAT(kept(), HasSubstr("a.service"));
  unschedule("a.service");
  schedule("b.service", TargetState::kLoaded);
  EXPECT_THAT(kept(), HasSubstr("a.service"));
  loop.advance(1s);
  EXPECT_THAT(kept(), testing::Not(HasSubstr("a.service")));
  EXPECT_THAT(kept(), HasSubstr("b.service"));
}

TEST_F(LastKnownTest, WhatCouldNotBeKeptIsKeptLater) {
  std::filesystem::create_directory(last_schedule);
  schedule("a.service", TargetState::kLaunched);
  loop.advance(60s);
  ASSERT_TRUE(std::filesystem::remove(last_schedule));
  loop.advance(60s);
  EXPECT_NE(kept().find("a.service"), std::string::npos);
}

TEST_F(LastKnownTest, WhatIsDueIsKeptAtTheEnd) {
  schedule("a.service", TargetState::kLaunched);
  daemon->engine.stop();
  EXPECT_THAT(kept(), HasSubstr("a.service"));
}

TEST_F(LastKnownTest, AMachineThatBootsWithoutTheStoreStartsWhatItHadAndRestartsNothingLater) {
  schedule("a.service", TargetState::kLaunched);
  schedule("b.service", TargetState::kLoaded);
  schedule("c.service", TargetState::kLaunched, "/bin/x", "[X-Fleet]\nOnPartition=stop\n");
  reboot_without_store();
  const std::string units = directory + "/units/";
  EXPECT_THAT(starts(),
              ElementsAre(fmt::format("link {0}a.service {0}b.service {0}c.service", units),
                          "start a.service replace"));
  store_returns();
  EXPECT_THAT(starts(), ElementsAre("start c.service replace"));
  EXPECT_EQ(state_of("a.service"), "loaded/active/running launched");
  EXPECT_EQ(state_of("b.service"), "loaded/inactive/dead loaded");
}

TEST_F(LastKnownTest, WhatHasChangedMeanwhileIsMadeGoodWhenTheStoreIsBack) {
  schedule("a.service", TargetState::kLaunched);
  schedule("b.service", TargetState::kLaunched);
  reboot_without_store();
  starts();
  unschedule("b.service");
  schedule("c.service", TargetState::kLaunched);
  EXPECT_THAT(starts(), IsEmpty());
  store_returns();
  EXPECT_THAT(starts(), testing::UnorderedElementsAre(
                            "stop b.service replace", "disable b.service", "reset-failed b.service",
                            link_call("c.service"), "start c.service replace"));
}

TEST_F(LastKnownTest, ADaemonThatStartsWithoutTheStoreTouchesNothingThatRuns) {
  schedule("a.service", TargetState::kLaunched);
  loop.advance(2s);
  const std::string before = kept();
  schedule("b.service", TargetState::kLaunched);
  schedule("a.service", TargetState::kLaunched, "/bin/y");
  // Killed before it was kept.
  daemon.reset();
  std::ofstream(last_schedule) << before;
  calls();
  away.partition();
  boot_over(manager, away);
  daemon->agent->use_last_known();
  loop.advance(60s);
  EXPECT_THAT(calls(), IsEmpty());
  store_returns();
  EXPECT_THAT(calls(), IsEmpty());
}

TEST_F(LastKnownTest, AFileThatCannotBeUsedStartsNothing) {
  schedule("a.service", TargetState::kLaunched);
  loop.advance(2s);
  std::ofstream(last_schedule, std::ios::app) << "x";
  reboot_without_store();
  EXPECT_THAT(starts(), IsEmpty());
  store_returns();
  EXPECT_THAT(starts(), ElementsAre(link_call("a.service"), "start a.service replace"));
}

}  // namespace
}  // namespace flotilla::agent
