#include "init/exec_directories.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "init/directory_tree.h"

namespace flotilla::init {
namespace {

namespace fs = std::filesystem;

class Directories : public testing::Test {
 protected:
  Directories() {
    char path[] = "/tmp/directories.XXXXXX";
    root_ = mkdtemp(path);
    for (const char* name : {"run", "lib", "cache", "log", "etc"}) fs::create_directory(at(name));
    bases_ = {at("run"), at("lib"), at("cache"), at("log"), at("etc")};
  }
  ~Directories() override { fs::remove_all(root_); }

  std::string at(const std::string& name) const { return root_ + "/" + name; }
  DirectorySetting& of(DirectoryKind kind) {
    return extras_.directories[static_cast<size_t>(kind)];
  }
  bool make() { return make_directories(extras_, bases_, owner_, slow_, failure_); }
  struct stat look(const std::string& name) {
    struct stat found {};
    EXPECT_EQ(lstat(at(name).c_str(), &found), 0) << name;
    return found;
  }
  unsigned mode(const std::string& name) { return look(name).st_mode & 07777; }

  std::string root_;
  ExecExtras extras_;
  DirectoryBases bases_;
  DirectoryOwner owner_{getuid(), getgid(), true};
  std::vector<SlowChown> slow_;
  DirectoryFailure failure_;
};

TEST_F(Directories, AreMadeWithTheirModesWhateverTheUmask) {
  const mode_t before = umask(0077);
  of(DirectoryKind::kRuntime) = {{{"a", {}}, {"b/c", {}}}, 02771};
  of(DirectoryKind::kState) = {{{"s", {}}}, 0700};
  EXPECT_TRUE(make());
  umask(before);
  EXPECT_EQ(mode("run/a"), 02771U);
  EXPECT_EQ(mode("run/b"), 0755U);
  EXPECT_EQ(mode("run/b/c"), 02771U);
  EXPECT_EQ(mode("lib/s"), 0700U);
}

TEST_F(Directories, GetTheModeAgainWhereTheyAreThereAlreadyButNotConfiguration) {
  fs::create_directory(at("lib/s"));
  fs::create_directory(at("etc/c"));
  chmod(at("lib/s").c_str(), 0700);
  chmod(at("etc/c").c_str(), 0700);
  of(DirectoryKind::kState).items = {{"s", {}}};
  of(DirectoryKind::kConfiguration).items = {{"c", {}}};
  EXPECT_TRUE(make());
  EXPECT_EQ(mode("lib/s"), 0755U);
  EXPECT_EQ(mode("etc/c"), 0700U);
}

TEST_F(Directories, HaveLinksThatAreRelative) {
  of(DirectoryKind::kState).items = {{"real/x", {"l1", "d/l2"}}};
  EXPECT_TRUE(make());
  EXPECT_EQ(fs::read_symlink(at("lib/l1")), "real/x");
  EXPECT_EQ(fs::read_symlink(at("lib/d/l2")), "../real/x");
  EXPECT_TRUE(fs::is_directory(at("lib/d/l2")));
}

TEST_F(Directories, ALinkInTheWayIsAFailureUnlessItLeadsToTheConfiguration) {
  fs::create_directory(at("other"));
  for (const char* link : {"lib/s", "lib/l", "etc/c"}) fs::create_symlink("../other", at(link));
  of(DirectoryKind::kConfiguration).items = {{"c", {}}};
  EXPECT_TRUE(make());
  of(DirectoryKind::kConfiguration).items.clear();
  of(DirectoryKind::kState).items = {{"s", {}}};
  EXPECT_FALSE(make());
  EXPECT_EQ(failure_.error, ENOTDIR);
  of(DirectoryKind::kState).items = {{"real", {"l"}}};
  EXPECT_FALSE(make());
  EXPECT_EQ(failure_.error, EEXIST);
  EXPECT_EQ(fs::read_symlink(at("lib/l")), "../other");
  fs::remove(at("other"));
  failure_ = {};
  of(DirectoryKind::kState).items.clear();
  of(DirectoryKind::kConfiguration).items = {{"c", {}}};
  EXPECT_FALSE(make());
  EXPECT_EQ(failure_.error, ENOENT);
}

TEST_F(Directories, AFileInTheWayIsAFailureOfItsKind) {
  std::ofstream(at("cache/f")) << "x";
  of(DirectoryKind::kCache).items = {{"f/x", {}}};
  EXPECT_FALSE(make());
  EXPECT_EQ(failure_.kind, DirectoryKind::kCache);
  EXPECT_EQ(failure_.error, ENOTDIR);
  of(DirectoryKind::kCache).items = {{"f", {}}};
  EXPECT_FALSE(make());
  EXPECT_EQ(failure_.error, EEXIST);
}

TEST_F(Directories, AreTold) {
  of(DirectoryKind::kLogs).items = {{"a", {}}, {"b", {"l"}}};
  EXPECT_EQ(directory_list(extras_, bases_, DirectoryKind::kLogs), at("log/a") + ":" + at("log/b"));
  EXPECT_EQ(directory_list(extras_, bases_, DirectoryKind::kState), "");
}

TEST_F(Directories, RunTimeOnesAreRemovedWithTheirLinksAndNothingBehindLinks) {
  of(DirectoryKind::kRuntime).items = {{"r/x", {"l"}}};
  ASSERT_TRUE(make());
  std::ofstream(at("log/kept")) << "x";
  fs::create_directories(at("run/r/x/deep/er"));
  fs::create_symlink(at("log"), at("run/r/x/deep/out"));
  remove_runtime_directories(extras_, bases_, false);
  EXPECT_FALSE(fs::exists(at("run/r/x")));
  EXPECT_TRUE(fs::exists(at("run/r")));
  EXPECT_FALSE(fs::is_symlink(at("run/l")));
  EXPECT_TRUE(fs::exists(at("log/kept")));
}

TEST_F(Directories, ALinkInPlaceOfARunTimeOneGoesOnlyIfItLeadsToMemory) {
  of(DirectoryKind::kRuntime).items = {{"disk", {}}, {"nowhere", {}}, {"memory", {}}};
  // Of a file system that is not in memory, wherever this runs.
  fs::create_symlink("/proc/self", at("run/disk"));
  fs::create_symlink(at("none"), at("run/nowhere"));
  char memory[] = "/dev/shm/directories.XXXXXX";
  ASSERT_NE(mkdtemp(memory), nullptr);
  std::ofstream(std::string(memory) + "/kept") << "x";
  fs::create_symlink(memory, at("run/memory"));
  remove_runtime_directories(extras_, bases_, false);
  EXPECT_TRUE(fs::is_symlink(at("run/disk")));
  EXPECT_TRUE(fs::is_symlink(at("run/nowhere")));
  EXPECT_FALSE(fs::is_symlink(at("run/memory")));
  EXPECT_TRUE(fs::exists(std::string(memory) + "/kept"));
  fs::remove_all(memory);
}

TEST_F(Directories, ChangeTheirOwnerAsAWholeOnlyWhereTheTopIsAnothers) {
  if (getuid() != 0) GTEST_SKIP() << "only root gives files away";
  fs::create_directories(at("lib/s/sub"));
  std::ofstream(at("lib/s/sub/f")) << "x";
  chmod(at("lib/s/sub/f").c_str(), 04755);
  fs::create_symlink("/nowhere", at("lib/s/l"));
  of(DirectoryKind::kState).items = {{"s", {}}};
  owner_ = {1, 8, true};
  ASSERT_TRUE(make());
  for (const char* name : {"lib/s", "lib/s/sub", "lib/s/sub/f", "lib/s/l"}) {
    EXPECT_EQ(look(name).st_uid, 1U) << name;
    EXPECT_EQ(look(name).st_gid, 8U) << name;
  }
  EXPECT_EQ(mode("lib/s/sub/f"), 04755U);
  ASSERT_EQ(chown(at("lib/s/sub/f").c_str(), 0, 0), 0);
  ASSERT_TRUE(make());
  EXPECT_EQ(look("lib/s/sub/f").st_uid, 0U);
}

TEST_F(Directories, ATreeTooBigForTheBudgetIsLeftWithItsTopUnchanged) {
  if (getuid() != 0) GTEST_SKIP() << "only root gives files away";
  for (int i = 0; i < 10; ++i) std::ofstream(at("lib/f" + std::to_string(i))) << "x";
  EXPECT_EQ(chown_tree(at("lib"), 1, 1, 5), E2BIG);
  EXPECT_EQ(look("lib").st_uid, 0U);
  EXPECT_EQ(chown_tree(at("lib"), 1, 1, SIZE_MAX), 0);
  EXPECT_EQ(look("lib").st_uid, 1U);
}

TEST_F(Directories, OfADynamicUserAreBehindALinkAndComeBackWithAnOrdinaryOne) {
  fs::create_directory(at("lib/s"));
  std::ofstream(at("lib/s/kept")) << "x";
  of(DirectoryKind::kState).items = {{"s", {}}, {"a/b", {}}};
  of(DirectoryKind::kRuntime).items = {{"r", {}}};
  owner_.is_dynamic = true;
  ASSERT_TRUE(make());
  EXPECT_EQ(fs::read_symlink(at("lib/s")), "private/s");
  EXPECT_EQ(fs::read_symlink(at("lib/a/b")), "../private/a/b");
  EXPECT_TRUE(fs::exists(at("lib/private/s/kept")));
  EXPECT_EQ(mode("lib/private"), 0700U);
  EXPECT_TRUE(fs::is_directory(fs::symlink_status(at("run/r"))));
  owner_.is_dynamic = false;
  ASSERT_TRUE(make());
  EXPECT_TRUE(fs::is_directory(fs::symlink_status(at("lib/s"))));
  EXPECT_TRUE(fs::exists(at("lib/s/kept")));
}

}  // namespace
}  // namespace flotilla::init
