#include "logs/unit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <map>

#include "logs/scratch_log.h"

namespace flotilla::logs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(UnitLog, WritesCriTextThatAPersonCanRead) {
  ScratchLog scratch;
  UnitLog log("u.service");
  scratch.write(log, {"hello", ""});
  scratch.write(log, {"bad"}, 3, StreamKind::kStderr);
  EXPECT_EQ(contents_of(scratch.file(1, SegmentFile::kText)),
            "2023-11-14T22:13:20.000000000Z stdout F hello\n"
            "2023-11-14T22:13:20.000000000Z stdout F \n"
            "2023-11-14T22:13:20.000000000Z stderr F bad\n");
}

TEST(UnitLog, GivesBackEverythingItWasTold) {
  ScratchLog scratch;
  UnitLog log("u.service");
  scratch.source.source.boot = scratch.place.boot;
  scratch.write(log, {"hello"});
  ScratchLog::now += 1'500;
  scratch.write(log, {"bad"}, 3, StreamKind::kStderr);
  const std::vector<Entry> entries = scratch.entries();
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_EQ(entries[1].cursor, 2U);
  EXPECT_EQ(entries[1].time.since_epoch.count(), 1'700'000'000'000'001);
  EXPECT_EQ(entries[1].stream, StreamKind::kStderr);
  EXPECT_EQ(entries[1].priority, 3);
  EXPECT_EQ(entries[1].pid, 42);
  EXPECT_EQ(entries[1].identifier, "ident");
  EXPECT_EQ(entries[1].boot_id, "ab000000000000000000000000000000");
  EXPECT_FALSE(entries[1].partial);
}

TEST(UnitLog, GoesOnCountingWhenItIsOpenedAgain) {
  ScratchLog scratch;
  UnitLog first("u.service");
  scratch.write(first, {"1", "2"});
  first.close();
  scratch.write(first, {"3"});
  UnitLog second("u.service");
  scratch.source.forget_number();
  scratch.write(second, {"4"});
  EXPECT_THAT(messages_of(scratch.entries()), ElementsAre("1", "2", "3", "4"));
  EXPECT_EQ(second.next_sequence(), 5U);
  EXPECT_EQ(scratch.file_count(), 2U);
}

TEST(UnitLog, StartsNewSegmentsAndKeepsTheNewest) {
  ScratchLog scratch;
  scratch.place.max_segment_size = kMinSegmentSize;
  scratch.place.keep_segments = 3;
  UnitLog log("u.service");
  for (int i = 1; i <= 500; ++i) scratch.write(log, {"line " + std::to_string(i)});
  EXPECT_EQ(scratch.file_count(), 6U);
  const std::vector<Entry> entries = scratch.entries();
  ASSERT_GT(entries.size(), 100U);
  ASSERT_LT(entries.size(), 300U);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].cursor, 500 - entries.size() + 1 + i);
    EXPECT_EQ(entries[i].message, "line " + std::to_string(entries[i].cursor));
    EXPECT_EQ(entries[i].identifier, "ident");
  }
}

TEST(UnitLog, ManySourcesFillTheTableAndStartANewSegment) {
  ScratchLog scratch;
  scratch.place.keep_segments = 100;
  UnitLog log("u.service");
  constexpr int kSources = 3000;
  for (int i = 1; i <= kSources; ++i) {
    scratch.source.source.pid = i;
    scratch.source.forget_number();
    scratch.write(log, {"x"});
  }
  const std::vector<Entry> entries = scratch.entries();
  ASSERT_THAT(entries, SizeIs(kSources));
  for (int i = 0; i < kSources; ++i) {
    ASSERT_EQ(entries[static_cast<std::size_t>(i)].pid, i + 1);
  }
  EXPECT_GT(scratch.file_count(), 2U);
}

// What a log of six lines must look like after damage: a prefix of the lines, whole and in order.
void expect_sane(const ScratchLog& scratch, const std::vector<std::string>& lines,
                 const std::string& what) {
  const std::vector<Entry> entries = scratch.entries();
  ASSERT_LE(entries.size(), lines.size()) << what;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    ASSERT_EQ(entries[i].message, lines[i]) << what;
    ASSERT_EQ(entries[i].cursor, i + 1) << what;
  }
}

// A writer that finds the damage appends a line, and all readers see it last, with a cursor higher
// than any that was given out before for a line that is gone.
void expect_repaired(ScratchLog& scratch, const std::vector<std::string>& lines,
                     const std::string& what) {
  const std::size_t before = scratch.entries().size();
  UnitLog log("u.service");
  scratch.source.forget_number();
  scratch.write(log, {"after"});
  ASSERT_EQ(log.lost_lines(), 0U) << what;
  const std::vector<Entry> entries = scratch.entries();
  ASSERT_GE(entries.size(), before + 1) << what;
  ASSERT_LE(entries.size(), before + 2) << what;  // a torn line may have been given its end
  ASSERT_EQ(entries.back().message, "after") << what;
  ASSERT_EQ(entries.back().pid, 42) << what;
  for (std::size_t i = 0; i + 1 < entries.size(); ++i) {
    ASSERT_EQ(entries[i].message, lines[i].substr(0, entries[i].message.size())) << what;
    ASSERT_LT(entries[i].cursor, entries[i + 1].cursor) << what;
  }
  scratch.write(log, {"and on"});
  ASSERT_EQ(scratch.entries().back().message, "and on") << what;
}

class DamagedLog : public ::testing::Test {
 protected:
  DamagedLog() {
    UnitLog log("u.service");
    for (const std::string& line : lines_) {
      scratch_.write(log, {line});
      ScratchLog::now += 1'000'000;
    }
    text_ = contents_of(scratch_.file(1, SegmentFile::kText));
    index_ = contents_of(scratch_.file(1, SegmentFile::kIndex));
  }
  void put(std::string_view text, std::string_view index) {
    std::filesystem::remove_all(scratch_.unit_path());
    std::filesystem::create_directory(scratch_.unit_path());
    put_contents(scratch_.file(1, SegmentFile::kText), text);
    put_contents(scratch_.file(1, SegmentFile::kIndex), index);
  }
  void check(const std::string& what) {
    expect_sane(scratch_, lines_, what);
    if (!HasFatalFailure()) expect_repaired(scratch_, lines_, what);
  }

  ScratchLog scratch_;
  std::vector<std::string> lines_ = {"one", "", "three is longer", "4", "five", "the sixth"};
  std::string text_;
  std::string index_;
};

TEST_F(DamagedLog, TextCutAtAnyByteIsReadAndRepaired) {
  for (std::size_t cut = 0; cut <= text_.size() && !HasFatalFailure(); ++cut) {
    put(text_.substr(0, cut), index_);
    check("text cut at " + std::to_string(cut));
  }
}

TEST_F(DamagedLog, IndexCutAtAnyByteIsReadAndRepairedWithoutLosingALine) {
  for (std::size_t cut = 0; cut <= index_.size() && !HasFatalFailure(); ++cut) {
    // The source table is a hole: its inside is looked at in larger steps.
    if (cut > 200 && cut < kIndexHeaderSize - 40 && cut % 997 != 0) continue;
    put(text_, index_.substr(0, cut));
    ASSERT_EQ(messages_of(scratch_.entries()), lines_) << cut;
    check("index cut at " + std::to_string(cut));
  }
}

TEST_F(DamagedLog, BothCutAtAnyRecordAndByteAreReadAndRepaired) {
  for (std::size_t records = 0; records < lines_.size(); records += 2) {
    for (std::size_t cut = 0; cut <= text_.size() && !HasFatalFailure(); ++cut) {
      put(text_.substr(0, cut), index_.substr(0, kIndexHeaderSize + records * 16));
      check(std::to_string(records) + " records, text cut at " + std::to_string(cut));
    }
  }
}

TEST_F(DamagedLog, GarbageAndZerosAtTheEndsAreReadAndRepaired) {
  const std::string zeros(5000, '\0');
  std::string garbage;
  for (int i = 0; i < 5000; ++i) garbage += static_cast<char>((i * 7919 + i / 13) % 251);
  for (const std::string& tail : {zeros, garbage, std::string(40'000, 'x')}) {
    put(text_ + tail, index_);
    check("text with a tail");
    put(text_, index_ + tail);
    check("index with a tail");
    put(text_ + tail, index_ + tail);
    check("both with a tail");
    put(text_ + tail, "");
    check("no index");
  }
}

TEST_F(DamagedLog, ALineInTheMiddleThatIsGoneIsSkipped) {
  std::string text = text_;
  const std::size_t second_line = text.find('\n') + 1;
  text.replace(second_line, 10, 10, '\0');
  put(text, index_);
  const std::vector<Entry> entries = scratch_.entries();
  ASSERT_THAT(entries, SizeIs(5));
  EXPECT_EQ(entries[0].cursor, 1U);
  EXPECT_EQ(entries[1].cursor, 3U);
}

TEST_F(DamagedLog, ANewerIndexIsLeftAlone) {
  std::string index = index_;
  index[8] = 2;
  put(text_, index);
  ASSERT_EQ(messages_of(scratch_.entries()), lines_);
  UnitLog log("u.service");
  scratch_.source.forget_number();
  scratch_.write(log, {"after"});
  EXPECT_EQ(contents_of(scratch_.file(1, SegmentFile::kIndex)), index);
  EXPECT_EQ(scratch_.entries().size(), lines_.size() + 1);
}

// Files of this process end at a size, as on a full disk.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t size) {
    old_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{size, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, old_handler_);
  }
  SizeLimit(const SizeLimit&) = delete;
  SizeLimit& operator=(const SizeLimit&) = delete;

 private:
  rlimit old_{};
  sighandler_t old_handler_;
};

TEST(UnitLog, CountsWhatAFullDiskTookAndTellsLater) {
  ScratchLog scratch;
  UnitLog log("u.service");
  scratch.write(log, {"before"});
  {
    // Room for the index and for two of the four lines.
    const SizeLimit limit(kIndexHeaderSize + 3 * sizeof(IndexRecord));
    const std::string wide(kMaxMessage - 100, 'x');
    scratch.write(log, {wide, wide, wide, wide});
    EXPECT_EQ(log.lost_lines(), 2U);
    scratch.write(log, {"also lost? no: short", wide});
  }
  const std::uint64_t lost = log.lost_lines();
  EXPECT_GE(lost, 1U);
  scratch.write(log, {"after"});
  EXPECT_EQ(log.lost_lines(), 0U);
  const std::vector<Entry> entries = scratch.entries();
  EXPECT_EQ(entries.back().message, "after");
  const Entry& report = entries[entries.size() - 2];
  EXPECT_EQ(report.message, std::to_string(lost) + " lines lost here: File too large");
  EXPECT_EQ(report.identifier, "flotilla-logd");
  EXPECT_EQ(report.priority, kPriorityWarning);
}

TEST(UnitLog, AnIndexThatDoesNotFitIsMadeUpLater) {
  ScratchLog scratch;
  UnitLog log("u.service");
  scratch.write(log, {"1"});
  {
    const SizeLimit limit(kIndexHeaderSize + 2 * sizeof(IndexRecord));
    scratch.write(log, {"2", "3", "4"});
    EXPECT_EQ(log.lost_lines(), 0U);
    scratch.write(log, {"5"});
    EXPECT_EQ(log.lost_lines(), 1U);
  }
  scratch.write(log, {"6"});
  const std::vector<Entry> entries = scratch.entries();
  EXPECT_THAT(messages_of(entries),
              ElementsAre("1", "2", "3", "4", HasSubstr("1 lines lost"), "6"));
}

}  // namespace
}  // namespace flotilla::logs
