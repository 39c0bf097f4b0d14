// Random interleavings of calls, checked against a model simple enough to be seen right: the whole
// content at every revision, as plain maps.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "store/keyspace.h"
#include "store/memory_store.h"
#include "store/sqlite_harness.h"

namespace flotilla::store {
namespace {

using Content = std::map<std::string, KeyValue>;

// Writes take effect in the order of the calls (a promise of the stores in this process alone).
class Model {
 public:
  TxnResponse txn(const TxnRequest& request) {
    TxnResponse response;
    Content content = at_.rbegin()->second;
    response.succeeded = std::all_of(request.compares.begin(), request.compares.end(),
                                     [&](const Compare& c) { return holds(content, c); });
    const Revision next = revision() + 1;
    bool is_changed = false;
    for (const Op& op : response.succeeded ? request.then_ops : request.else_ops) {
      if (const auto* put = std::get_if<PutOp>(&op)) {
        KeyValue& kv = content[put->key];
        kv = {put->key, put->value,     kv.version == 0 ? next : kv.create_revision,
              next,     kv.version + 1, put->lease};
        is_changed = true;
        response.responses.emplace_back(PutResponse{});
      } else if (const auto* del = std::get_if<DeleteRangeOp>(&op)) {
        const auto gone = std::erase_if(content, [&](const auto& entry) {
          return in_range(entry.first, del->key, del->range_end);
        });
        is_changed = is_changed || gone > 0;
        response.responses.emplace_back(DeleteRangeResponse{static_cast<int64_t>(gone)});
      }
    }
    if (is_changed) at_[next] = content;
    response.revision = revision();
    return response;
  }
  Revision revoke(LeaseId lease) {
    Content content = at_.rbegin()->second;
    if (std::erase_if(content, [&](const auto& e) { return e.second.lease == lease; }) > 0) {
      at_[revision() + 1] = content;
    }
    return revision();
  }
  Revision revision() const { return at_.rbegin()->first; }
  const std::map<Revision, Content>& history() const { return at_; }
  // What a watch of everything tells: each revision's difference to the one before.
  std::vector<std::string> differences() const {
    std::vector<std::string> lines;
    for (auto now = std::next(at_.begin()); now != at_.end(); ++now) {
      const Content& before = std::prev(now)->second;
      std::set<std::string> changes;
      for (const auto& [key, kv] : now->second) {
        const auto old = before.find(key);
        if (old == before.end() || !(old->second == kv)) {
          changes.insert(fmt::format("put {}={}@{}", key, kv.value, now->first));
        }
      }
      for (const auto& [key, kv] : before) {
        if (!now->second.contains(key))
          changes.insert(fmt::format("delete {}@{}", key, now->first));
      }
      lines.insert(lines.end(), changes.begin(), changes.end());
    }
    return lines;
  }

 private:
  static bool holds(const Content& content, const Compare& compare) {
    const auto it = content.find(compare.key);
    const Revision create = it == content.end() ? 0 : it->second.create_revision;
    const auto operand = std::get<int64_t>(compare.operand);
    return compare.op == CompareOp::kEqual ? create == operand : create > operand;
  }

  std::map<Revision, Content> at_{{1, {}}};
};

class RandomRun {
 public:
  RandomRun(Store& store, WaitingLoop& loop, unsigned seed)
      : store_(store), loop_(loop), random_(seed) {}

  void run(int steps) {
    for (int i = 0; i < 4; ++i) grant();
    ASSERT_TRUE(loop_.run_until([&] { return answered_ == asked_; }));
    watch();
    for (int i = 0; i < steps; ++i) {
      const int what = pick(20);
      if (what < 14) {
        txn();
      } else if (what == 14) {
        revoke();
      } else if (what == 15) {
        grant();
      } else if (what < 18) {
        loop_.settle();
      } else if (what == 18) {
        ASSERT_TRUE(loop_.run_until([&] { return answered_ == asked_; }));
      } else {
        watch();
      }
    }
    ASSERT_TRUE(loop_.run_until([&] { return answered_ == asked_; }));
    compare_history();
    ASSERT_TRUE(loop_.run_until([&] { return seen_.size() >= model_.differences().size(); }));
    std::vector<std::string> seen = seen_;
    sort_within_revisions(seen);
    EXPECT_EQ(seen, model_.differences());
  }

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string key() { return fmt::format("k{}", pick(8)); }

  void txn() {
    TxnRequest request;
    for (int i = pick(3); i > 0; --i) {
      request.compares.push_back(pick(2) == 0 ? key_exists(key()) : key_is_absent(key()));
    }
    for (auto* ops : {&request.then_ops, &request.else_ops}) {
      if (pick(4) == 0) {
        ops->emplace_back(pick(2) == 0 ? DeleteRangeOp{key(), ""} : DeleteRangeOp{key(), key()});
        continue;
      }
      std::set<std::string> keys;
      for (int i = pick(4); i > 0; --i) {
        std::string to = key();
        if (!keys.insert(to).second) continue;
        const LeaseId lease =
            leases_.empty() || pick(2) == 0
                ? 0
                : leases_[static_cast<size_t>(pick(static_cast<int>(leases_.size())))];
        ops->emplace_back(PutOp{to, std::to_string(next_value_++), lease});
      }
    }
    const TxnResponse expected = model_.txn(request);
    ++asked_;
    store_.txn(request, [this, expected](const base::Result<TxnResponse>& response) {
      ++answered_;
      ASSERT_TRUE(response) << response.error().message;
      EXPECT_EQ(response->succeeded, expected.succeeded);
      EXPECT_EQ(response->revision, expected.revision);
      ASSERT_EQ(response->responses.size(), expected.responses.size());
      for (size_t i = 0; i < expected.responses.size(); ++i) {
        if (const auto* del = std::get_if<DeleteRangeResponse>(&expected.responses[i])) {
          EXPECT_EQ(std::get<DeleteRangeResponse>(response->responses[i]).deleted, del->deleted);
        }
      }
    });
  }
  void grant() {
    ++asked_;
    store_.grant_lease(std::chrono::seconds(100), [this](const auto& granted) {
      ++answered_;
      ASSERT_TRUE(granted);
      leases_.push_back(granted->lease);
    });
  }
  void revoke() {
    if (leases_.empty()) return;
    const LeaseId lease = leases_.back();
    leases_.pop_back();
    const Revision expected = model_.revoke(lease);
    ++asked_;
    store_.revoke_lease(lease, [this, expected](const base::Result<Revision>& revoked) {
      ++answered_;
      ASSERT_TRUE(revoked);
      EXPECT_GE(*revoked, expected);
    });
  }
  // Ends the watch and goes on behind what it told.
  void watch() {
    WatchHandler handler;
    handler.on_events = [this](const WatchBatch& batch) {
      for (const Event& event : batch.events) seen_.push_back(text_of(event));
      next_ = batch.revision + 1;
    };
    watch_ = store_.watch({"k", prefix_end("k"), next_}, std::move(handler));
  }
  void compare_history() {
    int answered = 0;
    int asked = 0;
    for (const auto& [revision, content] : model_.history()) {
      if (pick(10) != 0 && revision != model_.revision()) continue;
      std::vector<KeyValue> expected;
      for (const auto& [key, kv] : content) expected.push_back(kv);
      ++asked;
      store_.range({"k", prefix_end("k"), 0, revision}, [&, expected](const auto& response) {
        ++answered;
        ASSERT_TRUE(response) << response.error().message;
        EXPECT_EQ(response->kvs, expected);
      });
    }
    ASSERT_TRUE(loop_.run_until([&] { return answered == asked; }));
  }
  static void sort_within_revisions(std::vector<std::string>& lines) {
    const auto revision_of = [](const std::string& line) {
      return std::stoll(line.substr(line.find('@') + 1));
    };
    std::stable_sort(lines.begin(), lines.end(), [&](const auto& a, const auto& b) {
      return std::pair(revision_of(a), a) < std::pair(revision_of(b), b);
    });
  }

  Store& store_;
  WaitingLoop& loop_;
  std::mt19937 random_;
  Model model_;
  std::vector<LeaseId> leases_;
  base::RegistrationPtr watch_;
  std::vector<std::string> seen_;
  Revision next_ = 1;
  int next_value_ = 0;
  int asked_ = 0;
  int answered_ = 0;
};

TEST(StoreRandom, MemoryDoesWhatTheModelDoes) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    WaitingLoop loop;
    auto store = make_memory_store(loop);
    RandomRun(*store, loop, seed).run(400);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(StoreRandom, SqliteDoesWhatTheModelDoes) {
  for (unsigned seed = 100; seed < 120; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const TemporaryFolder folder;
    WaitingLoop loop;
    auto store = open_sqlite_store(folder / "store.db", loop);
    ASSERT_TRUE(store);
    RandomRun(**store, loop, seed).run(400);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace flotilla::store
