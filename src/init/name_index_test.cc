#include "init/name_index.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace flotilla::init {
namespace {

class NameIndexTest : public testing::Test {
 protected:
  uint32_t find(const std::string& name) {
    return index_.find(name, [&](uint32_t unit) { return names_[unit] == name; });
  }
  void erase(const std::string& name) {
    index_.erase(name, [&](uint32_t unit) { return names_[unit] == name; });
  }
  void add(const std::string& name) {
    index_.insert(name, static_cast<uint32_t>(names_.size()));
    names_.push_back(name);
  }

  NameIndex index_;
  std::vector<std::string> names_;
};

TEST_F(NameIndexTest, FindsNothingWhereNothingIs) {
  EXPECT_EQ(find("a.service"), NameIndex::kNone);
  erase("a.service");
  EXPECT_EQ(index_.size(), 0U);
}

TEST_F(NameIndexTest, FindsEveryNameWhileOthersComeAndGo) {
  constexpr uint32_t kCount = 5000;
  for (uint32_t i = 0; i < kCount; ++i) add("unit-" + std::to_string(i) + ".service");
  for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(find(names_[i]), i);
  for (uint32_t i = 0; i < kCount; i += 3) erase(names_[i]);
  for (uint32_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(find(names_[i]), i % 3 == 0 ? NameIndex::kNone : i);
  }
  for (uint32_t i = 0; i < kCount; i += 3) index_.insert(names_[i], i);
  for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(find(names_[i]), i);
  for (const std::string& name : names_) erase(name);
  EXPECT_EQ(index_.size(), 0U);
  EXPECT_EQ(find(names_[7]), NameIndex::kNone);
}

}  // namespace
}  // namespace flotilla::init
