#include "unit/fleet_name.h"

#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

std::string failure(std::string_view name) {
  const auto status = validate_fleet_name(name);
  return status ? "" : status.error().message;
}

TEST(FleetName, AcceptsWhatFleetAccepts) {
  for (const char* name :
       {"a.service", "hello@.service", "hello@1.service", "a@b@c.timer", "A0:-_.\\.mount",
        ".service", "x.snapshot", "x.busname", "a@.path", "a@.socket", "a@.target"}) {
    EXPECT_EQ(failure(name), "") << name;
  }
  EXPECT_EQ(failure(std::string(248, 'a') + ".service"), "");
}

TEST(FleetName, RefusesInFleetsOrderWithFleetsTexts) {
  const struct {
    std::string name;
    const char* message;
  } cases[] = {
      {"", "unit name cannot be empty"},
      {std::string(249, 'a') + ".service", "unit name exceeds maximum length (256)"},
      {std::string(300, ' '), "unit name exceeds maximum length (256)"},
      {"hello", "unit name must contain \".\""},
      {"he llo", "unit name must contain \".\""},
      {"hello.", "unit name cannot end in \".\""},
      {"hello.Service", "invalid unit type: \"Service\""},
      {"@ .foo", "invalid unit type: \"foo\""},
      {"a@b.mount", "invalid unit type for template: \"mount\""},
      {"a @.slice", "invalid unit type for template: \"slice\""},
      {"a b.service", "invalid character ' ' in unit name"},
      {"@a b.service", "invalid character ' ' in unit name"},
      {"a/b.service", "invalid character '/' in unit name"},
      {"\xc3\xa9.service", "invalid character '\xc3\xa9' in unit name"},
      {"a'b.service", "invalid character '\\'' in unit name"},
      {"a\nb.service", "invalid character '\\n' in unit name"},
      {"a*.service", "invalid character '*' in unit name"},
      {"a\xff.service", "invalid character '\xef\xbf\xbd' in unit name"},
      {"@.service", "unit name cannot start in \"@\""},
      {"@a.service", "unit name cannot start in \"@\""},
  };
  for (const auto& c : cases) EXPECT_EQ(failure(c.name), c.message) << c.name;
}

TEST(FleetName, QuotesRunesAsGoDoes) {
  const struct {
    char32_t code;
    const char* quoted;
  } cases[] = {{U'x', "'x'"},
               {U'"', "'\"'"},
               {U'\'', "'\\''"},
               {U'\\', "'\\\\'"},
               {7, "'\\a'"},
               {8, "'\\b'"},
               {9, "'\\t'"},
               {11, "'\\v'"},
               {13, "'\\r'"},
               {0, "'\\x00'"},
               {27, "'\\x1b'"},
               {0x7f, "'\\x7f'"},
               {0x80, "'\\u0080'"},
               {0xa0, "'\\u00a0'"},
               {0x200b, "'\\u200b'"},
               {0x65e5, "'\u65e5'"},
               {0xe0001, "'\\U000e0001'"}};
  for (const auto& c : cases) EXPECT_EQ(quote_go_rune(c.code), c.quoted);
}

TEST(FleetName, TakesNamesApart) {
  const FleetName instance = split_fleet_name("a@b@c.d.service").value();
  EXPECT_EQ(instance.stem, "a@b@c.d");
  EXPECT_EQ(instance.prefix, "a");
  EXPECT_EQ(instance.instance, "b@c.d");
  EXPECT_EQ(instance.template_name, "a@.service");
  EXPECT_EQ(instance.suffix, ".service");
  EXPECT_TRUE(instance.is_instance());
  const FleetName made_from = split_fleet_name("a@.service").value();
  EXPECT_TRUE(made_from.is_template());
  EXPECT_FALSE(made_from.is_instance());
  const FleetName plain = split_fleet_name("a.service").value();
  EXPECT_FALSE(plain.is_template());
  EXPECT_FALSE(plain.is_instance());
  EXPECT_EQ(plain.prefix, "a");
  EXPECT_EQ(plain.template_name, "");
  EXPECT_FALSE(split_fleet_name("a").has_value());
}

}  // namespace
}  // namespace flotilla::unit
