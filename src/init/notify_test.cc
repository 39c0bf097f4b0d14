#include "init/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>

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

}  // namespace
}  // namespace flotilla::init
