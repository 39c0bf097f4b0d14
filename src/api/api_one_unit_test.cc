// What is read about one unit, beside what the view says of it: the same.
#include "api/api_fixture.h"

namespace flotilla::api {
namespace {

class ApiOneUnitTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    for (const char* id : {"m1", "m2", "m3"}) add_machine(id, {}, "http://" + std::string(id));
  }
  ApiParts parts() {
    ApiParts parts{registry, lazy_view, inspector, kMachine, [] { return true; }};
    parts.peers = &peers;
    parts.on_demand = &on_demand;
    return parts;
  }
  void put(const std::string& unit, const std::string& body = kHello) {
    EXPECT_EQ(call("PUT", "/fleet/v1/units/" + unit, body).status, 201);
  }
  std::string ask_for(const std::string& target, Api& whom) {
    std::optional<Response> response;
    whom.handle(Request{"GET", target, {}, {}},
                [&](Response answer) { response = std::move(answer); });
    loop.settle();
    return response ? fmt::format("{} {}", response->status, response->body) : "nothing";
  }
  void expect_same(const std::string& unit) {
    for (const std::string& target :
         {"/fleet/v1/units/" + unit, "/fleet/v1/state/" + unit, "/fleet/v1/state?unitName=" + unit,
          "/fleet/v1/state?machineID=m2&unitName=" + unit, "/fleet/v1/units/" + unit + "/status",
          "/fleet/v1/units/" + unit + "/status?machine=m1",
          "/fleet/v1/units/" + unit + "/log?machine=none"}) {
      EXPECT_EQ(ask_for(target, lazy_api), ask_for(target, api)) << target;
    }
  }

  registry::ClusterView lazy_view{*store, loop, "/flotilla"};
  registry::ViewOnDemand on_demand{lazy_view, loop};
  Api lazy_api{parts()};
};

TEST_F(ApiOneUnitTest, AUnitThatRuns) {
  put("a.service");
  put("b.service");
  schedule("a.service", "m2");
  report("a.service", "m2");
  schedule("b.service", "m1");
  expect_same("a.service");
  EXPECT_FALSE(lazy_view.has_data());
  EXPECT_NE(ask_for("/fleet/v1/units/a.service", lazy_api).find(R"("machineID":"m2")"),
            std::string::npos);
}

TEST_F(ApiOneUnitTest, AUnitThatIsScheduledAndSaysNothingYet) {
  put("a.service");
  schedule("a.service", "m3");
  expect_same("a.service");
  EXPECT_FALSE(lazy_view.has_data());
}

TEST_F(ApiOneUnitTest, AUnitThatIsOnlySubmitted) {
  put("a.service", R"({"options":[{"section":"Service","name":"ExecStart","value":"/bin/x"}]})");
  expect_same("a.service");
  EXPECT_FALSE(lazy_view.has_data());
}

TEST_F(ApiOneUnitTest, OfTwoPlacesTheOneThatIsLeftIsShownWhileItTellsOfTheUnit) {
  registry::ScheduleEntry leaving;
  leaving.is_leaving = true;
  for (const auto& [from, to] : {std::pair("m1", "m3"), std::pair("m3", "m1")}) {
    const std::string unit = fmt::format("from-{}.service", from);
    put(unit);
    schedule(unit, from, leaving);
    schedule(unit, to);
    expect_same(unit);
    for (const char* machine : {to, from}) {
      report(unit, machine);
      expect_same(unit);
    }
    const std::string shown = ask_for("/fleet/v1/units/" + unit, lazy_api);
    EXPECT_NE(shown.find(fmt::format(R"("machineID":"{}")", from)), std::string::npos) << shown;
    EXPECT_NE(shown.find(R"("currentState":"launched")"), std::string::npos) << shown;
    put_raw(keys.schedule(from, unit), std::nullopt);
    expect_same(unit);
  }
  EXPECT_FALSE(lazy_view.has_data());
}

TEST_F(ApiOneUnitTest, NoUnit) {
  for (const char* unit : {"a.service", "a", "%20", "a%2Fb", "..."}) expect_same(unit);
  expect_same(std::string(300, 'a'));
  EXPECT_FALSE(lazy_view.has_data());
}

TEST_F(ApiOneUnitTest, AStateWhoseUnitIsGone) {
  put("a.service");
  schedule("a.service", "m2");
  report("a.service", "m2");
  put_raw(keys.unit("a.service"), std::nullopt);
  expect_same("a.service");
  EXPECT_FALSE(lazy_view.has_data());
}

TEST_F(ApiOneUnitTest, AUnitThatIsHandedOver) {
  put("a.service");
  schedule("a.service", "m2");
  registry::ScheduleEntry entry = view.cluster().schedule.at("a.service").at("m2");
  entry.text = "[Service]\nExecStart=/bin/x\n";
  entry.is_leaving = true;
  put_raw(keys.schedule("m2", "a.service"), registry::encode(entry));
  report("a.service", "m2");
  schedule("a.service", "m1");
  expect_same("a.service");
  report("a.service", "m1");
  expect_same("a.service");
  EXPECT_FALSE(lazy_view.has_data());
}

TEST_F(ApiOneUnitTest, AGlobalUnit) {
  put("a.service",
      R"({"desiredState":"launched","options":[{"section":"X-Fleet","name":"Global","value":"true"}]})");
  report("a.service", "m1");
  report("a.service", "m2");
  expect_same("a.service");
  EXPECT_FALSE(lazy_view.has_data());
}

TEST_F(ApiOneUnitTest, AOneshotThatHasFinished) {
  put("a.service");
  registry::UnitHistory history;
  history.hash = view.cluster().units.at("a.service").hash;
  history.finished_on = "m2";
  history.finished_usec = 17;
  put_raw(keys.history("a.service"), registry::encode(history));
  expect_same("a.service");
  EXPECT_FALSE(lazy_view.has_data());
}

TEST_F(ApiOneUnitTest, OfMoreMachinesThanATransactionTakes) {
  for (int i = 0; i < 200; ++i) add_machine(fmt::format("n{:03}", i), {});
  put("a.service");
  schedule("a.service", "n150");
  expect_same("a.service");
  EXPECT_FALSE(lazy_view.has_data());
}

TEST_F(ApiOneUnitTest, WhereTheMachineHasGoneTheViewIsAsked) {
  put("a.service");
  schedule("a.service", "gone");
  expect_same("a.service");
  EXPECT_TRUE(lazy_view.has_data());
}

TEST_F(ApiOneUnitTest, OfAnUnreadableRecordTheViewIsAsked) {
  put("a.service");
  put_raw(keys.schedule("m1", "a.service"), "{");
  ask_for("/fleet/v1/units/a.service", lazy_api);
  EXPECT_TRUE(lazy_view.has_data());
}

TEST_F(ApiOneUnitTest, AViewThatIsOpenIsUsed) {
  put("a.service");
  ask_for("/fleet/v1/units", lazy_api);
  ASSERT_TRUE(lazy_view.has_data());
  std::optional<Response> response;
  lazy_api.handle(Request{"GET", "/fleet/v1/units/a.service", {}, {}},
                  [&](Response answer) { response = std::move(answer); });
  EXPECT_TRUE(response) << "at once";
}

}  // namespace
}  // namespace flotilla::api
