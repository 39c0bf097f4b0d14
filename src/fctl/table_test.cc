#include "fctl/table.h"

#include <gtest/gtest.h>

namespace flotilla::fctl {
namespace {

TEST(Table, PadsWithTabsToTheNextMultipleOfEight) {
  EXPECT_EQ(format_table({{"UNIT", "SUB"}, {"a.service", "dead"}}),
            "UNIT\t\tSUB\na.service\tdead\n");
  // Seven characters and the padding fill one tab stop; eight need a second.
  EXPECT_EQ(format_table({{"UNIT", "X"}, {"1234567", "y"}}), "UNIT\tX\n1234567\ty\n");
  EXPECT_EQ(format_table({{"UNIT", "X"}, {"12345678", "y"}}), "UNIT\t\tX\n12345678\ty\n");
}

TEST(Table, GivesAnEntryOf28CharactersAColumnOf32) {
  const std::string longest(28, 'x');
  EXPECT_EQ(
      format_table({{"UNIT", "Y"}, {"a.service", "1"}, {"single@1.service", "2"}, {longest, "3"}}),
      "UNIT\t\t\t\tY\na.service\t\t\t1\nsingle@1.service\t\t2\n" + longest + "\t3\n");
}

TEST(Table, CountsCharactersNotBytes) {
  EXPECT_EQ(format_table({{"ééééééé", "x"}}), "ééééééé\tx\n");
}

TEST(Table, LeavesTheLastColumnUnpaddedAndKeepsEmptyCells) {
  EXPECT_EQ(format_table({{"A", "B", "C"}, {"", "", ""}}), "A\tB\tC\n\t\t\n");
  EXPECT_EQ(format_table({}), "");
}

}  // namespace
}  // namespace flotilla::fctl
