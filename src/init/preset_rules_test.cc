#include "init/preset_rules.h"

#include <gmock/gmock.h>

#include "base/memory_file_tree.h"

namespace flotilla::init {
namespace {

TEST(PresetRules, TheFirstRuleThatMatchesDecidesAndNoneMeansEnable) {
  PresetRules rules;
  rules.add("# comment\nenable a.service\n disable a*\n;x\nbogus a.service\nenable\ndisable z.*\n");
  EXPECT_TRUE(rules.find("a.service").enable);
  EXPECT_FALSE(rules.find("ab.service").enable);
  EXPECT_FALSE(rules.find("z.socket").enable);
  EXPECT_TRUE(rules.find("other.service").enable);
}

TEST(PresetRules, ATemplateIsEnabledAsTheInstancesItsRuleNames) {
  PresetRules rules;
  rules.add("enable foo@.service one two\ndisable *\n");
  EXPECT_THAT(rules.find("foo@.service").instances,
              testing::ElementsAre("foo@one.service", "foo@two.service"));
  EXPECT_TRUE(rules.find("foo@one.service").enable);
  EXPECT_FALSE(rules.find("foo@three.service").enable);
}

TEST(PresetRules, AFileHidesThoseOfItsNameInLaterDirectories) {
  base::MemoryFileTree tree;
  tree.add_file("/etc/p/10-x.preset", "enable a.service\n");
  tree.add_file("/usr/p/10-x.preset", "disable a.service\n");
  tree.add_file("/usr/p/05-y.preset", "disable b.service\n");
  tree.add_file("/usr/p/20-z.txt", "disable c.service\n");
  const PresetRules rules = PresetRules::read(tree, {"/etc/p", "/usr/p"});
  EXPECT_TRUE(rules.find("a.service").enable);
  EXPECT_FALSE(rules.find("b.service").enable);
  EXPECT_TRUE(rules.find("c.service").enable);
}

}  // namespace
}  // namespace flotilla::init
