// Many requests in one, long pages and brief lists: what costs a client few round trips.
#include "api/api_fixture.h"

namespace flotilla::api {
namespace {

constexpr const char* kBatch = "/fleet/v1/batch";

TEST_F(ApiTest, ABatchAnswersEachOfItsRequestsInOrder) {
  const std::string body = R"({"requests":[
      {"method":"PUT","unit":"a.service",
       "body":"{\"options\":[{\"section\":\"Service\",\"name\":\"ExecStart\",\"value\":\"/x\"}]}"},
      {"method":"PUT","unit":"b","body":"{}"},
      {"method":"DELETE","unit":"none.service"},
      {"method":"POST","unit":"a.service"},
      {"method":"GET","unit":"none.service"}]})";
  const Response response = call("POST", kBatch, body);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(
      response.body,
      R"({"results":[{"status":201},)"
      R"({"body":"{\"error\":{\"code\":400,\"message\":\"unit name must contain \\\".\\\"\"}}",)"
      R"("status":400},)"
      R"({"body":"{\"error\":{\"code\":404,\"message\":\"unit does not exist\"}}",)"
      R"("status":404},)"
      R"({"body":"{\"error\":{\"code\":405,\"message\":\"only GET, PUT and DELETE supported )"
      R"(against this resource\"}}","status":405},)"
      R"({"body":"{\"error\":{\"code\":404,\"message\":\"unit does not exist\"}}",)"
      R"("status":404}]})");
  EXPECT_EQ(view.cluster().units.count("a.service"), 1U);
  EXPECT_EQ(call("POST", kBatch, R"({"requests":[{"method":"GET","unit":"a.service"}]})")
                .body.substr(0, 51),
            R"({"results":[{"body":"{\"currentState\":\"inactive\")");
}

TEST_F(ApiTest, AWholeBatchReachesTheViewAtOnce) {
  std::string body = R"({"requests":[)";
  for (int i = 0; i < 200; ++i) {
    body += fmt::format(
        R"({}{{"method":"PUT","unit":"a{}.service","body":"{{\"options\":[{{\"section\":\"S\",)"
        R"(\"name\":\"A\",\"value\":\"1\"}}]}}"}})",
        i == 0 ? "" : ",", i);
  }
  EXPECT_EQ(call("POST", kBatch, body + "]}").status, 200);
  EXPECT_EQ(view.cluster().units.size(), 200U);
}

TEST_F(ApiTest, ABadBatchIsRefusedAsAWhole) {
  EXPECT_EQ(call("POST", kBatch, "{}").body, R"({"results":[]})");
  expect_error(call("POST", kBatch, "{}", {"text/plain"}), 415,
               "only acceptable Content-Type is application/json");
  expect_error(call("POST", kBatch, "[]"), 400,
               "unable to decode body: expected an object, got array");
  expect_error(call("POST", kBatch, R"({"requests":[1]})"), 400,
               "unable to decode body: expected an object for each request, got number");
  expect_error(call("POST", kBatch, R"({"requests":[{"unit":{}}]})"), 400,
               "unable to decode body: expected a text for unit, got object");
  std::string body = R"({"requests":[{})";
  for (int i = 0; i < 1000; ++i) body += ",{}";
  expect_error(call("POST", kBatch, body + "]}"), 400,
               "unable to decode body: a batch has at most 1000 requests");
  expect_error(call("GET", kBatch), 405, "only POST supported against this resource");
}

TEST_F(ApiTest, APageIsAsLongAsItIsAskedFor) {
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    call("PUT", std::string("/fleet/v1/units/") + name + ".service", kHello);
  }
  const std::string units = "/fleet/v1/units";
  EXPECT_EQ(call("GET", units + "?maxResults=5").body.find("nextPageToken"), std::string::npos);
  const std::string first = call("GET", units + "?maxResults=4").body;
  EXPECT_EQ(first.substr(0, 29), R"({"nextPageToken":"BAACAA==",")");
  EXPECT_EQ(call("GET", units + "?maxResults=4&nextPageToken=BAACAA%3D%3D").body.substr(0, 10),
            R"({"units":[)");
  expect_error(call("GET", units + "?nextPageToken=BAACAA%3D%3D"), 400, "token limit must be 3");
  for (const char* nonsense : {"0", "x", "-1", "", "70000"}) {
    EXPECT_NE(call("GET", units + "?maxResults=" + nonsense).body.find("AwACAA=="),
              std::string::npos)
        << nonsense;
  }
}

TEST_F(ApiTest, AListMayLeaveTheOptionsOut) {
  call("PUT", "/fleet/v1/units/a.service", kHello);
  EXPECT_EQ(
      call("GET", "/fleet/v1/units?fields=units(name,desiredState),nextPageToken").body,
      R"({"units":[{"currentState":"inactive","desiredState":"launched","name":"a.service"}]})");
  EXPECT_NE(call("GET", "/fleet/v1/units?fields=units(name,options)").body.find("options"),
            std::string::npos);
}

}  // namespace
}  // namespace flotilla::api
