// What strangers send and what goes wrong outside: a clear answer, and nothing else is affected.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "base/fd.h"
#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class BadInput : public SystemTest {
 protected:
  // A machine with one good service; at the end that one must be as it was.
  void SetUp() override {
    machine_.add_unit("good.service", "[Service]\nExecStart=" FLOTILLA_PROBE " --print=up\n");
  }
  void start() {
    machine_.start();
    ASSERT_THAT(systemctl({"start", "good"}), Answers(0, "", ""));
    good_ = machine_.main_pid("good");
    manager_pid_ = machine_.manager();
  }
  void TearDown() override {
    if (good_ == 0) return;
    EXPECT_EQ(machine_.state("good"), "active running success");
    EXPECT_EQ(machine_.main_pid("good"), good_);
    EXPECT_EQ(machine_.manager(), manager_pid_) << "the manager died:\n" << machine_.output();
    EXPECT_THAT(systemctl({"restart", "good"}), Answers(0, "", ""));
  }

  base::Fd connect_to(const std::string& inside, int type) const {
    base::Fd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, (root() / inside).c_str(), sizeof(address.sun_path) - 1);
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fd.reset();
    return fd;
  }

  pid_t good_ = 0;
  pid_t manager_pid_ = 0;
};

TEST_F(BadInput, ABadLineIsToldWithItsPlaceAndTheRestCounts) {
  machine_.add_unit("bad.service",
                    "[Unit]\nDescription=Half good\nNonsense=1\n[Service]\nRestartSec=soon\n"
                    "no equals sign\nExecStart=/bin/sleep 1000\n");
  start();
  EXPECT_THAT(systemctl({"start", "bad"}), Answers(0, "", ""));
  EXPECT_EQ(machine_.property("bad", "Description"), "Half good");
  ASSERT_TRUE(machine_.wait_for_output("bad.service:6: expected \"Key=value\""))
      << machine_.output();
  EXPECT_THAT(machine_.output(),
              AllOf(HasSubstr("bad.service:3: Unknown key name 'Nonsense' in section 'Unit'"),
                    HasSubstr("bad.service:5: "), HasSubstr("soon")));
}

TEST_F(BadInput, UnitsThatCannotBeAreRefusedWithTheReason) {
  machine_.add_unit("nothing.service", "[Service]\nType=simple\n");
  machine_.add_unit("relative.service", "[Service]\nExecStart=relative/program\n");
  machine_.add_unit("big.service",
                    "[Service]\nExecStart=/bin/true\n" + std::string(2 << 20, '#') + "\n");
  machine_.add_unit("long.service", "[Service]\nExecStart=/bin/true\nEnvironment=" +
                                        std::string(2 << 20, 'x') + "\n");
  machine_.add_unit("binary.service", [] {
    std::mt19937 random(7);
    std::string text;
    for (int i = 0; i < 65536; ++i) text.push_back(static_cast<char>(random()));
    return text;
  }());
  start();
  for (const std::string name : {"nothing", "relative"}) {
    const Outcome outcome = systemctl({"start", name});
    EXPECT_NE(outcome.exit_code, 0) << name;
    EXPECT_THAT(outcome.err, AllOf(StartsWith("Failed to start " + name + ".service: Unit " + name +
                                              ".service "),
                                   HasSubstr("has a bad unit file setting.")))
        << name;
    EXPECT_EQ(machine_.property(name, "LoadState"), "bad-setting") << name;
    EXPECT_TRUE(machine_.wait_for_output(name + ".service")) << name << "\n" << machine_.output();
  }
  const std::pair<std::string, std::string> unreadable[] = {{"binary", "Invalid argument"},
                                                            {"big", "big.service: it has 2097"},
                                                            {"long", "long.service: it has 2097"}};
  for (const auto& [name, reason] : unreadable) {
    EXPECT_THAT(
        systemctl({"start", name}),
        Answers(1, "",
                AllOf(HasSubstr(name + ".service failed to load properly"), HasSubstr(reason))));
    EXPECT_EQ(machine_.property(name, "LoadState"), "error");
    EXPECT_TRUE(machine_.wait_for_output("/" + name + ".service:")) << name << "\n"
                                                                    << machine_.output();
  }
}

TEST_F(BadInput, MissingProgramsAndUsersFailTheirUnitAlone) {
  machine_.add_unit("exec.service", "[Service]\nType=exec\nExecStart=/no/such/program\n");
  machine_.add_unit("folder.service", "[Service]\nType=exec\nExecStart=/tmp\n");
  machine_.add_unit(
      "chdir.service",
      "[Service]\nType=exec\nWorkingDirectory=/no/such/folder\nExecStart=/bin/true\n");
  machine_.add_unit("user.service",
                    "[Service]\nType=exec\nUser=no-such-user\nExecStart=/bin/true\n");
  start();
  const std::pair<const char*, const char*> cases[] = {
      {"exec", "203"}, {"folder", "203"}, {"chdir", "200"}, {"user", "217"}};
  for (const auto& [name, status] : cases) {
    EXPECT_EQ(systemctl({"start", name}).exit_code, 1) << name;
    EXPECT_EQ(machine_.property(name, "ExecMainStatus"), status) << name;
    EXPECT_EQ(machine_.state(name), "failed failed exit-code");
  }
}

TEST_F(BadInput, ACycleIsBrokenAndToldOrRefused) {
  machine_.add_unit(
      "a.service",
      "[Unit]\nRequires=b.service\nAfter=b.service\n[Service]\nExecStart=/bin/sleep 1000\n");
  machine_.add_unit(
      "b.service",
      "[Unit]\nRequires=a.service\nAfter=a.service\n[Service]\nExecStart=/bin/sleep 1000\n");
  machine_.add_unit(
      "x.service",
      "[Unit]\nWants=y.service\nAfter=y.service\n[Service]\nExecStart=/bin/sleep 1000\n");
  machine_.add_unit("y.service", "[Unit]\nAfter=x.service\n[Service]\nExecStart=/bin/sleep 1000\n");
  start();
  const Outcome refused = systemctl({"start", "a"});
  EXPECT_EQ(refused.exit_code, 1) << refused;
  EXPECT_THAT(refused.err, HasSubstr("Transaction order is cyclic."));
  EXPECT_TRUE(machine_.wait_for_output("ordering cycle")) << machine_.output();
  EXPECT_EQ(machine_.state("a"), "inactive dead success");
  EXPECT_THAT(systemctl({"start", "x"}), Answers(0, "", ""));
  EXPECT_EQ(machine_.state("x"), "active running success");
}

TEST_F(BadInput, BadNamesAreRefused) {
  root().write("outside.service", "[Service]\nExecStart=/bin/sleep 1000\n");
  start();
  // Straight over the bus too, where no client mends the name first.
  for (const std::string name :
       {"../outside.service", "a/b.service", "..", "a.nonsense", "sp ace.service", "@.service"}) {
    const Outcome outcome = systemctl({"start", "--", name});
    EXPECT_NE(outcome.exit_code, 0) << name;
    EXPECT_NE(outcome.err, "") << name;
  }
  EXPECT_NE(systemctl({"start", std::string(300, 'x') + ".service"}).exit_code, 0);
}

TEST_F(BadInput, GarbageOnTheBusSocketEndsThatConnectionAlone) {
  start();
  std::mt19937 random(11);
  for (int i = 0; i < 200; ++i) {
    const base::Fd fd = connect_to("run/systemd/private", SOCK_STREAM);
    ASSERT_TRUE(fd.is_open());
    std::string bytes = i % 2 == 0 ? "" : std::string("\0AUTH EXTERNAL 30\r\nBEGIN\r\n", 26);
    const size_t size = random() % 3000;
    for (size_t n = 0; n < size; ++n) bytes.push_back(static_cast<char>(random()));
    send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  EXPECT_THAT(systemctl({"is-active", "good"}), Answers(0, "active\n", ""));
}

TEST_F(BadInput, GarbageOnTheNotifySocketIsDropped) {
  machine_.add_unit("n.service",
                    "[Service]\nType=notify\nNotifyAccess=all\nExecStart=" FLOTILLA_PROBE
                    " --notify==x --notify=MAINPID=1 --notify=MAINPID=x --notify=READY=2 "
                    "--notify=WATCHDOG_USEC=-1 --notify=READY=1\n");
  start();
  const base::Fd fd = connect_to("run/systemd/notify", SOCK_DGRAM);
  ASSERT_TRUE(fd.is_open());
  std::mt19937 random(13);
  for (int i = 0; i < 500; ++i) {
    std::string bytes = i % 3 == 0 ? "READY=1\nMAINPID=1\nSTOPPING=1\n" : "";
    const size_t size = random() % (i % 50 == 0 ? 60000 : 300);
    for (size_t n = 0; n < size; ++n) bytes.push_back(static_cast<char>(random()));
    // The queue may be full for a moment; a datagram that is lost does no harm.
    send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  EXPECT_THAT(systemctl({"start", "n"}), Answers(0, "", ""));
  EXPECT_THAT(find_process(machine_.main_pid("n")).command, StartsWith(FLOTILLA_PROBE));
}

TEST_F(BadInput, ThousandsOfConnectionsLeaveRoomForTheNext) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit before = limit;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  start();
  std::vector<base::Fd> connections;
  for (int i = 0; i < 3000; ++i) {
    base::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, (root() / "run/systemd/private").c_str(),
            sizeof(address.sun_path) - 1);
    const int failed = connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
    if (!fd.is_open() || failed != 0) continue;  // the backlog is full just now
    send(fd.get(), "\0AUTH EXTERNAL", 14, MSG_NOSIGNAL);
    connections.push_back(std::move(fd));
  }
  EXPECT_GT(connections.size(), 100U);
  connections.clear();
  EXPECT_TRUE(wait_until([&] { return systemctl({"is-active", "good"}).out == "active\n"; }));
  setrlimit(RLIMIT_NOFILE, &before);
}

class FullDisk : public BadInput {
 protected:
  void TearDown() override {
    BadInput::TearDown();
    machine_.stop();
    if (!mounted_.empty()) umount2(mounted_.c_str(), MNT_DETACH);
  }
  // A tiny file system of its own at the place.
  void mount_small(const std::string& inside, const char* options) {
    root().make_directory(inside);
    mounted_ = root() / inside;
    ASSERT_EQ(mount("tmpfs", mounted_.c_str(), "tmpfs", 0, options), 0) << strerror(errno);
  }
  void fill(const std::string& inside) const {
    const base::Fd fd(open((root() / inside).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    const std::string block(4096, 'x');
    while (write(fd.get(), block.data(), block.size()) > 0) {
    }
  }
  std::string mounted_;
};

TEST_F(FullDisk, OfTheLogsLosesLinesAndNothingElse) {
  FLOTILLA_NEEDS_ROOT();
  mount_small("var/log", "size=64k");
  machine_.add_unit("loud.service",
                    "[Service]\nExecStart=/bin/sh -c 'i=0; while [ $$i -lt 5000 ]; do echo "
                    "0123456789012345678901234567890123456789; i=$$((i+1)); done; echo done > " +
                        (root() / "done") + "; exec sleep 1000'\n");
  start();
  ASSERT_THAT(systemctl({"start", "loud"}), Answers(0, "", ""));
  EXPECT_TRUE(wait_until([&] { return root().read("done") == "done\n"; }))
      << "a full disk must not block who writes";
  EXPECT_EQ(machine_.state("loud"), "active running success");
  EXPECT_THAT(systemctl({"stop", "loud"}), Answers(0, "", ""));
}

TEST_F(FullDisk, OfTheRunTimeFilesStopsNoService) {
  FLOTILLA_NEEDS_ROOT();
  mount_small("run", "size=512k");
  for (int i = 0; i < 200; ++i) {
    machine_.add_unit("u" + std::to_string(i) + ".service",
                      "[Unit]\nDescription=" + std::string(500, 'd') +
                          "\n[Service]\nExecStart=/bin/sleep 1000\n");
  }
  start();
  fill("run/filler");
  std::vector<std::string> command{"start"};
  for (int i = 0; i < 200; ++i) command.push_back("u" + std::to_string(i));
  // They start, or are refused in words; the manager lives.
  const Outcome outcome = systemctl(command);
  EXPECT_EQ(outcome.exit_code == 0, outcome.err.empty()) << outcome;
  unlink((root() / "run/filler").c_str());
  EXPECT_THAT(systemctl({"start", "u0"}), Answers(0, "", ""));
  EXPECT_EQ(machine_.state("u0"), "active running success");
}

}  // namespace
}  // namespace flotilla::system_test
