// What every store does with watches.
#include <map>

#include "store/store_conformance.h"

namespace flotilla::store {
namespace {

using base::Errc;
using testing::ElementsAre;

const std::string kAll(kToLastKey);

TEST_P(StoreConformance, AWatchTellsEachChangeInItsRangeOnce) {
  const Revision now = revision();
  auto log = watch({"a/", prefix_end("a/"), now + 1});
  const Revision one = put("a/1", "x");
  put("b/1", "y");
  const Revision two = put("a/1", "z");
  const Revision three = erase("a/1");
  run_until([&] { return log->events.size() >= 3; });
  EXPECT_THAT(texts_of(log->events),
              ElementsAre(fmt::format("put a/1=x@{}", one), fmt::format("put a/1=z@{}", two),
                          fmt::format("delete a/1@{}", three)));
  EXPECT_EQ(log->events[1].kv.version, 2);
  EXPECT_EQ(log->events[1].kv.create_revision, one);
  EXPECT_EQ(log->events[2].kv, (KeyValue{"a/1", "", 0, three, 0, 0}));
  EXPECT_FALSE(log->events[1].prev_kv.has_value());
}

TEST_P(StoreConformance, AWatchFromAPastRevisionReplaysHistory) {
  put("k", "0");
  const Revision from = put("k", "1");
  put("other", "");
  const Revision gone = erase("k");
  auto log = watch({"k", "", from});
  run_until([&] { return log->events.size() >= 2; });
  const Revision later = put("k", "2");
  run_until([&] { return log->events.size() >= 3; });
  EXPECT_THAT(texts_of(log->events),
              ElementsAre(fmt::format("put k=1@{}", from), fmt::format("delete k@{}", gone),
                          fmt::format("put k=2@{}", later)));
}

TEST_P(StoreConformance, AWatchFromNowSeesNothingOld) {
  put("k", "old");
  auto log = watch({"k"});
  barrier();
  barrier();
  const Revision at = put("k", "new");
  run_until([&] { return !log->events.empty(); });
  EXPECT_THAT(texts_of(log->events), ElementsAre(fmt::format("put k=new@{}", at)));
}

TEST_P(StoreConformance, AWatchFromTheFutureWaitsForIt) {
  const Revision now = revision();
  auto log = watch({"k", "", now + 3});
  put("k", "1");
  put("k", "2");
  const Revision at = put("k", "3");
  run_until([&] { return !log->events.empty(); });
  EXPECT_THAT(texts_of(log->events), ElementsAre(fmt::format("put k=3@{}", at)));
}

TEST_P(StoreConformance, AWatchTellsThePreviousVersionIfAsked) {
  put("k", "1");
  const Revision from = revision() + 1;
  auto log = watch({"k", "", from, true});
  put("k", "2");
  erase("k");
  put("k", "3");
  run_until([&] { return log->events.size() >= 3; });
  EXPECT_EQ(log->events[0].prev_kv->value, "1");
  EXPECT_EQ(log->events[1].prev_kv->value, "2");
  EXPECT_FALSE(log->events[2].prev_kv.has_value());
}

TEST_P(StoreConformance, ARevisionIsNeverSplitOverTwoBatches) {
  const Revision from = revision() + 1;
  std::vector<Op> ops;
  for (size_t i = 0; i < kMaxTxnOps; ++i) ops.emplace_back(PutOp{fmt::format("k{:03}", i), "", 0});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(txn({{}, ops, {}}));
  auto log = watch({"k", prefix_end("k"), from});
  run_until([&] { return log->events.size() >= 20 * kMaxTxnOps; });
  EXPECT_GT(log->batches.size(), 1U);
  for (const WatchBatch& batch : log->batches) {
    EXPECT_LE(batch.events.size(), kMaxWatchBatchEvents);
    EXPECT_EQ(batch.events.size() % kMaxTxnOps, 0U);
    EXPECT_EQ(batch.events.back().kv.mod_revision, batch.revision);
  }
}

TEST_P(StoreConformance, ASlowReaderGetsEveryEventInOrder) {
  const Revision from = revision() + 1;
  auto log = watch({"k", "", from});
  constexpr size_t kWrites = 5000;
  size_t answered = 0;
  for (size_t i = 0; i < kWrites; ++i) {
    store().txn({{}, {PutOp{"k", std::to_string(i), 0}}, {}},
                [&](const base::Result<TxnResponse>& response) {
                  EXPECT_TRUE(response);
                  ++answered;
                });
  }
  run_until([&] { return answered == kWrites && log->events.size() >= kWrites; });
  ASSERT_EQ(log->events.size(), kWrites);
  for (size_t i = 0; i < kWrites; ++i) {
    ASSERT_EQ(log->events[i].kv.version, static_cast<int64_t>(i + 1));
  }
  for (const WatchBatch& batch : log->batches) {
    EXPECT_LE(batch.events.size(), kMaxWatchBatchEvents);
  }
}

TEST_P(StoreConformance, AReconnectAtEveryEventLosesAndRepeatsNothing) {
  Revision next = revision() + 1;
  constexpr int kWrites = 60;
  std::vector<std::string> expected;
  std::vector<std::string> seen;
  std::unique_ptr<WatchLog> log;
  // Each batch ends the watch and starts a new one behind it, while writes go on.
  std::function<void()> connect = [&] {
    log = std::make_unique<WatchLog>();
    WatchHandler handler;
    handler.on_events = [&](const WatchBatch& batch) {
      for (const Event& event : batch.events) seen.push_back(text_of(event));
      next = batch.revision + 1;
      connect();
    };
    log->registration = store().watch({"k", prefix_end("k"), next}, std::move(handler));
  };
  connect();
  for (int i = 0; i < kWrites; ++i) {
    if (i % 5 == 4) {
      expected.push_back(fmt::format("delete k{}@{}", i - 1, erase("k" + std::to_string(i - 1))));
    } else {
      expected.push_back(fmt::format("put k{}=v@{}", i, put("k" + std::to_string(i), "v")));
    }
  }
  run_until([&] { return seen.size() >= expected.size(); });
  EXPECT_EQ(seen, expected);
}

TEST_P(StoreConformance, AnEndedWatchIsSilentEvenForEventsAlreadyDue) {
  auto log = watch({"k"});
  int events = 0;
  base::RegistrationPtr second;
  WatchHandler handler;
  handler.on_events = [&](const WatchBatch&) {
    ++events;
    second.reset();
    log->registration.reset();
  };
  const Revision from = revision() + 1;
  second = store().watch({"k", "", from}, std::move(handler));
  put("k", "1");
  run_until([&] { return events == 1; });
  const size_t before = log->events.size();
  put("k", "2");
  barrier();
  EXPECT_EQ(events, 1);
  EXPECT_EQ(log->events.size(), before);
}

TEST_P(StoreConformance, AWatchOfCompactedHistoryIsToldSo) {
  put("k", "1");
  put("k", "2");
  const Revision last = put("k", "3");
  ASSERT_TRUE(compact(last));
  auto log = watch({"k", "", last - 1});
  run_until([&] { return log->compacted.has_value(); });
  EXPECT_EQ(*log->compacted, last);
  put("k", "4");
  barrier();
  EXPECT_TRUE(log->events.empty());
  // The way back: read anew, watch from there.
  auto again = watch({"k", "", range({"k"})->revision + 1});
  const Revision at = put("k", "5");
  run_until([&] { return !again->events.empty(); });
  EXPECT_THAT(texts_of(again->events), ElementsAre(fmt::format("put k=5@{}", at)));
}

TEST_P(StoreConformance, ACaughtUpWatchDoesNotNoticeACompaction) {
  auto log = watch({"k", "", revision() + 1});
  put("k", "1");
  run_until([&] { return log->events.size() == 1; });
  for (int i = 0; i < 5; ++i) put("other", "");
  ASSERT_TRUE(compact(revision()));
  put("k", "2");
  run_until([&] { return log->events.size() == 2; });
  EXPECT_FALSE(log->compacted.has_value());
}

TEST_P(StoreConformance, ACompactionDuringCatchUpNeverHidesAGap) {
  const Revision from = revision() + 1;
  constexpr size_t kWrites = 4000;
  size_t answered = 0;
  for (size_t i = 0; i < kWrites; ++i) {
    store().txn({{}, {PutOp{"k", std::to_string(i), 0}}, {}},
                [&](const base::Result<TxnResponse>&) { ++answered; });
  }
  run_until([&] { return answered == kWrites; });
  const Revision last = revision();
  WatchLog log;
  bool is_compacting = false;
  WatchHandler handler;
  handler.on_events = [&](const WatchBatch& batch) {
    log.events.insert(log.events.end(), batch.events.begin(), batch.events.end());
    if (!std::exchange(is_compacting, true)) store().compact(last, [](const auto&) {});
  };
  handler.on_compacted = [&](Revision at) { log.compacted = at; };
  log.registration = store().watch({"k", "", from}, std::move(handler));
  run_until([&] { return log.compacted.has_value() || log.events.size() == kWrites; });
  // Either the whole, or a whole beginning and word that the rest is gone.
  for (size_t i = 0; i < log.events.size(); ++i) {
    ASSERT_EQ(log.events[i].kv.version, static_cast<int64_t>(i + 1));
  }
  EXPECT_EQ(log.compacted.value_or(last), last);
}

TEST_P(StoreConformance, AMalformedWatchIsLostWithAReason) {
  auto log = watch({""});
  run_until([&] { return log->lost.has_value(); });
  EXPECT_EQ(log->lost->code, Errc::kInvalid);
  EXPECT_EQ(log->lost->message, "an empty key");
}

TEST_P(StoreConformance, AWatchResumesOverAReopening) {
  put("k", "1");
  const Revision next = revision() + 1;
  const Revision two = put("k", "2");
  auto stale = watch({"k"});
  if (!harness_->reopen()) GTEST_SKIP() << "this store ends with the process";
  auto log = watch({"k", "", next});
  const Revision three = put("k", "3");
  run_until([&] { return log->events.size() >= 2; });
  EXPECT_THAT(texts_of(log->events),
              ElementsAre(fmt::format("put k=2@{}", two), fmt::format("put k=3@{}", three)));
  EXPECT_TRUE(stale->events.empty());
}

}  // namespace
}  // namespace flotilla::store
