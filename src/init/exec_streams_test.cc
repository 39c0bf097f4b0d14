#include "init/exec_streams.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/rooted_file_tree.h"

namespace flotilla::init {
namespace {

using End = StreamPlan::End;
using Kind = StreamSetting::Kind;

struct Row {
  const char* what;
  StreamSetting input, output, error;
  StreamPlan plan;
  bool has_terminal_input = true, has_socket = false;
};

TEST(StreamPlan, SaysWhereEachStreamReallyGoes) {
  const StreamSetting null{Kind::kNull, {}}, inherit{Kind::kInherit, {}}, log{Kind::kJournal, {}},
      tty{Kind::kTty, {}}, socket{Kind::kSocket, {}}, data{Kind::kData, {}},
      file{Kind::kFile, "/a"}, other{Kind::kFile, "/b"}, append{Kind::kAppend, "/a"};
  const Row rows[] = {
      {"defaults", null, log, inherit, {End::kNull, End::kLog, End::kOutput}},
      {"errors alone in the log", null, null, log, {End::kNull, End::kNull, End::kLog}},
      {"one file for both", null, file, file, {End::kNull, End::kFile, End::kOutput}},
      {"one path in two ways", null, file, append, {End::kNull, End::kFile, End::kFile}},
      {"two files", null, file, other, {End::kNull, End::kFile, End::kFile}},
      {"one file to read and write", file, file, inherit, {End::kFile, End::kInput, End::kOutput}},
      {"errors into the input", file, log, file, {End::kFile, End::kLog, End::kInput}},
      {"nothing to inherit", null, inherit, inherit, {End::kNull, End::kNull, End::kOutput}},
      {"data is read alone", data, inherit, inherit, {End::kNull, End::kNull, End::kOutput}},
      {"a terminal", tty, inherit, inherit, {End::kTerminal, End::kInput, End::kOutput}},
      {"a terminal twice", tty, tty, log, {End::kTerminal, End::kInput, End::kLog}},
      {"a terminal of another command",
       tty,
       inherit,
       inherit,
       {End::kNull, End::kTerminal, End::kOutput},
       false},
      {"output on a terminal", null, tty, inherit, {End::kNull, End::kTerminal, End::kOutput}},
      {"a connection",
       socket,
       inherit,
       inherit,
       {End::kSocket, End::kInput, End::kOutput},
       true,
       true},
      {"a connection that is not there", socket, inherit, log, {End::kNull, End::kNull, End::kLog}},
      {"output to a connection",
       null,
       socket,
       inherit,
       {End::kNull, End::kSocket, End::kOutput},
       true,
       true},
  };
  for (const Row& row : rows) {
    ExecSettings exec;
    exec.standard_input = row.input;
    exec.standard_output = row.output;
    exec.standard_error = row.error;
    EXPECT_EQ(plan_streams(exec, row.has_terminal_input, row.has_socket), row.plan) << row.what;
  }
}

class Streams : public testing::Test {
 protected:
  Streams() {
    char path[] = "/tmp/streams.XXXXXX";
    directory_ = mkdtemp(path);
  }
  ~Streams() override {
    for (const char* name : {"out", "pipe"}) unlink(at(name).c_str());
    rmdir(directory_.c_str());
  }
  std::string at(const char* name) const { return directory_ + "/" + name; }
  bool open() { return streams_.open({.exec = exec_, .host = *tree_}, spec_, failure_); }

  std::string directory_;
  std::unique_ptr<base::RootedFileTree> tree_ = std::move(base::RootedFileTree::open("/")).value();
  ExecSettings exec_;
  PreparedStreams streams_;
  ExecSpec spec_;
  PreparedStreams::Failure failure_;
};

TEST_F(Streams, AFileIsMadeWithTheUnitsOwnUmaskAndSharedByBothOutputs) {
  exec_.umask = 0077;
  exec_.standard_output = {Kind::kTruncate, at("out")};
  ASSERT_TRUE(open()) << failure_.message;
  struct stat made {};
  ASSERT_EQ(stat(at("out").c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 07777, 0600U);
  EXPECT_EQ(spec_.stderr_fd, spec_.stdout_fd);
  EXPECT_EQ(spec_.stdin_fd, -1);
  EXPECT_FALSE(streams_.is_reusable());
  EXPECT_EQ(fcntl(spec_.stdout_fd, F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(Streams, APipeThatNobodyReadsHoldsNobodyUp) {
  ASSERT_EQ(mkfifo(at("pipe").c_str(), 0600), 0);
  exec_.standard_output = {Kind::kFile, at("pipe")};
  EXPECT_TRUE(open()) << failure_.message;
}

TEST_F(Streams, WhatCannotBeOpenedSaysWhichStreamItIs) {
  exec_.standard_output = {Kind::kFile, at("no/such/file")};
  EXPECT_FALSE(open());
  EXPECT_EQ(failure_.stage, SpawnStage::kStdout);
  EXPECT_EQ(failure_.error, ENOENT);
  EXPECT_EQ(failure_.message, "Failed to set up standard output: No such file or directory");

  exec_.standard_output = {Kind::kJournal, {}};
  exec_.standard_input = {Kind::kTty, "tty"};
  exec_.extras.edit().tty_path = "/dev/null";
  EXPECT_FALSE(
      streams_.open({.exec = exec_, .host = *tree_, .has_terminal_input = true}, spec_, failure_));
  EXPECT_EQ(failure_.stage, SpawnStage::kStdin);
  EXPECT_EQ(failure_.error, ENOTTY);
}

TEST_F(Streams, ADescriptorThatNobodyPassesStopsTheSpawn) {
  exec_.standard_output = {Kind::kFd, "nope"};
  EXPECT_FALSE(open());
  EXPECT_EQ(failure_.stage, SpawnStage::kNone);
  EXPECT_EQ(failure_.message, "Failed to load a named file descriptor: No such file or directory");
}

TEST_F(Streams, DataIsReadFromItsBeginningAndCannotBeChanged) {
  exec_.standard_input = {Kind::kData, {}};
  exec_.extras.edit().standard_input_data = "hello\n";
  ASSERT_TRUE(open()) << failure_.message;
  char text[16];
  EXPECT_EQ(read(spec_.stdin_fd, text, sizeof text), 6);
  EXPECT_EQ(write(spec_.stdin_fd, "x", 1), -1);
}

}  // namespace
}  // namespace flotilla::init
