// For tests of LinuxSpawner: shell scripts as its processes, and a pipe for what they print.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/close_range.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "init/linux_spawner.h"

namespace flotilla::init {

// By each of the system calls that make processes.
class Spawning : public testing::TestWithParam<LinuxSpawner::CloneCall> {
 protected:
  Spawning() {
    // What the test program itself inherited is not the spawner's doing.
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
  }

  // A shell script with what it prints on standard output.
  ExecSpec shell(const char* script) {
    argv_ = {"/bin/sh", "-c", script, nullptr};
    environment_ = {"PATH=/usr/bin:/bin", nullptr};
    ExecSpec spec;
    spec.path = "/bin/sh";
    spec.argv = argv_.data();
    spec.environment = environment_.data();
    spec.stdout_fd = write_end_.get();
    return spec;
  }

  // Waits for the end of the process and returns waitpid's status.
  static int wait(pid_t pid) {
    int status = -1;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return status;
  }
  static int wait(const SpawnResult& result) { return wait(result.pid); }

  std::string output() {
    write_end_.reset();
    std::string text;
    char buffer[4096];
    for (ssize_t size; (size = read(read_end_.get(), buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<size_t>(size));
    }
    return text;
  }

  std::string run(const ExecSpec& spec) {
    const SpawnResult result = spawner_->spawn(spec);
    EXPECT_TRUE(result.is_running()) << describe(result.stage) << ": " << result.error;
    std::string text = output();
    last_status_ = wait(result);
    return text;
  }

  void expect_failure(const ExecSpec& spec, SpawnStage stage, int error, int code) {
    const SpawnResult result = spawner_->spawn(spec);
    EXPECT_EQ(result.stage, stage);
    EXPECT_EQ(result.error, error);
    ASSERT_GT(result.pid, 0);
    const int status = wait(result);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), code);
  }

  std::unique_ptr<LinuxSpawner> spawner_ = std::move(LinuxSpawner::create(GetParam())).value();
  base::Fd read_end_, write_end_;
  std::vector<const char*> argv_, environment_;
  int last_status_ = -1;
};

}  // namespace flotilla::init
