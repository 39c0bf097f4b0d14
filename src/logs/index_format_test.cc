#include "logs/index_format.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace flotilla::logs {
namespace {

TEST(IndexRecord, ZerosAreNoRecord) { EXPECT_FALSE(is_valid(IndexRecord{})); }

TEST(IndexRecord, AFlippedBitIsNearlyAlwaysFound) {
  IndexRecord record{1'700'000'000'000'000, 1234, 3, pack_flags(5, StreamKind::kStderr, true), 0};
  seal_record(record);
  EXPECT_TRUE(is_valid(record));
  EXPECT_EQ(record.priority(), 5);
  EXPECT_EQ(record.stream(), StreamKind::kStderr);
  EXPECT_TRUE(record.is_partial());
  int missed = 0;
  for (std::size_t bit = 0; bit < sizeof(record) * 8; ++bit) {
    unsigned char bytes[sizeof(record)];
    std::memcpy(bytes, &record, sizeof(record));
    bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] ^ (1U << (bit % 8)));
    IndexRecord flipped;
    std::memcpy(&flipped, bytes, sizeof(flipped));
    if (is_valid(flipped)) ++missed;
  }
  EXPECT_LE(missed, 2);
}

TEST(IndexHeader, IsOfOneSegmentAndOneVersion) {
  IndexHeader header = make_index_header(7, 1);
  EXPECT_TRUE(is_valid(header, 7));
  EXPECT_FALSE(is_valid(header, 8));
  EXPECT_FALSE(is_of_later_version(header));
  header.version = 2;
  EXPECT_FALSE(is_valid(header, 7));
  EXPECT_TRUE(is_of_later_version(header));
  EXPECT_FALSE(is_valid(IndexHeader{}, 0));
}

TEST(SourceTable, ComesBackAndEndsAtTheFirstUnusedOrDamagedEntry) {
  std::string table(1000, '\0');
  BootId boot;
  boot.bytes[15] = 9;
  std::size_t used = encode_source({1, boot, "one"}, table.data());
  used += encode_source({-1, {}, std::string(300, 'x')}, table.data() + used);
  std::string_view rest(table);
  Source source;
  ASSERT_TRUE(next_source(rest, source));
  EXPECT_EQ(source.pid, 1);
  EXPECT_EQ(source.boot, boot);
  EXPECT_EQ(source.identifier, "one");
  ASSERT_TRUE(next_source(rest, source));
  EXPECT_EQ(source.identifier.size(), kMaxSourceIdentifier);
  EXPECT_FALSE(next_source(rest, source));
  EXPECT_EQ(table.size() - rest.size(), used);
  table[5] = '!';
  rest = table;
  EXPECT_FALSE(next_source(rest, source));
}

TEST(SourceTable, FieldsStandBehindTheirSourceAndAreComparedWhole) {
  std::string table(4000, '\0');
  const std::string fields = std::string("A=1\0LONG=", 9) + std::string(600, 'x');
  const Source source{5, {}, "one", fields};
  size_t used = encode_source(source, table.data());
  const size_t of_fields = encode_fields(source, table.data() + used, table.size() - used);
  EXPECT_EQ(of_fields, 4 * kSourceHeadSize + 3 + 605) << "the long one is in three entries";
  EXPECT_EQ(encode_fields(source, table.data() + used, of_fields - 1), 0U);
  used += of_fields;
  encode_source({6, {}, "two"}, table.data() + used);
  std::string_view rest(table);
  Source found;
  ASSERT_TRUE(next_source(rest, found));
  EXPECT_TRUE(has_fields(rest, source));
  EXPECT_FALSE(has_fields(rest, {5, {}, "one"}));
  EXPECT_FALSE(has_fields(rest, {5, {}, "one", "A=1"}));
  EXPECT_FALSE(has_fields(rest, {5, {}, "one", fields + "x"}));
  rest = std::string_view(table).substr(used);
  ASSERT_TRUE(next_source(rest, found));
  EXPECT_TRUE(has_fields(rest, found)) << "one without any";
}

TEST(SegmentName, IsTheFirstSequenceNumber) {
  char name[kSegmentNameSize + 1];
  format_segment_name(1234, SegmentFile::kText, name);
  EXPECT_STREQ(name, "00000000000000001234.log");
  std::uint64_t first = 0;
  EXPECT_TRUE(parse_segment_name(name, first));
  EXPECT_EQ(first, 1234U);
  for (const char* bad : {"00000000000000000000.log", "00000000000000001234.idx", "1.log", "",
                          "0000000000000000123x.log", "99999999999999999999.log"}) {
    EXPECT_FALSE(parse_segment_name(bad, first)) << bad;
  }
}

}  // namespace
}  // namespace flotilla::logs
