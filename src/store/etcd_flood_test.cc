#include "store/etcd_flood.h"

#include <gtest/gtest.h>

namespace flotilla::store {
namespace {

using namespace std::chrono_literals;

struct EtcdFloodTest : testing::Test {
  EtcdFloodTest() { flood.on_stream(now); }
  bool tell(size_t messages, base::Micros apart, size_t events = 1) {
    for (size_t i = 0; i < messages; ++i) {
      now = now + apart;
      if (flood.on_message(now, events)) return true;
    }
    return false;
  }
  void rest() {
    now = now + kFloodRest;
    flood.on_stream(now);
  }
  base::MonotonicTime now{100s};
  EtcdFlood flood;
};

TEST_F(EtcdFloodTest, FewMessagesASecondAreHeardOneByOne) { EXPECT_FALSE(tell(5000, 4ms)); }

TEST_F(EtcdFloodTest, AShortBurstIsHeardOneByOne) {
  EXPECT_FALSE(tell(499, 100us));
  now = now + 1s;
  EXPECT_FALSE(tell(499, 100us));
}

TEST_F(EtcdFloodTest, HundredsASecondAreWorthARest) {
  EXPECT_FALSE(tell(499, 1ms));
  EXPECT_TRUE(tell(1, 1ms));
}

TEST_F(EtcdFloodTest, AfterARestWhatHasGatheredIsHeardAndTheNextRestFollows) {
  ASSERT_TRUE(tell(500, 1ms));
  rest();
  EXPECT_FALSE(tell(3, 1ms, 300));
  EXPECT_TRUE(tell(1, 1ms));
}

TEST_F(EtcdFloodTest, WhereLittleHasGatheredTheFloodIsOver) {
  ASSERT_TRUE(tell(500, 1ms));
  rest();
  EXPECT_FALSE(tell(1, 1ms, 100));
  EXPECT_FALSE(tell(99, 1ms));
  EXPECT_FALSE(tell(400, 1ms));
}

TEST_F(EtcdFloodTest, AMessageThatComesLongAfterIsNoPartOfIt) {
  ASSERT_TRUE(tell(500, 1ms));
  rest();
  EXPECT_FALSE(tell(1, 1ms, 300));
  now = now + 1s;
  EXPECT_FALSE(tell(1, 1ms));
}

}  // namespace
}  // namespace flotilla::store
