#include "init/shared_text.h"

#include <gtest/gtest.h>

namespace flotilla::init {
namespace {

TEST(SharedText, IsOnePointerWideAndEmptyAtFirst) {
  EXPECT_EQ(sizeof(SharedText), sizeof(void*));
  EXPECT_TRUE(SharedText().empty());
  EXPECT_TRUE(SharedText("").empty());
  EXPECT_EQ(SharedText().view(), "");
}

TEST(SharedText, CopiesShareOneText) {
  const SharedText text("system.slice");
  SharedText copy = text;
  EXPECT_EQ(copy.view().data(), text.view().data());
  copy = SharedText(std::string("user.slice"));
  EXPECT_EQ(text.view(), "system.slice");
  EXPECT_EQ(copy.view(), "user.slice");
  EXPECT_FALSE(copy == text);
}

TEST(SharedText, OutlivesTheOneItCameFrom) {
  SharedText copy;
  {
    const SharedText text("a text that is longer than what a string keeps in itself");
    copy = text;
  }
  copy = copy;
  EXPECT_EQ(copy.str(), "a text that is longer than what a string keeps in itself");
  SharedText moved = std::move(copy);
  moved.clear();
  EXPECT_TRUE(moved.empty());
}

TEST(SharedText, EqualTextsAreEqual) { EXPECT_EQ(SharedText("a"), SharedText("a")); }

}  // namespace
}  // namespace flotilla::init
