#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/memory_file_tree.h"
#include "init/unit_loader.h"

namespace flotilla::init {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using unit::UnitName;

class MountLoading : public ::testing::Test {
 protected:
  UnitSettings load(const std::string& name, const std::string& text = {},
                    ManagerScope scope = ManagerScope::kSystem) {
    EXPECT_TRUE(tree_.make_directories("/etc/systemd/system", 0755));
    if (!text.empty()) tree_.add_file("/etc/systemd/system/" + name, text);
    UnitLoaderOptions options;
    options.directories = {{"/etc/systemd/system", &tree_}};
    options.host = unit::HostValues::of_system_manager();
    options.scope = scope;
    UnitLoader loader(std::move(options));
    loader.set_mounts(&mounts_);
    return loader.load(*UnitName::parse(name));
  }
  static std::vector<std::string> names(const UnitSettings& settings, Dependency kind) {
    std::vector<std::string> found;
    for (const UnitName& name : settings.dependencies[static_cast<size_t>(kind)]) {
      found.push_back(name.str());
    }
    return found;
  }

  base::MemoryFileTree tree_;
  MountTable mounts_;
};

TEST_F(MountLoading, ReadsAMountWithItsPlaceAmongOthers) {
  const UnitSettings settings =
      load("run-m.mount",
           "[Mount]\nWhat=tmpfs\nType=tmpfs\nOptions=ro\nOptions=size=1m\nDirectoryMode=0711\n"
           "TimeoutSec=7s\nLazyUnmount=yes\n");
  ASSERT_EQ(settings.load_state, LoadState::kLoaded);
  const MountSettings& mount = *settings.extras->mount;
  EXPECT_EQ(mount.where, "/run/m");
  EXPECT_EQ(mount.options, "size=1m");
  EXPECT_EQ(mount.directory_mode, 0711u);
  EXPECT_TRUE(mount.lazy_unmount);
  EXPECT_EQ(settings.service->timeout_start, Micros(7'000'000));
  EXPECT_EQ(settings.description.view(), "/run/m");
  EXPECT_TRUE(settings.ignore_on_isolate);
  EXPECT_THAT(settings.extras->requires_mounts_for, ElementsAre("/run"));
  EXPECT_THAT(names(settings, Dependency::kRequires), ElementsAre("system.slice"));
  EXPECT_THAT(names(settings, Dependency::kBefore),
              ElementsAre("local-fs.target", "umount.target"));
  EXPECT_THAT(names(settings, Dependency::kConflicts), ElementsAre("umount.target"));
  EXPECT_THAT(
      names(settings, Dependency::kAfter),
      ElementsAre("local-fs-pre.target", "swap.target", "systemd-journald.socket", "system.slice"));
}

TEST_F(MountLoading, NetworkMountsComeWithTheNetwork) {
  const UnitSettings settings =
      load("run-n.mount", "[Mount]\nWhat=srv:/x\nType=nfs\nOptions=ro,nofail\n");
  EXPECT_THAT(names(settings, Dependency::kWants), ElementsAre("network-online.target"));
  EXPECT_THAT(names(settings, Dependency::kBefore), ElementsAre("umount.target"));
  EXPECT_THAT(names(settings, Dependency::kAfter), Contains("remote-fs-pre.target"));
}

TEST_F(MountLoading, WhatStaysToTheEndHasNoPlaceInTheShutdown) {
  const UnitSettings settings =
      load("dev-hugepages.mount", "[Mount]\nWhat=hugetlbfs\nType=hugetlbfs\n");
  EXPECT_EQ(slice_of(settings), "-.slice");
  EXPECT_THAT(names(settings, Dependency::kConflicts), ElementsAre());
  const UnitSettings of_user = load("run-u.mount", "[Mount]\nWhat=x\n", ManagerScope::kUser);
  EXPECT_THAT(names(of_user, Dependency::kConflicts), ElementsAre());
}

TEST_F(MountLoading, ABindMountNeedsItsSource) {
  const UnitSettings settings = load("run-b.mount", "[Mount]\nWhat=/var/a\nOptions=bind\n");
  EXPECT_THAT(settings.extras->requires_mounts_for, ElementsAre("/run", "/var/a"));
}

TEST_F(MountLoading, RefusesWhatCannotBe) {
  const struct {
    const char *name, *text, *reason;
  } kCases[] = {
      {"run-x.mount", "[Mount]\nWhat=t\nWhere=/run/y\n", "Where= setting doesn't match unit name."},
      {"run-w.mount", "[Mount]\nType=tmpfs\n", "What= setting is missing."},
      {"run-p.mount", "[Unit]\nDescription=x\n", "What= setting is missing."},
      {"proc.mount", "[Mount]\nWhat=proc\n", "API file system."},
  };
  for (const auto& [name, text, reason] : kCases) {
    const UnitSettings settings = load(name, text);
    EXPECT_EQ(settings.load_state, LoadState::kBadSetting) << name;
    EXPECT_THAT(settings.extras->warnings, Contains(HasSubstr(reason))) << name;
    EXPECT_THAT(names(settings, Dependency::kRequires), Not(Contains("system.slice"))) << name;
  }
}

TEST_F(MountLoading, WhatIsMountedNeedsNoFile) {
  EXPECT_EQ(load("data.mount").load_state, LoadState::kNotFound);
  mounts_.take("1 0 0:1 / /data rw - nfs srv:/d rw\n");
  const UnitSettings settings = load("data.mount");
  EXPECT_EQ(settings.load_state, LoadState::kLoaded);
  EXPECT_EQ(settings.extras->mount->where, "/data");
  EXPECT_THAT(names(settings, Dependency::kBefore),
              ElementsAre("remote-fs.target", "umount.target"));
  EXPECT_EQ(load("other.mount").load_state, LoadState::kNotFound);
}

TEST_F(MountLoading, TheRootIsAlwaysThere) {
  const UnitSettings settings = load("-.mount");
  EXPECT_EQ(settings.load_state, LoadState::kLoaded);
  EXPECT_EQ(settings.description.view(), "Root Mount");
  EXPECT_FALSE(settings.default_dependencies);
  EXPECT_EQ(slice_of(settings), "-.slice");
  EXPECT_THAT(names(settings, Dependency::kAfter), ElementsAre("-.slice"));
}

}  // namespace
}  // namespace flotilla::init
