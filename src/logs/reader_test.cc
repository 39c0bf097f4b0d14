#include "logs/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "logs/scratch_log.h"

namespace flotilla::logs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReaderTest : public ::testing::Test {
 protected:
  // Lines "1", "2", ... one second apart, over several segments.
  void write(int from, int to) {
    scratch_.place.max_segment_size = kMinSegmentSize;
    scratch_.place.keep_segments = 100;
    for (int i = from; i <= to; ++i) {
      scratch_.write(log_, {std::to_string(i)});
      ScratchLog::now += 1'000'000'000;
    }
  }
  static std::vector<std::string> get(base::Result<std::vector<Entry>> entries) {
    EXPECT_TRUE(entries) << entries.error().message;
    return entries ? messages_of(*entries) : std::vector<std::string>{};
  }

  ScratchLog scratch_;
  UnitLog log_{"u.service"};
};

TEST_F(ReaderTest, GivesTheLastLinesAcrossSegments) {
  write(1, 300);
  LogReader reader = scratch_.reader();
  EXPECT_THAT(get(reader.last(3)), ElementsAre("298", "299", "300"));
  EXPECT_EQ(get(reader.last(0)).size(), 0U);
  EXPECT_EQ(get(reader.last(299)).front(), "2");
  EXPECT_EQ(get(reader.last(100'000)).size(), 300U);
  for (std::size_t count = 1; count <= 300; count += 7) {
    ASSERT_EQ(get(reader.last(count)).front(), std::to_string(301 - count));
  }
}

TEST_F(ReaderTest, PagesFromCursorToCursor) {
  write(1, 300);
  for (const std::size_t page : {1U, 7U, 100U, 299U, 300U, 301U}) {
    LogReader reader = scratch_.reader();
    std::uint64_t cursor = 0;
    int expected = 1;
    for (;;) {
      auto entries = reader.after(cursor, page);
      ASSERT_TRUE(entries);
      if (entries->empty()) break;
      for (const Entry& entry : *entries) ASSERT_EQ(entry.message, std::to_string(expected++));
      cursor = entries->back().cursor;
    }
    EXPECT_EQ(expected, 301);
  }
  LogReader reader = scratch_.reader();
  EXPECT_THAT(get(reader.after(300, 5)), IsEmpty());
  EXPECT_THAT(get(reader.after(UINT64_MAX, 5)), IsEmpty());
}

TEST_F(ReaderTest, FindsTheFirstLineSinceATime) {
  const std::int64_t start = ScratchLog::now / 1000;
  write(1, 300);
  LogReader reader = scratch_.reader();
  EXPECT_THAT(get(reader.since({base::Micros(start + 199'500'000)}, 2)), ElementsAre("201", "202"));
  EXPECT_THAT(get(reader.since({base::Micros(0)}, 1)), ElementsAre("1"));
  EXPECT_THAT(get(reader.since({base::Micros(start + 300'000'000)}, 2)), IsEmpty());
  EXPECT_EQ(reader.position(), 300U);
}

TEST_F(ReaderTest, FollowsAGrowingLogOverNewSegments) {
  write(1, 10);
  LogReader reader = scratch_.reader();
  EXPECT_THAT(get(reader.last(1)), ElementsAre("10"));
  auto watch = reader.watch();
  ASSERT_TRUE(watch);
  EXPECT_THAT(get(reader.poll_new(100)), IsEmpty());
  for (int from = 11; from < 400; from += 37) {
    write(from, from + 36);
    pollfd ready{watch->get(), POLLIN, 0};
    ASSERT_EQ(::poll(&ready, 1, -1), 1);
    LogReader::drain_watch(watch->get());
    const std::vector<std::string> fresh = get(reader.poll_new(1000));
    ASSERT_EQ(fresh.size(), 37U);
    ASSERT_EQ(fresh.front(), std::to_string(from));
  }
}

TEST_F(ReaderTest, AnEmptyLogHasNoLinesAndAMissingOneIsNotFound) {
  std::filesystem::create_directory(scratch_.unit_path());
  LogReader reader = scratch_.reader();
  EXPECT_THAT(get(reader.last(10)), IsEmpty());
  EXPECT_EQ(reader.newest_cursor().value(), 0U);
  write(1, 2);
  EXPECT_THAT(get(reader.poll_new(10)), ElementsAre("1", "2"));
  EXPECT_EQ(reader.newest_cursor().value(), 2U);
  auto missing = LogReader::open(scratch_.path() + "/none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, base::Errc::kNotFound);
  EXPECT_EQ(missing.error().message,
            "open log " + scratch_.path() + "/none: No such file or directory");
}

TEST_F(ReaderTest, SegmentsThatWereRemovedMeanwhileAreLeftOut) {
  write(1, 300);
  LogReader reader = scratch_.reader();
  std::filesystem::remove(scratch_.file(1, SegmentFile::kText));
  auto entries = reader.after(0, 1000);
  ASSERT_TRUE(entries);
  EXPECT_GT(entries->front().cursor, 50U);
  EXPECT_EQ(entries->back().cursor, 300U);
}

TEST_F(ReaderTest, AFreshLineWaitsForItsIndexRecord) {
  write(1, 3);
  const std::string index = contents_of(scratch_.file(1, SegmentFile::kIndex));
  put_contents(scratch_.file(1, SegmentFile::kIndex), index.substr(0, index.size() - 16));
  base::FakeClock now;
  now.set_wall(base::SystemClock().wall());
  auto reader = LogReader::open(scratch_.unit_path(), now);
  ASSERT_TRUE(reader);
  EXPECT_THAT(get(reader->after(0, 10)), ElementsAre("1", "2"));
  now.advance(std::chrono::hours(1));
  EXPECT_THAT(get(reader->poll_new(10)), ElementsAre("3"));
}

TEST(JoinPartialLines, PutsThePiecesOfEachStreamTogether) {
  const auto entry = [](std::uint64_t cursor, StreamKind stream, const char* text, bool partial) {
    Entry made;
    made.cursor = cursor;
    made.stream = stream;
    made.message = text;
    made.partial = partial;
    return made;
  };
  std::vector<Entry> entries = {
      entry(1, StreamKind::kStdout, "a", true),  entry(2, StreamKind::kStderr, "x", true),
      entry(3, StreamKind::kStdout, "b", true),  entry(4, StreamKind::kStdout, "c", false),
      entry(5, StreamKind::kStdout, "d", false), entry(6, StreamKind::kStderr, "y", true)};
  join_partial_lines(entries);
  EXPECT_THAT(messages_of(entries), ElementsAre("abc", "d", "xy"));
  EXPECT_EQ(entries[0].cursor, 4U);
  EXPECT_TRUE(entries[2].partial);
}

}  // namespace
}  // namespace flotilla::logs
