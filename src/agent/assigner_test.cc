#include "agent/assigner.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace flotilla::agent {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

registry::ScheduleEntry entry(const std::string& name, const std::string& fleet = "") {
  registry::ScheduleEntry made;
  made.name = name;
  made.hash = "h-" + name;
  made.text = "[Service]\nExecStart=/bin/x\n" + (fleet.empty() ? "" : "\n[X-Fleet]\n" + fleet);
  made.target = registry::TargetState::kLaunched;
  return made;
}

registry::GlobalEntry global(const std::string& name, const std::string& fleet = "") {
  const registry::ScheduleEntry made = entry(name, "Global=true\n" + fleet);
  return {made.name, made.hash, made.text, made.target, {}, 0};
}

AssignedUnits assign(const std::map<std::string, registry::ScheduleEntry>& schedule,
                     const std::map<std::string, registry::GlobalEntry>& globals,
                     const registry::Metadata& metadata) {
  Assigner assigner;
  for (const auto& [name, entry] : schedule) assigner.put(entry);
  for (const auto& [name, entry] : globals) assigner.put(entry);
  assigner.set_metadata(metadata);
  return assigner.assigned();
}

std::vector<std::string> names(const AssignedUnits& assigned) {
  std::vector<std::string> out;
  for (const auto& [name, assignment] : assigned.units) out.push_back(name);
  return out;
}

TEST(Assigner, TakesWhatIsScheduledHereAndTheGlobalsThatFit) {
  const AssignedUnits assigned =
      assign({{"a.service", entry("a.service", "MachineMetadata=no=where\n")}},
             {{"g.service", global("g.service", "MachineMetadata=disk=ssd\n")},
              {"h.service", global("h.service", "MachineMetadata=disk=tape\n")}},
             {{"disk", "ssd"}});
  EXPECT_THAT(names(assigned), ElementsAre("a.service", "g.service"));
  EXPECT_EQ(assigned.units.at("a.service").hash, "h-a.service");
}

TEST(Assigner, AmongConflictingGlobalsTheFirstNameWinsAndScheduledUnitsBeforeAll) {
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

TEST(Assigner, WhatCannotBeReadIsUntouchable) {
  registry::ScheduleEntry broken = entry("b.service");
  broken.text = "[Service\nno end";
  const AssignedUnits assigned = assign({{"b.service", broken}}, {}, {});
  EXPECT_THAT(names(assigned), IsEmpty());
  EXPECT_THAT(assigned.untouchable, ElementsAre("b.service"));
}

TEST(Assigner, SeesWhatAnInstallSectionSays) {
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

// Whatever came and went before, it is as if what stands now were all that ever was.
TEST(Assigner, AfterManyChangesIsAsIfReadAnew) {
  std::mt19937 random(1);
  const std::vector<std::string> texts{"",
                                       "MachineMetadata=disk=ssd\n",
                                       "MachineMetadata=disk=tape\n",
                                       "Conflicts=u1*\n",
                                       "MachineOf=u2.service\n",
                                       "OnPartition=stop\n"};
  const std::vector<registry::Metadata> machines{{}, {{"disk", "ssd"}}, {{"disk", "tape"}}};
  std::map<std::string, registry::ScheduleEntry> schedule;
  std::map<std::string, registry::GlobalEntry> globals;
  Assigner assigner;
  for (int step = 0; step < 3000; ++step) {
    const std::string unit = fmt::format("u{}.service", random() % 6);
    const std::string& text = texts[random() % texts.size()];
    const bool is_broken = random() % 10 == 0;
    const auto broken_or = [&](auto made) {
      if (is_broken) made.text = "[Service\nno end";
      return made;
    };
    switch (random() % 4) {
      case 0:
        assigner.put(schedule[unit] = broken_or(entry(unit, text)));
        break;
      case 1:
        assigner.put(globals[unit] = broken_or(global(unit, text)));
        break;
      case 2:
        schedule.erase(unit);
        assigner.erase_scheduled(unit);
        break;
      default:
        globals.erase(unit);
        assigner.erase_global(unit);
        break;
    }
    const registry::Metadata& machine = machines[random() % machines.size()];
    assigner.set_metadata(machine);
    const AssignedUnits anew = assign(schedule, globals, machine);
    const AssignedUnits& now = assigner.assigned();
    ASSERT_THAT(names(now), ElementsAreArray(names(anew))) << "step " << step;
    ASSERT_EQ(now.has_units_that_run_once, anew.has_units_that_run_once) << "step " << step;
    ASSERT_EQ(now.untouchable, anew.untouchable) << "step " << step;
    for (const auto& [name, assignment] : anew.units) {
      ASSERT_EQ(now.units.at(name).text, assignment.text) << "step " << step;
      ASSERT_EQ(now.units.at(name).runs_once, assignment.runs_once) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace flotilla::agent
