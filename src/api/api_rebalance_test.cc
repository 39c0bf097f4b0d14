// Rebalancing as the API tells of it and asks for it.
#include "api/api_fixture.h"

namespace flotilla::api {
namespace {

class RebalanceTest : public ApiTest {
 protected:
  std::vector<registry::Move> moves;
  Api planning{{.registry = registry,
                .view = view,
                .inspector = inspector,
                .machine_id = kMachine,
                .is_available = [] { return true; },
                .plan_moves = [this] { return moves; }}};
  Response ask(const std::string& method) {
    std::optional<Response> response;
    planning.handle({method, "/fleet/v1/rebalance", {}, {}},
                    [&](Response answer) { response = std::move(answer); });
    loop.settle();
    EXPECT_TRUE(response);
    return response.value_or(Response{});
  }
};

TEST_F(RebalanceTest, TellsWhatWouldMoveAndWhetherSomethingDoes) {
  EXPECT_EQ(ask("GET").body, R"({"moves":[],"underWay":false})");
  moves = {{"a.service", "m1", "m2", "so"}};
  EXPECT_EQ(
      ask("GET").body,
      R"({"moves":[{"from":"m1","to":"m2","unit":"a.service","why":"so"}],"underWay":false})");
  EXPECT_FALSE(view.cluster().wants_rebalance);
  EXPECT_EQ(ask("POST").status, 204);
  EXPECT_TRUE(view.cluster().wants_rebalance);
  moves.clear();
  EXPECT_EQ(ask("GET").body, R"({"moves":[],"underWay":true})");
  expect_error(ask("PUT"), 405, "only GET and POST supported against this resource");
}

TEST_F(RebalanceTest, IsUnderWayWhileAUnitIsAtTwoPlaces) {
  call("PUT", "/fleet/v1/units/a.service", kHello);
  schedule("a.service", "m2");
  registry::ScheduleEntry old = view.cluster().schedule.at("a.service").at("m2");
  old.is_leaving = true;
  put_raw(keys.schedule("m1", "a.service"), registry::encode(old));
  EXPECT_EQ(ask("GET").body, R"({"moves":[],"underWay":true})");
}

}  // namespace
}  // namespace flotilla::api
