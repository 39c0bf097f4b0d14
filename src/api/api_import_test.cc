// The routes that bring a registry over from another store.
#include "api/api_fixture.h"

namespace flotilla::api {
namespace {

constexpr const char* kGlobal =
    R"({"desiredState":"launched","options":[{"section":"X-Fleet","name":"Global","value":"true"}]})";

class ImportTest : public ApiTest {
 protected:
  void add_leader() {
    registry::Leader leader;
    leader.machine = "m9";
    leader.nonce = "n";
    put_raw(keys.leader(), registry::encode(leader));
  }
  // Of the record: the view leaves it out.
  std::string text_at(const std::string& unit, const std::string& machine) {
    std::string text;
    store::RangeRequest request;
    request.key = keys.schedule(machine, unit);
    store->range(std::move(request), [&](const base::Result<store::RangeResponse>& read) {
      ASSERT_TRUE(read);
      ASSERT_EQ(read->kvs.size(), 1U);
      const auto entry = registry::decode_schedule_entry(read->kvs[0].value);
      ASSERT_TRUE(entry);
      text = entry->text;
    });
    loop.settle();
    return text;
  }
  const std::string target = "/fleet/v1/units/a.service/import";
  const std::string on_m1 = target + "?machine=m1";
};

TEST_F(ImportTest, AUnitComesWithItsPlaceWhereNobodyLeadsYet) {
  EXPECT_EQ(call("PUT", on_m1, kHello).status, 201);
  const registry::Cluster& cluster = view.cluster();
  EXPECT_EQ(cluster.units.at("a.service").desired, registry::TargetState::kLaunched);
  const registry::ScheduleEntry& entry = cluster.schedule.at("a.service").at("m1");
  EXPECT_EQ(entry.hash, cluster.units.at("a.service").hash);
  EXPECT_EQ(text_at("a.service", "m1"), "[Service]\nExecStart=/bin/x\n");
  EXPECT_EQ(entry.target, registry::TargetState::kLaunched);
  EXPECT_EQ(entry.mod_revision, cluster.units.at("a.service").mod_revision) << "in one step";
}

TEST_F(ImportTest, AGlobalUnitComesWithItsEntry) {
  EXPECT_EQ(call("PUT", target, kGlobal).status, 201);
  EXPECT_EQ(view.cluster().globals.at("a.service").hash, view.cluster().units.at("a.service").hash);
  EXPECT_TRUE(view.cluster().schedule.empty());
}

TEST_F(ImportTest, WhereSomebodyLeadsAUnitKeepsItsPlaceOnAMachineThatIsThere) {
  add_leader();
  EXPECT_EQ(call("PUT", on_m1, kHello).status, 201);
  EXPECT_TRUE(view.cluster().schedule.empty());
  EXPECT_EQ(call("PUT", "/fleet/v1/units/g.service/import", kGlobal).status, 201);
  EXPECT_TRUE(view.cluster().globals.empty());
  add_machine("m1", {});
  EXPECT_EQ(call("PUT", "/fleet/v1/units/b.service/import?machine=m1", kHello).status, 201);
  EXPECT_TRUE(view.cluster().schedule.contains("b.service"));
}

TEST_F(ImportTest, AOneshotThatHasFinishedComesFinished) {
  EXPECT_EQ(call("PUT", on_m1 + "&finishedOn=m1&finishedUsec=17", kHello).status, 201);
  const registry::UnitHistory* finished = view.cluster().find_finished("a.service");
  ASSERT_NE(finished, nullptr);
  EXPECT_EQ(finished->finished_on, "m1");
  EXPECT_EQ(finished->finished_usec, 17U);
  EXPECT_TRUE(view.cluster().schedule.at("a.service").at("m1").is_finished);
  EXPECT_NE(
      call("GET", "/fleet/v1/units/a.service").body.find(R"("finishedOn":"m1","finishedUsec":17)"),
      std::string::npos);
  EXPECT_EQ(call("PUT", target + "?finishedOn=a/b", kHello).status, 400);
}

TEST_F(ImportTest, WhatNeedsNoPlaceGetsNone) {
  const std::string idle = R"({"options":[{"section":"Service","name":"ExecStart","value":"/x"}]})";
  EXPECT_EQ(call("PUT", on_m1, idle).status, 201);
  EXPECT_EQ(call("PUT", "/fleet/v1/units/t@.service/import?machine=m1", idle).status, 201);
  EXPECT_EQ(call("PUT", "/fleet/v1/units/b.service/import", kHello).status, 201);
  EXPECT_EQ(view.cluster().units.size(), 3u);
  EXPECT_TRUE(view.cluster().schedule.empty());
}

TEST_F(ImportTest, WhatIsHereAsGivenIsLeftAloneAndAnotherIsAConflict) {
  call("PUT", "/fleet/v1/units/a.service", kHello);
  const auto before = view.cluster().units.at("a.service");
  EXPECT_EQ(call("PUT", on_m1, kHello).status, 204);
  EXPECT_EQ(view.cluster().units.at("a.service"), before);
  const std::string loaded =
      R"({"desiredState":"loaded","options":[{"section":"Service","name":"ExecStart","value":"/bin/x"}]})";
  expect_error(call("PUT", on_m1, loaded), 409,
               "unit a.service is here with the desired state launched, not loaded");
  expect_error(call("PUT", on_m1, kGlobal), 409, "unit a.service is here with other contents");
  EXPECT_EQ(view.cluster().units.at("a.service"), before);
  EXPECT_EQ(call("PUT", on_m1 + "&replace", loaded).status, 201);
  EXPECT_EQ(view.cluster().units.at("a.service").desired, registry::TargetState::kLoaded);
  EXPECT_TRUE(view.cluster().schedule.empty()) << "its place is the leader's";
}

TEST_F(ImportTest, RefusesWhatCannotBeAUnit) {
  expect_error(call("PUT", target, kHello, {"text/plain"}), 415,
               "only acceptable Content-Type is application/json");
  expect_error(call("PUT", target, "{}"), 409, "options field empty");
  expect_error(call("PUT", target,
                    R"({"desiredState":"x","options":[{"section":"A","name":"b","value":"c"}]})"),
               400, "invalid value \"x\" for JobState");
  expect_error(call("PUT", target + "?machine=a%2Fb", kHello), 400,
               "the id of a machine has no \"/\"");
  expect_error(call("GET", target), 405, "only PUT supported against this resource");
}

TEST_F(ImportTest, EditsOfMetadataAreToldAsTheyWereMade) {
  EXPECT_EQ(call("GET", "/fleet/v1/metadata").body, R"({"machines":[]})");
  call("PATCH", "/fleet/v1/machines",
       R"([{"op":"add","path":"/m1/metadata/a","value":{"value":"b"}},)"
       R"({"op":"remove","path":"/m1/metadata/hidden"}])");
  EXPECT_EQ(call("GET", "/fleet/v1/metadata").body,
            R"({"machines":[{"id":"m1","metadata":{"a":"b","hidden":""}}]})");
}

}  // namespace
}  // namespace flotilla::api
