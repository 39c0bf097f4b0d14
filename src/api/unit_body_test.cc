#include "api/unit_body.h"

#include <gtest/gtest.h>

namespace flotilla::api {
namespace {

TEST(UnitBody, IsReadLeniently) {
  const auto unit = decode_unit_body(
      R"( {"NAME":"a.service","desiredstate":"launched","more":[1,{}],
          "options":[{"section":"Service","name":"ExecStart","value":"/x"},{"Section":"S","Name":"N"}]} trailing)");
  ASSERT_TRUE(unit) << unit.error().message;
  EXPECT_EQ(unit->name, "a.service");
  EXPECT_EQ(unit->desired_state, "launched");
  ASSERT_EQ(unit->options.size(), 2U);
  EXPECT_EQ(unit->options[0], (unit::UnitOption{"Service", "ExecStart", "/x"}));
  EXPECT_EQ(unit->options[1], (unit::UnitOption{"S", "N", ""}));
}

TEST(UnitBody, TakesNullAsAbsentAndTheLastOfSeveral) {
  const auto unit = decode_unit_body(
      R"({"name":"x","NAME":null,"options":[{}],"options":null,"desiredState":"a","DesiredState":"b"})");
  ASSERT_TRUE(unit);
  EXPECT_EQ(unit->name, "x") << "null changes nothing";
  EXPECT_TRUE(unit->options.empty());
  EXPECT_EQ(unit->desired_state, "b");
  EXPECT_TRUE(decode_unit_body("null"));
}

TEST(UnitBody, ASecondListGoesOverTheFirst) {
  const auto unit = decode_unit_body(
      R"({"options":[{"section":"S","name":"A","value":"1"},{"name":"B"}],"options":[{"name":"C"}]})");
  ASSERT_TRUE(unit);
  EXPECT_EQ(unit->options, (std::vector<unit::UnitOption>{{"S", "C", "1"}}));
}

TEST(UnitBody, ReplacesBytesThatAreNoUtf8AsGoDoes) {
  const auto unit =
      decode_unit_body("{\"options\":[{\"name\":\"N\",\"value\":\"a\xff\xc3\xa9\xc3\"}]}");
  ASSERT_TRUE(unit) << unit.error().message;
  EXPECT_EQ(unit->options[0].value, "a\uFFFD\u00e9\uFFFD");
}

TEST(UnitBody, SaysWhatIsWrong) {
  EXPECT_EQ(decode_unit_body("").error().message, "EOF");
  EXPECT_EQ(decode_unit_body(" \n").error().message, "EOF");
  EXPECT_EQ(decode_unit_body("{\"name\":").error().message, "unexpected EOF");
  EXPECT_EQ(decode_unit_body("[]").error().message,
            "json: cannot unmarshal array into Go value of type schema.Unit");
  EXPECT_EQ(decode_unit_body("{\"name\":1}").error().message,
            "json: cannot unmarshal number into Go struct field Unit.name of type string");
  EXPECT_FALSE(decode_unit_body("{bad}"));
  EXPECT_FALSE(decode_unit_body("{\"options\":[[]]}"));
  EXPECT_FALSE(decode_unit_body("{\"options\":[null]}"));
  EXPECT_FALSE(decode_unit_body("{\"machineID\":{}}"));
  EXPECT_FALSE(decode_unit_body(std::string(100'000, '[')));
}

TEST(MachineEdits, TakeTheNestedAndTheFlatValue) {
  const auto edits = decode_machine_edits(
      R"([{"op":"add","path":"/m/metadata/a","value":{"value":"1"}},{"op":"replace","path":"p","value":"2"}])");
  ASSERT_TRUE(edits);
  EXPECT_EQ((*edits)[0].value, "1");
  EXPECT_EQ((*edits)[1].value, "2");
  EXPECT_TRUE(decode_machine_edits("[]"));
  EXPECT_TRUE(decode_machine_edits("null"));
  EXPECT_EQ(decode_machine_edits("").error().message, "EOF");
  EXPECT_FALSE(decode_machine_edits("{}"));
  EXPECT_EQ(decode_machine_edits("[null]")->size(), 1U);
}

}  // namespace
}  // namespace flotilla::api
