#include "direct/version_warning.h"

#include <gtest/gtest.h>

namespace flotilla::direct {
namespace {

std::vector<registry::Machine> machines_of(const std::vector<std::string>& versions) {
  std::vector<registry::Machine> machines;
  for (const std::string& version : versions) machines.emplace_back().version = version;
  return machines;
}

TEST(VersionWarning, NamesTheNewestDaemonIfItIsNewer) {
  EXPECT_EQ(version_warning(machines_of({"1.0.1", "9.9.9", "2.0.0"}), "1.0.0"),
            "####################################################################\n"
            "WARNING: fleetctl (1.0.0) is older than the latest registered\n"
            "version of fleet found in the cluster (9.9.9). You are strongly\n"
            "recommended to upgrade fleetctl to prevent incompatibility issues.\n"
            "####################################################################\n");
}

TEST(VersionWarning, SaysNothingOfOlderAndOfStrangeOnes) {
  EXPECT_EQ(version_warning(machines_of({}), "1.0.0"), std::nullopt);
  EXPECT_EQ(version_warning(machines_of({"1.0.0", "0.9.10"}), "1.0.0"), std::nullopt);
  for (const char* strange : {"", "v9.0.0", "9", "9.0", "9.0.0.0", "9.x.0", "9..0", "-", "9.0."}) {
    EXPECT_EQ(version_warning(machines_of({strange}), "1.0.0"), std::nullopt) << strange;
    EXPECT_EQ(version_warning(machines_of({"9.0.0"}), strange), std::nullopt) << strange;
  }
  EXPECT_TRUE(version_warning(machines_of({"1.10.0-rc1"}), "1.9.0"));
}

}  // namespace
}  // namespace flotilla::direct
