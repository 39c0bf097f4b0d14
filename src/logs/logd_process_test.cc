// The real flotilla-logd as a child process.
#include <elf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>

#include "logs/client.h"
#include "logs/scratch_log.h"

namespace flotilla::logs {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

// Runs the program with these arguments; descriptor 3 is `control` if that is open.
pid_t spawn(const std::vector<std::string>& arguments, int control, int output) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  if (control >= 0) {
    if (control == kControlFd) {
      ::fcntl(control, F_SETFD, 0);
    } else {
      ::dup2(control, kControlFd);
    }
  }
  if (output >= 0) {
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
  }
  std::vector<char*> argv{const_cast<char*>("flotilla-logd")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(FLOTILLA_LOGD_PATH, argv.data());
  ::_exit(127);
}

int wait_for(pid_t pid) {
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return status;
}

struct Output {
  int exit_code;
  std::string text;
};

Output run(const std::vector<std::string>& arguments) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t pid = spawn(arguments, -1, ends[1]);
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  const int status = wait_for(pid);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

class LogdProcess {
 public:
  explicit LogdProcess(const std::string& directory, std::vector<std::string> more = {}) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    client = std::make_unique<LogClient>(base::Fd(ends[0]));
    more.insert(more.begin(), "--directory=" + directory);
    pid = spawn(more, ends[1], -1);
    ::close(ends[1]);
  }
  ~LogdProcess() {
    if (pid > 0) kill_and_wait(SIGKILL);
  }
  LogdProcess(const LogdProcess&) = delete;
  LogdProcess& operator=(const LogdProcess&) = delete;

  int kill_and_wait(int signal) {
    ::kill(pid, signal);
    return wait_for(std::exchange(pid, -1));
  }
  // True when the process has taken all requests and written all it could read.
  bool sync() {
    client->sync(++syncs_);
    for (;;) {
      if (!client->flush()) return false;
      for (Event event; client->next_event(event);) {
        if (event.type == EventType::kSyncDone && event.id == syncs_) return true;
      }
      if (client->is_closed()) return false;
      pollfd ready{client->fd(), static_cast<short>(POLLIN | (client->wants_write() ? POLLOUT : 0)),
                   0};
      ::poll(&ready, 1, -1);
    }
  }
  void add(std::uint64_t id, const std::string& unit, int read_end) {
    StreamSpec spec;
    spec.id = id;
    spec.unit = unit;
    ASSERT_TRUE(client->add_stream(spec, read_end));
    ASSERT_TRUE(client->flush());
  }

  pid_t pid = -1;
  std::unique_ptr<LogClient> client;

 private:
  std::uint64_t syncs_ = 0;
};

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
  void put(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t put = ::write(write_end.get(), text.data(), text.size());
      ASSERT_GT(put, 0);
      text.remove_prefix(static_cast<std::size_t>(put));
    }
  }
  base::Fd read_end;
  base::Fd write_end;
};

TEST(Logd, AnswersToItsOptions) {
  EXPECT_EQ(run({"--version"}).exit_code, 0);
  EXPECT_THAT(run({"--version"}).text, StartsWith("flotilla-logd "));
  EXPECT_EQ(run({"--help"}).exit_code, 0);
  EXPECT_THAT(run({"--help"}).text, StartsWith("Usage: flotilla-logd "));
  const Output wrong = run({"--what"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_EQ(wrong.text, "flotilla-logd: expected an option of --help, got \"--what\"\n");
  const Output small = run({"--max-segment-size=100"});
  EXPECT_EQ(small.exit_code, 2);
  EXPECT_EQ(small.text,
            "flotilla-logd: --max-segment-size=: expected a size from 4K to 1G, got \"100\"\n");
  EXPECT_EQ(run({"--keep-segments=0"}).exit_code, 2);
  EXPECT_EQ(run({"--root="}).exit_code, 2);
}

TEST(Logd, WithoutAControlSocketItSaysWhoStartsIt) {
  const base::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const pid_t pid = spawn({"--directory=/tmp"}, null.get(), null.get());
  const int status = wait_for(pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

TEST(Logd, KeepsLogsBelowTheRootItIsGiven) {
  ScratchLog scratch;
  Pipe out;
  {
    LogdProcess logd(scratch.path(), {"--root=" + scratch.path() + "/some/root"});
    logd.add(1, "u.service", out.read_end.get());
    out.put("hello\n");
    ASSERT_TRUE(logd.sync());
  }
  auto reader = LogReader::open(scratch.path() + "/some/root/var/log/flotilla/u.service");
  ASSERT_TRUE(reader);
  const auto entries = reader->last(10);
  EXPECT_THAT(messages_of(*entries), ElementsAre("hello"));
  EXPECT_EQ((*entries)[0].boot_id.size(), 32U);
}

TEST(Logd, LeavesWithAllWrittenOnSigtermAndWhenTheManagerGoes) {
  for (const bool by_signal : {true, false}) {
    ScratchLog scratch;
    Pipe out;
    LogdProcess logd(scratch.path());
    logd.add(1, "u.service", out.read_end.get());
    ASSERT_TRUE(logd.sync());
    ::kill(logd.pid, SIGSTOP);
    out.put("one\ntwo");
    if (by_signal) {
      ::kill(logd.pid, SIGTERM);
    } else {
      logd.client.reset();
    }
    const int status = logd.kill_and_wait(SIGCONT);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    EXPECT_THAT(messages_of(scratch.entries()), ElementsAre("one", "two"));
  }
}

// A writer goes on while one log process after the other is killed. What a kill may cost is what
// had been read and not written: never what was still in the pipe, and never an earlier line.
TEST(Logd, ASuccessorOfAKilledOneLosesNothingThatWasNotRead) {
  constexpr int kLines = 200'000;
  constexpr int kKills = 20;
  ScratchLog scratch;
  Pipe out;
  std::thread writer([&] {
    std::string text;
    for (int i = 0; i < kLines; ++i) {
      text += "line " + std::to_string(i) + '\n';
      if (text.size() < 3000 && i + 1 < kLines) continue;
      out.put(text);
      text.clear();
    }
    out.write_end.reset();
  });
  for (int i = 0; i < kKills; ++i) {
    LogdProcess logd(scratch.path());
    logd.add(1, "u.service", out.read_end.get());
    ASSERT_TRUE(logd.sync());
    EXPECT_TRUE(WIFSIGNALED(logd.kill_and_wait(SIGKILL)));
  }
  {
    LogdProcess logd(scratch.path());
    logd.add(1, "u.service", out.read_end.get());
    writer.join();
    ASSERT_TRUE(logd.sync());
  }
  const std::vector<Entry> entries = scratch.entries();
  int previous = -1;
  int gaps = 0;
  int torn = 0;
  for (const Entry& entry : entries) {
    if (entry.message.rfind("line ", 0) != 0) {
      ++torn;  // the end of a line whose beginning was read by the one that was killed
      continue;
    }
    const int number = std::atoi(entry.message.c_str() + 5);
    // A torn line may have lost digits at its end, or be one that is followed by its own rest.
    if (number <= previous) {
      ++torn;
      continue;
    }
    if (number != previous + 1) ++gaps;
    previous = number;
  }
  EXPECT_EQ(previous, kLines - 1);
  EXPECT_LE(gaps, kKills);
  EXPECT_LE(torn, kKills);
}

TEST(Logd, WhatIsStillInThePipeSurvivesAKillWhole) {
  ScratchLog scratch;
  Pipe out;
  {
    LogdProcess logd(scratch.path());
    logd.add(1, "u.service", out.read_end.get());
    out.put("1\n2\n");
    ASSERT_TRUE(logd.sync());
    ::kill(logd.pid, SIGSTOP);
    out.put("3\n4\n");
    EXPECT_TRUE(WIFSIGNALED(logd.kill_and_wait(SIGKILL)));
  }
  LogdProcess logd(scratch.path());
  logd.add(1, "u.service", out.read_end.get());
  out.put("5\n");
  ASSERT_TRUE(logd.sync());
  EXPECT_THAT(messages_of(scratch.entries()), ElementsAre("1", "2", "3", "4", "5"));
}

TEST(Logd, GoesOnOnAFullDiskAndSaysWhatWasLost) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root to mount a tmpfs";
  ScratchLog scratch;
  const std::string disk = scratch.path() + "/disk";
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=256k") != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs";
  }
  {
    const std::string filler = disk + "/filler";
    Pipe out;
    LogdProcess logd(disk);
    logd.add(1, "u.service", out.read_end.get());
    out.put("before\n");
    ASSERT_TRUE(logd.sync());
    put_contents(filler, std::string(std::size_t{256} * 1024, 'x'));
    for (int i = 0; i < 20; ++i) {
      out.put(std::string(5000, 'y') + "\n");
      ASSERT_TRUE(logd.sync());
    }
    std::filesystem::remove(filler);
    // A request to write everything tells of the loss too: nothing else has to be printed.
    ASSERT_TRUE(logd.sync());
    out.put("after\n");
    ASSERT_TRUE(logd.sync());
    auto reader = LogReader::open(disk + "/u.service");
    ASSERT_TRUE(reader);
    auto entries = reader->last(100);
    ASSERT_TRUE(entries);
    EXPECT_THAT(messages_of(*entries),
                ElementsAre("before", "20 lines lost here: No space left on device", "after"));
  }
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

TEST(Logd, DoesNotWakeUpWhenNothingHappens) {
  ScratchLog scratch;
  std::vector<Pipe> pipes(100);
  LogdProcess logd(scratch.path());
  for (std::size_t i = 0; i < pipes.size(); ++i) {
    logd.add(i, "u" + std::to_string(i), pipes[i].read_end.get());
  }
  ASSERT_TRUE(logd.sync());
  const auto switches = [&] {
    const std::string status = contents_of("/proc/" + std::to_string(logd.pid) + "/status");
    const std::size_t at = status.find("\nvoluntary_ctxt_switches:");
    return std::atol(status.c_str() + at + 25);
  };
  const auto is_asleep = [&] {
    const std::string stat = contents_of("/proc/" + std::to_string(logd.pid) + "/stat");
    return stat.find(") S ") != std::string::npos;
  };
  while (!is_asleep()) std::this_thread::yield();
  const long before = switches();
  ::poll(nullptr, 0, 300);  // the time in which nothing must happen
  EXPECT_EQ(switches(), before);
}

// The rule of the process that keeps all logs: libc and nothing else.
TEST(Logd, LinksLibcAlone) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
  GTEST_SKIP() << "sanitizers and their run times link more";
#endif
  const std::string file = contents_of(FLOTILLA_LOGD_PATH);
  Elf64_Ehdr header;
  ASSERT_GE(file.size(), sizeof(header));
  std::memcpy(&header, file.data(), sizeof(header));
  std::vector<std::string> needed;
  for (int i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, file.data() + header.e_shoff + sizeof(section) * static_cast<unsigned>(i),
                sizeof(section));
    if (section.sh_type != SHT_DYNAMIC) continue;
    Elf64_Shdr strings;
    std::memcpy(&strings, file.data() + header.e_shoff + sizeof(strings) * section.sh_link,
                sizeof(strings));
    for (std::size_t at = 0; at < section.sh_size; at += sizeof(Elf64_Dyn)) {
      Elf64_Dyn entry;
      std::memcpy(&entry, file.data() + section.sh_offset + at, sizeof(entry));
      if (entry.d_tag == DT_NEEDED) {
        needed.emplace_back(file.data() + strings.sh_offset + entry.d_un.d_val);
      }
    }
  }
  EXPECT_THAT(needed, ElementsAre("libc.so.6"));
}

}  // namespace
}  // namespace flotilla::logs
