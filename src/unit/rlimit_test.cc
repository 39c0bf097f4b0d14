#include "unit/rlimit.h"

#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

std::string read(const char* key, const char* text) {
  const auto limit = parse_rlimit(find_rlimit(key).value(), text);
  if (!limit) return "refused";
  const auto show = [](rlim_t value) {
    return value == RLIM_INFINITY ? std::string("infinity") : std::to_string(value);
  };
  return show(limit->rlim_cur) + ":" + show(limit->rlim_max);
}

TEST(Rlimit, ReadsEachKindOfLimit) {
  const struct {
    const char* key;
    const char* text;
    const char* limit;
  } cases[] = {{"LimitNOFILE", "1024", "1024:1024"},
               {"LimitNOFILE", "1024:4096", "1024:4096"},
               {"LimitNOFILE", "1024:infinity", "1024:infinity"},
               {"LimitNOFILE", "infinity", "infinity:infinity"},
               {"LimitNOFILE", "4096:1024", "refused"},
               {"LimitNOFILE", "infinity:5", "refused"},
               {"LimitNOFILE", "1K", "refused"},
               {"LimitNOFILE", "-1", "refused"},
               {"LimitNOFILE", "", "refused"},
               {"LimitNOFILE", ":", "refused"},
               {"LimitAS", "4G:16G", "4294967296:17179869184"},
               {"LimitCORE", "0", "0:0"},
               {"LimitCPU", "5", "5:5"},
               {"LimitCPU", "1min", "60:60"},
               {"LimitCPU", "500ms:2s", "1:2"},
               {"LimitCPU", "infinity", "infinity:infinity"},
               {"LimitRTTIME", "5", "5:5"},
               {"LimitRTTIME", "5ms", "5000:5000"},
               {"LimitNICE", "+5", "15:15"},
               {"LimitNICE", "-5", "25:25"},
               {"LimitNICE", "-20:-20", "40:40"},
               {"LimitNICE", "0", "0:0"},
               {"LimitNICE", "40", "40:40"},
               {"LimitNICE", "41", "refused"},
               {"LimitNICE", ":5", "refused"},
               {"LimitNICE", "5:", "refused"},
               {"LimitNICE", "3:+5", "3:15"},
               {"LimitNICE", "infinity", "refused"},
               {"LimitNICE", "+20", "refused"}};
  for (const auto& c : cases) EXPECT_EQ(read(c.key, c.text), c.limit) << c.key << "=" << c.text;
}

TEST(Rlimit, ANumberHasNoBlanksAroundIt) {
  EXPECT_FALSE(parse_rlimit(RLIMIT_NOFILE, "7 : 8"));
  EXPECT_FALSE(parse_rlimit(RLIMIT_NICE, "7 : 8"));
  ASSERT_TRUE(parse_rlimit(RLIMIT_CORE, "7 : 8"));
  EXPECT_EQ(parse_rlimit(RLIMIT_CORE, "7 : 8")->rlim_max, 8u);
}

TEST(Rlimit, KnowsEveryLimitByName) {
  for (int resource = 0; resource < kRlimitCount; ++resource) {
    EXPECT_EQ(find_rlimit("Limit" + std::string(rlimit_name(resource))), resource);
  }
  EXPECT_EQ(find_rlimit("LimitFOO"), std::nullopt);
  EXPECT_EQ(find_rlimit("NOFILE"), std::nullopt);
}

}  // namespace
}  // namespace flotilla::unit
