#include "unit/unit_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace flotilla::unit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

UnitFile read(std::string_view text) {
  auto file = parse_unit_file(text, "a.service");
  EXPECT_TRUE(file.has_value()) << (file ? "" : file.error().message);
  return file ? std::move(*file) : UnitFile{};
}

std::vector<std::string> complaints(const UnitFile& file) {
  std::vector<std::string> out;
  for (const Diagnostic& diagnostic : file.diagnostics) out.push_back(to_string(diagnostic));
  return out;
}

TEST(UnitFile, ReadsSectionsAndSettingsInOrder) {
  const UnitFile file =
      read("[Unit]\nDescription=x y\n\n[Service]\nExecStart=/a\nExecStart=/b\n[Unit]\nAfter=c\n");
  EXPECT_THAT(file.settings, ElementsAre(Setting{"Unit", "Description", "x y", 2},
                                         Setting{"Service", "ExecStart", "/a", 5},
                                         Setting{"Service", "ExecStart", "/b", 6},
                                         Setting{"Unit", "After", "c", 8}));
  EXPECT_THAT(file.sections, ElementsAre("Unit", "Service"));
  EXPECT_THAT(file.diagnostics, IsEmpty());
}

TEST(UnitFile, DropsBlanksAroundKeysAndValuesAndKeepsThoseInside) {
  const UnitFile file = read("  [S]  \n\t A \t = \t b  c \t \nB==x=\n C=\n");
  EXPECT_THAT(file.settings, ElementsAre(Setting{"S", "A", "b  c", 2}, Setting{"S", "B", "=x=", 3},
                                         Setting{"S", "C", "", 4}));
}

TEST(UnitFile, KeepsAnEmptyAssignment) {
  EXPECT_THAT(read("[S]\nA=\nB=   ").settings,
              ElementsAre(Setting{"S", "A", "", 2}, Setting{"S", "B", "", 3}));
}

TEST(UnitFile, SkipsCommentsAlsoIndentedOnes) {
  const UnitFile file = read("# a\n; b\n[S]\n  # c=d\nA=1 # no comment\n\t;e\n");
  EXPECT_THAT(file.settings, ElementsAre(Setting{"S", "A", "1 # no comment", 5}));
}

TEST(UnitFile, JoinsContinuedLinesWithABlank) {
  EXPECT_THAT(read("[S]\nA=1 \\\n  2\\\n3\nB=4").settings,
              ElementsAre(Setting{"S", "A", "1    2 3", 2}, Setting{"S", "B", "4", 5}));
}

TEST(UnitFile, SkipsCommentsBetweenContinuedLines) {
  EXPECT_THAT(read("[S]\nA=1 \\\n# no \\\n  ; more\n2\nB=3").settings,
              ElementsAre(Setting{"S", "A", "1  2", 2}, Setting{"S", "B", "3", 6}));
}

TEST(UnitFile, EndsAContinuationAtAnEmptyLineAndAtTheEnd) {
  EXPECT_THAT(read("[S]\nA=1 \\\n\nB=2\\").settings,
              ElementsAre(Setting{"S", "A", "1", 2}, Setting{"S", "B", "2", 4}));
  EXPECT_THAT(read("[S]\nA=1\\\n# x").settings, ElementsAre(Setting{"S", "A", "1", 2}));
}

TEST(UnitFile, AnEvenNumberOfBackslashesDoesNotContinue) {
  EXPECT_THAT(read("[S]\nA=1\\\\\nB=2\\\\\\\n3").settings,
              ElementsAre(Setting{"S", "A", "1\\\\", 2}, Setting{"S", "B", "2\\\\ 3", 3}));
}

TEST(UnitFile, ABackslashBeforeABlankDoesNotContinue) {
  EXPECT_THAT(read("[S]\nA=1\\ \nB=2").settings,
              ElementsAre(Setting{"S", "A", "1\\", 2}, Setting{"S", "B", "2", 3}));
}

TEST(UnitFile, ContinuesSectionHeadersAndKeysToo) {
  EXPECT_THAT(read("[S]\nA\\\n=1").settings, ElementsAre(Setting{"S", "A", "1", 2}));
}

TEST(UnitFile, TakesCrlfAndLoneCrAsLineEnds) {
  EXPECT_THAT(read("[S]\r\nA=1\\\r\n2\r\nB=3\rC=4\r\n").settings,
              ElementsAre(Setting{"S", "A", "1 2", 2}, Setting{"S", "B", "3", 4},
                          Setting{"S", "C", "4", 5}));
}

TEST(UnitFile, SkipsAByteOrderMark) {
  EXPECT_THAT(read("\xef\xbb\xbf[S]\nA=1").settings, ElementsAre(Setting{"S", "A", "1", 2}));
  EXPECT_THAT(complaints(read("\xef\xbb\xbf# x\n[S]\n")), IsEmpty());
}

TEST(UnitFile, ReportsEveryBadLineAndReadsTheRest) {
  const UnitFile file = read("A=1\n[S]\nnonsense\n = x\nC=ok\n");
  EXPECT_THAT(file.settings, ElementsAre(Setting{"S", "C", "ok", 5}));
  EXPECT_THAT(
      complaints(file),
      ElementsAre("a.service:1: the line stands before any section, it is ignored: \"A=1\"",
                  "a.service:3: expected \"Key=value\", the line is ignored: \"nonsense\"",
                  "a.service:4: there is no key before \"=\", the line is ignored: \"= x\""));
}

TEST(UnitFile, RefusesABrokenSectionHeader) {
  EXPECT_EQ(parse_unit_file("[S]\n[Foo\n", "f").error().message,
            "f:2: the section header does not end in \"]\": \"[Foo\"");
  EXPECT_EQ(parse_unit_file("[", "f").error().message,
            "f:1: the section header does not end in \"]\": \"[\"");
  EXPECT_EQ(parse_unit_file("[a\"b]", "f").error().message,
            "f:1: the section name has forbidden characters: \"[a\"b]\"");
}

TEST(UnitFile, RefusesALineThatIsNotUtf8) {
  const auto result = parse_unit_file("[S]\nA=1\nB=\xff\n", "f");
  EXPECT_EQ(result.error().message, "f:3: the line is not valid UTF-8: \"B=\\xff\"");
  EXPECT_EQ(result.error().error_number, EINVAL);
  EXPECT_TRUE(parse_unit_file("# \xff\n[S]\n", "f").has_value());
}

TEST(UnitFile, GivesTheErrorNumbersThatSystemdGives) {
  EXPECT_EQ(parse_unit_file("[S", "f").error().error_number, EBADMSG);
  EXPECT_EQ(parse_unit_file("[S] x", "f").error().error_number, EBADMSG);
  EXPECT_EQ(parse_unit_file(std::string(2'000'000, '\n'), "f").error().error_number, ENOBUFS);
}

TEST(UnitFile, ANulByteEndsALine) {
  const auto file = parse_unit_file(std::string_view("[S]\nA=1\0B=2\n", 12), "f");
  ASSERT_TRUE(file);
  ASSERT_EQ(file->settings.size(), 2u);
  EXPECT_EQ(file->settings[0].value, "1");
  EXPECT_EQ(file->settings[1].key, "B");
}

TEST(UnitFile, RefusesFilesThatAreTooLarge) {
  const std::string big = "[S]\nA=" + std::string(2'000'000, 'x');
  const auto result = parse_unit_file(big, "f");
  EXPECT_EQ(result.error().code, base::Errc::kTooLarge);
  EXPECT_EQ(result.error().message, "f: the file has 2000006 bytes, at most 1048576 are read");
  EXPECT_TRUE(parse_unit_file("[S]\nA=" + std::string(1'000'000, 'x'), "f").has_value());
}

TEST(UnitFile, KnowsWhatIsForeign) {
  EXPECT_TRUE(is_foreign("X-Fleet"));
  EXPECT_FALSE(is_foreign("Xy"));
}

}  // namespace
}  // namespace flotilla::unit
