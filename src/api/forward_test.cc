// Requests about units of other machines, passed on to those.
#include "api/api_fixture.h"

namespace flotilla::api {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Forwarding : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    call("PUT", "/fleet/v1/units/a.service", kHello);
    add_machine(kMachine, {});
    add_machine("other", {});
    schedule("a.service", "other");
    report("a.service", "other");
  }
};

TEST_F(Forwarding, AsksTheMachineThatRunsTheUnit) {
  const std::string unit = "/fleet/v1/units/a.service";
  peers.answer = json_response(200, "{}");
  EXPECT_EQ(call("GET", unit + "/status").body, "{}");
  EXPECT_EQ(call("GET", unit + "/log?lines=3&follow").status, 200);
  EXPECT_EQ(call("GET", "/v1-alpha/units/a.service/log?machine=other").status, 200);
  peers.answer = empty_response(204);
  EXPECT_EQ(call("POST", unit + "/restart").status, 204);
  const std::string at = "http://192.0.2.10:1 ";
  EXPECT_THAT(
      peers.asked,
      ElementsAre(at + "GET /fleet/v1/units/a.service/status?machine=other, at once",
                  at + "GET /fleet/v1/units/a.service/log?machine=other&lines=3&follow, text",
                  at + "GET /v1-alpha/units/a.service/log?machine=other&machine=other, text",
                  at + "POST /fleet/v1/units/a.service/restart?machine=other, when done"));
  EXPECT_EQ(inspector.asked, "");
}

TEST_F(Forwarding, NamesAndQueriesCannotBreakOutOfTheRequest) {
  const std::string machine = "m&x=1 2";
  add_machine(machine, {});
  put_raw(keys.schedule("other", "a.service"), std::nullopt);
  schedule("a.service", machine);
  EXPECT_EQ(call("GET", "/fleet/v1/units/a.service/status?x=%0d%0a").status, 204);
  EXPECT_THAT(peers.asked, ElementsAre("http://192.0.2.10:1 GET /fleet/v1/units/a.service/status"
                                       "?machine=m%26x%3D1%202&x=%0d%0a, at once"));
}

TEST_F(Forwarding, WhatWasPassedOnIsNotPassedOnAgain) {
  for (const char* path : {"status", "log"}) {
    Request request{"GET", std::string("/fleet/v1/units/a.service/") + path, {}, {}};
    request.forwarded_by = "third";
    expect_error(call(request), 503, "unit runs on machine other; ask the API of that machine");
  }
  Request restart{"POST", "/fleet/v1/units/a.service/restart", {}, {}};
  restart.forwarded_by = "third";
  expect_error(call(restart), 503, "unit runs on machine other; ask the API of that machine");
  EXPECT_THAT(peers.asked, IsEmpty());
}

TEST_F(Forwarding, SaysWhyAMachineCannotBeAsked) {
  add_machine("other", {}, "");
  expect_error(call("GET", "/fleet/v1/units/a.service/status"), 503,
               "unit runs on machine other, which announces no address of its API (api_address= of "
               "its fleetd)");
  put_raw(keys.machine("other"), std::nullopt);
  expect_error(call("GET", "/fleet/v1/units/a.service/status"), 503,
               "unit runs on machine other, which is not there at the moment");
}

TEST_F(Forwarding, ARestartEverywhereEndsAtTheFirstFailure) {
  call(
      "PUT", "/fleet/v1/units/g.service",
      R"({"desiredState":"launched","options":[{"section":"X-Fleet","name":"Global","value":"true"}]})");
  for (const char* machine : {"m2", "m3"}) {
    add_machine(machine, {});
    report("g.service", machine);
  }
  peers.answer = error_response(409, "it failed");
  expect_error(call("POST", "/fleet/v1/units/g.service/restart"), 409, "it failed");
  EXPECT_THAT(peers.asked, ElementsAre("http://192.0.2.10:1 POST /fleet/v1/units/g.service/"
                                       "restart?machine=m2, when done"));
}

}  // namespace
}  // namespace flotilla::api
