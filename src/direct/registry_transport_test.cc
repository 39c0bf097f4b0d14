#include "direct/registry_transport.h"

#include <gtest/gtest.h>

#include "client/http_fleet_api.h"
#include "registry/codec.h"
#include "registry/keys.h"
#include "store/memory_store.h"
#include "store/metered_store.h"

namespace flotilla::direct {
namespace {

using client::Unit;

constexpr std::chrono::milliseconds kPatience{10'000};

class RegistryTransportTest : public ::testing::Test {
 protected:
  base::Result<std::unique_ptr<RegistryTransport>> open(const std::string& prefix = "/a") {
    return RegistryTransport::open({prefix, kPatience}, [this](base::EventLoop& loop) {
      auto made = store::make_memory_store(loop);
      store = made.get();
      if (prepare) prepare(*store);
      return base::Result<std::unique_ptr<store::Store>>(std::move(made));
    });
  }
  // Requires: open() succeeds.
  client::HttpFleetApi& api() {
    if (!api_) {
      auto transport = open();
      raw = transport->get();
      api_.emplace(std::move(*transport));
    }
    return *api_;
  }
  static Unit unit_of(const std::string& name, const std::string& state,
                      const std::string& more = {}) {
    return {
        name, {}, state, {}, *unit::parse_fleet_file("[Service]\nExecStart=/bin/true\n" + more)};
  }
  static void put(store::Store& into, const std::string& key, const std::string& value) {
    store::TxnRequest txn;
    txn.then_ops.emplace_back(store::PutOp{key, value});
    into.txn(std::move(txn), [](auto) {});
  }
  std::vector<std::string> keys() {
    std::vector<std::string> found;
    store::RangeRequest all;
    all.key = all.range_end = store::kToLastKey;
    store->range(all, [&](auto result) {
      for (const store::KeyValue& kv : result->kvs) found.push_back(kv.key);
    });
    raw->run_for(std::chrono::milliseconds(1));
    return found;
  }

  std::function<void(store::Store&)> prepare;
  store::Store* store = nullptr;
  RegistryTransport* raw = nullptr;

 private:
  std::optional<client::HttpFleetApi> api_;
};

TEST_F(RegistryTransportTest, AUnitLivesItsWholeLifeInTheRegistry) {
  ASSERT_TRUE(api().create_units({unit_of("a.service", "launched")})[0]);
  const auto made = api().unit("a.service");
  ASSERT_TRUE(made);
  ASSERT_TRUE(*made);
  EXPECT_EQ((*made)->desired_state, "launched");
  EXPECT_EQ((*made)->current_state, "inactive");
  EXPECT_EQ((*made)->options, unit_of("", "").options);
  EXPECT_TRUE(api().set_desired_states({"a.service"}, "loaded")[0]);
  EXPECT_EQ(api().units()->at(0).desired_state, "loaded");
  EXPECT_TRUE(api().destroy_units({"a.service"})[0]);
  EXPECT_TRUE(api().units()->empty());
}

TEST_F(RegistryTransportTest, RefusesWhatTheApiRefusesInTheSameWords) {
  EXPECT_EQ(api()
                .create_units(
                    {unit_of("a.service", "launched", "[X-Fleet]\nGlobal=true\nMachineID=m\n")})[0]
                .error()
                .message,
            "googleapi: Error 400: MachineID cannot be used with Global");
  EXPECT_EQ(api().set_desired_states({"none.service"}, "loaded")[0].error().message,
            "googleapi: Error 409: unit does not exist and options field empty");
}

TEST_F(RegistryTransportTest, ABatchIsAnsweredWhole) {
  std::vector<Unit> units;
  std::vector<std::string> names;
  for (int i = 0; i < 700; ++i) {
    names.push_back(fmt::format("u{}.service", i));
    units.push_back(unit_of(names.back(), "inactive"));
  }
  for (const base::Status& status : api().create_units(units)) EXPECT_TRUE(status);
  EXPECT_EQ(api().units()->size(), 700u);
  const auto found = api().units_named(names);
  ASSERT_TRUE(found);
  for (const auto& unit : *found) EXPECT_TRUE(unit);
}

TEST_F(RegistryTransportTest, ReadingWritesNothingIntoAnEmptyStore) {
  EXPECT_TRUE(api().units()->empty());
  EXPECT_TRUE(api().machines()->empty());
  EXPECT_TRUE(keys().empty());
  EXPECT_TRUE(api().create_units({unit_of("a.service", "inactive")})[0]);
  EXPECT_EQ(keys(), (std::vector<std::string>{"/a/format", "/a/unit/a.service"}));
}

TEST_F(RegistryTransportTest, ReadsOfOneUnitOnlyThat) {
  const store::StoreFigures* figures = nullptr;
  auto transport = RegistryTransport::open({"/a", kPatience}, [&](base::EventLoop& loop) {
    auto made = std::make_unique<store::MeteredStore>(store::make_memory_store(loop), loop);
    figures = &made->figures();
    put(*made, "/a/unit/a.service", R"({"options":[],"desired":"inactive"})");
    return base::Result<std::unique_ptr<store::Store>>(std::move(made));
  });
  ASSERT_TRUE(transport);
  client::HttpFleetApi api(std::move(*transport));
  const auto unit = api.unit("a.service");
  ASSERT_TRUE(unit && *unit);
  EXPECT_EQ(figures->watches, 0u) << "there is no view of the cluster";
  EXPECT_EQ(api.units()->size(), 1u);
  EXPECT_EQ(figures->watches, 1u);
}

TEST_F(RegistryTransportTest, SeesNothingOfAnotherPrefix) {
  prepare = [](store::Store& into) {
    put(into, registry::Keys("/b").metadata("m"), "{}");
    put(into, registry::Keys("/ab").unit("a.service"), R"({"options":[],"desired":"inactive"})");
    put(into, "/a", "no key of ours");
  };
  EXPECT_TRUE(api().units()->empty());
}

TEST_F(RegistryTransportTest, AMachineIsAskedForWhatItAloneKnows) {
  ASSERT_TRUE(
      api().create_units({unit_of("g.service", "launched", "[X-Fleet]\nGlobal=true\n")})[0]);
  EXPECT_EQ(api().unit_status("g.service", "").error().code, base::Errc::kUnavailable);
  EXPECT_EQ(api().restart_unit("g.service", "").error().code, base::Errc::kConflict);
  EXPECT_EQ(api().unit_log("g.service", "", {}, [](std::string_view) {}).error().code,
            base::Errc::kUnavailable);
}

TEST_F(RegistryTransportTest, AChangeEndsAWait) {
  EXPECT_TRUE(api().wait_for_change(kPatience));
  put(*store, "/a/unit/a.service", R"({"options":[],"desired":"inactive"})");
  EXPECT_TRUE(api().wait_for_change(kPatience));
  EXPECT_EQ(api().units()->size(), 1u);
}

TEST_F(RegistryTransportTest, ARegistryOfANewerVersionIsRefused) {
  prepare = [](store::Store& into) { put(into, "/a/format", R"({"major":9,"minor":1})"); };
  EXPECT_EQ(open().error().message,
            "the store was written by a newer version (format 9.1); this version knows 1.0");
  prepare = [](store::Store& into) { put(into, "/a/format", "hello"); };
  EXPECT_EQ(open().error().code, base::Errc::kInternal);
}

}  // namespace
}  // namespace flotilla::direct
