// What the log process makes of a unit's fields and rate limit.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "logs/client.h"
#include "logs/log_daemon.h"
#include "logs/scratch_log.h"

namespace flotilla::logs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LogMarksTest : public ::testing::Test {
 protected:
  LogMarksTest() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    client_ = std::make_unique<LogClient>(base::Fd(ends[0]));
    control_.reset(ends[1]);
    DaemonConfig config;
    config.place = scratch_.place;
    config.control = control_.get();
    daemon_ = std::make_unique<LogDaemon>(config);
    EXPECT_EQ(daemon_->start(), 0);
    spec_.id = 1;
    spec_.unit = "u.service";
    spec_.pid = 7;
  }
  void add() {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
    ASSERT_TRUE(client_->add_stream(spec_, read_end_.get()));
  }
  void put(std::string_view text) const {
    ASSERT_EQ(::write(write_end_.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  void settle() {
    client_->sync(++syncs_);
    for (int i = 0; i < 1000; ++i) {
      EXPECT_TRUE(client_->flush());
      daemon_->turn(0);
      for (Event event; client_->next_event(event);) {
        if (event.type == EventType::kSyncDone && event.id == syncs_) return;
      }
    }
    ADD_FAILURE() << "the daemon does not answer";
  }
  std::vector<std::string> lines() { return messages_of(scratch_.entries()); }
  void pass(std::int64_t seconds) { ScratchLog::now += seconds * 1'000'000'000; }

  ScratchLog scratch_;
  base::Fd control_, read_end_, write_end_;
  std::unique_ptr<LogClient> client_;
  std::unique_ptr<LogDaemon> daemon_;
  StreamSpec spec_;
  std::uint64_t syncs_ = 0;
};

TEST_F(LogMarksTest, FieldsComeOutWithEveryLineOfTheirUnitAndNoOther) {
  const std::string long_field = "LONG=" + std::string(700, 'x');
  const std::string fields = std::string("SYSLOG_FACILITY=16\0A=1\0", 23) + long_field;
  spec_.fields = fields;
  add();
  put("one\n");
  settle();
  client_->set_pid(1, 8);
  settle();
  put("two\n");
  settle();
  write_end_.reset();
  settle();
  spec_.fields = {};
  spec_.id = 2;
  add();
  put("three\n");
  settle();
  const std::vector<Entry> entries = scratch_.entries();
  ASSERT_THAT(messages_of(entries), ElementsAre("one", "two", "three"));
  EXPECT_THAT(entries[0].fields, ElementsAre("SYSLOG_FACILITY=16", "A=1", long_field));
  EXPECT_EQ(entries[0].pid, 7);
  EXPECT_EQ(entries[1].fields, entries[0].fields);
  EXPECT_EQ(entries[1].pid, 8);
  EXPECT_THAT(entries[2].fields, IsEmpty());
  EXPECT_EQ(entries[2].identifier, "u.service");
}

TEST_F(LogMarksTest, LinesBeyondTheBurstAreLeftOutUntilTheIntervalIsOver) {
  spec_.rate_interval_usec = 10'000'000;
  spec_.rate_burst = 2;
  add();
  put("1\n2\n3\n4\n<3>an error has a place of its own\n");
  settle();
  EXPECT_THAT(lines(), ElementsAre("1", "2", "an error has a place of its own"));
  pass(10);
  put("5\n");
  settle();
  EXPECT_EQ(lines().size(), 3U) << "the interval is not over";
  pass(1);
  put("6\n");
  settle();
  const std::vector<Entry> entries = scratch_.entries();
  ASSERT_THAT(messages_of(entries), ElementsAre("1", "2", "an error has a place of its own",
                                                "Suppressed 3 messages from u.service", "6"));
  EXPECT_EQ(entries[3].identifier, "flotilla-logd");
  EXPECT_EQ(entries[3].priority, kPriorityWarning);
}

TEST_F(LogMarksTest, TheEndOfAStreamTellsOfWhatWasLeftOutAndTheNextIsCountedOn) {
  spec_.rate_interval_usec = 10'000'000;
  spec_.rate_burst = 1;
  add();
  put("1\n2\n");
  settle();
  write_end_.reset();
  settle();
  EXPECT_THAT(lines(), ElementsAre("1", "Suppressed 1 messages from u.service"));
  spec_.id = 2;
  add();
  put("3\n");
  settle();
  EXPECT_EQ(lines().size(), 2U);
}

TEST_F(LogMarksTest, ALongLineIsLeftOutWithAllItsPieces) {
  spec_.rate_interval_usec = 10'000'000;
  spec_.rate_burst = 1;
  add();
  put("1\n");
  settle();
  put(std::string(kMaxMessage + 10, 'x') + "\n");
  settle();
  pass(11);
  put("2\n");
  settle();
  EXPECT_THAT(lines(), ElementsAre("1", "Suppressed 1 messages from u.service", "2"));
}

}  // namespace
}  // namespace flotilla::logs
