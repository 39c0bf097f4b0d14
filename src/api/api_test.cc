// fleet's routes by plain calls.
#include "api/api_fixture.h"

namespace flotilla::api {
namespace {

TEST_F(ApiTest, RefusesWhatNoRouteServes) {
  struct Case {
    const char* method;
    const char* target;
    int status;
    const char* message;
  };
  const Case cases[] = {
      {"GET", "/", 405, ""},
      {"POST", "/", 405, ""},
      {"GET", "/fleet/v1", 405, ""},
      {"GET", "/v1-alpha", 405, ""},
      {"GET", "/nope", 404, ""},
      {"GET", "/fleet/v1/", 404, ""},
      {"GET", "/fleet/v1x/units", 404, ""},
      {"GET", "/fleet/v1/units/", 404, ""},
      {"GET", "/fleet/v1/units/a/b", 404, ""},
      {"GET", "/fleet/v1/units/a%2Fb", 404, ""},
      {"GET", "/fleet/v1/machines/x", 404, ""},
      {"HEAD", "/fleet/v1/units", 405, "only GET supported against this resource"},
      {"OPTIONS", "/fleet/v1/units", 405, "only GET supported against this resource"},
      {"POST", "/fleet/v1/units/a.service", 405,
       "only GET, PUT and DELETE supported against this resource"},
      {"HEAD", "/fleet/v1/units/a.service", 405,
       "only GET, PUT and DELETE supported against this resource"},
      {"PUT", "/fleet/v1/state", 405, "only GET supported against this resource"},
      {"PUT", "/fleet/v1/state/a.service", 405, "only GET supported against this resource"},
      {"PUT", "/fleet/v1/machines", 405, "only GET and PATCH supported against this resource"},
      {"HEAD", "/", 405, ""},
      {"OPTIONS", "/fleet/v1/", 404, ""},
      {"GET", "/fleet/v1/state/", 404, ""},
      {"GET", "/fleet/v1/state/a/b", 404, ""},
      {"GET", "/fleet/v1/units/a/log/b", 404, ""},
      {"GET", "/fleet/v1/discovery/", 404, ""},
      {"GET", "/v1-alpha/units/", 404, ""},
      {"get", "/fleet/v1/units", 405, "only GET supported against this resource"},
      {"HEAD", "/fleet/v1/state", 405, "only GET supported against this resource"},
      {"HEAD", "/fleet/v1/machines", 405, "only GET and PATCH supported against this resource"},
      {"HEAD", "/fleet/v1/discovery", 400, "only HTTP GET supported against this resource"},
      {"POST", "/v1-alpha/discovery", 400, "only HTTP GET supported against this resource"},
      {"PUT", "/fleet/v1/events", 405, "only GET supported against this resource"},
      {"GET", "/fleet/v1/units/a.service/restart", 405,
       "only POST supported against this resource"},
      {"GET", "/fleet/v1/units/a.service/contents", 405,
       "only PUT supported against this resource"},
      {"POST", "/fleet/v1/units/a.service/explain", 405,
       "only GET supported against this resource"},
      {"POST", "/healthz", 405, "only GET supported against this resource"},
      {"GET", "/fleet/v1/units/a%zz", 400, "malformed request target"},
      {"OPTIONS", "*", 400, "malformed request target"},
      {"GET", "/fleet/v1/units/a.service", 404, "unit does not exist"},
      {"GET", "/fleet/v1/state/a.service", 404, "unit state does not exist"},
      {"DELETE", "/fleet/v1/units/a.service", 404, "unit does not exist"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.method) + " " + c.target);
    expect_error(call(c.method, c.target), c.status, c.message);
  }
}

TEST_F(ApiTest, RedirectsToTheCleanPath) {
  const Response response = call("GET", "//fleet/v1/./units?alt=json");
  EXPECT_EQ(response.status, 301);
  EXPECT_EQ(response.headers[0],
            (std::pair<std::string, std::string>("Location", "/fleet/v1/units?alt=json")));
}

TEST_F(ApiTest, ARedirectCarriesNoHeaderAndNoTagOfAStranger) {
  const Response response = call("GET", "//a%0d%0aX-Evil:%201%22%3E?x=\"><b>&y");
  EXPECT_EQ(response.status, 301);
  EXPECT_EQ(response.headers[0].second, "/a%0D%0AX-Evil:%201%22%3E?x=\"><b>&y");
  EXPECT_EQ(response.body,
            "<a href=\"/a%0D%0AX-Evil:%201%22%3E?x=&#34;&gt;&lt;b&gt;&amp;y\">"
            "Moved Permanently</a>.\n\n");
}

TEST_F(ApiTest, ARedirectsQueryIsOfUrlCharacters) {
  EXPECT_EQ(call("GET", "//a?x=\xfb\r&y=%20").headers[0].second, "/a?x=%FB%0D&y=%20");
}

TEST_F(ApiTest, AnswersNothingUntilTheMachineIsRegistered) {
  available = false;
  for (const char* target : {"/", "/fleet/v1/units", "/nope", "//", "/metrics", "/%zz"}) {
    const Response response = call("GET", target);
    expect_error(response, 503, "fleet server unable to communicate with etcd");
    EXPECT_FALSE(response.is_ours);
  }
  EXPECT_EQ(call("GET", "/healthz").status, 200);
  EXPECT_EQ(call("GET", "/readyz").status, 503);
  available = true;
  EXPECT_EQ(call("GET", "/readyz").body, "ok\n");
  EXPECT_EQ(call("GET", "/metrics").body, "metrics\n");
}

TEST_F(ApiTest, EmptyListsAreEmptyObjects) {
  for (const char* target : {"/fleet/v1/units", "/v1-alpha/state", "/fleet/v1/machines?alt=json"}) {
    const Response response = call("GET", target);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "{}");
  }
}

TEST_F(ApiTest, CreatesAndShowsAUnit) {
  Response response = call("PUT", "/fleet/v1/units/hello.service", kHello);
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body, "");
  EXPECT_TRUE(response.headers.empty());
  response = call("GET", "/fleet/v1/units/hello.service");
  EXPECT_EQ(response.body,
            R"({"currentState":"inactive","desiredState":"launched","name":"hello.service",)"
            R"("options":[{"name":"ExecStart","section":"Service","value":"/bin/x"}]})");
  add_machine(kMachine, {});
  schedule("hello.service", kMachine);
  report("hello.service", kMachine);
  response = call("GET", "/fleet/v1/units");
  EXPECT_EQ(
      response.body,
      std::string(
          R"({"units":[{"currentState":"launched","desiredState":"launched","machineID":")") +
          kMachine +
          R"(","name":"hello.service","options":[{"name":"ExecStart","section":"Service","value":"/bin/x"}]}]})");
  response = call("GET", "/fleet/v1/state/hello.service");
  EXPECT_EQ(
      response.body,
      "{\"hash\":\"" + view.cluster().units.at("hello.service").hash.str() + "\",\"machineID\":\"" +
          kMachine +
          R"(","name":"hello.service","systemdActiveState":"active","systemdLoadState":"loaded",)"
          R"("systemdSubState":"running"})");
}

TEST_F(ApiTest, PutChecksInOrder) {
  struct Case {
    const char* name;
    const char* body;
    int status;
    const char* message;
  };
  const Case cases[] = {
      {"a.service", "{bad", 400, nullptr},
      {"a.service", R"({"name":"b.service"})", 400,
       "name in URL \"a.service\" differs from unit name in request body \"b.service\""},
      {"a.service", R"({"name":"\u00e9\n\\"})", 400,
       "name in URL \"a.service\" differs from unit name in request body \"\u00e9\\n\\\\\""},
      {"a.", "{}", 400, "unit name cannot end in \".\""},
      {"a@.mount", "{}", 400, "invalid unit type for template: \"mount\""},
      {"@a.service", "{}", 400, "unit name cannot start in \"@\""},
      {".service", "{}", 409, "unit does not exist and options field empty"},
      {"abc", "{}", 400, "unit name must contain \".\""},
      {"abc.bar", "{}", 400, "invalid unit type: \"bar\""},
      {"a%20b.service", "{}", 400, "invalid character ' ' in unit name"},
      {"a.service", R"({"desiredState":"bogus"})", 409,
       "unit does not exist and options field empty"},
      {"a.service",
       R"({"desiredState":"bogus","options":[{"section":"S","name":"N","value":"v"}]})", 400,
       "invalid value \"bogus\" for JobState"},
      {"a.service", R"({"desiredState":"launched"})", 409,
       "unit does not exist and options field empty"},
      {"a.service",
       R"({"options":[{"section":"X-Fleet","name":"MachineID","value":"x"},{"section":"X-Fleet","name":"Global","value":"true"}]})",
       400, "MachineID cannot be used with Global"},
      {"a@.service",
       R"({"desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":"/x"}]})",
       400, "cannot activate template \"a@.service\""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.body);
    const Response response = call("PUT", std::string("/fleet/v1/units/") + c.name, c.body);
    EXPECT_EQ(response.status, c.status);
    if (c.message != nullptr) expect_error(response, c.status, c.message);
  }
  EXPECT_TRUE(view.cluster().units.empty());
}

TEST_F(ApiTest, PutWantsExactlyOneJsonContentType) {
  const std::string target = "/fleet/v1/units/a.service";
  expect_error(call("PUT", target, kHello, {}), 415, "expected 1 Content-Type, got 0");
  expect_error(call("PUT", target, kHello, {"application/json", "application/json"}), 415,
               "expected 1 Content-Type, got 2");
  expect_error(call("PUT", target, kHello, {"text/plain"}), 415,
               "only acceptable Content-Type is application/json");
  EXPECT_EQ(call("PUT", target, kHello, {" application/json ; charset=utf-8"}).status, 201);
}

TEST_F(ApiTest, PutChangesTheStateOfAnExistingUnit) {
  const std::string target = "/fleet/v1/units/a.service";
  EXPECT_EQ(call("PUT", target, kHello).status, 201);
  EXPECT_EQ(call("PUT", target, R"({"desiredState":"loaded"})").status, 204);
  EXPECT_EQ(view.cluster().units.at("a.service").desired, registry::TargetState::kLoaded);
  EXPECT_EQ(call("PUT", target, kHello).status, 204) << "the same options only change the state";
  expect_error(call("PUT", target, "{}"), 409, "must provide DesiredState to update existing unit");
  // Other options without a state put the unit back to inactive, as fleet did.
  EXPECT_EQ(call("PUT", target,
                 R"({"options":[{"section":"Service","name":"ExecStart","value":"/bin/y"}]})")
                .status,
            201);
  EXPECT_EQ(view.cluster().units.at("a.service").desired, registry::TargetState::kInactive);
}

TEST_F(ApiTest, AUnitIsWhatItsTextSays) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"section":"S","name":" A ","value":"  1 "})",
       R"({"name":"A","section":"S","value":"1"})"},
      {R"({"section":"S","name":"A","value":"1\n[T]\nB=2"})",
       R"({"name":"A","section":"S","value":"1"},{"name":"B","section":"T","value":"2"})"},
      {R"({"section":"S","name":"A","value":"1"},{"section":"T","name":"B","value":"2"},)"
       R"({"section":"S","name":"C"})",
       R"({"name":"A","section":"S","value":"1"},{"name":"C","section":"S"},)"
       R"({"name":"B","section":"T","value":"2"})"},
      {R"({"section":"S","name":"A","value":"1\\"},{"section":"S","name":"B","value":"2"})",
       R"({"name":"A","section":"S","value":"1\\\nB=2"})"},
  };
  for (const auto& [given, shown] : cases) {
    const std::string body = "{\"options\":[" + std::string(given) + "]}";
    EXPECT_EQ(call("PUT", "/fleet/v1/units/a.service", body).status, 201) << given;
    const std::string unit = call("GET", "/fleet/v1/units/a.service").body;
    EXPECT_EQ(unit.substr(unit.find('[')), "[" + std::string(shown) + "]}") << given;
    expect_error(call("PUT", "/fleet/v1/units/a.service", body), 409,
                 "must provide DesiredState to update existing unit");
  }
  expect_error(call("PUT", "/fleet/v1/units/b.service",
                    R"({"options":[{"section":"S","name":"#A","value":"1"}]})"),
               409, "unit does not exist and options field empty");
}

TEST_F(ApiTest, DeleteRemovesAUnit) {
  EXPECT_EQ(call("PUT", "/fleet/v1/units/a.service", kHello).status, 201);
  const Response response = call("DELETE", "/fleet/v1/units/a.service");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(call("GET", "/fleet/v1/units/a.service").status, 404);
}

TEST_F(ApiTest, AUnitWithoutAStateYetHasAnEmptyOne) {
  EXPECT_EQ(call("PUT", "/fleet/v1/units/a.service", kHello).status, 201);
  const Response response = call("GET", "/fleet/v1/state/a.service");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"name":"a.service"})");
}

TEST_F(ApiTest, GlobalUnitsHaveNoCurrentStateOfTheirOwn) {
  const std::string body =
      R"({"options":[{"section":"Service","name":"ExecStart","value":"/x"},{"section":"X-Fleet","name":"Global","value":"true"}]})";
  EXPECT_EQ(call("PUT", "/fleet/v1/units/g.service", body).status, 201);
  EXPECT_EQ(call("GET", "/fleet/v1/units/g.service").body.find("currentState"), std::string::npos);
  EXPECT_NE(call("GET", "/fleet/v1/units").body.find(R"("currentState":"inactive")"),
            std::string::npos);
}

TEST_F(ApiTest, ListsComeInPages) {
  for (const char* name : {"d", "b", "a", "c"}) {
    EXPECT_EQ(call("PUT", std::string("/fleet/v1/units/") + name + ".service", kHello).status, 201);
  }
  Response response = call("GET", "/fleet/v1/units");
  EXPECT_EQ(response.body.substr(0, 29), R"({"nextPageToken":"AwACAA==",")");
  EXPECT_NE(response.body.find("c.service"), std::string::npos);
  EXPECT_EQ(response.body.find("d.service"), std::string::npos);
  response = call("GET", "/fleet/v1/units?nextPageToken=AwACAA%3D%3D");
  EXPECT_EQ(response.body.find("nextPageToken"), std::string::npos);
  EXPECT_NE(response.body.find("d.service"), std::string::npos);
  EXPECT_EQ(call("GET", "/fleet/v1/units?nextPageToken=AwAJAA%3D%3D").body, "{}");
  expect_error(call("GET", "/fleet/v1/units?nextPageToken=ZAACAA%3D%3D"), 400,
               "token limit must be 3");
  expect_error(call("GET", "/fleet/v1/units?nextPageToken="), 400, "EOF");
}

TEST_F(ApiTest, StatesCanBeFiltered) {
  for (const char* name : {"a.service", "b.service"}) {
    call("PUT", std::string("/fleet/v1/units/") + name, kHello);
    report(name, "m1");
    report(name, "m2");
  }
  const auto count = [&](const std::string& query) {
    const std::string body = call("GET", "/fleet/v1/state" + query).body;
    size_t states = 0;
    for (size_t at = body.find("\"name\""); at != std::string::npos;
         at = body.find("\"name\"", at + 1))
      ++states;
    return states;
  };
  EXPECT_EQ(count("?machineID=m1"), 2U);
  EXPECT_EQ(count("?unitName=a.service"), 2U);
  EXPECT_EQ(count("?unitName=a.service&machineID=m2"), 1U);
  EXPECT_EQ(count("?unitName=nope"), 0U);
  EXPECT_EQ(count("?unitName="), 3U);
}

TEST_F(ApiTest, MachinesShowTheirMergedMetadata) {
  add_machine(kMachine, {{"region", "eu"}, {"disk", "ssd"}});
  EXPECT_EQ(call("GET", "/fleet/v1/machines").body,
            std::string(R"({"machines":[{"id":")") + kMachine +
                R"(","metadata":{"disk":"ssd","region":"eu"},"primaryIP":"192.0.2.10"}]})");
  const std::string path = std::string("/") + kMachine + "/metadata/";
  const Response response =
      call("PATCH", "/fleet/v1/machines",
           R"([{"op":"remove","path":")" + path + R"(region"},{"op":"add","path":")" + path +
               R"(rack","value":{"value":"7"}}])");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(call("GET", "/fleet/v1/machines").body,
            std::string(R"({"machines":[{"id":")") + kMachine +
                R"(","metadata":{"disk":"ssd","rack":"7"},"primaryIP":"192.0.2.10"}]})");
}

TEST_F(ApiTest, MetadataEditsAreCheckedBeforeAnyIsMade) {
  const std::pair<const char*, const char*> cases[] = {
      {R"([{"op":"test","path":"/m/metadata/a"}])", "invalid op: expect add, remove, or replace"},
      {R"([{"op":"add","path":"/m/metadata/","value":"1"}])", "machine metadata path invalid"},
      {R"([{"op":"add","path":"/m/x/metadata/a","value":"1"}])", "machine metadata path invalid"},
      {R"([{"op":"add","path":"//metadata/a","value":"1"}])", "machine metadata path invalid"},
      {R"([null])", "invalid op: expect add, remove, or replace"},
      {R"([{"op":"add","path":"/m/metadata/a","value":3}])",
       "json: cannot unmarshal number into Go struct field machineMetadataOp.value"},
      {R"([{"op":"add","path":"/m/metadata/a","value":{}}])",
       "invalid value: add and replace require a value"},
      {R"([{"op":"add","path":"/m/metadata/a b","value":"1"}])", "machine metadata path invalid"},
      {R"([{"op":"add","path":"/m/metadata/a","value":"1"},{"op":"add","path":"/m/metadata/a"}])",
       "invalid value: add and replace require a value"},
  };
  for (const auto& [body, message] : cases) {
    expect_error(call("PATCH", "/fleet/v1/machines", body), 400, message);
  }
  expect_error(call("PATCH", "/fleet/v1/machines",
                    R"([{"op":"add","path":"/m/metadata/a","value":"1"},{"op":"add","path":"/)" +
                        std::string(257, 'm') + R"(/metadata/a","value":"1"}])"),
               400, "machine metadata path invalid");
  EXPECT_TRUE(view.cluster().metadata_edits.empty());
  expect_error(call("PATCH", "/fleet/v1/machines"), 400, "EOF");
  EXPECT_EQ(call("PATCH", "/fleet/v1/machines", "[]").status, 204);
  EXPECT_EQ(call("PATCH", "/fleet/v1/machines", "null").status, 204);
  EXPECT_EQ(call("PATCH", "/fleet/v1/machines",
                 R"([{"op":"add","path":"/metadata/metadata/a","value":"1"}])")
                .status,
            204)
      << "a machine may have any name";
}

TEST_F(ApiTest, TheMachineOfTheUnitTellsOfIt) {
  call("PUT", "/fleet/v1/units/a.service", kHello);
  expect_error(call("GET", "/fleet/v1/units/nope.service/log"), 404, "unit does not exist");
  expect_error(call("GET", "/fleet/v1/units/a.service/status"), 409,
               "unit is not scheduled to any machine");
  schedule("a.service", kMachine);
  EXPECT_EQ(call("GET", "/fleet/v1/units/a.service/status").body,
            R"({"exitStatus":3,"text":"a.service is fine\n"})");
  Response response = call("GET", "/fleet/v1/units/a.service/log?lines=5&follow");
  ASSERT_TRUE(response.stream);
  EXPECT_EQ(inspector.asked, "a.service 5 follow");
  call("GET", "/fleet/v1/units/a.service/log");
  EXPECT_EQ(inspector.asked, "a.service 10");
  EXPECT_EQ(call("GET", "/fleet/v1/units/a.service/log?output=json").status, 200);
  EXPECT_EQ(inspector.asked, "a.service 10 as json");
  expect_error(call("GET", "/fleet/v1/units/a.service/log?lines=-1"), 400,
               "invalid value \"-1\" for lines: expected a number from 0 to 100000");
  expect_error(call("DELETE", "/fleet/v1/units/a.service/log"), 405,
               "only GET supported against this resource");
}

TEST_F(ApiTest, ABadStateIsNeverStored) {
  const std::string target = "/fleet/v1/units/a.service";
  call("PUT", target, kHello);
  expect_error(call("PUT", target, R"({"desiredState":"bogus"})"), 400,
               "invalid value \"bogus\" for JobState");
  EXPECT_EQ(call("GET", target).status, 200);
  EXPECT_EQ(call("DELETE", target).status, 204);
}

TEST_F(ApiTest, AUnreadableUnitCanStillBeDeleted) {
  put_raw(keys.unit("a.service"), "no JSON");
  EXPECT_EQ(call("DELETE", "/fleet/v1/units/a.service").status, 204);
}

TEST_F(ApiTest, AUnitMayBeNamedByItsTypeAlone) {
  const std::string target = "/fleet/v1/units/.service";
  EXPECT_EQ(call("PUT", target, R"({"options":[{"section":"S","name":"N","value":"v"}]})").status,
            201);
  EXPECT_NE(call("GET", target).body.find(R"("name":".service")"), std::string::npos);
  EXPECT_EQ(call("DELETE", target).status, 204);
}

}  // namespace
}  // namespace flotilla::api
