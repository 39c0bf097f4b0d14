#include "agent/agent_fixture.h"
#include "agent/lease_record.h"

namespace flotilla::agent {
namespace {

using std::chrono_literals::operator""s;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kOnce = "[X-Fleet]\nOnPartition=stop\n";
constexpr const char* kBound = "[Unit]\nBindsTo=fleet-lease.service\nAfter=fleet-lease.service\n";

struct RunOnceTest : AgentTest {
  RunOnceTest() {
    lease_program = "/usr/bin/fleet-lease";
    boot();
  }
  std::optional<LeaseRecord> lease() { return decode_lease_record(file(".lease")); }
  // Its time is over, or it was killed.
  void end_lease_unit() {
    manager.start(kLeaseUnit, bus::JobMode::kReplace, [](const auto&) {});
    loop.advance(kNow);
    manager.end_process(kLeaseUnit, true);
    manager.end_process("a.service", false);
    calls();
    loop.advance(kNow);
  }
};

TEST_F(RunOnceTest, AUnitIsBoundToTheServiceThatHoldsTheLease) {
  schedule("a.service", TargetState::kLaunched, "/bin/x", kOnce);
  EXPECT_THAT(calls(),
              ElementsAre(link_call("a.service") + " " + directory + "/units/fleet-lease.service",
                          "start a.service replace"));
  EXPECT_THAT(file("a.service"), HasSubstr(kBound));
  EXPECT_THAT(file(kLeaseUnit),
              HasSubstr("ExecStart=/usr/bin/fleet-lease " + directory +
                        "/units/.lease /run/systemd/private fleet-lease.service\n"));
  ASSERT_TRUE(lease());
  EXPECT_EQ(lease()->ttl, 30s);
  EXPECT_EQ(lease()->boot_id, "boot");
}

TEST_F(RunOnceTest, OthersAreNotAndNeedNoLeaseWrittenDown) {
  schedule("a.service", TargetState::kLaunched);
  EXPECT_THAT(calls(), ElementsAre(link_call("a.service"), "start a.service replace"));
  EXPECT_THAT(file("a.service"), Not(HasSubstr("BindsTo")));
  EXPECT_EQ(file(".lease"), "");
}

TEST_F(RunOnceTest, TheRecordIsRenewedAtEachAcknowledgedKeepAliveAndReleasedInTheEnd) {
  schedule("a.service", TargetState::kLaunched, "/bin/x", kOnce);
  const base::BoottimeTime first = lease()->acknowledged;
  loop.advance(10s);
  EXPECT_EQ(lease()->acknowledged - first, 10s);
  unschedule("a.service");
  EXPECT_TRUE(lease()->is_released());
  EXPECT_EQ(daemon->agent->find_unit(kLeaseUnit), nullptr);
}

TEST_F(RunOnceTest, ADaemonThatComesBackInTimeTouchesNothing) {
  schedule("a.service", TargetState::kLaunched, "/bin/x", kOnce);
  manager.start(kLeaseUnit, bus::JobMode::kReplace, [](const auto&) {});
  loop.advance(kNow);
  calls();
  boot();
  loop.advance(60s);
  EXPECT_THAT(calls(), IsEmpty());
}

TEST_F(RunOnceTest, WhatTheManagerHasStoppedWhileTheDaemonLivedIsStartedAnew) {
  schedule("a.service", TargetState::kLaunched, "/bin/x", kOnce);
  end_lease_unit();
  EXPECT_THAT(calls(), ElementsAre("stop a.service replace", "start a.service replace"));
  EXPECT_EQ(state_of("a.service"), "loaded/active/running launched");
}

TEST_F(RunOnceTest, WhatTheManagerHasStoppedWhileTheDaemonWasAwayIsStartedAnew) {
  schedule("a.service", TargetState::kLaunched, "/bin/x", kOnce);
  daemon.reset();
  end_lease_unit();
  boot();
  EXPECT_THAT(calls(), ElementsAre("stop a.service replace", "start a.service replace"));
}

TEST_F(RunOnceTest, NobodyElseMayHaveTheNameOfThatService) {
  schedule(kLeaseUnit, TargetState::kLaunched);
  EXPECT_THAT(calls(), Not(Contains(HasSubstr(kLeaseUnit))));
}

}  // namespace
}  // namespace flotilla::agent
