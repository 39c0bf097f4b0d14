// The routes that fleet did not have, and the discovery document.
#include "api/api_fixture.h"
#include "api/tls_front.h"
#include "unit/fleet_file.h"

namespace flotilla::api {
namespace {

TEST_F(ApiTest, ContentsAreReplacedInOneStepAndTheStateStays) {
  const std::string target = "/fleet/v1/units/a.service";
  const std::string contents = target + "/contents";
  const std::string other =
      R"({"options":[{"section":"Service","name":"ExecStart","value":"/bin/y"}]})";
  expect_error(call("PUT", contents, other), 404, "unit does not exist");
  call("PUT", target, kHello);
  const auto before = view.cluster().units.at("a.service");
  expect_error(call("PUT", contents, other, {"text/plain"}), 415,
               "only acceptable Content-Type is application/json");
  expect_error(call("PUT", contents, "{}"), 409, "options field empty");
  expect_error(call("PUT", contents, "{"), 400, "unable to decode body: unexpected EOF");
  expect_error(call("PUT", contents,
                    R"({"options":[{"section":"X-Fleet","name":"MachineID","value":"x"},)"
                    R"({"section":"X-Fleet","name":"Global","value":"true"}]})"),
               400, "MachineID cannot be used with Global");
  EXPECT_EQ(call("PUT", contents, kHello).status, 204);
  EXPECT_EQ(view.cluster().units.at("a.service"), before) << "the same file leaves it untouched";
  EXPECT_EQ(call("PUT", contents, other).status, 204);
  const auto& after = view.cluster().units.at("a.service");
  EXPECT_EQ(after.desired, registry::TargetState::kLaunched);
  EXPECT_NE(after.hash, before.hash);
}

TEST_F(ApiTest, NothingIsAnsweredFromAStoreThatMustBeLeftAlone) {
  std::string why;
  ApiParts parts{registry, view, inspector, kMachine, [] { return true; }};
  parts.metrics = [] { return std::string("figures"); };
  parts.why_not = [&] { return why; };
  Api shut_out(std::move(parts));
  const auto get = [&](const std::string& target) {
    Response response;
    shut_out.handle(Request{"GET", target, {}, {}},
                    [&](Response answer) { response = std::move(answer); });
    loop.settle();
    return response;
  };
  EXPECT_EQ(get("/fleet/v1/units").status, 200);
  EXPECT_EQ(get("/readyz").status, 200);
  why = "written by a newer version";
  expect_error(get("/fleet/v1/units"), 503, why);
  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/metrics").body, "figures");
}

TEST_F(ApiTest, ALaunchedUnitIsRestartedByItsMachine) {
  const std::string target = "/fleet/v1/units/a.service/restart";
  expect_error(call("POST", target), 404, "unit does not exist");
  call("PUT", "/fleet/v1/units/a.service", kHello);
  expect_error(call("POST", target), 409, "unit is not scheduled to any machine");
  schedule("a.service", kMachine);
  expect_error(call("POST", target), 409, "unit is not launched");
  report("a.service", kMachine);
  EXPECT_EQ(call("POST", target).status, 204);
  EXPECT_EQ(inspector.asked, "restart a.service");
  inspector.restart_error = base::Result<void>(base::conflict("it failed")).error();
  expect_error(call("POST", target), 409, "it failed");
  expect_error(call("POST", target + "?machine=nope"), 404, "machine does not exist");
}

TEST_F(ApiTest, AGlobalUnitIsRestartedOnTheMachineThatIsAskedFor) {
  const std::string target = "/fleet/v1/units/g.service/restart";
  call(
      "PUT", "/fleet/v1/units/g.service",
      R"({"desiredState":"launched","options":[{"section":"X-Fleet","name":"Global","value":"true"}]})");
  add_machine(kMachine, {});
  add_machine("other", {});
  report("g.service", kMachine);
  EXPECT_EQ(call("POST", target).status, 204) << "it runs here alone";
  report("g.service", "other");
  EXPECT_EQ(call("POST", target + "?machine=" + kMachine).status, 204);
  EXPECT_THAT(peers.asked, testing::IsEmpty());
  EXPECT_EQ(call("POST", target).status, 204) << "here, then there";
  EXPECT_THAT(peers.asked, testing::ElementsAre("http://192.0.2.10:1 POST /fleet/v1/units/"
                                                "g.service/restart?machine=other, when done"));
  peers.answer = error_response(409, "no");
  expect_error(call("POST", target + "?machine=other"), 409, "no");
}

TEST_F(ApiTest, AReaderChangesNothing) {
  Request request{"PUT", "/fleet/v1/units/a.service", {"application/json"}, kHello};
  request.role = Role::kReader;
  const std::string refusal =
      "your certificate may only read; api_admins= of fleetd names those that may change";
  expect_error(call(request), 403, refusal);
  for (const char* method : {"DELETE", "PATCH", "POST"}) {
    request.method = method;
    expect_error(call(request), 403, refusal);
  }
  request.method = "GET";
  expect_error(call(request), 404, "unit does not exist");
}

TEST(Roles, AreGivenByName) {
  EXPECT_EQ(role_of({"x"}, {}), Role::kAdmin);
  EXPECT_EQ(role_of({}, {"a"}), Role::kReader);
  EXPECT_EQ(role_of({"x", "a"}, {"b", "a"}), Role::kAdmin);
  EXPECT_EQ(role_of({"A", "a.b"}, {"a"}), Role::kReader);
}

TEST_F(ApiTest, ExplainsForEachMachine) {
  expect_error(call("GET", "/fleet/v1/units/a.service/explain"), 404, "unit does not exist");
  call("PUT", "/fleet/v1/units/a.service", kHello);
  verdicts = {{"m1", true, ""}, {"m2", false, "local Machine metadata insufficient"}};
  EXPECT_EQ(call("GET", "/fleet/v1/units/a.service/explain").body,
            R"({"machines":[{"id":"m1","eligible":true,"reason":""},)"
            R"({"id":"m2","eligible":false,"reason":"local Machine metadata insufficient"}]})");
}

TEST_F(ApiTest, StatesTellOfWhatHasFinishedOnAMachineThatIsGone) {
  for (const char* name : {"a.service", "c.service"}) {
    call("PUT", std::string("/fleet/v1/units/") + name, kHello);
  }
  registry::UnitHistory history;
  history.hash = view.cluster().units.at("a.service").hash;
  history.finished_on = "m1";
  put_raw(keys.history("a.service"), registry::encode(history));
  put_raw(keys.history("b.service"), registry::encode(history));
  registry::UnitState state;
  state.hash = "h";
  put_raw(keys.state("c.service", "m2"), registry::encode(state));
  const std::string finished = R"({"hash":")" + history.hash +
                               R"(","machineID":"m1","name":"a.service",)"
                               R"("systemdActiveState":"inactive","systemdLoadState":"loaded",)"
                               R"("systemdSubState":"dead"})";
  const std::string other = R"({"hash":"h","machineID":"m2","name":"c.service"})";
  EXPECT_EQ(call("GET", "/fleet/v1/state").body, R"({"states":[)" + finished + "," + other + "]}");
  EXPECT_EQ(call("GET", "/fleet/v1/state?unitName=a.service").body,
            R"({"states":[)" + finished + "]}");
  EXPECT_EQ(call("GET", "/fleet/v1/state/a.service").body, finished);
  EXPECT_EQ(call("GET", "/fleet/v1/state?machineID=m2").body, R"({"states":[)" + other + "]}");
}

TEST_F(ApiTest, StatesTellSinceWhenAUnitIsActive) {
  call("PUT", "/fleet/v1/units/a.service", kHello);
  registry::UnitState state;
  state.hash = "h";
  state.load_state = "loaded";
  state.active_state = "active";
  state.sub_state = "running";
  state.active_enter_usec = 1436168318000000;
  put_raw(keys.state("a.service", "m1"), registry::encode(state));
  EXPECT_EQ(call("GET", "/fleet/v1/state").body,
            R"({"states":[{"hash":"h","machineID":"m1","name":"a.service",)"
            R"("systemdActiveEnterTimestamp":1436168318000000,"systemdActiveState":"active",)"
            R"("systemdLoadState":"loaded","systemdSubState":"running"}]})");
}

TEST_F(ApiTest, EventsGoOnFromARevision) {
  const auto text_of = [](const Response& response) {
    std::string text;
    if (response.stream) response.stream->read(text);
    return text;
  };
  const store::Revision before = view.cluster().revision;
  Response stream = call("GET", "/fleet/v1/events");
  ASSERT_TRUE(stream.stream);
  EXPECT_EQ(stream.headers[0].second, "text/event-stream");
  EXPECT_EQ(text_of(stream), fmt::format("id: {}\n\n", before));
  stream.stream->start([] {});
  call("PUT", "/fleet/v1/units/a.service", kHello);
  const std::string created = fmt::format(
      "id: {0}\ndata: {{\"revision\":{0},\"type\":\"unit\",\"name\":\"a.service\"}}\n\n",
      before + 1);
  EXPECT_EQ(text_of(stream), created);
  schedule("a.service", "m1");
  report("a.service", "m1");
  const std::string rest = text_of(stream);
  EXPECT_NE(rest.find(R"("type":"unit","name":"a.service","machine":"m1"})"), std::string::npos);
  EXPECT_NE(rest.find(R"("type":"state","name":"a.service","machine":"m1"})"), std::string::npos);

  Response again = call("GET", fmt::format("/fleet/v1/events?since={}", before));
  ASSERT_TRUE(again.stream);
  again.stream->start([] {});
  loop.settle();
  EXPECT_EQ(text_of(again), fmt::format("id: {}\n\n", before) + created + rest);
}

TEST_F(ApiTest, EventsOfALostHistoryAreGone) {
  call("PUT", "/fleet/v1/units/a.service", kHello);
  const store::Revision now = view.cluster().revision;
  expect_error(call("GET", "/fleet/v1/events?since=x"), 400,
               "invalid value \"x\" for since: expected a revision");
  expect_error(call("GET", fmt::format("/fleet/v1/events?since={}", now + 5)), 410,
               fmt::format("there is no history since revision {}: list anew, then ask since {}",
                           now + 5, now));
  store->compact(now, [](const base::Result<store::Revision>& done) { ASSERT_TRUE(done); });
  loop.settle();
  EXPECT_EQ(call("GET", "/fleet/v1/events?since=1").status, 410);
  EXPECT_EQ(call("GET", fmt::format("/fleet/v1/events?since={}", now)).status, 200);
}

TEST_F(ApiTest, ASlowReaderOfEventsCostsNoMemory) {
  Response stream = call("GET", "/fleet/v1/events");
  stream.stream->start([] {});
  const std::string key(200, 'k');
  for (int i = 0; i < 4000; ++i) {
    registry::Metadata edits{{key, std::to_string(i)}};
    put_raw(keys.metadata(std::string(200, 'm')), registry::encode(edits));
  }
  std::string text;
  size_t largest = 0;
  for (std::string piece = "x"; !piece.empty(); text += piece) {
    piece.clear();
    EXPECT_TRUE(stream.stream->read(piece));
    largest = std::max(largest, piece.size());
    loop.settle();
  }
  EXPECT_LT(largest, size_t{1} << 20U);
  EXPECT_NE(text.find(fmt::format("id: {}\n", view.cluster().revision)), std::string::npos);
}

TEST_F(ApiTest, TheDiscoveryDocumentDescribesFleetsRoutes) {
  const Response response = call("GET", "/fleet/v1/discovery");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers[0].second, "application/json");
  EXPECT_EQ(response.body.find("{\n  \"kind\": \"discovery#restDescription\",\n"
                               "  \"discoveryVersion\": \"v1\",\n  \"id\": \"fleet:v1\",\n"),
            0U);
  for (const char* part :
       {"\"id\": \"fleet.Machine.List\"", "\"id\": \"fleet.Unit.List\"",
        "\"id\": \"fleet.Unit.Get\"", "\"id\": \"fleet.Unit.Delete\"", "\"id\": \"fleet.Unit.Set\"",
        "\"id\": \"fleet.UnitState.Get\"", "\"id\": \"fleet.UnitState.List\"",
        "\"path\": \"units/{unitName}\"", "\"labels\": [],", "\"auth\": {},",
        "\"parameterOrder\": [\n            \"unitName\"\n          ]"}) {
    EXPECT_NE(response.body.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(response.body.find("PATCH"), std::string::npos);
}

}  // namespace
}  // namespace flotilla::api
