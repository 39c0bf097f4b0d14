// What becomes of units when etcd, or the network to it, fails.
#include <cstdlib>

#include "cluster/cluster_fixture.h"

namespace flotilla::system_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EtcdTest : public ClusterTest {
 protected:
  // For how many lease times the store is away; many in a long run.
  static int leases_without_store() {
    const char* given = std::getenv("FLOTILLA_CLUSTER_LEASES");
    return given != nullptr ? std::atoi(given) : 2;
  }
  static EtcdMembers& etcd() { return cluster().etcd(); }
  static int wait_for_leader() {
    wait_until([] { return etcd().leader() >= 0; });
    return etcd().leader();
  }
  static bool says(const Host& host, size_t from, const std::string& text) {
    return host.log().find(text, from) != std::string::npos;
  }
};

TEST_F(EtcdTest, AMemberThatIsCutOffOrKilledChangesNothing) {
  start("a");
  start("b", "OnPartition=stop\n");
  ASSERT_NE(place_of("a"), Cluster::kHosts);
  ASSERT_NE(place_of("b"), Cluster::kHosts);
  const int leader = wait_for_leader();
  ASSERT_GE(leader, 0);
  cluster().network().cut(EtcdMembers::host(leader));
  expect_work_goes_on("c");
  cluster().network().mend(EtcdMembers::host(leader));
  const int other = (leader + 1) % EtcdMembers::kCount;
  etcd().kill(other);
  expect_work_goes_on("d");
  etcd().start(other);
  ASSERT_TRUE(cluster().wait_until_whole()) << cluster().logs();
  expect_work_goes_on("e");
  EXPECT_THAT(starts({"a", "c", "d", "e"}), ElementsAre(1, 1, 1, 1)) << cluster().logs();
  // One that must not run twice is stopped where a lease cannot be renewed in time, and goes on.
  EXPECT_TRUE(wait_with_one("b", [&] { return where("b").size() == 1; })) << cluster().logs();
}

TEST_F(EtcdTest, WithoutEtcdUnitsRunOnAndAMachineThatBootsStartsWhatItHad) {
  start("keep");
  start("stop", "OnPartition=stop\n");
  ASSERT_NE(place_of("stop"), Cluster::kHosts);
  const size_t place = place_of("keep");
  ASSERT_NE(place, Cluster::kHosts);
  const size_t booted = (place + 1) % Cluster::kHosts;
  start("had", "MachineID=" + host(booted).id() + "\n");
  ASSERT_EQ(place_of("had"), booted);
  ASSERT_TRUE(wait_until([&] {
    return cluster()
               .folder()
               .read(host(booted).name() + "/units/disk/state/last-schedule")
               .find("had.service") != std::string::npos;
  }));

  for (int member = 0; member < EtcdMembers::kCount; ++member) {
    cluster().network().cut(EtcdMembers::host(member));
  }
  EXPECT_TRUE(wait_until([&] { return where("stop").empty(); })) << cluster().logs();
  host(booted).power_off();
  host(booted).power_on();
  EXPECT_TRUE(wait_until([&] { return where("had").size() == 1; })) << host(booted).log();
  EXPECT_THAT(host(booted).log(), HasSubstr("running what was last known"));
  // It goes on so.
  wait_until([&] { return where("keep").empty() || !where("stop").empty(); },
             kTtl * leases_without_store());
  EXPECT_THAT(where("keep"), ElementsAre(place));
  EXPECT_TRUE(where("stop").empty());

  cluster().network().mend_all();
  EXPECT_TRUE(wait_with_one("stop", [&] { return where("stop").size() == 1; })) << cluster().logs();
  ASSERT_TRUE(cluster().wait_until_whole()) << cluster().logs();
  expect_work_goes_on("after");
  EXPECT_TRUE(wait_for_starts({"keep", "had", "after"}, {1, 2, 1})) << cluster().logs();
}

TEST_F(EtcdTest, RestartingAllMembersStopsNothing) {
  start("a");
  ASSERT_NE(place_of("a"), Cluster::kHosts);
  for (int member = 0; member < EtcdMembers::kCount; ++member) etcd().kill(member);
  for (int member = 0; member < EtcdMembers::kCount; ++member) etcd().start(member);
  ASSERT_GE(wait_for_leader(), 0);
  ASSERT_TRUE(cluster().wait_until_whole()) << cluster().logs();
  expect_work_goes_on("b");
  EXPECT_THAT(starts({"a", "b"}), ElementsAre(1, 1)) << cluster().logs();
}

TEST_F(EtcdTest, DaemonsThatRunLeaveARegistryOfANewerVersionAloneAndKeepTheirUnits) {
  start("a");
  const size_t place = place_of("a");
  ASSERT_NE(place, Cluster::kHosts);
  ASSERT_NE(cluster().leader(), Cluster::kHosts);
  const auto count = [](const char* prefix) {
    const std::string keys = etcd().ctl({"get", "--prefix", prefix, "--keys-only"}).out;
    return std::count(keys.begin(), keys.end(), '/');
  };
  std::array<size_t, Cluster::kHosts> from{};
  for (size_t i = 0; i < Cluster::kHosts; ++i) from[i] = host(i).log().size();
  ASSERT_EQ(etcd().ctl({"put", "/flotilla/format", R"({"major":2,"minor":0})"}).exit_code, 0);
  for (size_t i = 0; i < Cluster::kHosts; ++i) {
    EXPECT_TRUE(wait_until([&] {
      return says(host(i), from[i],
                  "the store was written by a newer version (format 2.0); this version knows 1.0: "
                  "this machine keeps its units as they are");
    })) << host(i).log();
  }
  EXPECT_TRUE(wait_until([&] { return count("/flotilla/leader") == 0; })) << cluster().logs();
  cluster().write_unit("late", {});
  const Outcome refused = host(0).fleetctl({"start", "--no-block", "late.service"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("the store was written by a newer version"));
  // It goes on so.
  wait_until([&] { return where("a").empty() || count("/flotilla/leader") != 0; }, 2 * kTtl);
  EXPECT_THAT(where("a"), ElementsAre(place));
  EXPECT_EQ(count("/flotilla/leader"), 0);

  ASSERT_EQ(etcd().ctl({"put", "/flotilla/format", R"({"major":1,"minor":0})"}).exit_code, 0);
  ASSERT_TRUE(cluster().wait_until_whole()) << cluster().logs();
  expect_work_goes_on("late");
  EXPECT_THAT(starts({"a", "late"}), ElementsAre(1, 1)) << cluster().logs();
}

TEST_F(EtcdTest, CompactionAndDefragmentationUnderLoadAreNotNoticed) {
  std::vector<std::string> names;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) {
      names.push_back("n" + std::to_string(round * 3 + i));
      start(names.back());
    }
    const std::string put = etcd().ctl({"put", "/elsewhere", "x", "--write-out=json"}).out;
    const size_t at = put.find("\"revision\":");
    ASSERT_NE(at, std::string::npos) << put;
    const std::string revision = std::to_string(std::atoll(put.c_str() + at + 11));
    EXPECT_EQ(etcd().ctl({"compact", revision}).exit_code, 0);
    EXPECT_EQ(etcd().ctl({"defrag"}).exit_code, 0);
  }
  for (const std::string& name : names) {
    EXPECT_NE(place_of(name), Cluster::kHosts) << name << cluster().logs();
  }
  EXPECT_THAT(starts(names), testing::Each(1)) << cluster().logs();
}

TEST_F(EtcdTest, AFullStoreIsToldOfUnitsRunOnAndWorkGoesOnWhenThereIsRoom) {
  start("a");
  ASSERT_NE(place_of("a"), Cluster::kHosts);
  CommandOptions options;
  options.input = std::string(40'000, 'x');
  const std::string put = "etcdctl --endpoints=" + EtcdMembers::urls() + " put /filler/";
  ASSERT_TRUE(wait_until([&] {
    static int number = 0;
    std::string text;
    for (int i = 0; i < 40; ++i)
      text += "head -c 1000000 /dev/zero | tr '\\0' x | " + put + std::to_string(number++) + "; ";
    const Outcome filled = run_command({"sh", "-c", "ETCDCTL_API=3; export ETCDCTL_API; " + text});
    return filled.err.find("database space exceeded") != std::string::npos;
  }));
  cluster().write_unit("late", {});
  const Outcome refused = cluster().fleetctl({"start", "--no-block", "late.service"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("its database is full (NOSPACE alarm)"));

  EXPECT_EQ(etcd().ctl({"del", "--prefix", "/filler/"}).exit_code, 0);
  const std::string status = etcd().ctl({"get", "/none", "--write-out=json"}).out;
  const size_t at = status.find("\"revision\":");
  ASSERT_NE(at, std::string::npos) << status;
  etcd().ctl({"compact", std::to_string(std::atoll(status.c_str() + at + 11))});
  EXPECT_EQ(etcd().ctl({"defrag"}).exit_code, 0);
  EXPECT_EQ(etcd().ctl({"alarm", "disarm"}).exit_code, 0);
  expect_work_goes_on("late");
  EXPECT_THAT(starts({"a", "late"}), ElementsAre(1, 1)) << cluster().logs();
}

}  // namespace
}  // namespace flotilla::system_test
