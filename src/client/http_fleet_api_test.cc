// What the client sends for each call, and what it makes of the answers.
#include "client/http_fleet_api.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "client/servers_test.h"

namespace flotilla::client {
namespace {

TEST(HttpFleetApi, ReadsGoogleErrors) {
  EXPECT_EQ(error_of({409, R"({"error":{"code":409,"message":"no"}})"}).message,
            "googleapi: Error 409: no");
  EXPECT_EQ(error_of({409, R"({"error":{"code":409,"message":"no"}})"}).code,
            base::Errc::kConflict);
  EXPECT_EQ(
      error_of({500, R"({"error":{"code":500,"message":""}})"}).message,
      R"(googleapi: got HTTP response code 500 with body: {"error":{"code":500,"message":""}})");
  EXPECT_EQ(error_of({502, "<html>"}).message,
            "googleapi: got HTTP response code 502 with body: <html>");
}

TEST(HttpFleetApi, EncodesNames) {
  EXPECT_EQ(percent_encode("a@1:b.service"), "a@1:b.service");
  EXPECT_EQ(percent_encode("a\\x2d b/c"), "a%5Cx2d%20b%2Fc");
}

class HttpFleetApiTest : public ServersTest {
 protected:
  void TearDown() override {
    api.reset();  // a server ends when its connections do
    ServersTest::TearDown();
  }
  // A client of a server that answers requests as the table says, 404 without a text otherwise.
  HttpFleetApi& connect(std::map<std::string, std::string> answers) {
    Server& server = serve([this, answers = std::move(answers)](const std::string& head) {
      const std::string line = head.substr(0, head.find(" HTTP/"));
      const std::lock_guard lock(mutex);
      lines.push_back(line);
      const auto found = answers.find(line);
      if (found == answers.end()) {
        return with_body(404, R"({"error":{"code":404,"message":""}})");
      }
      return found->second;
    });
    return api.emplace(std::vector<Endpoint>{server.endpoint()});
  }

  std::mutex mutex;
  std::vector<std::string> lines;
  std::optional<HttpFleetApi> api;
};

TEST_F(HttpFleetApiTest, ManyUnitsAreOneBatch) {
  connect({{"POST /fleet/v1/batch",
            with_body(200, R"({"results":[{"status":200,"body":"{\"name\":\"a.service\"}"},)"
                           R"({"status":404,"body":"{}"},{"status":200,"body":"{}"}]})")}});
  const auto units = api->units_named({"a.service", "b.service", "c.service"});
  ASSERT_TRUE(units) << units.error().message;
  ASSERT_EQ(units->size(), 3U);
  EXPECT_EQ((*units)[0]->name, "a.service");
  EXPECT_FALSE((*units)[1]);
  EXPECT_EQ(lines, (std::vector<std::string>{"POST /fleet/v1/batch"}));
}

TEST_F(HttpFleetApiTest, ABatchThatTheServerCutsShortIsAnError) {
  connect({{"POST /fleet/v1/batch", with_body(200, R"({"results":[]})")}});
  EXPECT_FALSE(api->units_named({"a.service", "b.service", "c.service"}));
}

TEST_F(HttpFleetApiTest, WithoutBatchesRequestsAreSentOneBehindTheOther) {
  const std::string unit = "GET /fleet/v1/units/";
  connect({{unit + "a.service?alt=json", with_body(200, R"({"name":"a.service"})")},
           {unit + "c.service?alt=json", with_body(200, R"({"name":"c.service"})")}});
  for (int i = 0; i < 2; ++i) {
    const auto units = api->units_named({"a.service", "b.service", "c.service"});
    ASSERT_TRUE(units) << units.error().message;
    EXPECT_EQ((*units)[2]->name, "c.service");
  }
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "POST /fleet/v1/batch"), 1);
  EXPECT_EQ(servers.front().connections(), 1);
}

TEST_F(HttpFleetApiTest, ReadsTimesAndPages) {
  connect({{"GET /fleet/v1/state?alt=json&maxResults=5000",
            with_body(200, R"({"states":[{"name":"a","systemdActiveEnterTimestamp":17}],)"
                           R"("nextPageToken":"x="})")},
           {"GET /fleet/v1/state?alt=json&maxResults=5000&nextPageToken=x%3D",
            with_body(200, R"({"states":[{"name":"b","systemdActiveEnterTimestamp":"18"}]})")}});
  const auto states = api->unit_states();
  ASSERT_TRUE(states) << states.error().message;
  ASSERT_EQ(states->size(), 2U);
  EXPECT_EQ((*states)[0].active_enter_usec, 17U);
  EXPECT_EQ((*states)[1].active_enter_usec, 18U);
}

TEST_F(HttpFleetApiTest, NamesTheMachineOfAGlobalUnit) {
  connect({{"GET /fleet/v1/units/a.service/status?machine=m1",
            with_body(200, R"({"exitStatus":3,"text":"dead"})")}});
  EXPECT_EQ(api->unit_status("a.service", "m1")->exit_status, 3);
  EXPECT_EQ(api->restart_unit("a.service", "m1").error().code, base::Errc::kUnsupported);
  EXPECT_EQ(lines.back(), "POST /fleet/v1/units/a.service/restart?machine=m1");
  EXPECT_EQ(api->explain("a.service").error().code, base::Errc::kUnsupported);
}

}  // namespace
}  // namespace flotilla::client
