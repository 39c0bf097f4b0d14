// The API where the view is opened for it.
#include "api/api_fixture.h"
#include "store/faulty_store.h"

namespace flotilla::api {
namespace {

using std::chrono_literals::operator""s;

struct ApiOnDemandTest : testing::Test {
  ApiOnDemandTest() {
    registry.put_unit("a.service", {{"Service", "ExecStart", "/bin/x"}},
                      registry::TargetState::kLoaded, [](const auto& put) { EXPECT_TRUE(put); });
    loop.settle();
  }
  void ask(const std::string& method, const std::string& target, const std::string& body = {}) {
    answer.reset();
    const Request request{method, target, {"application/json"}, body};
    api.handle(request, [&](Response response) { answer = std::move(response); });
  }

  base::FakeEventLoop loop;
  std::unique_ptr<store::Store> inner = store::make_memory_store(loop);
  store::FaultyStore store{*inner, loop};
  registry::Registry registry{store, "/flotilla"};
  registry::ClusterView view{store, loop, "/flotilla"};
  registry::ViewOnDemand on_demand{view, loop};
  FakeInspector inspector;
  bool available = true;
  ApiParts parts() {
    ApiParts parts{registry, view, inspector, kMachine, [this] { return available; }};
    parts.metrics = [] { return "metrics\n"; };
    parts.on_demand = &on_demand;
    return parts;
  }
  Api api{parts()};
  std::optional<Response> answer;
};

TEST_F(ApiOnDemandTest, TheFirstRequestWaitsForTheView) {
  ask("GET", "/fleet/v1/units");
  EXPECT_FALSE(answer) << "the view is not there yet";
  loop.settle();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  ask("GET", "/fleet/v1/units/a.service");
  ASSERT_TRUE(answer) << "the next one is answered at once";
  EXPECT_EQ(answer->status, 200);
}

TEST_F(ApiOnDemandTest, AWriteIsSeenByTheReadThatFollows) {
  ask("PUT", "/fleet/v1/units/hello.service", kHello);
  loop.settle();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 201);
  ask("GET", "/fleet/v1/units/hello.service");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
}

TEST_F(ApiOnDemandTest, ProbesMetricsAndDiscoveryDoNotOpenIt) {
  for (const char* path : {"/healthz", "/readyz", "/metrics", "/fleet/v1/discovery"}) {
    ask("GET", path);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 200) << path;
  }
  loop.settle();
  EXPECT_FALSE(view.has_data());
}

TEST_F(ApiOnDemandTest, AStoreThatDoesNotAnswerMakesA503) {
  store.partition();
  ask("GET", "/fleet/v1/units");
  loop.advance(9s);
  EXPECT_FALSE(answer);
  loop.advance(2s);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  store.heal();
  ask("GET", "/fleet/v1/units");
  loop.advance(5s);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
}

TEST_F(ApiOnDemandTest, WhereTheMachineIsNotRegisteredNothingIsOpened) {
  available = false;
  ask("GET", "/fleet/v1/units");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  loop.settle();
  EXPECT_FALSE(view.has_data());
}

}  // namespace
}  // namespace flotilla::api
