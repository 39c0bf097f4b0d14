#include "agent/lease_record.h"

#include <gtest/gtest.h>

namespace flotilla::agent {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;

const LeaseRecord kRecord{"a0b1-c2", {base::Micros(123'456'789)}, 30s};

TEST(LeaseRecord, ReadsWhatItWrote) {
  EXPECT_EQ(decode_lease_record(encode(kRecord)), kRecord);
  EXPECT_EQ(kRecord.closes_at() - kRecord.acknowledged, 20s);
  EXPECT_EQ(kRecord.kills_at() - kRecord.acknowledged, 27'500'000us);
  EXPECT_FALSE(kRecord.is_released());
}

TEST(LeaseRecord, EachIsAsLongAsTheNextSoThatOneWriteReplacesIt) {
  const LeaseRecord later{kRecord.boot_id, {base::Micros(99'123'456'789)}, 0s};
  EXPECT_EQ(encode(kRecord).size(), encode(later).size());
  EXPECT_TRUE(decode_lease_record(encode(later))->is_released());
}

TEST(LeaseRecord, NothingButAWholeRecordIsOne) {
  const std::string good = encode(kRecord);
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(decode_lease_record(good.substr(0, length))) << length;
  }
  for (size_t i = 0; i + 1 < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == '7' ? '8' : '7';
    EXPECT_FALSE(decode_lease_record(bad)) << bad;
  }
  EXPECT_FALSE(decode_lease_record(good + "x"));
  EXPECT_FALSE(decode_lease_record("flotilla-lease 1 \n"));
  EXPECT_FALSE(decode_lease_record(std::string(10'000, ' ')));
}

}  // namespace
}  // namespace flotilla::agent
