#include "registry/range_reading.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/fake_event_loop.h"
#include "registry/raw_record.h"
#include "store/memory_store.h"

namespace flotilla::registry {
namespace {

// Counts what is on its way, and refuses pages that are longer than it likes.
class PickyStore final : public store::Store {
 public:
  explicit PickyStore(store::Store& inner) : inner_(inner) {}

  void range(store::RangeRequest request, Callback<store::RangeResponse> done) override {
    most_under_way = std::max(most_under_way, ++under_way_);
    if (request.limit > longest) {
      request.limit = 1;
      return inner_.range(std::move(request), [this, done = std::move(done)](auto) {
        --under_way_;
        ++refused;
        done(base::too_large("too large"));
      });
    }
    ++pages;
    inner_.range(std::move(request), [this, done = std::move(done)](auto page) {
      --under_way_;
      done(std::move(page));
    });
  }
  void txn(store::TxnRequest request, Callback<store::TxnResponse> done) override {
    inner_.txn(std::move(request), std::move(done));
  }
  base::RegistrationPtr watch(store::WatchRequest request, store::WatchHandler handler) override {
    return inner_.watch(std::move(request), std::move(handler));
  }
  void grant_lease(std::chrono::seconds ttl, Callback<store::LeaseGrant> done) override {
    inner_.grant_lease(ttl, std::move(done));
  }
  void keep_alive(store::LeaseId lease, Callback<store::LeaseGrant> done) override {
    inner_.keep_alive(lease, std::move(done));
  }
  void revoke_lease(store::LeaseId lease, Callback<store::Revision> done) override {
    inner_.revoke_lease(lease, std::move(done));
  }
  void compact(store::Revision revision, Callback<store::Revision> done) override {
    inner_.compact(revision, std::move(done));
  }

  int64_t longest = 1'000'000;
  int pages = 0;
  int refused = 0;
  int most_under_way = 0;

 private:
  store::Store& inner_;
  int under_way_ = 0;
};

struct RangeReadingTest : testing::Test {
  void put(const std::string& key, const std::string& value) {
    write_raw_record(*inner, key, value);
    loop.settle();
  }
  void fill(char folder, int count, const std::string& value = "v") {
    for (int i = 0; i < count; ++i) {
      write_raw_record(*inner, fmt::format("/{}/{:05}", folder, i), value);
    }
    loop.settle();
  }
  std::unique_ptr<RangeReading> read(std::vector<std::string> cuts) {
    RangeReadingHandler handler;
    handler.on_page = [this](std::vector<store::KeyValue>& page) {
      for (const store::KeyValue& kv : page) {
        std::string& last = last_of[kv.key.substr(0, 3)];
        EXPECT_LT(last, kv.key) << "each part is told in order";
        last = kv.key;
        told[kv.key] = kv.value;
      }
      if (on_page) on_page();
    };
    handler.on_end = [this](const base::Result<store::Revision>& result) {
      ++ends;
      revision = result ? *result : -1;
    };
    return std::make_unique<RangeReading>(store, "/", "0", cuts, std::move(handler));
  }

  base::FakeEventLoop loop;
  std::unique_ptr<store::Store> inner = store::make_memory_store(loop);
  PickyStore store{*inner};
  std::map<std::string, std::string> last_of;
  std::map<std::string, std::string> told;
  std::function<void()> on_page;
  int ends = 0;
  store::Revision revision = 0;
};

TEST_F(RangeReadingTest, TheAnswerIsTheSameWhereverItIsCut) {
  fill('a', 10);
  fill('b', 2500);
  fill('c', 1);
  put("/d", "x");
  for (const std::vector<std::string>& cuts :
       {std::vector<std::string>{}, {"/b/"}, {"/a/", "/b/", "/c/", "/d"}, {"/!", "/zzz"}}) {
    told.clear();
    last_of.clear();
    ends = 0;
    const auto reading = read(cuts);
    loop.settle();
    EXPECT_EQ(told.size(), 2512U);
    EXPECT_EQ(ends, 1);
    EXPECT_GT(revision, 2512);
  }
}

TEST_F(RangeReadingTest, PartsAreReadSideBySideAtTheRevisionOfTheFirst) {
  fill('a', 10, "old");
  fill('b', 2500, "old");
  fill('c', 2500, "old");
  bool is_first = true;
  on_page = [&] {
    if (!std::exchange(is_first, false)) return;
    for (const char* key : {"/a/00001", "/b/02400", "/c/02400"}) {
      write_raw_record(*inner, key, "new");
    }
    write_raw_record(*inner, "/c/00000", std::nullopt);
  };
  const auto reading = read({"/b/", "/c/"});
  loop.settle();
  EXPECT_EQ(told.size(), 5010U);
  EXPECT_TRUE(
      std::all_of(told.begin(), told.end(), [](const auto& kv) { return kv.second == "old"; }));
  EXPECT_GE(store.most_under_way, 2);
}

TEST_F(RangeReadingTest, PagesOfSmallRecordsGrow) {
  fill('a', 9000);
  const auto reading = read({});
  loop.settle();
  EXPECT_EQ(told.size(), 9000U);
  EXPECT_LE(store.pages, 3);
}

TEST_F(RangeReadingTest, APageThatIsTooLargeIsHalvedUntilItFits) {
  fill('a', 300);
  store.longest = 100;
  const auto reading = read({});
  loop.settle();
  EXPECT_EQ(told.size(), 300U);
  EXPECT_EQ(store.refused, 4) << "1000, 500, 250, 125, and never again";
  EXPECT_EQ(ends, 1);
}

TEST_F(RangeReadingTest, LargeRecordsMakeShortPages) {
  fill('a', 1100, std::string(40'000, 'x'));
  const auto reading = read({});
  loop.settle();
  EXPECT_EQ(told.size(), 1100U);
  EXPECT_EQ(store.pages, 3) << "52 records fill a page, after the first one";
}

TEST_F(RangeReadingTest, OneThatIsDestroyedByItsHandlerFallsSilent) {
  fill('a', 10);
  fill('b', 2500);
  std::unique_ptr<RangeReading> reading;
  on_page = [&] { reading.reset(); };
  reading = read({"/b/"});
  loop.settle();
  EXPECT_EQ(told.size(), 10U);
  EXPECT_EQ(ends, 0);
}

TEST_F(RangeReadingTest, AHistoryThatIsGoneEndsItWithTheReason) {
  fill('a', 10);
  fill('b', 9000);
  bool is_first = true;
  on_page = [&] {
    if (!std::exchange(is_first, false)) return;
    store::TxnRequest txn;
    txn.then_ops.emplace_back(store::PutOp{"/x", "y", 0});
    inner->txn(std::move(txn), [this](const base::Result<store::TxnResponse>& put) {
      ASSERT_TRUE(put);
      inner->compact(put->revision, [](const auto& done) { EXPECT_TRUE(done); });
    });
  };
  const auto reading = read({"/b/"});
  loop.settle();
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(revision, -1);
}

}  // namespace
}  // namespace flotilla::registry
