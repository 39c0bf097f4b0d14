#include "init/conditions.h"

#include <gtest/gtest.h>

#include "base/memory_file_tree.h"

namespace flotilla::init {
namespace {

class ConditionsTest : public ::testing::Test {
 protected:
  ConditionsTest() {
    tree_.add_file("/d/full", "x");
    tree_.add_file("/d/empty", "");
    tree_.add_file("/d/run", "#!", 0755);
    tree_.add_file("/h/.hidden", "");
    EXPECT_TRUE(tree_.make_symlink("/d/full", "/link"));
    world_.host_name = "box";
    world_.architecture = "x86-64";
    world_.kernel_release = "5.10.3";
    world_.kernel_command_line = "quiet root=/dev/sda";
    world_.virtualization = "docker";
    world_.is_container = true;
    world_.environment = {"A=1"};
    world_.memory_bytes = 1 << 30;
    world_.cpus = 4;
  }
  bool is(const std::string& kind, const std::string& parameter) {
    return holds({kind, parameter, false, false}, world_);
  }

  bool all(std::vector<Condition> conditions, const Condition** failed = nullptr) {
    looked_at_ = std::move(conditions);
    return all_hold(looked_at_, world_, failed);
  }
  // The results of the last look, a number each.
  std::string results() const {
    std::string text;
    for (const Condition& condition : looked_at_) text += std::to_string(condition.result) + " ";
    return text;
  }

  base::MemoryFileTree tree_;
  ConditionWorld world_{tree_};
  std::vector<Condition> looked_at_;
};

TEST_F(ConditionsTest, EachLineRemembersWhatItSaidUntilAPlainOneFails) {
  const Condition yes{"PathExists", "/d", false, false}, no{"PathExists", "/n", false, false};
  EXPECT_FALSE(all({yes, no, yes}));
  EXPECT_EQ(results(), "0 -1 1 ");
  const Condition first{"PathExists", "/n", true, false}, second{"PathExists", "/d", true, false};
  EXPECT_TRUE(all({first, second, second}));
  EXPECT_EQ(results(), "-1 1 1 ");
  const Condition* failed = nullptr;
  EXPECT_FALSE(all({first, yes, first}, &failed));
  EXPECT_EQ(failed, &looked_at_[2]);
}

TEST_F(ConditionsTest, WhatCannotBeToldHoldsNeitherWayRound) {
  for (const auto& [kind, parameter] :
       {std::pair("CPUs", "many"), std::pair("Memory", "much"),
        std::pair("KernelVersion", ">= 3 < 99"), std::pair("FirstBoot", "maybe"),
        std::pair("Capability", "CAP_NONSENSE")}) {
    EXPECT_FALSE(holds({kind, parameter, false, false}, world_)) << kind;
    EXPECT_FALSE(holds({kind, parameter, false, true}, world_)) << kind;
  }
  EXPECT_TRUE(is("KernelVersion", ">= 3"));
  EXPECT_TRUE(is("KernelVersion", ">=3 <99 !=4"));
  tree_.add_file("/sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
  EXPECT_TRUE(is("ControlGroupController", "no-such memory"));
  EXPECT_FALSE(is("ControlGroupController", "io"));
}

TEST_F(ConditionsTest, LooksAtFiles) {
  EXPECT_TRUE(is("PathExists", "/d/full"));
  EXPECT_FALSE(is("PathExists", "/d/none"));
  EXPECT_TRUE(is("PathExistsGlob", "/*/f?ll"));
  EXPECT_FALSE(is("PathExistsGlob", "/d/z*"));
  EXPECT_TRUE(is("PathIsDirectory", "/d"));
  EXPECT_FALSE(is("PathIsDirectory", "/d/full"));
  EXPECT_TRUE(is("PathIsSymbolicLink", "/link"));
  EXPECT_TRUE(is("FileNotEmpty", "/link"));
  EXPECT_FALSE(is("FileNotEmpty", "/d/empty"));
  EXPECT_TRUE(is("FileIsExecutable", "/d/run"));
  EXPECT_FALSE(is("FileIsExecutable", "/d/full"));
  EXPECT_TRUE(is("DirectoryNotEmpty", "/d"));
  EXPECT_FALSE(is("DirectoryNotEmpty", "/h"));
}

// Of the real machine: a directory that nobody may write in, on a file system that is open to it.
TEST_F(ConditionsTest, AFileSystemIsOpenToWritingWhateverTheModesSay) {
  EXPECT_TRUE(is("PathIsReadWrite", "/proc/self/fdinfo"));
  EXPECT_FALSE(is("PathIsReadWrite", "/no/such/place"));
}

TEST_F(ConditionsTest, LooksAtTheMachine) {
  EXPECT_TRUE(is("Host", "b*"));
  EXPECT_FALSE(is("Host", "other"));
  EXPECT_TRUE(is("Architecture", "x86-64"));
  EXPECT_TRUE(is("KernelCommandLine", "quiet"));
  EXPECT_TRUE(is("KernelCommandLine", "root=/dev/sda"));
  EXPECT_FALSE(is("KernelCommandLine", "root=/dev/sdb"));
  EXPECT_TRUE(is("KernelVersion", ">=5.4 <6"));
  EXPECT_FALSE(is("KernelVersion", ">= 5.11"));
  EXPECT_TRUE(is("KernelVersion", "5.10.*"));
  EXPECT_TRUE(is("Virtualization", "container"));
  EXPECT_FALSE(is("Virtualization", "vm"));
  EXPECT_TRUE(is("Virtualization", "yes"));
  EXPECT_TRUE(is("Environment", "A=1"));
  EXPECT_FALSE(is("Environment", "A=2"));
  EXPECT_TRUE(is("CPUs", "4"));
  EXPECT_FALSE(is("CPUs", "<4"));
  EXPECT_TRUE(is("Memory", ">=512M"));
  EXPECT_FALSE(is("Capability", "CAP_NONSENSE"));
}

TEST_F(ConditionsTest, NeedsAllPlainOnesAndOneOfTheTriggers) {
  const Condition yes{"PathExists", "/d", false, false};
  const Condition no{"PathExists", "/n", false, false};
  const Condition not_no{"PathExists", "/n", false, true};
  const Condition trigger_yes{"PathExists", "/d", true, false};
  const Condition trigger_no{"PathExists", "/n", true, false};
  const Condition* failed = nullptr;
  EXPECT_TRUE(all({}));
  EXPECT_TRUE(all({yes, not_no}));
  EXPECT_FALSE(all({yes, no}, &failed));
  ASSERT_NE(failed, nullptr);
  EXPECT_TRUE(all({trigger_no, trigger_yes, yes}));
  EXPECT_FALSE(all({trigger_no, yes}));
  EXPECT_FALSE(all({trigger_yes, no}));
}

TEST_F(ConditionsTest, LooksAtTheReleaseOfTheSystem) {
  tree_.add_file("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
  EXPECT_TRUE(is("OSRelease", "ID=debian"));
  EXPECT_TRUE(is("OSRelease", "ID=debian VERSION_ID>=12"));
  EXPECT_FALSE(is("OSRelease", "ID=debian VERSION_ID<12"));
  EXPECT_TRUE(is("OSRelease", "ID=$deb*"));
  EXPECT_FALSE(is("OSRelease", "ID!=debian"));
  EXPECT_FALSE(is("OSRelease", "nonsense"));
}

TEST_F(ConditionsTest, LooksAtPressure) {
  EXPECT_TRUE(is("MemoryPressure", "10%"));
  tree_.add_file("/proc/pressure/memory", "some avg10=20.00 avg60=9.50 avg300=1.00 total=1\n");
  EXPECT_TRUE(is("MemoryPressure", "10%"));
  EXPECT_TRUE(is("MemoryPressure", "10%/1min"));
  EXPECT_FALSE(is("MemoryPressure", "10%/10s"));
  EXPECT_FALSE(is("MemoryPressure", "10%/7s"));
  tree_.add_file("/sys/fs/cgroup/a.slice/a-b.slice/cpu.pressure", "some avg300=50.00\n");
  EXPECT_FALSE(is("CPUPressure", "a-b.slice:10%"));
}

TEST_F(ConditionsTest, LooksAtPowerAndFirmware) {
  EXPECT_TRUE(is("ACPower", "yes"));
  tree_.add_file("/sys/class/power_supply/AC/type", "Mains\n");
  tree_.add_file("/sys/class/power_supply/AC/online", "0\n");
  EXPECT_FALSE(is("ACPower", "yes"));
  EXPECT_TRUE(is("ACPower", "no"));
  EXPECT_FALSE(is("Firmware", "uefi"));
  tree_.add_file("/sys/firmware/efi/x", "");
  EXPECT_TRUE(is("Firmware", "uefi"));
  tree_.add_file("/sys/class/dmi/id/sys_vendor", "QEMU\n");
  EXPECT_TRUE(is("Firmware", "smbios-field(sys_vendor = QEMU)"));
  EXPECT_FALSE(is("Firmware", "smbios-field(sys_vendor = Other)"));
}

TEST_F(ConditionsTest, WhatIsNotThereIsNeitherEncryptedNorGiven) {
  EXPECT_FALSE(is("PathIsEncrypted", "/d/none"));
  EXPECT_FALSE(is("Credential", "no/such"));
  EXPECT_TRUE(is("NeedsUpdate", "/d/none"));
}

}  // namespace
}  // namespace flotilla::init
