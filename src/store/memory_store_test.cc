#include "store/memory_store.h"

#include <gtest/gtest.h>

#include "store/store_conformance.h"
#include "store/waiting_loop.h"

namespace flotilla::store {
namespace {

class MemoryHarness final : public StoreHarness {
 public:
  Store& store() override { return *store_; }
  bool reopen() override { return false; }
  bool run_until(const std::function<bool()>& fact) override {
    loop_.settle();
    return fact();  // nothing comes from elsewhere: what is not true now never will be
  }
  void pass(base::Micros time) override { loop_.advance(time); }

 private:
  WaitingLoop loop_;
  std::unique_ptr<Store> store_ = make_memory_store(loop_);
};

std::unique_ptr<StoreHarness> make_memory_harness() { return std::make_unique<MemoryHarness>(); }

INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance, testing::Values(&make_memory_harness),
                         [](const auto&) { return "memory"; });

TEST(MemoryStore, HasNoTimerWithoutLeases) {
  WaitingLoop loop;
  auto store = make_memory_store(loop);
  EXPECT_EQ(loop.armed_timers(), 0U);
  LeaseId lease = 0;
  store->grant_lease(std::chrono::seconds(5), [&](const auto& granted) { lease = granted->lease; });
  loop.settle();
  EXPECT_EQ(loop.armed_timers(), 1U);
  store->revoke_lease(lease, [](const auto&) {});
  loop.settle();
  EXPECT_EQ(loop.armed_timers(), 0U);
}

TEST(MemoryStore, DropsWhatIsDueWhenItIsDestroyedEvenByACallback) {
  WaitingLoop loop;
  auto store = make_memory_store(loop);
  int called = 0;
  WatchHandler handler;
  handler.on_events = [&](const WatchBatch&) { ++called; };
  auto registration = store->watch({"k"}, std::move(handler));
  store->txn({{}, {PutOp{"k", "", 0}}, {}}, [&](const auto&) {
    ++called;
    store.reset();
  });
  store->txn({}, [&](const auto&) { ++called; });
  store->range({"k"}, [&](const auto&) { ++called; });
  loop.settle();
  EXPECT_EQ(called, 1);
  registration.reset();
}

}  // namespace
}  // namespace flotilla::store
