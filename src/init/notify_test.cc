#include "init/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>

namespace flotilla::init {
namespace {

TEST(Notify, ReadsEveryField) {
  const NotifyMessage m = parse_notify(
      "READY=1\nSTATUS=at work\nERRNO=2\nMAINPID=77\nWATCHDOG=1\nWATCHDOG_USEC=3000\n"
      "EXTEND_TIMEOUT_USEC=5\nMONOTONIC_USEC=9\nBARRIER=1\nFDSTORE=1\nFDNAME=x");
  EXPECT_TRUE(m.ready);
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
      "STATUS=a\x01z\nnothing\n=\n\n");
  EXPECT_FALSE(m.ready);
  EXPECT_FALSE(m.main_pid);
  EXPECT_FALSE(m.error_number);
  EXPECT_FALSE(m.watchdog_usec);
  EXPECT_FALSE(m.status);
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
    ready += message.ready ? 1 : 0;
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
  (*server)->drain();
  EXPECT_EQ(ready, 1);
  EXPECT_EQ(sender_pid, getpid());
  unlink(path.c_str());
  rmdir(directory);
}

}  // namespace
}  // namespace flotilla::init
