#include "api/path.h"

#include <gtest/gtest.h>

namespace flotilla::api {
namespace {

TEST(Path, IsCleanedAsGoDoes) {
  const std::pair<const char*, const char*> cases[] = {
      {"/", "/"},
      {"/fleet/v1/units", "/fleet/v1/units"},
      {"//fleet/v1/units", "/fleet/v1/units"},
      {"/fleet/../fleet/v1/units", "/fleet/v1/units"},
      {"/fleet/./v1//units/", "/fleet/v1/units/"},
      {"/../..", "/"},
      {"/a/..", "/"},
  };
  for (const auto& [path, clean] : cases) EXPECT_EQ(clean_path(path), clean) << path;
}

TEST(Path, IsDecodedOnce) {
  const auto target = parse_target("/units/a%2Fb%2525?x=1%202&y=a+b&x=2&flag");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/units/a/b%25");
  EXPECT_EQ(target->parameter("x"), "1 2");
  EXPECT_EQ(target->parameter("y"), "a b");
  EXPECT_EQ(target->all_values("x").size(), 2U);
  EXPECT_TRUE(target->has_parameter("flag"));
  EXPECT_FALSE(target->has_parameter("none"));
}

TEST(Path, AcceptsTheAbsoluteForm) {
  EXPECT_EQ(parse_target("http://domain-sock/fleet/v1/units?alt=json")->path, "/fleet/v1/units");
  EXPECT_EQ(parse_target("http://domain-sock")->path, "/");
}

TEST(Path, IsEncodedForAHeader) {
  EXPECT_EQ(percent_encode_path("/fleet/v1/a@b:c.service"), "/fleet/v1/a@b:c.service");
  EXPECT_EQ(percent_encode_path(std::string_view("/a b%\r\n\0\"<\xff?", 11)),
            "/a%20b%25%0D%0A%00%22%3C%FF");
}

TEST(Path, RefusesWhatIsNone) {
  EXPECT_FALSE(parse_target("*"));
  EXPECT_FALSE(parse_target(""));
  EXPECT_FALSE(parse_target("/%zz"));
  EXPECT_FALSE(parse_target("/%2"));
}

}  // namespace
}  // namespace flotilla::api
