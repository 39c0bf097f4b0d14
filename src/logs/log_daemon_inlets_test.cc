// What programs send to the journal's sockets by themselves. The sender is this very process, which
// is in no unit below the daemon's own place in the tree.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "logs/log_daemon_fixture.h"

namespace flotilla::logs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kNobody[] = "-.slice";

class LogInletsTest : public LogDaemonFixture {
 protected:
  // A socket that programs connect to, bound at address_.
  base::Fd open_stdout_inlet() {
    address_.sun_family = AF_UNIX;
    const std::string path = scratch_.path() + "/stdout";
    path.copy(address_.sun_path, sizeof(address_.sun_path) - 1);
    base::Fd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listening.get(), where(), sizeof(address_)), 0);
    EXPECT_EQ(::listen(listening.get(), 100), 0);
    client_->add_inlet(InletKind::kStdout, listening.get());
    return listening;
  }
  base::Fd connect() const {
    base::Fd stream(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(stream.get(), where(), sizeof(address_)), 0);
    return stream;
  }
  const sockaddr* where() const { return reinterpret_cast<const sockaddr*>(&address_); }

  sockaddr_un address_{};
};

TEST_F(LogInletsTest, WritesWhatIsSaidToSyslog) {
  const base::Fd log = open_inlet(InletKind::kSyslog);
  send_to(log, "<27>Nov 21 19:00:00 cron[12]: one");
  send_to(log, "<165>two: x\n");
  send_to(log, "");
  settle();
  const std::vector<Entry> entries = scratch_.entries(kNobody);
  ASSERT_THAT(messages_of(entries), ElementsAre("one", "x"));
  EXPECT_EQ(entries[0].identifier, "cron");
  EXPECT_EQ(entries[0].priority, 3);
  EXPECT_EQ(entries[0].pid, ::getpid());
  EXPECT_THAT(entries[0].fields, IsEmpty());
  EXPECT_THAT(entries[1].fields, ElementsAre("SYSLOG_FACILITY=20"));
}

TEST_F(LogInletsTest, WritesEntriesOfFieldsLineByLine) {
  const base::Fd log = open_inlet(InletKind::kNative);
  send_to(log, "MESSAGE=one\nPRIORITY=2\nSYSLOG_IDENTIFIER=me\n\nMESSAGE=other\n");
  std::string lines("MESSAGE\n\x05\0\0\0\0\0\0\0a\nb\nc\n", 22);
  send_to(log, lines);
  send_to(log, "MESSAGE=" + std::string(kMaxMessage + 1, 'x') + "\n");
  send_to(log, "garbage");
  settle();
  const std::vector<Entry> entries = scratch_.entries(kNobody);
  ASSERT_EQ(entries.size(), 7U);
  EXPECT_EQ(entries[0].message, "one");
  EXPECT_EQ(entries[0].priority, 2);
  EXPECT_EQ(entries[0].identifier, "me");
  EXPECT_EQ(entries[1].identifier, "logs_test");
  EXPECT_EQ(entries[2].message + entries[3].message + entries[4].message, "abc");
  EXPECT_TRUE(entries[5].partial);
  EXPECT_EQ(entries[6].message, "x");
}

TEST_F(LogInletsTest, WhatIsLargeComesAsAFileInMemory) {
  const base::Fd log = open_inlet(InletKind::kNative);
  const auto pass = [&](int fd) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &fd, sizeof(int));
    ASSERT_EQ(::sendmsg(log.get(), &message, 0), 0);
  };
  const base::Fd memory(::memfd_create("entry", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const std::string text = "MESSAGE=" + std::string(100, 'y') + "\n";
  ASSERT_EQ(::write(memory.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  pass(memory.get());
  pass(scratch_.place.directory);
  pass(control_.get());
  settle();
  EXPECT_THAT(messages_of(scratch_.entries(kNobody)), ElementsAre(std::string(100, 'y')));
}

TEST_F(LogInletsTest, StreamsSayWhatTheyAreAndThenWrite) {
  const base::Fd listening = open_stdout_inlet();
  settle();
  base::Fd good = connect();
  send_to(good, "cat\n\n4\n1\n");
  settle();
  EXPECT_EQ(daemon_->stream_count(), 0U);
  send_to(good, "0\n0\n0\none\n<2>tw");
  settle();
  EXPECT_EQ(daemon_->stream_count(), 1U);
  send_to(good, "o");
  base::Fd bad = connect();
  send_to(bad, "cat\n\nloud\n1\n0\n0\n0\nnever\n");
  const base::Fd silent = connect();
  settle();
  char byte = 0;
  EXPECT_EQ(::recv(bad.get(), &byte, 1, MSG_DONTWAIT), -1);
  good.reset();
  settle();
  EXPECT_EQ(daemon_->stream_count(), 0U);
  const std::vector<Entry> entries = scratch_.entries(kNobody);
  ASSERT_THAT(messages_of(entries), ElementsAre("one", "two"));
  EXPECT_EQ(entries[0].priority, 4);
  EXPECT_EQ(entries[0].identifier, "cat");
  EXPECT_EQ(entries[0].pid, ::getpid());
  EXPECT_EQ(entries[1].priority, 2);
}

TEST_F(LogInletsTest, ManyThatSayNothingMakeRoomForOneAnother) {
  const base::Fd listening = open_stdout_inlet();
  std::vector<base::Fd> silent;
  for (int i = 0; i < 80; ++i) silent.push_back(connect());
  for (int i = 0; i < 10; ++i) settle();
  send_to(silent.back(), "cat\n\n6\n0\n0\n0\n0\nheard\n");
  settle();
  settle();
  EXPECT_THAT(messages_of(scratch_.entries(kNobody)), ElementsAre("heard"));
}

}  // namespace
}  // namespace flotilla::logs
