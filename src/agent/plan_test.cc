#include "agent/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "agent/assignments.h"

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

// --- What is assigned to a machine ---

registry::ScheduleEntry entry(const std::string& name, const std::string& fleet = "") {
  registry::ScheduleEntry made;
  made.name = name;
  made.hash = "h-" + name;
  made.text = "[Service]\nExecStart=/bin/x\n" + (fleet.empty() ? "" : "\n[X-Fleet]\n" + fleet);
  made.target = kLaunched;
  return made;
}

registry::GlobalEntry global(const std::string& name, const std::string& fleet = "") {
  const registry::ScheduleEntry made = entry(name, "Global=true\n" + fleet);
  return {made.name, made.hash, made.text, made.target, {}, 0};
}

std::vector<std::string> names(const AssignedUnits& assigned) {
  std::vector<std::string> out;
  for (const auto& [name, assignment] : assigned.units) out.push_back(name);
  return out;
}

TEST(Assign, TakesWhatIsScheduledHereAndTheGlobalsThatFit) {
  const AssignedUnits assigned =
      assign({{"a.service", entry("a.service", "MachineMetadata=no=where\n")}},
             {{"g.service", global("g.service", "MachineMetadata=disk=ssd\n")},
              {"h.service", global("h.service", "MachineMetadata=disk=tape\n")}},
             {{"disk", "ssd"}});
  EXPECT_THAT(names(assigned), ElementsAre("a.service", "g.service"));
  EXPECT_EQ(assigned.units.at("a.service").hash, "h-a.service");
}

TEST(Assign, AmongConflictingGlobalsTheFirstNameWinsAndScheduledUnitsBeforeAll) {
  EXPECT_THAT(names(assign({},
                           {{"g1.service", global("g1.service")},
                            {"g2.service", global("g2.service", "Conflicts=g1*\n")},
                            {"g3.service", global("g3.service", "Conflicts=g2*\n")}},
                           {})),
              ElementsAre("g1.service", "g3.service"));
  EXPECT_THAT(names(assign({{"z.service", entry("z.service", "Conflicts=g*\n")}},
                           {{"g.service", global("g.service")}}, {})),
              ElementsAre("z.service"));
}

TEST(Assign, WhatCannotBeReadIsUntouchable) {
  registry::ScheduleEntry broken = entry("b.service");
  broken.text = "[Service\nno end";
  const AssignedUnits assigned = assign({{"b.service", broken}}, {}, {});
  EXPECT_THAT(names(assigned), IsEmpty());
  EXPECT_THAT(assigned.untouchable, ElementsAre("b.service"));
}

TEST(Assign, SeesWhatAnInstallSectionSays) {
  const auto install_of = [](const std::string& more) {
    registry::ScheduleEntry made = entry("a.service");
    made.text = made.text.str() + more;
    return assign({{"a.service", made}}, {}, {}).units.at("a.service").install;
  };
  EXPECT_EQ(install_of(""), InstallSection::kNone);
  EXPECT_EQ(install_of("\n[Install]\n"), InstallSection::kNone) << "no option, no section";
  EXPECT_EQ(install_of("\n[Install]\nWantedBy=multi-user.target\n"), InstallSection::kNames);
  EXPECT_EQ(install_of("\n[Install]\nAlso=b.service\nAlias=c.service\n"), InstallSection::kNames);
  EXPECT_EQ(install_of("\n[Install]\nAlso=b.service\n"), InstallSection::kOther);
  EXPECT_EQ(install_of("\n[Install]\nWantedBy=\n"), InstallSection::kOther);
}

}  // namespace
}  // namespace flotilla::agent
