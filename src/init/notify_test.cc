#include "init/notify.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace flotilla::init {
namespace {

TEST(Notify, ReadsEveryField) {
  const NotifyMessage m = parse_notify(
      "READY=1\nSTATUS=at work\nERRNO=2\nMAINPID=77\nWATCHDOG=1\nWATCHDOG_USEC=3000\n"
      "EXTEND_TIMEOUT_USEC=5\nMONOTONIC_USEC=9\nBARRIER=1\nFDSTORE=1\nFDNAME=x");
  EXPECT_EQ(m.state, NotifyMessage::State::kReady);
  EXPECT_EQ(m.status, "at work");
  EXPECT_EQ(m.error_number, 2);
  EXPECT_EQ(m.main_pid, 77);
  EXPECT_TRUE(m.watchdog);
  EXPECT_EQ(m.watchdog_usec, base::Micros(3000));
  EXPECT_EQ(m.extend_timeout_usec, base::Micros(5));
  EXPECT_EQ(m.monotonic_usec, base::Micros(9));
  EXPECT_TRUE(m.barrier);
  EXPECT_TRUE(m.fd_store);
  EXPECT_EQ(m.fd_name, "x");
}

TEST(Notify, LeavesOutWhatIsDamaged) {
  const NotifyMessage m = parse_notify(
      "READY=yes\nMAINPID=-1\nMAINPID=99999999999999\nERRNO=x\nERRNO=-3\nWATCHDOG_USEC=\n"
      "STATUS=a\xffz\nnothing\n=\n\n");
  EXPECT_EQ(m.state, NotifyMessage::State::kNone);
  EXPECT_FALSE(m.main_pid);
  EXPECT_FALSE(m.error_number);
  EXPECT_FALSE(m.watchdog_usec);
  EXPECT_EQ(m.status, "");  // the one before holds no more
  ASSERT_EQ(m.damaged_count, 4U);
  EXPECT_EQ(m.damaged[0].key, "MAINPID");
  EXPECT_EQ(m.damaged[0].value, "-1");
  EXPECT_EQ(m.damaged[1].key, "ERRNO");
  EXPECT_EQ(m.damaged[2].key, "WATCHDOG_USEC");
  EXPECT_EQ(m.damaged[3].key, "STATUS");
}

TEST(Notify, TheFirstOfTwoCountsAndOfStatesTheLast) {
  const NotifyMessage m = parse_notify(
      "STATUS=one\nERRNO=1\nMAINPID=3\nREADY=1\rSTATUS=two\nERRNO=2\nMAINPID=4\nRELOADING=1\n");
  EXPECT_EQ(m.status, "one");
  EXPECT_EQ(m.error_number, 1);
  EXPECT_EQ(m.main_pid, 3);
  EXPECT_EQ(m.state, NotifyMessage::State::kReloading);
  EXPECT_TRUE(parse_notify("RELOADING=1\nREADY=1").says_reloading);
  EXPECT_EQ(parse_notify("RELOADING=1\nREADY=1").state, NotifyMessage::State::kReady);
  EXPECT_EQ(parse_notify("READY=1\nSTOPPING=1").state, NotifyMessage::State::kStopping);
}

TEST(Notify, KnowsErrorsByTheirNames) {
  EXPECT_EQ(parse_notify("ERRNO=ENOENT").error_number, ENOENT);
  EXPECT_EQ(parse_notify("ERRNO=0").error_number, 0);
  EXPECT_FALSE(parse_notify("ERRNO=4096").error_number);
  EXPECT_FALSE(parse_notify("ERRNO=ENONSENSE").error_number);
}

TEST(Notify, TellsTheSenderAndDropsWhatIsTooLong) {
  char directory[] = "/tmp/notify_test_XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/notify";
  auto loop = Loop::create();
  ASSERT_TRUE(loop);
  auto server = NotifySocket::create(path);
  ASSERT_TRUE(server) << server.error().message;
  int ready = 0;
  pid_t sender_pid = 0;
  auto on_message = [&](const NotifySender& sender, const NotifyMessage& message) {
    ready += message.state == NotifyMessage::State::kReady ? 1 : 0;
    sender_pid = sender.pid;
  };
  ASSERT_TRUE((*server)->attach(
      **loop, Callback<void(const NotifySender&, const NotifyMessage&)>::from(on_message)));
  const base::Fd client(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const auto send = [&](const std::string& text) {
    ASSERT_EQ(sendto(client.get(), text.data(), text.size(), 0,
                     reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              static_cast<ssize_t>(text.size()));
  };
  send("READY=1");
  send("READY=1\nSTATUS=" + std::string(10000, 'x'));
  send(std::string("READY=1\0STATUS=x", 16));  // a NUL inside, and one at the end
  send("BARRIER=1\nREADY=1");
  (*server)->drain();
  EXPECT_EQ(ready, 1);
  EXPECT_EQ(sender_pid, getpid());
  unlink(path.c_str());
  rmdir(directory);
}

// A manager in a process of its own, which is killed while it deals with a message.
class DyingManagers : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    kept_.reset(ends[0]);
    // A message has its sender's name only where somebody wanted it when it was sent.
    const int on = 1;
    ASSERT_EQ(setsockopt(kept_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
    service_.reset(ends[1]);
    void* const shared =
        mmap(nullptr, sizeof(int32_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    attempts_ = static_cast<int32_t*>(shared);
  }
  void TearDown() override { munmap(attempts_, sizeof(int32_t)); }

  void say(std::string_view text) {
    ASSERT_EQ(send(service_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  // What a manager reads, and the complaints it has.
  std::vector<std::string> read_all() {
    std::vector<std::string> read;
    auto on_message = [&](const NotifySender&, const NotifyMessage& message) {
      read.emplace_back(message.status.value_or("no status"));
    };
    auto on_problem = [&](std::string_view text) { read.emplace_back(text); };
    run(Callback<void(const NotifySender&, const NotifyMessage&)>::from(on_message),
        Callback<void(std::string_view)>::from(on_problem));
    return read;
  }
  int service() const { return service_.get(); }
  void die_at_the_first() {
    const pid_t manager = fork();
    if (manager == 0) {
      auto on_message = [](const NotifySender&, const NotifyMessage&) { _exit(0); };
      run(Callback<void(const NotifySender&, const NotifyMessage&)>::from(on_message), {});
      _exit(1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(manager, &status, 0), manager);
    ASSERT_EQ(status, 0) << "it had nothing to die of";
  }

 private:
  void run(Callback<void(const NotifySender&, const NotifyMessage&)> on_message,
           Callback<void(std::string_view)> on_problem) {
    auto loop = Loop::create();
    auto socket = NotifySocket::adopt(base::Fd(dup(kept_.get())));
    ASSERT_TRUE(loop && socket);
    ASSERT_TRUE((*socket)->attach(**loop, on_message, on_problem, attempts_));
    (*socket)->drain();
  }

  base::Fd kept_, service_;
  int32_t* attempts_ = nullptr;
};

TEST_F(DyingManagers, TheNextOneReadsTheMessageAgain) {
  say("STATUS=one");
  say("STATUS=two");
  die_at_the_first();
  EXPECT_EQ(read_all(), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(read_all(), std::vector<std::string>());
}

TEST_F(DyingManagers, AMessageThatEndsThemAllIsDroppedAlone) {
  say("STATUS=one");
  say("STATUS=two");
  die_at_the_first();
  die_at_the_first();
  EXPECT_EQ(read_all(),
            (std::vector<std::string>{
                "A notify message ended the manager again and again. Ignoring.", "two"}));
}

TEST_F(DyingManagers, ADescriptorComesWithTheMessageEachTime) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const base::Fd reader(ends[0]);
  base::Fd writer(ends[1]);
  char text[] = "BARRIER=1";
  iovec part{text, sizeof text - 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = writer.get();
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  say("STATUS=before");
  ASSERT_GT(sendmsg(service(), &message, 0), 0);
  writer.reset();
  die_at_the_first();
  pollfd waiting{reader.get(), POLLIN, 0};
  EXPECT_EQ(poll(&waiting, 1, 0), 0) << "nobody has passed the barrier yet";
  EXPECT_EQ(read_all(), std::vector<std::string>{"before"});
  EXPECT_EQ(poll(&waiting, 1, 0), 1) << "it is passed";
}

}  // namespace
}  // namespace flotilla::init
