#include "unit/metadata_rule.h"

#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

TEST(MetadataRule, HoldsAsItsOperatorSays) {
  const struct {
    const char* term;
    const char* value;  // of the machine
    bool holds;
  } cases[] = {
      {"k=a", "a", true},
      {"k==a", "a", true},
      {"k=1", "01", false},
      {"k=a<b", "a<b", true},
      {"k != a", "b", true},
      {"k!=a", "a", false},
      {"ram>=16", "16", true},
      {"ram >= 16", "15", false},
      {"ram>16", "16", false},
      {"ram>16", "017", true},
      {"ram<16", "-3", true},
      {"ram<=+16", "16", true},
      {"ram>=16", "lots", false},
      {"ram<16", "+-3", false},
      {"ram<16", "", false},
      {"ram>=16", "16.5", true},
      {"ram>=16G", "16G", true},
      {"ram>=16G", "16384M", true},
      {"ram>=16G", "17179869184", true},
      {"ram>=16G", "15.9G", false},
      {"ram<1024", "1K", false},
      {"ram<1025", "1K", true},
      {"ram>=16G", "4.19", false},
      {"kernel>=4.19", "4.9", false},
      {"kernel>=4.19", "4.19.0", true},
      {"kernel<=4.19", "4.19.0", true},
      {"kernel>4.19", "5", true},
      {"kernel>4.19", "4.19.0.1", true},
      {"kernel<4.19", "4.018", true},
      {"kernel>=4.19", "4.19-rc1", false},
      {"kernel>=4.19", "4..19", false},
      {"v>=99999999999999999999.1", "99999999999999999999.2", true},
  };
  for (const auto& c : cases) {
    const auto term = parse_metadata_term(c.term);
    ASSERT_TRUE(term && *term) << c.term;
    EXPECT_EQ((*term)->rule.holds_for(c.value), c.holds) << c.term << " on " << c.value;
  }
}

TEST(MetadataRule, FindsTheKeyBeforeTheFirstOperator) {
  const auto term = parse_metadata_term(" disk size \t>= 5 ");
  ASSERT_TRUE(term && *term);
  EXPECT_EQ((*term)->key, "disk size");
  EXPECT_EQ((*term)->rule, (MetadataRule{MetadataRule::Op::kGreaterEqual, "5"}));
  EXPECT_EQ((*parse_metadata_term("a!b=c"))->key, "a!b");
}

TEST(MetadataRule, WhatMeantNothingToFleetMeansNothing) {
  for (const char* text : {"", "region", "a=b=c", "=b", "a=", "a= ", "!"}) {
    const auto term = parse_metadata_term(text);
    EXPECT_TRUE(term && !*term) << text;
  }
}

TEST(MetadataRule, RefusesWhatCannotBeMeantSo) {
  const std::pair<const char*, const char*> cases[] = {
      {"ram>=", "invalid MachineMetadata \"ram>=\": the value is missing"},
      {">5", "invalid MachineMetadata \">5\": the key is missing"},
      {"a!=", "invalid MachineMetadata \"a!=\": the value is missing"},
      {"ram=>5", "invalid MachineMetadata \"ram=>5\": the operator is >=, not =>"},
      {"16<=ram<=64", "invalid MachineMetadata \"16<=ram<=64\": more than one operator"},
      {"a===b", "invalid MachineMetadata \"a===b\": more than one operator"},
      {"ram>=lots",
       "invalid MachineMetadata \"ram>=lots\": >= compares integers, sizes and versions, not "
       "\"lots\""},
  };
  for (const auto& [text, message] : cases) {
    const auto term = parse_metadata_term(text);
    ASSERT_FALSE(term) << text;
    EXPECT_EQ(term.error().message, message);
  }
}

}  // namespace
}  // namespace flotilla::unit
