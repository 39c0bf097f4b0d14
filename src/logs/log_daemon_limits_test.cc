// The limits of a unit on what its programs send by themselves. The sender is this very process:
// it is in no unit, so its lines are those of the unit that stands for none.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <filesystem>

#include "logs/log_daemon_fixture.h"

namespace flotilla::logs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kUnit[] = "-.slice";

class LogLimitsTest : public LogDaemonFixture {
 protected:
  LogLimitsTest() {
    units_ = scratch_.path() + "/units";
    std::filesystem::create_directory(units_);
    config_.units = units_.c_str();
    start();
  }
  void say(const std::string& name, const std::string& target) const {
    std::filesystem::create_symlink(target, units_ + "/" + name + ":" + kUnit);
  }
  void take_back(const std::string& name) const {
    std::filesystem::remove(units_ + "/" + name + ":" + kUnit);
  }
  void send_to(const base::Fd& inlet, std::string_view text) {
    LogDaemonFixture::send_to(inlet, text);
    settle();
  }
  std::vector<std::string> lines() { return messages_of(scratch_.entries(kUnit)); }
  void pass(std::int64_t seconds) { ScratchLog::now += seconds * 1'000'000'000; }
  // A unit that logs once, so that its log is the one that is open.
  void open_another_log() {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const base::Fd read_end(ends[0]), write_end(ends[1]);
    StreamSpec spec;
    spec.id = ++streams_;
    const std::string name = "other" + std::to_string(streams_) + ".service";
    spec.unit = name;
    ASSERT_TRUE(client_->add_stream(spec, read_end.get()));
    ASSERT_EQ(::write(write_end.get(), "x\n", 2), 2);
    settle();
  }

  std::string units_;
  std::uint64_t streams_ = 0;
};

TEST_F(LogLimitsTest, LinesAboveTheLevelAreLeftOutUntilItIsTakenBack) {
  const base::Fd syslog = open_inlet(InletKind::kSyslog);
  const base::Fd native = open_inlet(InletKind::kNative);
  say("log-level-max", "4");
  send_to(syslog, "<28>a: warning");
  send_to(syslog, "<29>a: notice");
  send_to(native, "MESSAGE=error\nPRIORITY=3\n\nMESSAGE=debug\nPRIORITY=7\n");
  EXPECT_THAT(lines(), ElementsAre("warning", "error"));
  take_back("log-level-max");
  send_to(syslog, "<29>a: notice");
  EXPECT_THAT(lines(), ElementsAre("warning", "error", "notice"));
}

TEST_F(LogLimitsTest, MessagesOfBothSocketsAreCountedTogetherAndEachOnce) {
  const base::Fd syslog = open_inlet(InletKind::kSyslog);
  const base::Fd native = open_inlet(InletKind::kNative);
  say("log-rate-limit-interval", "10000000");
  say("log-rate-limit-burst", "2");
  const std::string two_lines("MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n", 20);
  send_to(native, two_lines);
  send_to(syslog, "<30>a: 1");
  send_to(syslog, "<30>a: 2");
  send_to(native, two_lines);
  send_to(native, "MESSAGE=3\nPRIORITY=5\n");
  send_to(syslog, "<27>a: an error has a place of its own");
  const std::vector<std::string> before{"a", "b", "1", "an error has a place of its own"};
  EXPECT_EQ(lines(), before);
  pass(11);
  send_to(syslog, "<30>a: 4");
  const std::vector<Entry> entries = scratch_.entries(kUnit);
  ASSERT_EQ(entries.size(), 6U);
  EXPECT_EQ(entries[4].message, "Suppressed 3 messages from -.slice");
  EXPECT_EQ(entries[4].identifier, "flotilla-logd");
  EXPECT_EQ(entries[4].priority, kPriorityWarning);
  EXPECT_EQ(entries[5].message, "4");
}

TEST_F(LogLimitsTest, WhatIsAboveTheLevelIsNotCounted) {
  const base::Fd syslog = open_inlet(InletKind::kSyslog);
  say("log-level-max", "5");
  say("log-rate-limit-burst", "1");
  send_to(syslog, "<30>a: info");
  send_to(syslog, "<29>a: notice");
  EXPECT_THAT(lines(), ElementsAre("notice"));
}

TEST_F(LogLimitsTest, WhatIsKnownOfAUnitHoldsUntilTheManagerTellsOfAnything) {
  // Long ago, by the clock of the log process as by the files'.
  using std::filesystem::last_write_time;
  const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(24);
  last_write_time(units_, long_ago);
  pass(10LL * 365 * 24 * 3600);
  const base::Fd syslog = open_inlet(InletKind::kSyslog);
  send_to(syslog, "<31>a: 1");
  send_to(syslog, "<31>a: 2");
  say("log-level-max", "4");
  // As if nothing had been changed: what is known is not read again.
  last_write_time(units_, long_ago);
  send_to(syslog, "<31>a: 3");
  last_write_time(units_, long_ago + std::chrono::seconds(1));
  send_to(syslog, "<31>a: 4");
  EXPECT_THAT(lines(), ElementsAre("1", "2", "3"));
  // Another directory in its place.
  std::filesystem::remove_all(units_);
  send_to(syslog, "<31>a: 5");
  std::filesystem::create_directory(units_);
  say("log-level-max", "4");
  send_to(syslog, "<31>a: 6");
  EXPECT_THAT(lines(), ElementsAre("1", "2", "3", "5"));
}

TEST_F(LogLimitsTest, TheCountOutlivesTheClosingOfTheLog) {
  config_.max_open_logs = 1;
  start();
  const base::Fd syslog = open_inlet(InletKind::kSyslog);
  say("log-rate-limit-interval", "10000000");
  say("log-rate-limit-burst", "1");
  send_to(syslog, "<30>a: 1");
  open_another_log();
  EXPECT_EQ(daemon_->open_log_count(), 1U);
  send_to(syslog, "<30>a: 2");
  open_another_log();
  pass(11);
  open_another_log();
  send_to(syslog, "<30>a: 3");
  EXPECT_THAT(lines(), ElementsAre("1", "Suppressed 1 messages from -.slice", "3"));
}

TEST_F(LogLimitsTest, TheLastWordsTellOfWhatWasLeftOut) {
  const base::Fd syslog = open_inlet(InletKind::kSyslog);
  say("log-rate-limit-burst", "1");
  send_to(syslog, "<30>a: 1");
  send_to(syslog, "<30>a: 2");
  daemon_->finish();
  EXPECT_THAT(lines(), ElementsAre("1", "Suppressed 1 messages from -.slice"));
}

TEST_F(LogLimitsTest, FieldsStandBehindTheFacility) {
  const base::Fd syslog = open_inlet(InletKind::kSyslog);
  put_contents(units_ + "/log-extra-fields:" + kUnit,
               std::string("\x03\0\0\0\0\0\0\0A=1\x05\0\0\0\0\0\0\0B=x y", 24));
  send_to(syslog, "<30>a: daemon");
  send_to(syslog, "<14>a: user");
  take_back("log-extra-fields");
  send_to(syslog, "<30>a: none");
  const std::vector<Entry> entries = scratch_.entries(kUnit);
  ASSERT_THAT(messages_of(entries), ElementsAre("daemon", "user", "none"));
  EXPECT_THAT(entries[0].fields, ElementsAre("A=1", "B=x y"));
  EXPECT_THAT(entries[1].fields, ElementsAre("SYSLOG_FACILITY=1", "A=1", "B=x y"));
  EXPECT_THAT(entries[2].fields, IsEmpty());
}

TEST_F(LogLimitsTest, AStreamHasTheLimitsOfTheUnitItIsOf) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = scratch_.path() + "/stdout";
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  const base::Fd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listening.get(), where, sizeof(address)), 0);
  ASSERT_EQ(::listen(listening.get(), 100), 0);
  client_->add_inlet(InletKind::kStdout, listening.get());
  settle();
  say("log-level-max", "4");
  say("log-rate-limit-burst", "1");
  base::Fd stream(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(stream.get(), where, sizeof(address)), 0);
  send_to(stream, "cat\n\n6\n1\n0\n0\n0\n<6>info\n<4>one\n<4>two\n<3>error\n");
  for (int i = 0; i < 10 && daemon_->stream_count() == 0; ++i) settle();
  stream.reset();
  settle();
  EXPECT_THAT(lines(), ElementsAre("one", "error", "Suppressed 1 messages from -.slice"));
}

TEST_F(LogLimitsTest, UnitsThatLogNoMoreLeaveTheirCountsBehind) {
  config_.max_open_logs = 1;
  start();
  for (std::uint64_t i = 1; i <= 600; ++i) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const base::Fd read_end(ends[0]);
    base::Fd write_end(ends[1]);
    StreamSpec spec;
    spec.id = i;
    const std::string name = "u" + std::to_string(i) + ".service";
    spec.unit = name;
    spec.rate_interval_usec = 1'000'000;
    spec.rate_burst = 1;
    ASSERT_TRUE(client_->add_stream(spec, read_end.get()));
    ASSERT_EQ(::write(write_end.get(), "1\n", 2), 2);
    settle();
    write_end.reset();
    settle();
    if (i % 2 == 0) pass(2);
  }
  EXPECT_LT(daemon_->rate_limit_count(), 300U);
}

}  // namespace
}  // namespace flotilla::logs
