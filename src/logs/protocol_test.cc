#include "logs/protocol.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace flotilla::logs {
namespace {

struct Buffer {
  char bytes[kMaxControlMessage];
  MessageWriter writer{bytes, sizeof(bytes)};
};

TEST(Protocol, CarriesStreams) {
  Buffer buffer;
  buffer.writer.start(MessageType::kAddStreams);
  StreamSpec first{7, "a.service", "a", 42, StreamKind::kStderr, 3, false, 5};
  StreamSpec second{8, "b@x.service", "", 0, StreamKind::kStdout, 6, true};
  ASSERT_TRUE(buffer.writer.add_stream(first));
  ASSERT_TRUE(buffer.writer.add_stream(second));
  MessageReader reader(buffer.writer.bytes());
  EXPECT_EQ(reader.type(), MessageType::kAddStreams);
  StreamSpec out;
  ASSERT_TRUE(reader.next_stream(out));
  EXPECT_EQ(out.id, 7U);
  EXPECT_EQ(out.unit, "a.service");
  EXPECT_EQ(out.identifier, "a");
  EXPECT_EQ(out.pid, 42);
  EXPECT_EQ(out.stream, StreamKind::kStderr);
  EXPECT_EQ(out.priority, 3);
  EXPECT_FALSE(out.level_prefix);
  EXPECT_EQ(out.priority_max, 5);
  ASSERT_TRUE(reader.next_stream(out));
  EXPECT_EQ(out.unit, "b@x.service");
  EXPECT_EQ(out.identifier, "");
  EXPECT_TRUE(out.level_prefix);
  EXPECT_EQ(out.priority_max, kPriorityMax);
  EXPECT_FALSE(reader.next_stream(out));
  EXPECT_FALSE(reader.is_damaged());
}

TEST(Protocol, CarriesTheFieldsAndLimitsOfAStreamThatHasThem) {
  Buffer buffer;
  buffer.writer.start(MessageType::kAddStreams);
  StreamSpec first{7, "a.service", "a", 42};
  first.fields = std::string_view("A=1\0B=2", 7);
  first.rate_interval_usec = 2'000'000;
  first.rate_burst = 5;
  const StreamSpec second{8, "b.service", ""};
  ASSERT_TRUE(buffer.writer.add_stream(first));
  ASSERT_TRUE(buffer.writer.add_stream(second));
  MessageReader reader(buffer.writer.bytes());
  StreamSpec out;
  ASSERT_TRUE(reader.next_stream(out));
  EXPECT_EQ(out.fields, first.fields);
  EXPECT_EQ(out.rate_interval_usec, 2'000'000U);
  EXPECT_EQ(out.rate_burst, 5U);
  ASSERT_TRUE(reader.next_stream(out));
  EXPECT_EQ(out.unit, "b.service");
  EXPECT_EQ(out.fields, "");
  EXPECT_EQ(out.rate_burst, 0U);
  EXPECT_FALSE(reader.next_stream(out));
  EXPECT_FALSE(reader.is_damaged());

  const std::string big(kMaxFields + 1, 'x');
  first.fields = big;
  EXPECT_FALSE(buffer.writer.add_stream(first));
}

TEST(Protocol, CarriesPidsUnitsSyncsAndEvents) {
  Buffer buffer;
  buffer.writer.start(MessageType::kSetPid);
  ASSERT_TRUE(buffer.writer.add_pid({1, 99}));
  MessageReader pids(buffer.writer.bytes());
  PidChange pid;
  ASSERT_TRUE(pids.next_pid(pid));
  EXPECT_EQ(pid.pid, 99);

  buffer.writer.start(MessageType::kForgetUnit);
  ASSERT_TRUE(buffer.writer.add_unit("u.service"));
  EXPECT_FALSE(buffer.writer.add_unit("v.service"));
  MessageReader units(buffer.writer.bytes());
  std::string_view unit;
  ASSERT_TRUE(units.next_unit(unit));
  EXPECT_EQ(unit, "u.service");

  buffer.writer.start(MessageType::kSync, 5);
  EXPECT_EQ(MessageReader(buffer.writer.bytes()).argument(), 5U);

  buffer.writer.start(MessageType::kEvents);
  ASSERT_TRUE(buffer.writer.add_event({EventType::kStreamRefused, 22, 3}));
  MessageReader events(buffer.writer.bytes());
  Event event;
  ASSERT_TRUE(events.next_event(event));
  EXPECT_EQ(event.type, EventType::kStreamRefused);
  EXPECT_EQ(event.detail, 22);
  EXPECT_EQ(event.id, 3U);
}

TEST(Protocol, ABatchEndsAt128StreamsAndAtTheBuffersEnd) {
  Buffer buffer;
  buffer.writer.start(MessageType::kAddStreams);
  StreamSpec spec;
  spec.unit = "x.service";
  for (std::size_t i = 0; i < kMaxStreamsPerMessage; ++i) {
    ASSERT_TRUE(buffer.writer.add_stream(spec));
  }
  EXPECT_FALSE(buffer.writer.add_stream(spec));
  char small[60];
  MessageWriter tight(small, sizeof(small));
  tight.start(MessageType::kAddStreams);
  EXPECT_TRUE(tight.add_stream(spec));
  EXPECT_FALSE(tight.add_stream(spec));
  EXPECT_EQ(tight.count(), 1U);
}

TEST(Protocol, ATruncatedMessageIsDamagedAtEveryLength) {
  Buffer buffer;
  buffer.writer.start(MessageType::kAddStreams);
  ASSERT_TRUE(
      buffer.writer.add_stream({7, "a.service", "ident", 42, StreamKind::kStderr, 3, false}));
  for (std::size_t size = 0; size < buffer.writer.bytes().size(); ++size) {
    // A copy of the exact size, so that the sanitizer sees a read behind the end.
    const std::string cut(buffer.writer.bytes().data(), size);
    MessageReader reader(cut);
    StreamSpec out;
    EXPECT_FALSE(reader.next_stream(out)) << size;
    EXPECT_TRUE(reader.is_damaged()) << size;
  }
}

TEST(Protocol, NamesThatLeaveTheDirectoryAreRefused) {
  for (const std::string_view good : {"a.service", "-.slice", "a@b\\x2d.service", "...", ".x"}) {
    EXPECT_TRUE(is_valid_unit_name(good)) << good;
  }
  for (const std::string_view bad : {"", ".", "..", "a/b", "/", "a b", "a\n", "\xc3\xa9"}) {
    EXPECT_FALSE(is_valid_unit_name(bad)) << bad;
  }
  EXPECT_FALSE(is_valid_unit_name(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_valid_unit_name(std::string(256, 'a')));
  EXPECT_TRUE(is_valid_unit_name(std::string(255, 'a')));
}

}  // namespace
}  // namespace flotilla::logs
