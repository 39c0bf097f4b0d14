#include "sandbox/mount_plan.h"

#include <gmock/gmock.h>

namespace flotilla::sandbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string word_of(MountMode mode) {
  switch (mode) {
    case MountMode::kInaccessible:
      return "inaccessible";
    case MountMode::kBind:
      return "bind";
    case MountMode::kBindRecursive:
      return "rbind";
    case MountMode::kPrivateTmp:
      return "tmp";
    case MountMode::kPrivateDevices:
      return "devices";
    case MountMode::kBindDevices:
      return "host-devices";
    case MountMode::kEmptyDirectory:
      return "empty";
    case MountMode::kSysfs:
      return "sysfs";
    case MountMode::kProcfs:
      return "proc";
    case MountMode::kReadOnly:
      return "ro";
    case MountMode::kReadWrite:
    case MountMode::kReadWriteImplicit:
      return "rw";
    case MountMode::kNoExec:
      return "noexec";
    case MountMode::kExec:
      return "exec";
    case MountMode::kTmpfs:
      return "tmpfs";
    case MountMode::kRun:
      return "run";
    case MountMode::kMessageQueues:
      return "mqueue";
  }
  return {};
}

// "ro /usr", "bind /a:/b ro", in order; what hides other units' credentials is left out.
std::vector<std::string> plan(const Settings& settings, const MountFacts& facts = {}) {
  std::vector<MountEntry> entries = plan_mounts(settings, facts);
  normalize_mounts(entries);
  std::vector<std::string> words;
  for (const MountEntry& entry : entries) {
    if (entry.path == "/run/credentials" && facts.credentials_directory.empty()) continue;
    std::string text = word_of(entry.mode) + " ";
    if (!entry.source.empty()) text += entry.source + ":";
    text += entry.path;
    if (entry.read_only) text += " ro";
    if (entry.no_exec) text += " noexec";
    words.push_back(text);
  }
  return words;
}

TEST(MountPlan, HasNothingToDoWithoutSettings) {
  EXPECT_THAT(plan({}), IsEmpty());
  EXPECT_FALSE(needs_mount_namespace({}, {}));
  Settings others;
  others.private_network = others.private_users = others.protect_hostname = true;
  others.protect_clock = others.restrict_realtime = true;
  EXPECT_FALSE(needs_mount_namespace(others, {}));
}

TEST(MountPlan, ProtectsTheSystemInThreeDegrees) {
  Settings s;
  s.protect_system = ProtectSystem::kYes;
  EXPECT_THAT(plan(s), ElementsAre("ro /bin", "ro /boot", "ro /efi", "ro /lib", "ro /lib64",
                                   "ro /sbin", "ro /usr"));
  s.protect_system = ProtectSystem::kFull;
  EXPECT_THAT(plan(s), testing::Contains("ro /etc"));
  s.protect_system = ProtectSystem::kStrict;
  EXPECT_THAT(plan(s), ElementsAre("ro /", "rw /dev", "rw /home", "rw /proc", "rw /root",
                                   "rw /run/user", "rw /sys"));
}

TEST(MountPlan, LetsHomesBeRuledByProtectHome) {
  Settings s;
  s.protect_system = ProtectSystem::kStrict;
  s.protect_home = ProtectHome::kReadOnly;
  EXPECT_THAT(plan(s), ElementsAre("ro /", "rw /dev", "rw /proc", "rw /sys"));
  s.protect_home = ProtectHome::kYes;
  EXPECT_THAT(plan(s), ElementsAre("ro /", "rw /dev", "inaccessible /home", "rw /proc",
                                   "inaccessible /root", "inaccessible /run/user", "rw /sys"));
  s.protect_system = ProtectSystem::kNo;
  s.protect_home = ProtectHome::kTmpfs;
  EXPECT_THAT(plan(s), ElementsAre("tmpfs /home", "tmpfs /root", "tmpfs /run/user"));
}

TEST(MountPlan, LetsDeeperPathsDifferAndDropsWhatIsHidden) {
  Settings s;
  s.read_only_paths = {"/srv", "/srv/a/ro", "-/maybe"};
  s.read_write_paths = {"/srv/a", "/srv/a/b"};
  s.inaccessible_paths = {"/srv/no"};
  s.bind_mounts = {{"/x", "/srv/no/x", false, true, false}};
  EXPECT_THAT(plan(s), ElementsAre("ro /maybe", "ro /srv", "rw /srv/a", "ro /srv/a/ro",
                                   "inaccessible /srv/no"));
}

TEST(MountPlan, PutsParentsBeforeChildrenByWholeComponents) {
  Settings s;
  s.read_write_paths = {"/a/b", "/"};
  s.inaccessible_paths = {"/a-b"};
  s.read_only_paths = {"/a"};
  EXPECT_THAT(plan(s), ElementsAre("rw /", "ro /a", "rw /a/b", "inaccessible /a-b"));
}

TEST(MountPlan, KeepsTheStrongerOfTwoForOnePath) {
  Settings s;
  s.read_write_paths = {"/a", "/b"};
  s.read_only_paths = {"/a"};
  s.inaccessible_paths = {"/b"};
  s.no_exec_paths = {"/a"};
  s.bind_mounts = {{"/src", "/c", false, true, false}};
  EXPECT_THAT(plan(s), ElementsAre("ro /a noexec", "inaccessible /b", "rbind /src:/c"));
  s.read_only_paths = {"/c"};
  s.read_write_paths.clear();
  s.no_exec_paths.clear();
  EXPECT_THAT(plan(s), ElementsAre("inaccessible /b", "rbind /src:/c ro"));
}

TEST(MountPlan, TakesPathsOfTheHostIntoAnotherRoot) {
  Settings s;
  s.read_only_paths = {"/srv/root/etc", "/etc", "+/usr"};
  s.mount_api_vfs = false;
  MountFacts facts;
  facts.root_directory = "/srv/root";
  EXPECT_THAT(plan(s, facts), ElementsAre("ro /etc", "ro /usr"));
  EXPECT_TRUE(insists_on_mounts(s, facts));
}

TEST(MountPlan, MountsTheKernelsFileSystemsInAnotherRoot) {
  MountFacts facts;
  facts.root_directory = "/srv/root";
  facts.notify_socket = "/run/systemd/notify";
  EXPECT_TRUE(needs_mount_namespace({}, facts));
  EXPECT_THAT(plan({}, facts),
              ElementsAre("host-devices /dev", "proc /proc", "run /run",
                          "bind /run/systemd/notify:/run/systemd/notify ro", "sysfs /sys"));
  Settings without;
  without.mount_api_vfs = false;
  EXPECT_FALSE(needs_mount_namespace(without, facts));
}

TEST(MountPlan, ShowsAUnitItsOwnCredentialsAlone) {
  Settings s;
  s.private_mounts = true;
  MountFacts facts;
  facts.credentials_directory = "/run/credentials/a.service";
  EXPECT_THAT(plan(s, facts),
              ElementsAre("tmpfs /run/credentials ro",
                          "bind /run/credentials/a.service:/run/credentials/a.service ro noexec"));
}

TEST(MountPlan, KeepsTheTreeAndDropsTheRestrictionsForFullPrivileges) {
  Settings s;
  s.protect_system = ProtectSystem::kStrict;
  s.private_devices = s.private_tmp = true;
  s.bind_mounts = {{"/src", "/c", false, true, false}};
  s.temporary_file_systems = {{"/t", "ro,size=1M"}};
  EXPECT_THAT(plan(without_restrictions(s)), ElementsAre("rbind /src:/c", "tmpfs /t ro"));
}

TEST(MountPlan, GivesAFileSystemItsOptionsWithoutTheFlags) {
  Settings s;
  s.temporary_file_systems = {{"/t", "ro,size=1M,nosuid"}};
  for (const MountEntry& entry : plan_mounts(s, {})) {
    if (entry.path != "/t") continue;
    EXPECT_THAT(entry.options, testing::EndsWith(",size=1M"));
  }
}

}  // namespace
}  // namespace flotilla::sandbox
