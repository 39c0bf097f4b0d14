#include "api/json_text.h"

#include <gtest/gtest.h>

namespace flotilla::api {
namespace {

std::string quoted(std::string_view text) {
  JsonText json;
  json.text(text);
  return std::move(json).str();
}

TEST(JsonText, SeparatesMembersAndElements) {
  JsonText json;
  json.begin_object().key("a").begin_array().text("x").text("y").end_array();
  json.key("b").begin_array().begin_object().end_object().begin_object().end_object().end_array();
  json.key("n").number(-3).end_object();
  EXPECT_EQ(std::move(json).str(), R"({"a":["x","y"],"b":[{},{}],"n":-3})");
}

TEST(JsonText, LeavesEmptyFieldsOut) {
  JsonText json;
  json.begin_object().field("a", "").field("b", "1").field("c", "").end_object();
  EXPECT_EQ(std::move(json).str(), R"({"b":"1"})");
}

TEST(JsonText, SeparatesBehindTextThatEndsLikeABracket) {
  JsonText json;
  json.begin_array().text("{").text("[").text(":").end_array();
  EXPECT_EQ(std::move(json).str(), R"(["{","[",":"])");
}

TEST(JsonText, EscapesAsGoDoes) {
  EXPECT_EQ(quoted("<a&b>"), R"("\u003ca\u0026b\u003e")");
  EXPECT_EQ(quoted("\"\\\n\r\t\x01\x1f"), R"("\"\\\n\r\t\u0001\u001f")");
  EXPECT_EQ(quoted("\xE2\x80\xA8\xE2\x80\xA9"), R"("\u2028\u2029")");
  EXPECT_EQ(quoted("grün 😀"), "\"grün 😀\"");
}

TEST(JsonText, ReplacesInvalidUtf8) {
  EXPECT_EQ(quoted("a\xFFz"), R"("a\ufffdz")");
  EXPECT_EQ(quoted("\xC3"), R"("\ufffd")");
  EXPECT_EQ(quoted("\xED\xA0\x80"), R"("\ufffd\ufffd\ufffd")");
}

}  // namespace
}  // namespace flotilla::api
