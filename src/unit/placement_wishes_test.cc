#include "unit/placement_wishes.h"

#include <gtest/gtest.h>

#include "unit/fleet_requirements.h"

namespace flotilla::unit {
namespace {

std::string why_not(std::string_view key, std::string_view value) {
  PlacementWishes wishes;
  const base::Status status = read_placement_wish(key, value, wishes);
  EXPECT_TRUE(status.has_value() || wishes == PlacementWishes{});
  return status ? "" : status.error().message;
}

TEST(PlacementWishes, AreReadFromTheSection) {
  const auto wants = extract_requirements({{"X-Fleet", "Weight", "3"},
                                           {"X-Fleet", "MaxPerMachine", "2"},
                                           {"X-Fleet", "Spread", "zone"},
                                           {"X-Fleet", "Prefer", "\"disk=ssd\" \"ram>=16G\""},
                                           {"X-Fleet", "CPU", "0.5"},
                                           {"X-Fleet", "Memory", "1G"},
                                           {"X-Fleet", "Disk", "10G"},
                                           {"X-Fleet", "OnPartition", "stop"},
                                           {"X-Fleet", "RescheduleOnFailure", "5"},
                                           {"Service", "Weight", "9"}},
                                          "a.service");
  EXPECT_EQ(wants.wishes.weight, 3u);
  EXPECT_EQ(wants.wishes.max_per_machine, 2u);
  EXPECT_EQ(wants.wishes.spread, "zone");
  ASSERT_EQ(wants.wishes.prefer.size(), 2u);
  EXPECT_EQ(wants.wishes.prefer[0].first, "disk");
  EXPECT_EQ(wants.wishes.prefer[1].second.op, MetadataRule::Op::kGreaterEqual);
  EXPECT_EQ(wants.wishes.cpu_millis, 500u);
  EXPECT_EQ(wants.wishes.memory_bytes, uint64_t{1} << 30);
  EXPECT_EQ(wants.wishes.disk_bytes, uint64_t{10} << 30);
  EXPECT_TRUE(wants.wishes.stops_on_partition);
  EXPECT_EQ(wants.wishes.reschedules, 5u);
  EXPECT_TRUE(wants.unknown.empty());
  EXPECT_EQ(extract_requirements({{"X-Fleet", "Global", "true"}}, "a.service").wishes,
            PlacementWishes{});
}

TEST(PlacementWishes, SayWhatIsExpected) {
  EXPECT_EQ(why_not("Weight", "0"), "Weight=: expected a number from 1 to 1000000, got \"0\"");
  EXPECT_EQ(why_not("Weight", "2x"), "Weight=: expected a number from 1 to 1000000, got \"2x\"");
  EXPECT_EQ(why_not("CPU", "-1"), "CPU=: expected processors like 2, 0.5 or 500m, got \"-1\"");
  EXPECT_EQ(why_not("CPU", "250m"), "");
  EXPECT_EQ(why_not("CPU", "m"), "CPU=: expected processors like 2, 0.5 or 500m, got \"m\"");
  EXPECT_EQ(why_not("Memory", "lots"), "Memory=: expected a size like 512M or 2G, got \"lots\"");
  EXPECT_EQ(why_not("Spread", ""), "Spread=: expected a metadata key, got \"\"");
  EXPECT_EQ(why_not("Prefer", "ssd"), "Prefer=: expected a term like disk=ssd, got \"ssd\"");
  EXPECT_EQ(why_not("Prefer", "ram>="), "invalid Prefer \"ram>=\": the value is missing");
  EXPECT_EQ(why_not("RescheduleOnFailure", "often"),
            "RescheduleOnFailure=: expected a number from 1 to 1000000, got \"often\"");
  EXPECT_EQ(why_not("OnPartition", "die"), "OnPartition=: expected keep or stop, got \"die\"");
}

TEST(PlacementWishes, AreRefusedWhenSubmittedAndDoNothingInWhatIsThereAlready) {
  const base::Status status = validate_fleet_options({{"X-Fleet", "Weight", "many"}});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "Weight=: expected a number from 1 to 1000000, got \"many\"");
  EXPECT_EQ(extract_requirements({{"X-Fleet", "Weight", "many"}}, "a.service").wishes.weight, 1u);
}

}  // namespace
}  // namespace flotilla::unit
