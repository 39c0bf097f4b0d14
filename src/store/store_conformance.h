// The suite every Store passes. The tests are in store_conformance_*_test.cc; an implementation
// joins with a StoreHarness and one line in its own test:
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance, testing::Values(&make_memory_harness), ...)
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"

namespace flotilla::store {

// A store to test and the world it lives in.
class StoreHarness {
 public:
  virtual ~StoreHarness() = default;
  virtual Store& store() = 0;
  // Closes the store and opens it again. Returns false if this store does not outlive that.
  virtual bool reopen() = 0;
  // Runs the loop until `fact` holds. Returns false when that takes unreasonably long.
  virtual bool run_until(const std::function<bool()>& fact) = 0;
  // Lets lease time pass.
  virtual void pass(base::Micros time) = 0;
  // A time for leases that are to end in a test, in seconds; and how much of a lease's time may
  // pass for sure without ending it.
  virtual int64_t lease_seconds() const { return 10; }
  virtual base::Micros most_of(std::chrono::seconds ttl) const {
    return ttl - std::chrono::seconds(1);
  }
};

using MakeHarness = std::unique_ptr<StoreHarness> (*)();

// What a watch told, in order.
struct WatchLog {
  std::vector<WatchBatch> batches;
  std::vector<Event> events;
  std::optional<Revision> compacted;
  std::optional<base::Error> lost;
  base::RegistrationPtr registration;

  Revision delivered() const { return batches.empty() ? 0 : batches.back().revision; }
};

class StoreConformance : public testing::TestWithParam<MakeHarness> {
 protected:
  StoreConformance() : harness_(GetParam()()) {}

  Store& store() { return harness_->store(); }

  // Makes one call and runs the loop until it is answered.
  template <typename T, typename Call>
  base::Result<T> await(Call call) {
    std::optional<base::Result<T>> answer;
    bool is_inside = true;
    call([&](base::Result<T> result) {
      EXPECT_FALSE(is_inside) << "answered from inside the call";
      EXPECT_FALSE(answer.has_value()) << "answered twice";
      answer.emplace(std::move(result));
    });
    is_inside = false;
    if (!harness_->run_until([&] { return answer.has_value(); })) {
      ADD_FAILURE() << "never answered";
      return base::timed_out("never answered");
    }
    return std::move(*answer);
  }

  base::Result<RangeResponse> range(RangeRequest request) {
    return await<RangeResponse>(
        [&](auto done) { store().range(std::move(request), std::move(done)); });
  }
  base::Result<TxnResponse> txn(TxnRequest request) {
    return await<TxnResponse>([&](auto done) { store().txn(std::move(request), std::move(done)); });
  }
  base::Result<LeaseGrant> grant(int64_t seconds) {
    return await<LeaseGrant>(
        [&](auto done) { store().grant_lease(std::chrono::seconds(seconds), std::move(done)); });
  }
  base::Result<LeaseGrant> keep_alive(LeaseId lease) {
    return await<LeaseGrant>([&](auto done) { store().keep_alive(lease, std::move(done)); });
  }
  base::Result<Revision> revoke(LeaseId lease) {
    return await<Revision>([&](auto done) { store().revoke_lease(lease, std::move(done)); });
  }
  base::Result<Revision> compact(Revision revision) {
    return await<Revision>([&](auto done) { store().compact(revision, std::move(done)); });
  }

  // Shorthands that expect success.
  Revision put(const std::string& key, const std::string& value, LeaseId lease = 0) {
    auto response = txn({{}, {PutOp{key, value, lease}}, {}});
    EXPECT_TRUE(response) << response.error().message;
    return response ? response->revision : 0;
  }
  Revision erase(const std::string& key, const std::string& range_end = "") {
    auto response = txn({{}, {DeleteRangeOp{key, range_end}}, {}});
    EXPECT_TRUE(response) << response.error().message;
    return response ? response->revision : 0;
  }
  std::vector<KeyValue> all() {
    auto response = range({std::string(kToLastKey), std::string(kToLastKey)});
    EXPECT_TRUE(response) << response.error().message;
    return response ? response->kvs : std::vector<KeyValue>();
  }
  Revision revision() {
    auto response = range({"a"});
    EXPECT_TRUE(response) << response.error().message;
    return response ? response->revision : 0;
  }
  std::optional<KeyValue> get(const std::string& key) {
    auto response = range({key});
    EXPECT_TRUE(response) << response.error().message;
    if (!response || response->kvs.empty()) return std::nullopt;
    return response->kvs[0];
  }
  LeaseId lease_of(int64_t seconds) {
    auto granted = grant(seconds);
    EXPECT_TRUE(granted) << granted.error().message;
    return granted ? granted->lease : 0;
  }
  // Answered after all writes made before it.
  void barrier() { ASSERT_TRUE(txn({})); }
  void run_until(const std::function<bool()>& fact) { ASSERT_TRUE(harness_->run_until(fact)); }

  std::unique_ptr<WatchLog> watch(WatchRequest request) {
    auto log = std::make_unique<WatchLog>();
    WatchLog* to = log.get();
    WatchHandler handler;
    handler.on_events = [to](const WatchBatch& batch) {
      to->batches.push_back(batch);
      to->events.insert(to->events.end(), batch.events.begin(), batch.events.end());
    };
    handler.on_compacted = [to](Revision revision) { to->compacted = revision; };
    handler.on_lost = [to](const base::Error& error) { to->lost = error; };
    log->registration = store().watch(std::move(request), std::move(handler));
    return log;
  }

  std::unique_ptr<StoreHarness> harness_;
};

// "put a=1@2", "delete a@3": one event in a form a test can write down.
inline std::string text_of(const Event& event) {
  return event.type == EventType::kPut
             ? fmt::format("put {}={}@{}", event.kv.key, event.kv.value, event.kv.mod_revision)
             : fmt::format("delete {}@{}", event.kv.key, event.kv.mod_revision);
}

inline std::vector<std::string> texts_of(const std::vector<Event>& events) {
  std::vector<std::string> texts;
  texts.reserve(events.size());
  for (const Event& event : events) texts.push_back(text_of(event));
  return texts;
}

}  // namespace flotilla::store
