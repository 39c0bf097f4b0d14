#include "agent/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace flotilla::agent {
namespace {

using registry::TargetState;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kLaunched = TargetState::kLaunched;
constexpr auto kLoaded = TargetState::kLoaded;
constexpr auto kInactive = TargetState::kInactive;

std::vector<std::string> lines(const std::vector<Operation>& operations) {
  std::vector<std::string> out;
  out.reserve(operations.size());
  for (const Operation& o : operations) {
    out.push_back(std::string(to_string(o.kind)) + " " + o.unit + ": " + o.reason);
  }
  return out;
}

const std::string kLoad = "LoadUnit a: unit scheduled here but not loaded";
const std::string kStart = "StartUnit a: unit currently loaded but desired state is launched";
const std::string kStop = "StopUnit a: unit currently launched but desired state is loaded";
const std::string kUnload = "UnloadUnit a: unit loaded but not scheduled here";
const std::string kReplace = "UnloadUnit a: unit loaded but hash differs to expected";
const std::string kReload = "ReloadUnitFiles : unit file changed on disk";

struct Case {
  const char* name;
  std::optional<Wanted> wanted;
  std::optional<Present> present;
  std::vector<std::string> operations;
};

class PlanTable : public testing::TestWithParam<Case> {};

TEST_P(PlanTable, HasItsOperations) {
  std::map<std::string, Wanted> wanted;
  std::map<std::string, Present> present;
  if (GetParam().wanted) wanted["a"] = *GetParam().wanted;
  if (GetParam().present) present["a"] = *GetParam().present;
  EXPECT_EQ(lines(plan(wanted, present)), GetParam().operations);
  EXPECT_THAT(plan(wanted, present, {"a"}), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    All, PlanTable,
    testing::Values(
        Case{"Nothing", {}, {}, {}},
        Case{"NotScheduledHere", {}, Present{"h", kLaunched}, {kUnload}},
        Case{"NotScheduledAndUntouched", {}, Present{"h", kInactive}, {kUnload}},
        Case{"Inactive", Wanted{"h", kInactive}, Present{"h", kLoaded}, {kUnload}},
        Case{"InactiveAndAbsent", Wanted{"h", kInactive}, {}, {}},
        Case{"LoadedAbsent", Wanted{"h", kLoaded}, {}, {kLoad}},
        Case{"LaunchedAbsent", Wanted{"h", kLaunched}, {}, {kLoad, kStart}},
        Case{"OtherHashLoaded",
             Wanted{"h", kLoaded},
             Present{"x", kLaunched},
             {kReplace, kLoad, kReload}},
        Case{"OtherHashLaunched",
             Wanted{"h", kLaunched},
             Present{"x", kLoaded},
             {kReplace, kLoad, kReload, kStart}},
        Case{"SameLoaded", Wanted{"h", kLoaded}, Present{"h", kLoaded}, {}},
        Case{"SameLaunched", Wanted{"h", kLaunched}, Present{"h", kLaunched}, {}},
        Case{"UntouchedLoaded", Wanted{"h", kLoaded}, Present{"h", kInactive}, {kLoad}},
        Case{"UntouchedLaunched", Wanted{"h", kLaunched}, Present{"h", kInactive}, {kLoad, kStart}},
        Case{"Start", Wanted{"h", kLaunched}, Present{"h", kLoaded}, {kStart}},
        Case{"Stop", Wanted{"h", kLoaded}, Present{"h", kLaunched}, {kStop}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Plan, GroupsByKindAndReloadsOnceForAll) {
  const std::map<std::string, Wanted> wanted{
      {"a", {"new", kLaunched}}, {"b", {"new", kLaunched}}, {"c", {"h", kLoaded}},
      {"d", {"h", kLaunched}},   {"e", {"h", kLaunched}},
  };
  const std::map<std::string, Present> present{
      {"a", {"old", kLaunched}}, {"b", {"old", kLaunched}}, {"c", {"h", kLaunched}},
      {"d", {"h", kLoaded}},     {"z", {"h", kLaunched}},
  };
  std::vector<std::string> order;
  for (const Operation& o : plan(wanted, present)) {
    order.push_back(std::string(to_string(o.kind)) + " " + o.unit);
  }
  EXPECT_THAT(order, ElementsAre("UnloadUnit a", "UnloadUnit b", "UnloadUnit z", "LoadUnit a",
                                 "LoadUnit b", "LoadUnit e", "ReloadUnitFiles ", "StopUnit c",
                                 "StartUnit a", "StartUnit b", "StartUnit d", "StartUnit e"));
}

TEST(Plan, AppliedThereIsNothingLeftToDo) {
  std::mt19937 random(1);
  const auto pick = [&](size_t n) { return random() % n; };
  for (int round = 0; round < 5000; ++round) {
    std::map<std::string, Wanted> wanted;
    std::map<std::string, Present> present;
    for (char c = 'a'; c < 'h'; ++c) {
      const std::string unit(1, c);
      if (pick(3)) wanted[unit] = {pick(2) ? "x" : "y", static_cast<TargetState>(pick(3))};
      if (pick(3)) present[unit] = {pick(2) ? "x" : "y", static_cast<TargetState>(pick(3))};
    }
    for (const Operation& o : plan(wanted, present)) {
      switch (o.kind) {
        case Operation::Kind::kUnload:
          ASSERT_EQ(present.erase(o.unit), 1u);
          break;
        case Operation::Kind::kLoad:
          present[o.unit] = {wanted.at(o.unit).hash, kLoaded};
          break;
        case Operation::Kind::kReload:
          break;
        case Operation::Kind::kStop:
          present.at(o.unit).reached = kLoaded;
          break;
        case Operation::Kind::kStart:
          present.at(o.unit).reached = kLaunched;
          break;
      }
    }
    ASSERT_THAT(plan(wanted, present), IsEmpty());
  }
}

}  // namespace
}  // namespace flotilla::agent
