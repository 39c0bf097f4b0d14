// What the log process makes of a unit's fields and rate limit.
#include <fcntl.h>
#include <gmock/gmock.h>

#include "logs/log_daemon_fixture.h"

namespace flotilla::logs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LogMarksTest : public LogDaemonFixture {
 protected:
  LogMarksTest() {
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
  std::vector<std::string> lines() { return messages_of(scratch_.entries()); }
  void pass(std::int64_t seconds) { ScratchLog::now += seconds * 1'000'000'000; }

  base::Fd read_end_, write_end_;
  StreamSpec spec_;
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
