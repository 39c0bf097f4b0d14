// What the client sends for each call, and what it makes of the answers.
#include "client/http_fleet_api.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace flotilla::client
