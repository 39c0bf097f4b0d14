// What every store does with ranges, transactions and compaction.
#include "store/store_conformance.h"

namespace flotilla::store {
namespace {

using base::Errc;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kAll(kToLastKey);

std::vector<std::string> keys_of(const RangeResponse& response) {
  std::vector<std::string> keys;
  for (const KeyValue& kv : response.kvs) keys.push_back(kv.key);
  return keys;
}

TEST_P(StoreConformance, AnEmptyStoreAnswersEmptyRangesAtARevisionAboveZero) {
  auto response = range({kAll, kAll});
  ASSERT_TRUE(response);
  EXPECT_TRUE(response->kvs.empty());
  EXPECT_FALSE(response->more);
  EXPECT_EQ(response->count, 0);
  EXPECT_GT(response->revision, 0);
}

TEST_P(StoreConformance, APutCountsVersionsAndKeepsTheCreateRevision) {
  const Revision first = put("k", "one");
  const Revision second = put("k", "two");
  EXPECT_GT(second, first);
  EXPECT_EQ(get("k"), (KeyValue{"k", "two", first, second, 2, 0}));
  erase("k");
  EXPECT_EQ(get("k"), std::nullopt);
  const Revision third = put("k", "three");
  EXPECT_EQ(get("k"), (KeyValue{"k", "three", third, third, 1, 0}));
}

TEST_P(StoreConformance, KeysAndValuesMayHoldAnyBytes) {
  const std::string key("\x01\0\xff k", 5);
  const std::string value("\0\xff\n\0", 4);
  put(key, value);
  put("empty", "");
  EXPECT_EQ(get(key)->value, value);
  EXPECT_EQ(get("empty")->value, "");
}

TEST_P(StoreConformance, ARangeIsHalfOpenAndOrderedByBytes) {
  for (const char* key : {"b", "a", "a/2", "a/1", "a0", "\xff\xff"}) put(key, "x");
  EXPECT_THAT(keys_of(*range({"a/", prefix_end("a/")})), ElementsAre("a/1", "a/2"));
  EXPECT_THAT(keys_of(*range({"a", "b"})), ElementsAre("a", "a/1", "a/2", "a0"));
  EXPECT_THAT(keys_of(*range({"b", kAll})), ElementsAre("b", "\xff\xff"));
  EXPECT_THAT(keys_of(*range({"\xff", prefix_end("\xff")})), ElementsAre("\xff\xff"));
  EXPECT_THAT(keys_of(*range({"b", "a"})), ElementsAre());
  EXPECT_THAT(keys_of(*range({"a"})), ElementsAre("a"));
  EXPECT_EQ(range({kAll, kAll})->count, 6);
}

TEST_P(StoreConformance, PagesOfOneRevisionDoNotSeeLaterWrites) {
  for (int i = 10; i < 20; ++i) put("k" + std::to_string(i), "old");
  std::vector<std::string> seen;
  RangeRequest page{"k", prefix_end("k"), 3};
  for (;;) {
    auto response = range(page);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->count, 10 - static_cast<int64_t>(seen.size()));
    for (const KeyValue& kv : response->kvs) {
      EXPECT_EQ(kv.value, "old");
      seen.push_back(kv.key);
    }
    if (!response->more) break;
    if (page.revision == 0) page.revision = response->revision;
    page.key = seen.back() + std::string(1, '\0');
    put("k15", "new");
    put("k155", "new");
    erase("k17");
  }
  EXPECT_EQ(seen.size(), 10U);
}

TEST_P(StoreConformance, ReadsAtARevisionSeeThatTime) {
  const Revision first = put("k", "1");
  const Revision second = put("k", "2");
  const Revision gone = erase("k");
  const auto value_at = [&](Revision at) {
    auto response = range({"k", "", 0, at});
    return response && !response->kvs.empty() ? response->kvs[0].value : "none";
  };
  EXPECT_EQ(value_at(first - 1), "none");
  EXPECT_EQ(value_at(first), "1");
  EXPECT_EQ(value_at(second), "2");
  EXPECT_EQ(value_at(gone), "none");
  EXPECT_EQ(range({"k", "", 0, gone + 1}).error().code, Errc::kInvalid);
}

TEST_P(StoreConformance, KeysOnlyLeavesTheValuesOut) {
  const Revision at = put("k", "value");
  EXPECT_THAT(range({"k", "", 0, 0, true})->kvs, ElementsAre(KeyValue{"k", "", at, at, 1, 0}));
}

TEST_P(StoreConformance, ATransactionReadsItsOwnWritesInOrder) {
  put("a", "old");
  auto response = txn({{},
                       {RangeRequest{"a"}, PutOp{"a", "new", 0}, RangeRequest{"a"},
                        DeleteRangeOp{"b", "z"}, RangeRequest{kAll, kAll}},
                       {}});
  ASSERT_TRUE(response);
  EXPECT_TRUE(response->succeeded);
  ASSERT_EQ(response->responses.size(), 5U);
  EXPECT_EQ(std::get<RangeResponse>(response->responses[0]).kvs[0].value, "old");
  EXPECT_EQ(std::get<RangeResponse>(response->responses[2]).kvs[0].value, "new");
  EXPECT_EQ(std::get<RangeResponse>(response->responses[2]).kvs[0].mod_revision,
            response->revision);
  EXPECT_EQ(std::get<DeleteRangeResponse>(response->responses[3]).deleted, 0);
  EXPECT_EQ(get("a")->mod_revision, response->revision);
}

TEST_P(StoreConformance, ATransactionIsOneRevisionAndOneThatChangesNothingIsNone) {
  auto three = txn({{}, {PutOp{"a", "1", 0}, PutOp{"b", "2", 0}, PutOp{"c", "3", 0}}, {}});
  ASSERT_TRUE(three);
  EXPECT_EQ(get("a")->mod_revision, three->revision);
  EXPECT_EQ(get("c")->mod_revision, three->revision);
  EXPECT_EQ(erase("nothing"), three->revision);
  EXPECT_EQ(txn({})->revision, three->revision);
  EXPECT_EQ(put("a", "1"), three->revision + 1);
  auto gone = txn({{}, {DeleteRangeOp{"a", "c"}}, {}});
  EXPECT_EQ(std::get<DeleteRangeResponse>(gone->responses[0]).deleted, 2);
  EXPECT_EQ(gone->revision, three->revision + 2);
}

TEST_P(StoreConformance, ComparesOfEveryTargetAndOperator) {
  const LeaseId lease = lease_of(100);
  const Revision created = put("k", "m");
  const Revision modified = put("k", "m", lease);
  struct Case {
    CompareTarget target;
    int64_t found;
  };
  const auto holds = [&](Compare compare) {
    auto response = txn({{std::move(compare)}, {}, {}});
    return response && response->succeeded;
  };
  for (const Case& c :
       {Case{CompareTarget::kLease, lease}, Case{CompareTarget::kVersion, 2},
        Case{CompareTarget::kMod, modified}, Case{CompareTarget::kCreate, created}}) {
    for (const int64_t delta : {-1, 0, 1}) {
      SCOPED_TRACE(fmt::format("target {} delta {}", static_cast<int>(c.target), delta));
      const int64_t operand = c.found + delta;
      EXPECT_EQ(holds({c.target, CompareOp::kEqual, "k", operand}), c.found == operand);
      EXPECT_EQ(holds({c.target, CompareOp::kNotEqual, "k", operand}), c.found != operand);
      EXPECT_EQ(holds({c.target, CompareOp::kLess, "k", operand}), c.found < operand);
      EXPECT_EQ(holds({c.target, CompareOp::kGreater, "k", operand}), c.found > operand);
    }
    EXPECT_TRUE(holds({c.target, CompareOp::kEqual, "absent", int64_t{0}}));
    EXPECT_FALSE(holds({c.target, CompareOp::kGreater, "absent", int64_t{0}}));
    EXPECT_TRUE(holds({c.target, CompareOp::kLess, "absent", int64_t{1}}));
  }
  for (const std::string operand : {"a", "m", "z"}) {
    const std::string found = "m";
    EXPECT_EQ(holds({CompareTarget::kValue, CompareOp::kEqual, "k", operand}), found == operand);
    EXPECT_EQ(holds({CompareTarget::kValue, CompareOp::kNotEqual, "k", operand}), found != operand);
    EXPECT_EQ(holds({CompareTarget::kValue, CompareOp::kLess, "k", operand}), found < operand);
    EXPECT_EQ(holds({CompareTarget::kValue, CompareOp::kGreater, "k", operand}), found > operand);
    for (const CompareOp op :
         {CompareOp::kEqual, CompareOp::kNotEqual, CompareOp::kLess, CompareOp::kGreater}) {
      EXPECT_FALSE(holds({CompareTarget::kValue, op, "absent", operand}));
    }
  }
}

TEST_P(StoreConformance, AFailedCompareDoesTheElseBranch) {
  put("k", "1");
  auto response = txn({{key_exists("k"), key_is_absent("k")},
                       {PutOp{"then", "", 0}},
                       {PutOp{"else", "", 0}, RangeRequest{"k"}}});
  ASSERT_TRUE(response);
  EXPECT_FALSE(response->succeeded);
  EXPECT_EQ(response->responses.size(), 2U);
  EXPECT_EQ(get("then"), std::nullopt);
  EXPECT_NE(get("else"), std::nullopt);
}

TEST_P(StoreConformance, OnlyOneOfTwoRacingCreatorsWins) {
  int won = 0;
  int answered = 0;
  for (int i = 0; i < 2; ++i) {
    store().txn({{key_is_absent("leader")}, {PutOp{"leader", std::to_string(i), 0}}, {}},
                [&](base::Result<TxnResponse> response) {
                  ++answered;
                  if (response && response->succeeded) ++won;
                });
  }
  run_until([&] { return answered == 2; });
  EXPECT_EQ(won, 1);
}

TEST_P(StoreConformance, MalformedRequestsAreRefusedWithAReasonAndChangeNothing) {
  const Revision before = put("k", "v");
  struct Case {
    TxnRequest request;
    Errc code;
    std::string text;
  };
  const std::vector<Case> cases = {
      {{{}, {PutOp{"", "v", 0}}, {}}, Errc::kInvalid, "an empty key"},
      {{{}, {PutOp{"x", "1", 0}, PutOp{"x", "2", 0}}, {}},
       Errc::kInvalid,
       "key \"x\" is put twice in one transaction"},
      {{{}, {}, {PutOp{"x", "1", 0}, DeleteRangeOp{"w", "y"}}},
       Errc::kInvalid,
       "key \"x\" is put and deleted in one transaction"},
      {{{}, {PutOp{"x", "v", -1}}, {}}, Errc::kInvalid, "lease -1 is negative"},
      {{{Compare{CompareTarget::kValue, CompareOp::kEqual, "k", int64_t{1}}}, {}, {}},
       Errc::kInvalid,
       "compared with a text"},
      {{{}, {RangeRequest{"k", "", -1}}, {}}, Errc::kInvalid, "a limit of -1 keys"},
      {{{}, {PutOp{std::string(kMaxKeyBytes + 1, 'k'), "", 0}}, {}},
       Errc::kTooLarge,
       "a key of 4097 bytes: at most 4096 are allowed"},
      {{{}, {PutOp{"x", std::string(kMaxValueBytes + 1, 'v'), 0}}, {}},
       Errc::kTooLarge,
       "key \"x\": a value of 1048577 bytes: at most 1048576 are allowed"},
      {{{},
        {PutOp{"x", std::string(kMaxValueBytes, 'v'), 0},
         PutOp{"y", std::string(kMaxValueBytes, 'v'), 0}},
        {}},
       Errc::kTooLarge,
       "a transaction of 2097154 bytes: at most 1572864 are allowed"},
      {{{}, std::vector<Op>(kMaxTxnOps + 1, RangeRequest{"k"}), {}},
       Errc::kTooLarge,
       "a transaction of 129 operations: at most 128 are allowed"},
  };
  for (const Case& c : cases) {
    auto response = txn(c.request);
    ASSERT_FALSE(response) << c.text;
    EXPECT_EQ(response.error().code, c.code);
    EXPECT_THAT(response.error().message, HasSubstr(c.text));
  }
  EXPECT_EQ(range({""}).error().code, Errc::kInvalid);
  EXPECT_EQ(range({"k", "", 0, -1}).error().code, Errc::kInvalid);
  EXPECT_EQ(revision(), before);
}

TEST_P(StoreConformance, TheLargestAllowedTransactionWorks) {
  std::vector<Op> ops;
  for (size_t i = 0; i < kMaxTxnOps; ++i) {
    ops.emplace_back(PutOp{fmt::format("k{:04}", i), std::string(12'000, 'v'), 0});
  }
  auto response = txn({{}, std::move(ops), {}});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(range({"k", prefix_end("k")})->count, static_cast<int64_t>(kMaxTxnOps));
  put("big", std::string(kMaxValueBytes, 'b'));
  EXPECT_EQ(get("big")->value.size(), kMaxValueBytes);
}

TEST_P(StoreConformance, CompactionForgetsTheOldAndKeepsTheLiving) {
  const Revision first = put("a", "1");
  put("b", "1");
  const Revision second = put("a", "2");
  const Revision gone = erase("b");
  put("a", "3");
  ASSERT_TRUE(compact(gone));
  EXPECT_EQ(range({"a", "", 0, first}).error().code, Errc::kNotFound);
  EXPECT_EQ(range({"a", "", 0, second}).error().code, Errc::kNotFound);
  EXPECT_EQ(range({"a", "", 0, gone})->kvs[0].value, "2");
  EXPECT_EQ(get("a")->value, "3");
  EXPECT_EQ(get("a")->version, 3);
  EXPECT_EQ(get("b"), std::nullopt);
  EXPECT_EQ(compact(gone).error().code, Errc::kNotFound);
  EXPECT_EQ(compact(revision() + 1).error().code, Errc::kInvalid);
  EXPECT_EQ(txn({{}, {RangeRequest{"a", "", 0, first}}, {}}).error().code, Errc::kNotFound);
  const Revision again = put("b", "new");
  EXPECT_EQ(get("b"), (KeyValue{"b", "new", again, again, 1, 0}));
}

TEST_P(StoreConformance, ACallbackMayCallTheStoreAgain) {
  int done = 0;
  std::function<void()> next = [&] {
    store().txn({{}, {PutOp{"k", std::to_string(done), 0}}, {}},
                [&](const base::Result<TxnResponse>& response) {
                  EXPECT_TRUE(response);
                  if (++done < 10) next();
                });
  };
  next();
  run_until([&] { return done == 10; });
  EXPECT_EQ(get("k")->value, "9");
}

TEST_P(StoreConformance, AWriteAfterAnAnswerHasAHigherRevision) {
  std::vector<Revision> revisions;
  size_t answered = 0;
  for (int i = 0; i < 100; ++i) {
    store().txn({{}, {PutOp{"k" + std::to_string(i), "v", 0}}, {}},
                [&](base::Result<TxnResponse> response) {
                  ++answered;
                  if (response) revisions.push_back(response->revision);
                });
  }
  run_until([&] { return answered == 100; });
  ASSERT_EQ(revisions.size(), 100U);
  std::sort(revisions.begin(), revisions.end());
  EXPECT_EQ(std::adjacent_find(revisions.begin(), revisions.end()), revisions.end());
  EXPECT_GT(put("after", ""), revisions.back());
}

TEST_P(StoreConformance, ReopeningKeepsDataHistoryAndRevisions) {
  const Revision first = put("a", "1");
  put("a", "2");
  put("b", "1");
  const Revision last = erase("b");
  const std::vector<KeyValue> before = all();
  if (!harness_->reopen()) GTEST_SKIP() << "this store ends with the process";
  EXPECT_EQ(all(), before);
  EXPECT_GE(revision(), last);
  EXPECT_EQ(range({"a", "", 0, first})->kvs[0].value, "1");
  EXPECT_GT(put("a", "3"), last);
  EXPECT_EQ(get("a")->version, 3);
}

}  // namespace
}  // namespace flotilla::store
