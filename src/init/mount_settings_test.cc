#include "init/mount_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "init/unit_settings.h"

namespace flotilla::init {
namespace {

using testing::ElementsAre;

std::string line_of(const UnitSettings& settings, ServiceCommand which) {
  std::string text;
  for (const unit::Command& command : settings.commands[which]) {
    for (const std::string_view word : command.argv)
      text.append(text.empty() ? "" : " ").append(word);
  }
  return text;
}

UnitSettings mount_of(const MountSettings& mount) {
  UnitSettings settings(*unit::UnitName::parse("a.mount"));
  settings.extras.edit().mount.edit() = mount;
  set_mount_commands(settings);
  return settings;
}

TEST(MountSettings, CommandsSayWhatTheFileSays) {
  MountSettings mount{"/a", "dev", "ext4", "ro,nofail,noatime"};
  UnitSettings settings = mount_of(mount);
  EXPECT_EQ(line_of(settings, ServiceCommand::kStart), "/bin/mount dev /a -t ext4 -o ro,noatime");
  EXPECT_EQ(line_of(settings, ServiceCommand::kReload),
            "/bin/mount dev /a -o remount,ro,nofail,noatime -t ext4");
  EXPECT_EQ(line_of(settings, ServiceCommand::kStop), "/bin/umount /a -c");

  mount = {"/a", "dev", "", "nofail"};
  mount.sloppy_options = mount.read_write_only = mount.lazy_unmount = mount.force_unmount = true;
  settings = mount_of(mount);
  EXPECT_EQ(line_of(settings, ServiceCommand::kStart), "/bin/mount dev /a -s -w");
  EXPECT_EQ(line_of(settings, ServiceCommand::kStop), "/bin/umount /a -c -l -f");
}

TEST(MountSettings, WhatNoFileNamesCanOnlyBeUnmounted) {
  const UnitSettings settings = mount_of({"/a", "", "", ""});
  EXPECT_EQ(line_of(settings, ServiceCommand::kStart), "");
  EXPECT_EQ(line_of(settings, ServiceCommand::kReload), "");
  EXPECT_EQ(line_of(settings, ServiceCommand::kStop), "/bin/umount /a -c");
}

TEST(MountSettings, OptionsAreAskedByName) {
  EXPECT_TRUE(has_mount_option("ro,nofail", "nofail"));
  EXPECT_TRUE(has_mount_option("x=1,ro", "x"));
  EXPECT_FALSE(has_mount_option("nofailx,ro", "nofail"));
  EXPECT_FALSE(has_mount_option("", "ro"));
  EXPECT_TRUE(is_bind_mount("rbind", ""));
  EXPECT_FALSE(is_bind_mount("rw", "ext4"));
  EXPECT_TRUE(needs_source_path("loop=/dev/loop0", "ext4"));
  EXPECT_TRUE(is_network_mount("", "nfs4"));
  EXPECT_TRUE(is_network_mount("_netdev", "ext4"));
  EXPECT_FALSE(is_network_mount("", "tmpfs"));
}

TEST(MountSettings, TellsTheKernelsOwnAndWhatAlwaysStays) {
  EXPECT_TRUE(is_api_mount("/proc"));
  EXPECT_TRUE(is_api_mount("/sys/fs/cgroup/unified"));
  EXPECT_FALSE(is_api_mount("/dev/hugepages"));
  EXPECT_FALSE(is_api_mount("/run/a"));
  for (const char* path : {"/", "/usr", "/etc", "/dev/mqueue", "/sys/x", "/run/initramfs"}) {
    EXPECT_TRUE(is_extrinsic_mount(path, "")) << path;
  }
  EXPECT_FALSE(is_extrinsic_mount("/var", "ro"));
  EXPECT_FALSE(is_extrinsic_mount("/devices", ""));
  EXPECT_TRUE(is_extrinsic_mount("/var", "x-initrd.mount"));
}

TEST(MountSettings, PathsAndUnitsNameEachOther) {
  EXPECT_THAT(paths_above("/a/b/c"), ElementsAre("/a/b/c", "/a/b", "/a", "/"));
  EXPECT_THAT(paths_above("/"), ElementsAre("/"));
  EXPECT_EQ(mount_unit_of("/"), "-.mount");
  EXPECT_EQ(mount_unit_of("/my data/x"), "my\\x20data-x.mount");
  EXPECT_EQ(path_of_mount_unit(*unit::UnitName::parse("-.mount")), "/");
  EXPECT_EQ(path_of_mount_unit(*unit::UnitName::parse("my\\x20data-x.mount")), "/my data/x");
}

}  // namespace
}  // namespace flotilla::init
