#include "init/search_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/memory_file_tree.h"

namespace flotilla::init {
namespace {

using testing::ElementsAre;

class UnitIndexTest : public testing::Test {
 protected:
  UnitIndexTest() {
    tree_.add_file("/etc/u/b.service", "");
    tree_.add_file("/usr/u/b.service", "");
    tree_.add_file("/usr/u/a.service", "");
    index_.rebuild();
  }
  std::string path_of(const std::string& name) const {
    const auto file = index_.find(name);
    return file ? file->path : "";
  }

  base::MemoryFileTree tree_;
  UnitIndex index_{{{"/etc/u", &tree_}, {"/usr/u", &tree_}}};
};

TEST_F(UnitIndexTest, HasTheFileOfTheFirstDirectory) {
  EXPECT_THAT(index_.names(), ElementsAre("a.service", "b.service"));
  EXPECT_EQ(path_of("a.service"), "/usr/u/a.service");
  EXPECT_EQ(path_of("b.service"), "/etc/u/b.service");
  EXPECT_EQ(path_of("c.service"), "");
}

TEST_F(UnitIndexTest, HearsOfOneNameThatCameWentOrMoved) {
  ASSERT_TRUE(tree_.remove("/etc/u/b.service"));
  tree_.add_file("/usr/u/aa.service", "");
  for (const char* name : {"b.service", "aa.service"}) index_.refresh_name(name);
  EXPECT_THAT(index_.names(), ElementsAre("a.service", "aa.service", "b.service"));
  EXPECT_EQ(path_of("b.service"), "/usr/u/b.service");
  ASSERT_TRUE(tree_.remove("/usr/u/a.service"));
  index_.refresh_name("a.service");
  EXPECT_THAT(index_.names(), ElementsAre("aa.service", "b.service"));
}

TEST_F(UnitIndexTest, KnowsAnAliasFromBothSidesUntilItGoes) {
  ASSERT_TRUE(tree_.make_symlink("a.service", "/etc/u/z.service"));
  index_.refresh_name("z.service");
  EXPECT_EQ(index_.find("z.service")->alias_of, "a.service");
  EXPECT_THAT(index_.aliases_of("a.service"), ElementsAre("z.service"));
  ASSERT_TRUE(tree_.remove("/etc/u/z.service"));
  index_.refresh_name("z.service");
  EXPECT_FALSE(index_.has("z.service"));
  EXPECT_TRUE(index_.aliases_of("a.service").empty());
}

TEST_F(UnitIndexTest, KeepsItsNamesWhileThousandsComeAndGo) {
  for (int i = 0; i < 3000; ++i) {
    const std::string name = "t" + std::to_string(i) + ".service";
    tree_.add_file("/etc/u/" + name, "");
    index_.refresh_name(name);
    ASSERT_EQ(path_of(name), "/etc/u/" + name);
    if (i % 100 == 0) continue;
    ASSERT_TRUE(tree_.remove("/etc/u/" + name));
    index_.refresh_name(name);
  }
  EXPECT_EQ(index_.names().size(), 32U);
  for (const std::string& name : index_.names()) EXPECT_NE(path_of(name), "") << name;
}

}  // namespace
}  // namespace flotilla::init
