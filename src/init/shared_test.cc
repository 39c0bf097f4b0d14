#include "init/shared.h"

#include <gtest/gtest.h>

#include <string>

namespace flotilla::init {
namespace {

struct Settings {
  int number = 7;
  std::string text;
  bool operator==(const Settings&) const = default;
};

TEST(Shared, IsOnePointerWideAndAsItsValueBegins) {
  EXPECT_EQ(sizeof(Shared<Settings>), sizeof(void*));
  EXPECT_EQ(Shared<Settings>()->number, 7);
}

TEST(Shared, ACopyIsTheSameUntilOneIsEdited) {
  Shared<Settings> one;
  one.edit().text = "a";
  Shared<Settings> other = one;
  EXPECT_TRUE(other.is_same_as(one));
  other.edit().text = "b";
  EXPECT_FALSE(other.is_same_as(one));
  EXPECT_EQ(one->text, "a");
  EXPECT_EQ(other->text, "b");
}

TEST(Shared, IsEditedInPlaceWhereItIsAlone) {
  Shared<Settings> one;
  const Settings* const before = &one.edit();
  { const Shared<Settings> passing = one; }
  EXPECT_EQ(&one.edit(), before);
}

TEST(SharedPool, MakesEqualOnesTheSame) {
  SharedPool<Settings> pool;
  Shared<Settings> one, other, third;
  one.edit().number = other.edit().number = 8;
  third.edit().number = 9;
  for (Shared<Settings>* each : {&one, &third, &other}) pool.unify(*each);
  EXPECT_TRUE(other.is_same_as(one));
  EXPECT_FALSE(third.is_same_as(one));
  other.edit().number = 10;
  EXPECT_EQ(one->number, 8);
}

TEST(SharedPool, LetsGoOfWhatIsAsItBegan) {
  SharedPool<Settings> pool;
  Shared<Settings> one;
  one.edit().number = 7;
  pool.unify(one);
  EXPECT_TRUE(one.is_same_as(Shared<Settings>()));
}

TEST(SharedPool, RemembersTheLastOnesAlone) {
  SharedPool<Settings> pool;
  Shared<Settings> first, again;
  first.edit().number = again.edit().number = -1;
  pool.unify(first);
  for (int i = 0; i < 100; ++i) {
    Shared<Settings> other;
    other.edit().number = i + 100;
    pool.unify(other);
  }
  pool.unify(again);
  EXPECT_FALSE(again.is_same_as(first));
  EXPECT_EQ(*again, *first);
}

}  // namespace
}  // namespace flotilla::init
