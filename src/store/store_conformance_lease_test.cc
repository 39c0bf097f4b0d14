// What every store does with leases.
#include <set>

#include "store/store_conformance.h"

namespace flotilla::store {
namespace {

using base::Errc;
using base::Micros;
using std::chrono::seconds;
using testing::ElementsAre;

TEST_P(StoreConformance, AnExpiredLeaseTakesItsKeysAsOneRevision) {
  auto log = watch({"m/", prefix_end("m/"), revision() + 1});
  auto granted = grant(harness_->lease_seconds());
  ASSERT_TRUE(granted);
  EXPECT_GE(granted->ttl, seconds(harness_->lease_seconds()));
  put("m/1", "a", granted->lease);
  put("m/2", "b", granted->lease);
  put("m/3", "stays");
  harness_->pass(harness_->most_of(granted->ttl));
  barrier();
  EXPECT_EQ(get("m/1")->lease, granted->lease);
  harness_->pass(granted->ttl - harness_->most_of(granted->ttl) + seconds(1));
  run_until([&] { return log->events.size() >= 5; });
  EXPECT_EQ(log->events[3].type, EventType::kDelete);
  EXPECT_EQ(log->events[3].kv.key, "m/1");
  EXPECT_EQ(log->events[4].kv.key, "m/2");
  EXPECT_EQ(log->events[3].kv.mod_revision, log->events[4].kv.mod_revision);
  EXPECT_EQ(get("m/1"), std::nullopt);
  EXPECT_NE(get("m/3"), std::nullopt);
  EXPECT_EQ(keep_alive(granted->lease).error().code, Errc::kNotFound);
  EXPECT_EQ(revoke(granted->lease).error().code, Errc::kNotFound);
}

TEST_P(StoreConformance, AKeptLeaseLivesOnAndDiesOnceItIsNot) {
  auto granted = grant(harness_->lease_seconds());
  ASSERT_TRUE(granted);
  put("k", "v", granted->lease);
  base::BoottimeTime last_sent = granted->sent;
  for (int i = 0; i < 5; ++i) {
    harness_->pass(harness_->most_of(granted->ttl));
    auto kept = keep_alive(granted->lease);
    ASSERT_TRUE(kept) << kept.error().message;
    EXPECT_EQ(kept->lease, granted->lease);
    EXPECT_EQ(kept->ttl, granted->ttl);
    EXPECT_GT(kept->sent, last_sent);
    last_sent = kept->sent;
    EXPECT_NE(get("k"), std::nullopt);
  }
  auto log = watch({"k", "", revision() + 1});
  harness_->pass(granted->ttl + seconds(1));
  run_until([&] { return !log->events.empty(); });
  EXPECT_EQ(get("k"), std::nullopt);
}

TEST_P(StoreConformance, ARevokedLeaseIsGoneAtOnceWithItsKeys) {
  const LeaseId lease = lease_of(100);
  put("a", "", lease);
  put("b", "", lease);
  const Revision before = revision();
  auto revoked = revoke(lease);
  ASSERT_TRUE(revoked);
  EXPECT_EQ(*revoked, before + 1);
  EXPECT_TRUE(all().empty());
  EXPECT_EQ(txn({{}, {PutOp{"c", "", lease}}, {}}).error().code, Errc::kNotFound);
  // Who had to ask twice cannot tell whether the first time has done it, and is answered as if.
  const auto again = revoke(lease);
  EXPECT_TRUE(again ? *again == before + 1 : again.error().code == Errc::kNotFound);
  EXPECT_EQ(revision(), before + 1);
}

TEST_P(StoreConformance, RevokingALeaseWithoutKeysMakesNoRevision) {
  const Revision before = put("k", "");
  EXPECT_EQ(*revoke(lease_of(100)), before);
}

TEST_P(StoreConformance, AKeyBelongsToTheLeaseOfItsLastPut) {
  const LeaseId first = lease_of(100);
  const LeaseId second = lease_of(100);
  EXPECT_NE(first, second);
  put("moved", "", first);
  put("moved", "", second);
  put("freed", "", first);
  put("freed", "");
  put("bound", "");
  put("bound", "", first);
  put("reborn", "", first);
  erase("reborn");
  put("reborn", "");
  EXPECT_EQ(get("moved")->lease, second);
  EXPECT_EQ(get("freed")->lease, 0);
  ASSERT_TRUE(revoke(first));
  EXPECT_NE(get("moved"), std::nullopt);
  EXPECT_NE(get("freed"), std::nullopt);
  EXPECT_NE(get("reborn"), std::nullopt);
  EXPECT_EQ(get("bound"), std::nullopt);
  ASSERT_TRUE(revoke(second));
  EXPECT_EQ(get("moved"), std::nullopt);
}

TEST_P(StoreConformance, APutUnderAnUnknownLeaseDoesNothingOfItsTransaction) {
  const Revision before = put("k", "old");
  auto response = txn({{}, {PutOp{"k", "new", 0}, PutOp{"m", "", 987654321}}, {}});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::kNotFound);
  EXPECT_EQ(response.error().message, "key \"m\": lease 987654321 does not exist");
  EXPECT_EQ(get("k")->value, "old");
  EXPECT_EQ(revision(), before);
  // In the branch that is not done it does no harm.
  EXPECT_TRUE(txn({{}, {}, {PutOp{"m", "", 987654321}}}));
}

TEST_P(StoreConformance, LeaseIdsAreNeverGivenTwice) {
  std::set<LeaseId> ids;
  for (int i = 0; i < 5; ++i) {
    const LeaseId id = lease_of(100);
    EXPECT_GT(id, 0);
    EXPECT_TRUE(ids.insert(id).second);
    if (i % 2 == 0) {
      ASSERT_TRUE(revoke(id));
    }
  }
  if (!harness_->reopen()) return;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(ids.insert(lease_of(100)).second);
}

TEST_P(StoreConformance, LeaseTimesOutOfRangeAreRefused) {
  EXPECT_EQ(grant(0).error().code, Errc::kInvalid);
  EXPECT_EQ(grant(-5).error().code, Errc::kInvalid);
  EXPECT_EQ(grant(kMaxLeaseTtl.count() + 1).error().code, Errc::kInvalid);
  EXPECT_EQ(keep_alive(0).error().code, Errc::kNotFound);
}

TEST_P(StoreConformance, ATransactionGuardedByALeaderKeyFailsOnceItsLeaseIsGone) {
  auto granted = grant(harness_->lease_seconds());
  ASSERT_TRUE(granted);
  const Revision created = put("leader", "me", granted->lease);
  const TxnRequest guarded{{create_is("leader", created)}, {PutOp{"schedule", "x", 0}}, {}};
  EXPECT_TRUE(txn(guarded)->succeeded);
  auto log = watch({"leader", "", revision() + 1});
  harness_->pass(granted->ttl + seconds(1));
  run_until([&] { return !log->events.empty(); });
  EXPECT_FALSE(txn(guarded)->succeeded);
  put("leader", "another");
  EXPECT_FALSE(txn(guarded)->succeeded);
}

TEST_P(StoreConformance, LeasesAndTheirKeysOutliveAReopeningWithTheWholeTtl) {
  auto granted = grant(harness_->lease_seconds());
  ASSERT_TRUE(granted);
  put("k", "v", granted->lease);
  put("gone", "", lease_of(harness_->lease_seconds()));
  ASSERT_TRUE(revoke(get("gone")->lease));
  harness_->pass(harness_->most_of(granted->ttl));
  if (!harness_->reopen()) GTEST_SKIP() << "this store ends with the process";
  harness_->pass(harness_->most_of(granted->ttl));
  barrier();
  EXPECT_EQ(get("k")->lease, granted->lease);
  EXPECT_EQ(get("gone"), std::nullopt);
  ASSERT_TRUE(keep_alive(granted->lease));
  auto log = watch({"k", "", revision() + 1});
  harness_->pass(granted->ttl + seconds(1));
  run_until([&] { return !log->events.empty(); });
  EXPECT_EQ(get("k"), std::nullopt);
}

}  // namespace
}  // namespace flotilla::store
