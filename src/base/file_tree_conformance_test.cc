// What every FileTree must do, run over the real one (rooted in a directory) and the one in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "base/memory_file_tree.h"
#include "base/rooted_file_tree.h"

namespace flotilla::base {
namespace {

// Makes a tree, and ends what stands behind it.
class TreeMaker {
 public:
  virtual ~TreeMaker() = default;
  virtual FileTree& tree() = 0;
};

class MemoryMaker final : public TreeMaker {
 public:
  FileTree& tree() override { return tree_; }

 private:
  MemoryFileTree tree_;
};

class RootedMaker final : public TreeMaker {
 public:
  RootedMaker() {
    char name[] = "/tmp/flotilla-tree-XXXXXX";
    directory_ = mkdtemp(name);
    tree_ = std::move(RootedFileTree::open(directory_)).value();
  }
  ~RootedMaker() override { std::filesystem::remove_all(directory_); }
  FileTree& tree() override { return *tree_; }
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
  std::unique_ptr<RootedFileTree> tree_;
};

struct Kind {
  const char* name;
  std::function<std::unique_ptr<TreeMaker>()> make;
};

class FileTreeConformance : public testing::TestWithParam<Kind> {
 protected:
  FileTree& tree() { return maker_->tree(); }
  Errc code_of_read(std::string_view path, size_t max_bytes = 1000) {
    Result<std::string> result = tree().read(path, max_bytes);
    return result ? Errc::kInternal : result.error().code;
  }

 private:
  std::unique_ptr<TreeMaker> maker_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(
    Trees, FileTreeConformance,
    testing::Values(Kind{"Memory", [] { return std::make_unique<MemoryMaker>(); }},
                    Kind{"Rooted", [] { return std::make_unique<RootedMaker>(); }}),
    [](const testing::TestParamInfo<Kind>& kind) { return std::string(kind.param.name); });

TEST_P(FileTreeConformance, WritesReadBackWithDirectoriesMadeOnTheWay) {
  ASSERT_TRUE(tree().write_atomic("/a/b/c", "text", 0640));
  EXPECT_EQ(*tree().read("/a/b/c", 100), "text");
  EXPECT_EQ(*tree().read("a/b/c", 4), "text");
  const Result<FileStat> stat = tree().stat("/a/b/c");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->kind, FileKind::kRegular);
  EXPECT_EQ(stat->size, 4U);
  EXPECT_EQ(stat->mode, 0640U);
  EXPECT_GT(stat->mtime_usec, 0);
  ASSERT_TRUE(tree().write_atomic("/a/b/c", "", 0644));
  EXPECT_EQ(*tree().read("/a/b/c", 0), "");
  EXPECT_NE(tree().stat("/a/b/c")->inode, stat->inode);
}

TEST_P(FileTreeConformance, ReadSaysWhyItFails) {
  ASSERT_TRUE(tree().write_atomic("/d/file", "12345", 0644));
  EXPECT_EQ(code_of_read("/d/none"), Errc::kNotFound);
  EXPECT_EQ(code_of_read("/none/none"), Errc::kNotFound);
  EXPECT_EQ(code_of_read("/d/file", 4), Errc::kTooLarge);
  EXPECT_EQ(code_of_read("/d"), Errc::kInvalid);
  EXPECT_EQ(code_of_read(""), Errc::kInvalid);
  EXPECT_EQ(code_of_read(std::string_view("/d/file\0x", 9)), Errc::kInvalid);
  EXPECT_EQ(tree().read("/d/none", 1).error().message, "read /d/none: No such file or directory");
}

TEST_P(FileTreeConformance, ListsEntriesSortedWithTheirOwnKind) {
  ASSERT_TRUE(tree().write_atomic("/d/b", "", 0644));
  ASSERT_TRUE(tree().make_directories("/d/c", 0755));
  ASSERT_TRUE(tree().make_symlink("c", "/d/a"));
  const Result<std::vector<DirectoryEntry>> entries = tree().list("/d");
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 3U);
  EXPECT_EQ((*entries)[0].name, "a");
  EXPECT_EQ((*entries)[0].kind, FileKind::kSymlink);
  EXPECT_EQ((*entries)[1].kind, FileKind::kRegular);
  EXPECT_EQ((*entries)[2].kind, FileKind::kDirectory);
  EXPECT_EQ(tree().list("/none").error().code, Errc::kNotFound);
  EXPECT_FALSE(tree().list("/d/b"));
  EXPECT_TRUE(tree().list("/d/a"));
}

TEST_P(FileTreeConformance, AbsoluteLinksAndDotsStayUnderTheRoot) {
  ASSERT_TRUE(tree().write_atomic("/lib/unit", "inside", 0644));
  ASSERT_TRUE(tree().make_symlink("/lib/unit", "/etc/link"));
  ASSERT_TRUE(tree().make_symlink("../../../lib", "/etc/up"));
  EXPECT_EQ(*tree().read("/etc/link", 100), "inside");
  EXPECT_EQ(*tree().read("/etc/up/unit", 100), "inside");
  EXPECT_EQ(*tree().read("/../../lib/unit", 100), "inside");
  EXPECT_EQ(*tree().read_link("/etc/link"), "/lib/unit");
  EXPECT_EQ(*tree().canonical("/etc/up/./unit"), "/lib/unit");
  EXPECT_EQ(*tree().canonical("/"), "/");
  EXPECT_EQ(tree().lstat("/etc/link")->kind, FileKind::kSymlink);
  EXPECT_EQ(tree().stat("/etc/link")->kind, FileKind::kRegular);
}

TEST_P(FileTreeConformance, WritesThroughALinkedDirectory) {
  ASSERT_TRUE(tree().make_directories("/real", 0755));
  ASSERT_TRUE(tree().make_symlink("/real", "/alias"));
  ASSERT_TRUE(tree().write_atomic("/alias/f", "x", 0644));
  EXPECT_EQ(*tree().read("/real/f", 10), "x");
}

TEST_P(FileTreeConformance, ALoopOfLinksIsAnError) {
  ASSERT_TRUE(tree().make_symlink("/b", "/a"));
  ASSERT_TRUE(tree().make_symlink("/a", "/b"));
  EXPECT_FALSE(tree().read("/a", 10));
  EXPECT_FALSE(tree().canonical("/a"));
}

TEST_P(FileTreeConformance, ALinkReplacesALinkAndNothingElse) {
  ASSERT_TRUE(tree().make_symlink("/one", "/l"));
  ASSERT_TRUE(tree().make_symlink("/two", "/l"));
  EXPECT_EQ(*tree().read_link("/l"), "/two");
  ASSERT_TRUE(tree().write_atomic("/f", "", 0644));
  EXPECT_EQ(tree().make_symlink("/one", "/f").error().code, Errc::kAlreadyExists);
  EXPECT_FALSE(tree().read_link("/f"));
}

TEST_P(FileTreeConformance, RemovesFilesLinksAndEmptyDirectories) {
  ASSERT_TRUE(tree().write_atomic("/d/f", "", 0644));
  ASSERT_TRUE(tree().make_symlink("d", "/l"));
  EXPECT_FALSE(tree().remove("/d"));
  EXPECT_TRUE(tree().remove("/l"));
  EXPECT_TRUE(tree().remove("/d/f"));
  EXPECT_TRUE(tree().remove("/d"));
  EXPECT_EQ(tree().remove("/d").error().code, Errc::kNotFound);
  EXPECT_FALSE(tree().remove("/"));
  EXPECT_FALSE(tree().remove("/x/.."));
}

TEST_P(FileTreeConformance, AFileInTheWayOfADirectoryIsAnError) {
  ASSERT_TRUE(tree().write_atomic("/f", "", 0644));
  EXPECT_FALSE(tree().make_directories("/f/d", 0755));
  EXPECT_FALSE(tree().write_atomic("/f/d", "", 0644));
  EXPECT_TRUE(tree().make_directories("/", 0755));
  EXPECT_TRUE(tree().make_directories("/x//y/", 0755));
  EXPECT_TRUE(tree().stat("/x/y"));
}

TEST(RootedFileTree, ReadsFilesWithoutASizeInOnePiece) {
  auto tree = RootedFileTree::open("/");
  ASSERT_TRUE(tree);
  const auto text = (*tree)->read("/proc/sys/kernel/overflowuid", 64);
  ASSERT_TRUE(text);
  EXPECT_GT(text->size(), 2U);
  EXPECT_EQ(text->back(), '\n');
}

TEST(RootedFileTree, NamesPathsAsTheKernelReachesThem) {
  RootedMaker maker;
  ASSERT_TRUE(maker.tree().write_atomic("/real/f", "", 0644));
  ASSERT_TRUE(maker.tree().make_symlink("/real", "/alias"));
  EXPECT_EQ(maker.tree().host_path("/alias/f"), maker.directory() + "/real/f");
  EXPECT_EQ(maker.tree().host_path("/alias/new"), maker.directory() + "/real/new");
  EXPECT_EQ(maker.tree().host_path("/none/new"), maker.directory() + "/none/new");
  EXPECT_EQ((*RootedFileTree::open("/"))->host_path("/etc"), "/etc");
}

TEST(RootedFileTree, WithoutARootOfItsOwnItReadsTheMachinesFiles) {
  const auto tree = std::move(RootedFileTree::open("/")).value();
  EXPECT_TRUE(tree->read("/proc/self/stat", 4096));
  EXPECT_EQ(tree->read("/dev/null", 10).error().code, Errc::kInvalid);
  EXPECT_TRUE(tree->canonical("/etc"));
  EXPECT_FALSE(RootedFileTree::open("/no/such/root"));
}

TEST(RootedFileTree, AFifoDoesNotHangTheReader) {
  RootedMaker maker;
  ASSERT_EQ(mkfifo((maker.directory() + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(maker.tree().read("/fifo", 10).error().code, Errc::kInvalid);
}

TEST(RootedFileTree, AFailedWriteLeavesTheOldFileAndNoLitter) {
  RootedMaker maker;
  ASSERT_TRUE(maker.tree().write_atomic("/d/f", "old", 0644));
  ASSERT_TRUE(maker.tree().make_directories("/d/dir", 0755));
  EXPECT_FALSE(maker.tree().write_atomic("/d/dir", "new", 0644));
  EXPECT_EQ(maker.tree().list("/d")->size(), 2U);
}

TEST(MemoryFileTree, FailsWithAFullDiskAndOnRequest) {
  MemoryFileTree tree;
  ASSERT_TRUE(tree.write_atomic("/f", "old", 0644));
  tree.set_space(2);
  const Status full = tree.write_atomic("/f", "new", 0644);
  EXPECT_EQ(full.error().error_number, ENOSPC);
  EXPECT_EQ(*tree.read("/f", 10), "old");
  tree.fail_path("/f", EIO);
  EXPECT_EQ(tree.read("/f", 10).error().error_number, EIO);
  tree.fail_path("/f", 0);
  EXPECT_TRUE(tree.read("/f", 10));
}

TEST(MemoryFileTree, ACrashLosesWhatWasNotSynced) {
  MemoryFileTree tree;
  tree.add_file("/kept", "old");
  tree.sync();
  tree.add_file("/kept", "new");
  tree.add_file("/lost", "x");
  ASSERT_TRUE(tree.write_atomic("/atomic", "whole", 0644));
  tree.crash();
  EXPECT_EQ(*tree.read("/kept", 10), "old");
  EXPECT_FALSE(tree.read("/lost", 10));
  EXPECT_EQ(*tree.read("/atomic", 10), "whole");
}

}  // namespace
}  // namespace flotilla::base
