#include "api/go_json.h"

#include <gtest/gtest.h>

namespace flotilla::api {
namespace {

TEST(GoJson, SaysWhatGoSaysOfMalformedText) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "EOF"},
      {" \n", "EOF"},
      {"{", "unexpected EOF"},
      {"[1,", "unexpected EOF"},
      {"\"ab", "unexpected EOF"},
      {"{bad", "invalid character 'b' looking for beginning of object key string"},
      {"{\"a\" 1}", "invalid character '1' after object key"},
      {"{\"a\":1 2}", "invalid character '2' after object key:value pair"},
      {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
      {"[1 2]", "invalid character '2' after array element"},
      {"[1,]", "invalid character ']' looking for beginning of value"},
      {"hello", "invalid character 'h' looking for beginning of value"},
      {"'a'", "invalid character '\\'' looking for beginning of value"},
      {"nul", "unexpected EOF"},
      {"nulx", "invalid character 'x' in literal null (expecting 'l')"},
      {"-x", "invalid character 'x' in numeric literal"},
      {"1.x", "invalid character 'x' after decimal point in numeric literal"},
      {"1ex", "invalid character 'x' in exponent of numeric literal"},
      {"\"\\x\"", "invalid character 'x' in string escape code"},
      {"\"\\u12x4\"", "invalid character 'x' in \\u hexadecimal character escape"},
      {"\"a\nb\"", "invalid character '\\n' in string literal"},
      {"\xff", "invalid character '\xc3\xbf' looking for beginning of value"},
  };
  for (const auto& [text, message] : cases) {
    const base::Result<GoJson> cursor = GoJson::begin(text);
    ASSERT_FALSE(cursor) << text;
    EXPECT_EQ(cursor.error().message, message) << text;
  }
}

TEST(GoJson, PassesOverWhatFollowsTheFirstValue) {
  for (const char* text : {"{} garbage", " [1, {\"a\" : []}]]", "12x", "\"x\"\"y\"", "null,"}) {
    EXPECT_TRUE(GoJson::begin(text)) << text;
  }
}

TEST(GoJson, ReadsTextsAsGoDoes) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"("a\"\\\/\b\f\n\r\tb")", "a\"\\/\b\f\n\r\tb"},
      {R"("\u00e9\u20AC")", "\u00e9\u20ac"},
      {R"("\ud83d\ude00")", "\xF0\x9F\x98\x80"},
      {R"("\ud83d")", "\uFFFD"},
      {R"("\ud83dx")", "\uFFFDx"},
      {R"("\ud83d\u0041")", "\uFFFDA"},
      {R"("\ude00")", "\uFFFD"},
      {"\"a\xff\xc3(\"", "a\uFFFD\uFFFD("},
  };
  for (const auto& [text, value] : cases) {
    base::Result<GoJson> cursor = GoJson::begin(text);
    ASSERT_TRUE(cursor) << text;
    EXPECT_EQ(cursor->text(), value) << text;
  }
}

TEST(GoJson, WalksMembersAndSkipsWhatIsNotAskedFor) {
  base::Result<GoJson> cursor = GoJson::begin(
      R"( {"a": {"x":[1,{"y":"}]\""}],"z":null} , "b":"two","c":-1.5e3,"d":[ ],"e":{} , "f":true})");
  ASSERT_TRUE(cursor);
  std::string seen;
  ASSERT_TRUE(cursor->each_member([&](const std::string& key) -> base::Status {
    seen += key;
    seen += ' ';
    seen += cursor->kind_name();
    seen += ';';
    if (key == "b") {
      seen += cursor->text();
    } else {
      cursor->skip();
    }
    return {};
  }));
  EXPECT_EQ(seen, "a object;b string;twoc number;d array;e object;f bool;");
}

TEST(GoJson, DepthCostsNoStack) {
  const std::string deep = std::string(10'000, '[') + std::string(10'000, ']');
  base::Result<GoJson> cursor = GoJson::begin(deep);
  ASSERT_TRUE(cursor);
  cursor->skip();
  EXPECT_EQ(GoJson::begin("[" + deep + "]").error().message, "exceeded max depth");
}

TEST(GoJson, NamesOfFieldsHaveAnyCase) {
  EXPECT_TRUE(is_field("DesiredState", "desiredState"));
  EXPECT_FALSE(is_field("desired", "desiredState"));
  EXPECT_FALSE(is_field("desiredStates", "desiredState"));
  EXPECT_FALSE(is_field("", "op"));
  EXPECT_TRUE(is_field("de\u017fired\u017ftate", "desiredState"));
  EXPECT_TRUE(is_field("\u212aind", "kind"));
  EXPECT_FALSE(is_field("\u017f", "k"));
  EXPECT_FALSE(is_field("\xc5", "s"));
}

}  // namespace
}  // namespace flotilla::api
