#include "store/gated_store.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "base/fake_event_loop.h"
#include "store/memory_store.h"

namespace flotilla::store {
namespace {

using std::chrono_literals::operator""s;

struct GatedStoreTest : testing::Test {
  static TxnRequest put(const std::string& key) {
    TxnRequest txn;
    txn.then_ops.emplace_back(PutOp{key, "x"});
    return txn;
  }
  base::Result<TxnResponse> send(Store& to, TxnRequest txn) {
    base::Result<TxnResponse> answer = base::invalid("no answer");
    to.txn(std::move(txn), [&](auto result) { answer = std::move(result); });
    loop.settle();
    return answer;
  }
  // Hears the keys that are put below "/".
  base::RegistrationPtr listen() {
    WatchHandler handler;
    handler.on_events = [this](const WatchBatch& batch) {
      for (const Event& event : batch.events) heard.push_back(event.kv.key);
    };
    handler.on_lost = [this](const base::Error& error) { lost = error.message; };
    WatchRequest request;
    request.key = "/";
    request.range_end = prefix_end("/");
    return gate.watch(std::move(request), std::move(handler));
  }

  base::FakeEventLoop loop;
  std::unique_ptr<Store> inner = make_memory_store(loop);
  GatedStore gate{*inner, loop};
  std::vector<std::string> heard;
  std::string lost;
};

TEST_F(GatedStoreTest, ShutItLetsNothingThroughButKeepAlivesAndWhatMayPass) {
  std::optional<LeaseGrant> lease;
  gate.grant_lease(10s, [&](auto grant) { lease = *grant; });
  loop.settle();
  ASSERT_TRUE(lease);
  gate.shut("newer", [](const TxnRequest& txn) { return txn.then_ops.size() == 2; });
  const auto refused = send(gate, put("/a"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Errc::kUnavailable);
  EXPECT_EQ(refused.error().message, "newer");
  TxnRequest passing = put("/b");
  passing.then_ops.emplace_back(PutOp{"/c", "x"});
  EXPECT_TRUE(send(gate, std::move(passing)));
  int kept = 0;
  int denied = 0;
  gate.keep_alive(lease->lease, [&](auto grant) { kept += grant ? 1 : 0; });
  gate.grant_lease(10s, [&](auto grant) { denied += grant ? 0 : 1; });
  gate.range({.key = "/b"}, [&](auto range) { denied += range ? 0 : 1; });
  EXPECT_EQ(denied, 0) << "no answer comes inside the call";
  loop.settle();
  EXPECT_EQ(kept, 1);
  EXPECT_EQ(denied, 2);
}

TEST_F(GatedStoreTest, WatchesAreSilentWhileItIsShutAndLostWhenItIsOpened) {
  auto watch = listen();
  ASSERT_TRUE(send(gate, put("/a")));
  gate.shut("newer", {});
  auto late = listen();
  ASSERT_TRUE(send(*inner, put("/b")));
  EXPECT_EQ(heard, std::vector<std::string>{"/a"});
  EXPECT_EQ(lost, "");
  gate.open();
  loop.settle();
  EXPECT_EQ(lost, "newer");
  EXPECT_EQ(heard, std::vector<std::string>{"/a"});
  EXPECT_TRUE(send(gate, put("/c")));
}

TEST_F(GatedStoreTest, AWatchThatHasEndedHearsNothingOfItsOpening) {
  auto watch = listen();
  gate.shut("newer", {});
  gate.open();
  watch.reset();
  loop.settle();
  EXPECT_EQ(lost, "");
}

}  // namespace
}  // namespace flotilla::store
