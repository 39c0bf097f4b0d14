#include "client/registry_document.h"

#include <gtest/gtest.h>

namespace flotilla::client {
namespace {

constexpr const char* kDocument = R"({
  "kind": "flotilla-registry",
  "format": 1,
  "machines": [
    {"id":"m1","metadata":{"fleet.cordon":"cordon","hidden":""}}
  ],
  "units": [
    {"name":"a.service","desiredState":"launched","machineID":"m1","options":[{"section":"Service","name":"ExecStart","value":"/bin/a"}]},
    {"name":"b@.service","desiredState":"inactive","options":[{"section":"Unit","name":"Description","value":""}]}
  ]
}
)";

TEST(RegistryDocument, IsWrittenAsItWasRead) {
  const auto document = parse_registry_document(kDocument);
  ASSERT_TRUE(document) << document.error().message;
  ASSERT_EQ(document->units.size(), 2u);
  EXPECT_EQ(document->units[0].machine_id, "m1");
  EXPECT_EQ(document->units[0].options[0].value, "/bin/a");
  EXPECT_EQ(document->machines[0].metadata.at("hidden"), "");
  EXPECT_EQ(to_json(*document), kDocument);
}

TEST(RegistryDocument, OfAnEmptyClusterIsShort) {
  EXPECT_EQ(to_json({}),
            "{\n  \"kind\": \"flotilla-registry\",\n  \"format\": 1,\n  \"machines\": [],\n  "
            "\"units\": []\n}\n");
  EXPECT_TRUE(parse_registry_document(to_json({})));
}

std::string why_not(const std::string& machines, const std::string& units) {
  const auto document =
      parse_registry_document(R"({"kind":"flotilla-registry","format":1,"machines":)" + machines +
                              R"(,"units":)" + units + "}");
  return document ? "" : document.error().message;
}

TEST(RegistryDocument, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(parse_registry_document("[1").error().message.find("this is no JSON: "), 0u);
  for (const char* other :
       {"[]", "{}", R"({"kind":"x","format":1})", R"({"kind":"flotilla-registry"})"}) {
    EXPECT_EQ(parse_registry_document(other).error().message,
              "this is no document of fleetctl export");
  }
  EXPECT_EQ(parse_registry_document(R"({"kind":"flotilla-registry","format":2})").error().message,
            "the document has format 2; this version knows 1");
  EXPECT_EQ(why_not("[]", "3"), "document: expected a list \"units\"");
  EXPECT_EQ(why_not("[{}]", "[]"), "machine 1: expected a text \"id\"");
  EXPECT_EQ(why_not("[]", "[{}]"), "unit 1: expected a text \"name\"");
  EXPECT_EQ(why_not("[]", R"([{"name":"a"}])"), "unit 1: unit name must contain \".\"");
  const std::string good =
      R"({"name":"a.service","desiredState":"loaded","options":[{"section":"S","name":"N","value":"v"}]})";
  EXPECT_EQ(why_not("[]", "[" + good + "," + good + "]"), "unit 2: a.service was there before");
  EXPECT_EQ(why_not("[]", R"([{"name":"a.service","desiredState":"up","options":[]}])"),
            "unit 1: desiredState: expected inactive, loaded or launched, got \"up\"");
  EXPECT_EQ(why_not("[]", R"([{"name":"a.service","desiredState":"loaded","options":[]}])"),
            "unit 1: options: there are none");
  EXPECT_EQ(why_not("[]", "[" + good + "]"), "");
}

}  // namespace
}  // namespace flotilla::client
