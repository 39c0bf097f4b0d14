#include "agent/lease_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fake_event_loop.h"
#include "bus/fake_unit_manager.h"

namespace flotilla::agent {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

const std::vector<std::string> kNone;

struct LeaseGuardTest : testing::Test {
  void start(const std::vector<std::string>& bound = {"a.service"}) {
    guard = std::make_unique<LeaseGuard>(LeaseGuardParts{
        loop, "boot", "fleet-lease.service", [this] { return record; },
        [this](base::BoottimeTime at) {
          timer = loop.after(at - loop.clock().boottime(), [this] { guard->look(); });
        },
        [this, bound]() -> std::unique_ptr<bus::UnitManager> {
          auto made = std::make_unique<bus::FakeUnitManager>(loop);
          std::vector<bus::Value> names;
          for (const std::string& unit : bound) {
            made->add_unit_file(unit);
            names.push_back({"s", unit});
          }
          made->set_property("fleet-lease.service", "BoundBy", {"as", names});
          made->hold_jobs(true);
          manager = made.get();
          return made;
        },
        [this](std::string_view text) { said.emplace_back(text); },
        [this](int code) { exit_code = code; }});
    guard->look();
  }
  // As fleetd does at each acknowledged keep-alive.
  void renew(base::Micros ttl = 30s) {
    record = LeaseRecord{"boot", loop.clock().boottime(), ttl};
    if (guard) guard->look();
  }
  std::vector<std::string> calls() const {
    std::vector<std::string> kept = manager != nullptr ? manager->calls() : kNone;
    std::erase(kept, "get-properties fleet-lease.service");
    return kept;
  }

  base::FakeEventLoop loop;
  std::optional<LeaseRecord> record;
  base::RegistrationPtr timer;
  bus::FakeUnitManager* manager = nullptr;
  std::vector<std::string> said;
  int exit_code = -1;
  std::unique_ptr<LeaseGuard> guard;
};

TEST_F(LeaseGuardTest, IsReadyOnceThereIsARecordOfThisBootThatHolds) {
  start();
  record = LeaseRecord{"an earlier boot", loop.clock().boottime(), 30s};
  guard->look();
  EXPECT_THAT(said, IsEmpty());
  renew();
  EXPECT_THAT(said, ElementsAre("READY=1\nWATCHDOG_USEC=22500000\nWATCHDOG=1"));
}

TEST_F(LeaseGuardTest, GoesOnAsLongAsTheLeaseIsRenewedInTime) {
  renew();
  start();
  for (int i = 0; i < 100; ++i) {
    loop.advance(19s);
    renew();
  }
  EXPECT_EQ(said.size(), 101U);
  EXPECT_EQ(manager, nullptr);
  EXPECT_EQ(exit_code, -1);
}

TEST_F(LeaseGuardTest, StopsWhatIsBoundToItAtTwoThirdsAndEndsWhenThatHasStopped) {
  renew();
  start({"a.service", "b.service"});
  loop.advance(19'999ms);
  EXPECT_EQ(manager, nullptr);
  loop.advance(1ms);
  EXPECT_THAT(calls(), ElementsAre("stop a.service replace", "stop b.service replace"));
  EXPECT_EQ(exit_code, -1);
  manager->finish_jobs();
  loop.advance(0s);
  EXPECT_EQ(exit_code, 1);
}

TEST_F(LeaseGuardTest, KillsShortlyBeforeTheEndWhatDoesNotStop) {
  renew();
  start();
  loop.advance(27'499ms);
  EXPECT_THAT(calls(), Not(Contains(testing::HasSubstr("kill"))));
  loop.advance(1ms);
  EXPECT_THAT(calls(), Contains(testing::HasSubstr("kill a.service")));
  loop.advance(2'500ms);
  EXPECT_EQ(exit_code, 1);
}

TEST_F(LeaseGuardTest, ARenewalThatComesTooLateDoesNotCallTheStopsBack) {
  renew();
  start();
  loop.advance(20s);
  renew();
  manager->finish_jobs();
  loop.advance(0s);
  EXPECT_EQ(exit_code, 1);
}

TEST_F(LeaseGuardTest, ADamagedRecordCountsAsNotRenewed) {
  renew();
  start();
  record.reset();
  guard->look();
  EXPECT_EQ(manager, nullptr);
  loop.advance(20s);
  EXPECT_NE(manager, nullptr);
}

TEST_F(LeaseGuardTest, EndsWellWhenNoUnitNeedsIt) {
  renew();
  start();
  renew(0s);
  EXPECT_EQ(exit_code, 0);
  EXPECT_EQ(manager, nullptr);
}

TEST_F(LeaseGuardTest, EndsAtOnceWhereNothingIsBoundToIt) {
  renew();
  start({});
  loop.advance(20s);
  EXPECT_EQ(exit_code, 1);
}

}  // namespace
}  // namespace flotilla::agent
