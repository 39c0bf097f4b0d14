#include "store/faulty_store.h"

#include <gtest/gtest.h>

#include "store/memory_store.h"
#include "store/store_conformance.h"
#include "store/waiting_loop.h"

namespace flotilla::store {
namespace {

using base::Errc;
using std::chrono::seconds;

// Without a fault it is the store it wraps.
class FaultyHarness final : public StoreHarness {
 public:
  Store& store() override { return store_; }
  bool reopen() override { return false; }
  bool run_until(const std::function<bool()>& fact) override {
    loop_.settle();
    return fact();
  }
  void pass(base::Micros time) override { loop_.advance(time); }

 private:
  WaitingLoop loop_;
  std::unique_ptr<Store> inner_ = make_memory_store(loop_);
  FaultyStore store_{*inner_, loop_};
};

std::unique_ptr<StoreHarness> make_faulty_harness() { return std::make_unique<FaultyHarness>(); }

INSTANTIATE_TEST_SUITE_P(Faulty, StoreConformance, testing::Values(&make_faulty_harness),
                         [](const auto&) { return "faultless"; });

class FaultyStoreTest : public testing::Test {
 protected:
  std::optional<Errc> put(const std::string& key) {
    std::optional<Errc> failed;
    bool answered = false;
    store_.txn({{}, {PutOp{key, "v", 0}}, {}}, [&](const base::Result<TxnResponse>& response) {
      answered = true;
      if (!response) failed = response.error().code;
    });
    loop_.settle();
    EXPECT_TRUE(answered);
    return failed;
  }
  bool is_there(const std::string& key) {
    bool found = false;
    inner_->range({key}, [&](const auto& response) { found = response->count == 1; });
    loop_.settle();
    return found;
  }

  WaitingLoop loop_;
  std::unique_ptr<Store> inner_ = make_memory_store(loop_);
  FaultyStore store_{*inner_, loop_};
};

TEST_F(FaultyStoreTest, ALostAnswerWasApplied) {
  store_.lose_answers(1);
  EXPECT_EQ(put("a"), Errc::kTimedOut);
  EXPECT_TRUE(is_there("a"));
  EXPECT_EQ(put("b"), std::nullopt);
}

TEST_F(FaultyStoreTest, ARefusedCallWasNot) {
  store_.refuse_calls(1);
  EXPECT_EQ(put("a"), Errc::kUnavailable);
  EXPECT_FALSE(is_there("a"));
  EXPECT_EQ(put("a"), std::nullopt);
}

TEST_F(FaultyStoreTest, ADelayedAnswerComesWhenItsTimeHasPassed) {
  store_.delay_answers(seconds(3));
  bool answered = false;
  store_.range({"k"}, [&](const auto&) { answered = true; });
  loop_.advance(seconds(2));
  EXPECT_FALSE(answered);
  loop_.advance(seconds(1));
  EXPECT_TRUE(answered);
  EXPECT_EQ(loop_.armed_timers(), 0U);
}

TEST_F(FaultyStoreTest, ADroppedWatchIsToldAndCanResume) {
  std::vector<std::string> seen;
  int lost = 0;
  Revision next = 1;
  base::RegistrationPtr registration;
  std::function<void()> connect = [&] {
    WatchHandler handler;
    handler.on_events = [&](const WatchBatch& batch) {
      for (const Event& event : batch.events) seen.push_back(event.kv.key);
      next = batch.revision + 1;
    };
    handler.on_lost = [&](const base::Error& error) {
      EXPECT_EQ(error.code, Errc::kUnavailable);
      ++lost;
      connect();
    };
    registration = store_.watch({"k", prefix_end("k"), next}, std::move(handler));
  };
  connect();
  put("k1");
  store_.drop_watches();
  put("k2");
  store_.partition();
  EXPECT_EQ(put("k3"), Errc::kUnavailable);
  inner_->txn({{}, {PutOp{"k4", "", 0}}, {}}, [](const auto&) {});
  loop_.settle();
  EXPECT_EQ(seen, (std::vector<std::string>{"k1", "k2"}));
  store_.heal();
  loop_.settle();
  EXPECT_EQ(seen, (std::vector<std::string>{"k1", "k2", "k4"}));
  EXPECT_EQ(lost, 2);
  EXPECT_EQ(store_.live_watches(), 1U);
}

}  // namespace
}  // namespace flotilla::store
