#include "unit/unit_name.h"

#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

TEST(UnitName, TakesAPlainNameApart) {
  const UnitName name = UnitName::parse("foo-bar.service").value();
  EXPECT_EQ(name.str(), "foo-bar.service");
  EXPECT_EQ(name.type(), UnitType::kService);
  EXPECT_EQ(name.prefix(), "foo-bar");
  EXPECT_EQ(name.instance(), "");
  EXPECT_EQ(name.stem(), "foo-bar");
  EXPECT_EQ(name.suffix(), ".service");
  EXPECT_TRUE(name.is_plain());
  EXPECT_FALSE(name.is_template());
  EXPECT_FALSE(name.is_instance());
}

TEST(UnitName, TakesAnInstanceApart) {
  const UnitName name = UnitName::parse("getty@tty1@x.y.service").value();
  EXPECT_EQ(name.prefix(), "getty");
  EXPECT_EQ(name.instance(), "tty1@x.y");
  EXPECT_EQ(name.stem(), "getty@tty1@x.y");
  EXPECT_TRUE(name.is_instance());
  EXPECT_EQ(name.template_name().str(), "getty@.service");
  EXPECT_TRUE(name.template_name().is_template());
  EXPECT_EQ(name.template_name(), UnitName::parse("getty@.service").value());
}

TEST(UnitName, MakesAnInstanceOfATemplate) {
  const UnitName name = UnitName::parse("a@.socket").value();
  EXPECT_TRUE(name.is_template());
  EXPECT_EQ(name.instance(), "");
  EXPECT_EQ(name.with_instance("x").value().str(), "a@x.socket");
  EXPECT_EQ(name.with_instance("x").value().with_instance("y").value().str(), "a@y.socket");
  EXPECT_EQ(name.with_type(UnitType::kService).value().str(), "a@.service");
  EXPECT_FALSE(name.with_instance("x/y").has_value());
  EXPECT_FALSE(UnitName::parse("a.socket").value().with_instance("x").has_value());
}

TEST(UnitName, AcceptsEveryTypeAndEveryAllowedCharacter) {
  for (const char* type : {"service", "mount", "swap", "socket", "target", "device", "automount",
                           "timer", "path", "slice", "scope"}) {
    const auto name = UnitName::parse(std::string("a.") + type);
    ASSERT_TRUE(name.has_value()) << type;
    EXPECT_EQ(to_string(name->type()), type);
    EXPECT_EQ(find_unit_type(type), name->type());
  }
  EXPECT_TRUE(UnitName::is_valid("aZ09:-_.\\x2d@i@i.service"));
  EXPECT_TRUE(UnitName::is_valid("-.slice"));
  EXPECT_TRUE(UnitName::is_valid("a..service"));
  EXPECT_TRUE(UnitName::is_valid(std::string(247, 'a') + ".service"));
}

TEST(UnitName, RefusesWhatIsNoName) {
  const char* const wrong[] = {"",
                               "a",
                               ".service",
                               "a.",
                               "a.Service",
                               "a.snapshot",
                               "@.service",
                               "@i.service",
                               "a/b.service",
                               "../a.service",
                               "a b.service",
                               "a\n.service",
                               "\xc3\xa9.service",
                               "a.service/",
                               "a.service\n",
                               "a*.service"};
  for (const char* text : wrong) EXPECT_FALSE(UnitName::is_valid(text)) << text;
  EXPECT_FALSE(UnitName::is_valid(std::string(248, 'a') + ".service"));
  EXPECT_FALSE(UnitName::is_valid(std::string_view("a\0b.service", 11)));
}

TEST(UnitName, SaysWhatIsWrongWithAName) {
  EXPECT_EQ(UnitName::parse("").error().message, "unit name is empty");
  EXPECT_EQ(UnitName::parse("a").error().message,
            "unit name \"a\" has no type suffix such as \".service\"");
  EXPECT_EQ(UnitName::parse("a.foo").error().message,
            "unit name \"a.foo\" has the unknown type \"foo\"");
  EXPECT_EQ(UnitName::parse("a/b.service").error().message,
            "unit name \"a/b.service\" has the forbidden character '/'");
  EXPECT_EQ(UnitName::parse("@x.service").error().message,
            "unit name \"@x.service\" has nothing before its \"@\"");
}

TEST(UnitName, StandsForAPath) {
  EXPECT_EQ(UnitName::from_path("/", UnitType::kMount).value().str(), "-.mount");
  EXPECT_EQ(UnitName::from_path("/var//my data/", UnitType::kMount).value().str(),
            "var-my\\x20data.mount");
  EXPECT_FALSE(UnitName::from_path("/a/../b", UnitType::kMount).has_value());
}

TEST(UnitName, ComparesAndHashesByText) {
  const UnitName a = UnitName::parse("a.service").value();
  const UnitName b = UnitName::parse("b.service").value();
  EXPECT_LT(a, b);
  EXPECT_NE(a, b);
  EXPECT_EQ(std::hash<UnitName>()(a), std::hash<UnitName>()(UnitName::parse("a.service").value()));
}

TEST(UnitNameMangling, GuessesWhatAUserMeans) {
  const struct {
    const char* text;
    const char* name;
  } cases[] = {{"foo", "foo.service"},
               {"foo.socket", "foo.socket"},
               {"a@", "a@.service"},
               {"a@b", "a@b.service"},
               {"foo.bar", "foo.bar.service"},
               {"/home", "home.mount"},
               {"/", "-.mount"},
               {"/dev/sda", "dev-sda.device"},
               {"a b", "a\\x20b.service"},
               {"a/b.service", "a-b.service"}};
  for (const auto& c : cases) EXPECT_EQ(mangle_unit_name(c.text).value().str(), c.name);
  EXPECT_EQ(mangle_unit_name("t", UnitType::kTarget).value().str(), "t.target");
  EXPECT_FALSE(mangle_unit_name("").has_value());
}

}  // namespace
}  // namespace flotilla::unit
