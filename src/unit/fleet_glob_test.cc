#include "unit/fleet_glob.h"

#include <gtest/gtest.h>

#include <string>

namespace flotilla::unit {
namespace {

TEST(FleetGlob, MatchesAsGosPathMatchDoes) {
  const struct {
    const char* pattern;
    const char* name;
    bool matches;
  } cases[] = {
      {"abc", "abc", true},
      {"", "", true},
      {"", "a", false},
      {"*", "abc", true},
      {"*", "", true},
      {"*c", "abc", true},
      {"a*", "a", true},
      {"a*", "abc", true},
      {"a*", "ab/c", false},
      {"a*/b", "abc/b", true},
      {"a*/b", "a/c/b", false},
      {"a*b*c*d*e*/f", "axbxcxdxe/f", true},
      {"a*b*c*d*e*/f", "axbxcxdxexxx/f", true},
      {"a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false},
      {"a*b?c*x", "abxbbxdbxebxczzx", true},
      {"a*b?c*x", "abxbbxdbxebxczzy", false},
      {"ab[c]", "abc", true},
      {"ab[b-d]", "abc", true},
      {"ab[e-g]", "abc", false},
      {"ab[^c]", "abc", false},
      {"ab[^b-d]", "abc", false},
      {"ab[^e-g]", "abc", true},
      {"a\\*b", "a*b", true},
      {"a\\*b", "ab", false},
      {"a?b", "a\u263ab", true},
      {"a[^a]b", "a\u263ab", true},
      {"a???b", "a\u263ab", false},
      {"a[^a][^a][^a]b", "a\u263ab", false},
      {"[a-\xce\xb6]*", "\xce\xb1", true},
      {"*[a-\xce\xb6]", "A", false},
      {"a?b", "a/b", false},
      {"a*b", "a/b", false},
      {"[\\]a]", "]", true},
      {"[\\-]", "-", true},
      {"[x\\-]", "x", true},
      {"[x\\-]", "-", true},
      {"[x\\-]", "z", false},
      {"[\\-x]", "a", false},
      {"[]a]", "]", false},
      {"[-]", "-", false},
      {"[x-]", "x", false},
      {"[-x]", "x", false},
      {"\\", "a", false},
      {"[a-b-c]", "a", false},
      {"[", "a", false},
      {"[^", "a", false},
      {"[^bc", "a", false},
      {"a[", "a", false},
      {"a[", "ab", false},
      {"a[", "x", false},
      {"*x", "xxx", true},
      {"[!a]b", "cb", false},
      {"[!a]b", "!b", true},
      {"{a,b}", "a", false},
      {"{a,b}", "{a,b}", true},
      {"foo*.service", "foo@1.service", true},
      {"foo@*", "foo@1.service", true},
      {"foo@*", "foo.service", false},
      {"*[^a]*b", "x/yb", false},
      {"*[^a]*b", "/yb", true},
      {"a[b*]c", "a*c", true},
      {"a[\\]*]c", "a*c", true},
      {"a\\[*", "a[b", true},
      {"a/*", "a/", true},
      {"a*", "a/", false},
      {"*\\", "a", false},
      {"**", "abc", true},
      {"*?", "", false},
      {"?*", "a", true},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(glob_matches(c.pattern, c.name), c.matches) << c.pattern << " on " << c.name;
  }
}

TEST(FleetGlob, ManyStarsDoNotExplode) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(256, 'a')));
}

}  // namespace
}  // namespace flotilla::unit
