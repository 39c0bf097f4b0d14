// What becomes of units when machines die, or are cut off.
#include "cluster/cluster_fixture.h"

namespace flotilla::system_test {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class MachinesTest : public ClusterTest {};

TEST_F(MachinesTest, TheUnitsOfAMachineThatLosesPowerRunElsewhere) {
  const std::vector<std::string> names{"a", "b", "c", "d", "e"};
  for (const std::string& name : names) start(name, name == "e" ? "OnPartition=stop\n" : "");
  for (const std::string& name : names) ASSERT_NE(place_of(name), Cluster::kHosts);
  const size_t dead = place_of("e");
  std::vector<std::string> lost, others;
  for (const std::string& name : names) (place_of(name) == dead ? lost : others).push_back(name);

  host(dead).power_off();
  EXPECT_TRUE(wait_with_one("e", [&] {
    return std::all_of(names.begin(), names.end(),
                       [&](const std::string& name) { return where(name).size() == 1; });
  })) << cluster().logs();
  host(dead).power_on();
  ASSERT_TRUE(cluster().wait_until_whole()) << cluster().logs();
  for (const std::string& name : names) EXPECT_THAT(where(name), SizeIs(1)) << name;
  EXPECT_TRUE(wait_for_starts(lost, std::vector<size_t>(lost.size(), 2)));
  EXPECT_THAT(starts(others), testing::Each(1));
}

TEST_F(MachinesTest, AMachineThatIsCutOffStopsWhatMustNotRunTwiceAndKeepsTheRest) {
  start("keep", "MachineMetadata=name=d\nMachineMetadata=name=e\n");
  const size_t cut = place_of("keep");
  ASSERT_NE(cut, Cluster::kHosts);
  start("stop", "MachineOf=keep.service\nOnPartition=stop\n");
  ASSERT_EQ(place_of("stop"), cut) << cluster().logs();

  host(cut).cut();
  // Stopped here before it is started there; the other runs on here and there.
  EXPECT_TRUE(wait_with_one("stop", [&] {
    return where("keep").size() == 2 && where("stop").size() == 1 && where("stop").front() != cut;
  })) << cluster().logs();
  EXPECT_EQ(host(cut).starts("keep"), 1U);
  EXPECT_EQ(host(cut).running("keep"), 1U);

  host(cut).mend();
  EXPECT_TRUE(wait_with_one("stop", [&] { return where("keep").size() == 1; })) << cluster().logs();
  EXPECT_NE(where("keep").front(), cut);
  ASSERT_TRUE(cluster().wait_until_whole()) << cluster().logs();
  EXPECT_TRUE(wait_for_starts({"keep", "stop"}, {2, 2})) << cluster().logs();
}

TEST_F(MachinesTest, TwoMachinesWithOneIdAreToldApartAndTheSecondRefuses) {
  Host second(cluster().network(), cluster().folder(), "twin", 31, host(0).id(), kTtl);
  second.power_on();
  EXPECT_TRUE(wait_until([&] {
    return second.log().find("is in use by another machine: here " + second.ip()) !=
           std::string::npos;
  })) << second.log();
  EXPECT_THAT(second.log(), HasSubstr(", there " + host(0).ip()));
  second.power_off();
  EXPECT_TRUE(cluster().wait_until_whole());
}

}  // namespace
}  // namespace flotilla::system_test
