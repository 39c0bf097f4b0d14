// LocalStore over a journal that stalls, as a disk does.
#include "store/local_store.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "store/waiting_loop.h"

namespace flotilla::store {
namespace {

class StalledJournal final : public Journal {
 public:
  void write(Batch batch, std::function<void(base::Status)> done) override {
    ++batches;
    changes += batch.changes.size();
    done_ = std::move(done);
  }
  void finish() { std::exchange(done_, {})(base::Status()); }

  int batches = 0;
  size_t changes = 0;

 private:
  std::function<void(base::Status)> done_;
};

TEST(LocalStore, TakesNoMoreWritesThanItCanHoldWhileTheDiskStalls) {
  WaitingLoop loop;
  auto journal = std::make_unique<StalledJournal>();
  StalledJournal& disk = *journal;
  LocalStore store(loop, {}, std::move(journal), {});
  int written = 0;
  std::vector<base::Error> refused;
  const auto put = [&](const std::string& key, size_t bytes) {
    store.txn({{}, {PutOp{key, std::string(bytes, 'x'), 0}}, {}}, [&](const auto& response) {
      if (response) {
        ++written;
      } else {
        refused.push_back(response.error());
      }
    });
    loop.settle();
  };
  put("first", 1);
  ASSERT_EQ(disk.batches, 1);
  for (int i = 0; i < 70; ++i) put("k" + std::to_string(i), kMaxValueBytes);
  EXPECT_EQ(refused.size(), 7U);
  EXPECT_EQ(refused.at(0).code, base::Errc::kUnavailable);
  EXPECT_EQ(refused.at(0).message.substr(0, 44), "the disk is too slow: writes of 66092723 byt");
  // A lease lives on.
  bool is_granted = false;
  store.grant_lease(std::chrono::seconds(10),
                    [&](const auto& lease) { is_granted = static_cast<bool>(lease); });
  disk.finish();
  loop.settle();
  EXPECT_EQ(disk.batches, 2);
  disk.finish();
  loop.settle();
  EXPECT_EQ(written, 64);
  EXPECT_TRUE(is_granted);
  EXPECT_EQ(disk.changes, 64U);
  refused.clear();
  put("after", 1);
  disk.finish();
  loop.settle();
  EXPECT_EQ(written, 65);
  EXPECT_TRUE(refused.empty());
}

}  // namespace
}  // namespace flotilla::store
