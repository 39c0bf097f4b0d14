#include "logs/unit_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "logs/scratch_log.h"

namespace flotilla::logs {
namespace {

using ::testing::Eq;

TEST(UnitLimits, ANumberIsDigitsAndNotOverItsLimit) {
  struct Case {
    std::string_view text;
    std::uint64_t max, number;
  };
  for (const Case& one :
       std::initializer_list<Case>{{"0", 7, 0},
                                   {"7", 7, 7},
                                   {"8", 7, 9},
                                   {"03", 7, 3},
                                   {"", 7, 9},
                                   {"3 ", 7, 9},
                                   {"-1", 7, 9},
                                   {"99", 7, 9},
                                   {"4294967295", UINT32_MAX, UINT32_MAX},
                                   {"4294967296", UINT32_MAX, 9},
                                   {"18446744073709551615", UINT64_MAX, UINT64_MAX},
                                   {"18446744073709551616", UINT64_MAX, 9},
                                   {"99999999999999999999", UINT64_MAX, 9}}) {
    EXPECT_EQ(number_of_link(one.text, one.max, 9), one.number) << one.text;
  }
}

std::string file_of(const std::vector<std::string>& fields) {
  std::string bytes;
  for (const std::string& field : fields) {
    bytes += static_cast<char>(field.size() & 0xff);
    bytes += static_cast<char>(field.size() >> 8);
    bytes.append(6, '\0').append(field);
  }
  return bytes;
}

std::string joined(std::string_view file, std::size_t capacity = kMaxFields) {
  std::string out(capacity, '?');
  out.resize(join_fields(file, out.data(), capacity));
  return out;
}

TEST(UnitLimits, FieldsAreJoinedUpToADamagedOneAndToTheLast) {
  const std::string file = file_of({"A=1", "B=x y", "LONG=" + std::string(500, 'z')});
  const std::string all = std::string("A=1\0B=x y\0", 10) + "LONG=" + std::string(500, 'z');
  EXPECT_EQ(joined(file), all);
  EXPECT_EQ(joined(file, all.size()), all);
  EXPECT_EQ(joined(file, all.size() - 1), std::string("A=1\0B=x y", 9));
  EXPECT_EQ(joined(file, 2), "");
  EXPECT_EQ(joined(""), "");
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_THAT(all.compare(0, joined(file.substr(0, size)).size(), joined(file.substr(0, size))),
                Eq(0))
        << size;
  }
  EXPECT_EQ(joined(file_of({"A=1", "", "B=2"})), "A=1");
  EXPECT_EQ(joined(std::string(8, '\xff') + "A=1"), "");
  const std::vector<std::string> many(kMaxFieldCount, "A=1");
  EXPECT_EQ(joined(file_of(many)).size(), (kMaxFieldCount - 1) * 4 - 1)
      << "one is left for the facility";
}

TEST(UnitLimits, WhatTheManagerSaysOfAUnitIsReadAndForgotten) {
  const ScratchLog scratch;
  const std::string directory = scratch.path();
  const auto link = [&](const std::string& name, const std::string& target) {
    std::filesystem::create_symlink(target, directory + "/" + name);
  };
  const auto limits = std::make_unique<UnitLimits>();
  limits->load(scratch.place.directory, "a.service");
  EXPECT_EQ(limits->priority_max(), 7);
  EXPECT_FALSE(limits->rate().is_set());
  EXPECT_EQ(limits->fields(), "");

  link("log-level-max:a.service", "3");
  link("log-rate-limit-interval:a.service", "2000000");
  put_contents(directory + "/log-extra-fields:a.service", file_of({"A=1", "B=2"}));
  limits->load(scratch.place.directory, "a.service");
  EXPECT_EQ(limits->priority_max(), 3);
  EXPECT_EQ(limits->rate().interval_usec, 2'000'000U);
  EXPECT_EQ(limits->rate().burst, 10'000U) << "journald's";
  EXPECT_EQ(limits->fields(), std::string_view("A=1\0B=2", 7));

  link("log-rate-limit-burst:b.service", "5");
  limits->load(scratch.place.directory, "b.service");
  EXPECT_EQ(limits->priority_max(), 7);
  EXPECT_EQ(limits->rate().interval_usec, 30'000'000U) << "journald's";
  EXPECT_EQ(limits->rate().burst, 5U);
  EXPECT_EQ(limits->fields(), "");

  limits->load(-1, "b.service");
  EXPECT_TRUE(limits->are_none());
}

}  // namespace
}  // namespace flotilla::logs
