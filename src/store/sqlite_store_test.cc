#include "store/sqlite_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <map>
#include <random>

#include "store/open_store.h"
#include "store/sqlite_harness.h"

namespace flotilla::store {
namespace {

using base::Errc;
using std::chrono::seconds;
using testing::HasSubstr;

std::unique_ptr<StoreHarness> make_sqlite_harness() { return std::make_unique<SqliteHarness>(); }

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance, testing::Values(&make_sqlite_harness),
                         [](const auto&) { return "sqlite"; });

// A disk that is full while told so: SQLite's writes fail with ENOSPC.
class FullDisk {
 public:
  FullDisk() {
    sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
    for (const char* call : {"write", "pwrite", "pwrite64"}) {
      vfs->xSetSystemCall(vfs, call,
                          std::string_view(call) == "write"
                              ? reinterpret_cast<sqlite3_syscall_ptr>(&write)
                              : reinterpret_cast<sqlite3_syscall_ptr>(&pwrite));
    }
  }
  ~FullDisk() {
    is_full = false;
    sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
    for (const char* call : {"write", "pwrite", "pwrite64"}) {
      vfs->xSetSystemCall(vfs, call, nullptr);
    }
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

  void set_full(bool full) { is_full = full; }

 private:
  static ssize_t write(int fd, const void* bytes, size_t size) {
    if (is_full) return errno = ENOSPC, -1;
    return ::write(fd, bytes, size);
  }
  static ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
    if (is_full) return errno = ENOSPC, -1;
    return ::pwrite(fd, bytes, size, at);
  }
  static inline std::atomic<bool> is_full = false;
};

class SqliteStore : public testing::Test {
 protected:
  std::string path() const { return folder_ / "store.db"; }
  base::Status open(SqliteOptions options = {}) {
    store_.reset();
    FLOTILLA_ASSIGN(store_, open_sqlite_store(path(), loop_, options));
    return {};
  }
  base::Result<TxnResponse> put(const std::string& key, const std::string& value,
                                LeaseId lease = 0) {
    std::optional<base::Result<TxnResponse>> answer;
    store_->txn({{}, {PutOp{key, value, lease}}, {}},
                [&](base::Result<TxnResponse> response) { answer.emplace(std::move(response)); });
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }));
    return std::move(*answer);
  }
  base::Result<RangeResponse> range(RangeRequest request) {
    std::optional<base::Result<RangeResponse>> answer;
    store_->range(std::move(request), [&](base::Result<RangeResponse> response) {
      answer.emplace(std::move(response));
    });
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }));
    return std::move(*answer);
  }
  std::string value_of(const std::string& key) {
    auto response = range({key});
    if (!response || response->kvs.empty()) return "none";
    return response->kvs[0].value;
  }
  LeaseId grant(int64_t ttl) {
    LeaseId lease = 0;
    store_->grant_lease(seconds(ttl), [&](const auto& granted) { lease = granted->lease; });
    EXPECT_TRUE(loop_.run_until([&] { return lease != 0; }));
    return lease;
  }
  void run_sql(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    sqlite3_close(database);
  }
  void write_file(const std::string& bytes) { std::ofstream(path()) << bytes; }

  const TemporaryFolder folder_;
  WaitingLoop loop_;
  std::unique_ptr<Store> store_;
};

TEST_F(SqliteStore, MakesItsFileForItsOwnerAlone) {
  ASSERT_TRUE(open());
  struct stat status {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(SqliteStore, IsHeldByOneDaemonAtATime) {
  ASSERT_TRUE(open());
  auto second = open_sqlite_store(path(), loop_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kUnavailable);
  EXPECT_EQ(second.error().message, fmt::format("store {}: in use by another process", path()));
  ASSERT_TRUE(put("k", "v"));
  store_.reset();
  EXPECT_TRUE(open());
}

TEST_F(SqliteStore, RefusesWhatIsNoStoreAndSaysWhy) {
  write_file(std::string(5000, 'x'));
  auto status = open();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::kInvalid);
  EXPECT_EQ(status.error().message,
            fmt::format("store {}: not a store: the file is no SQLite database", path()));

  ::unlink(path().c_str());
  run_sql("CREATE TABLE t (x)");
  status = open();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            fmt::format("store {}: not a store: the SQLite database of another program", path()));
}

TEST_F(SqliteStore, RefusesAFileOfANewerVersion) {
  ASSERT_TRUE(open());
  store_.reset();
  run_sql("PRAGMA user_version = 2");
  auto status = open();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::kUnsupported);
  EXPECT_EQ(
      status.error().message,
      fmt::format("store {}: written by a newer version (format 2, this one knows 1)", path()));
}

TEST_F(SqliteStore, RefusesPathsThatCannotBeAFile) {
  auto missing = open_sqlite_store(folder_ / "no/such/folder/db", loop_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, fmt::format("store {}: create: No such file or directory",
                                                 folder_ / "no/such/folder/db"));
  EXPECT_FALSE(open_sqlite_store(folder_ / "", loop_));
  EXPECT_EQ(open_sqlite_store(":memory:", loop_).error().code, Errc::kInvalid);
  EXPECT_EQ(open_store("zookeeper:a", loop_).error().message,
            "store \"zookeeper:a\": expected sqlite:PATH, etcd:URL or memory:");
  EXPECT_EQ(open_store("etcd:ftp://a", loop_).error().code, Errc::kInvalid);
  EXPECT_TRUE(open_store("etcd:http://127.0.0.1:1", loop_));
  EXPECT_EQ(open_store("sqlite:", loop_).error().code, Errc::kInvalid);
  EXPECT_TRUE(open_store("memory:", loop_));
  EXPECT_TRUE(open_store("sqlite:" + (folder_ / "other.db"), loop_));
}

TEST_F(SqliteStore, RecordsThatMakeNoSenseAreDamageNotACrash) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(put("k", "v"));
  store_.reset();
  for (const auto& [sql, undo] : std::vector<std::pair<std::string, std::string>>{
           {"UPDATE history SET version = -3", "UPDATE history SET version = 1"},
           {"UPDATE history SET key = ''", "UPDATE history SET key = 'k'"},
           {"UPDATE history SET value = NULL", "UPDATE history SET value = 'v'"},
           {"UPDATE history SET lease = 77", "UPDATE history SET lease = 0"},
           {"INSERT INTO lease VALUES (5, -1)", "DELETE FROM lease"},
           {"UPDATE meta SET value = -1 WHERE name = 'revision'",
            "UPDATE meta SET value = 1 WHERE name = 'revision'"},
           {"DELETE FROM meta WHERE name = 'closed'", "INSERT INTO meta VALUES ('closed', 1)"}}) {
    run_sql(sql);
    auto status = open();
    ASSERT_FALSE(status) << sql;
    EXPECT_EQ(status.error().code, Errc::kInvalid) << sql;
    EXPECT_THAT(status.error().message,
                HasSubstr(fmt::format("store {}: the file is damaged: ", path())));
    run_sql(undo);
    ASSERT_TRUE(open()) << sql;
    EXPECT_EQ(value_of("k"), "v");
    store_.reset();
  }
}

TEST_F(SqliteStore, NoDamageOfTheFileCrashesIt) {
  ASSERT_TRUE(open());
  const LeaseId lease = grant(10);
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(put(fmt::format("k{}", i % 40), std::string(100, 'v'), i % 3 == 0 ? lease : 0));
  }
  store_.reset();
  std::ifstream in(path());
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  std::mt19937 random(7);
  int refused = 0;
  for (int round = 0; round < 150; ++round) {
    std::string bad = good;
    for (int i = 0; i < 8; ++i) {
      // Mostly the headers, where the structure is.
      const size_t page = random() % (bad.size() / 4096) * 4096;
      bad[page + random() % (i % 2 == 0 ? 64 : 4096)] = static_cast<char>(random());
    }
    if (round % 10 == 0) bad.resize(random() % bad.size());
    for (const char* suffix : {"", "-wal", "-journal"}) ::unlink((path() + suffix).c_str());
    write_file(bad);
    if (auto status = open(); !status) {
      EXPECT_THAT(status.error().message, HasSubstr(path()));
      ++refused;
      continue;
    }
    (void)put("k", "v");
    (void)range({"k", prefix_end("k")});
    store_.reset();
  }
  EXPECT_GT(refused, 50);
}

TEST_F(SqliteStore, AFullDiskFailsTheWriteAndNothingElse) {
  FullDisk disk;
  ASSERT_TRUE(open());
  const LeaseId lease = grant(10);
  const Revision before = put("k", "old")->revision;
  ASSERT_TRUE(put("leased", "v", lease));
  disk.set_full(true);
  for (int i = 0; i < 3; ++i) {
    auto failed = put("k", "new");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Errc::kInternal);
    EXPECT_EQ(failed.error().message,
              fmt::format("store {}: write: No space left on device", path()));
  }
  EXPECT_FALSE(put("leased", "w", lease));
  EXPECT_EQ(value_of("k"), "old");
  EXPECT_EQ(range({"k"})->revision, before + 1);
  // The lease ends in the meantime: its keys go as soon as there is space.
  loop_.advance(seconds(11));
  EXPECT_FALSE(put("k", "newer"));
  EXPECT_FALSE(put("leased", "w", lease));
  EXPECT_EQ(value_of("leased"), "v");
  disk.set_full(false);
  EXPECT_EQ(put("k", "newest")->revision, before + 2);
  loop_.advance(seconds(2));
  ASSERT_TRUE(loop_.run_until([&] { return value_of("leased") == "none"; }));
  ASSERT_TRUE(open());
  EXPECT_EQ(value_of("k"), "newest");
  EXPECT_EQ(value_of("leased"), "none");
}

TEST_F(SqliteStore, ADiskFullNowAndThenTearsNothingThatWasAcknowledged) {
  FullDisk disk;
  std::mt19937 random(5);
  std::map<std::string, std::string> expected;
  ASSERT_TRUE(open({50, 0}));
  int failed = 0;
  for (int turn = 0; turn < 600; ++turn) {
    disk.set_full(random() % 4 == 0);
    size_t outstanding = 1 + random() % 3;
    for (size_t i = outstanding; i > 0; --i) {
      const std::string key = fmt::format("k{}", random() % 10);
      const std::string value = random() % 5 == 0 ? "" : std::string(random() % 3000, 'v') + key;
      const Op op = value.empty() ? Op(DeleteRangeOp{key, ""}) : Op(PutOp{key, value, 0});
      store_->txn({{}, {op}, {}}, [&, key, value](const base::Result<TxnResponse>& response) {
        --outstanding;
        if (!response) {
          ++failed;
        } else if (value.empty()) {
          expected.erase(key);
        } else {
          expected[key] = value;
        }
      });
    }
    ASSERT_TRUE(loop_.run_until([&] { return outstanding == 0; }));
    if (turn % 100 == 99) {
      disk.set_full(false);
      ASSERT_TRUE(open({50, 0}));
    }
    if (turn % 10 != 9) continue;
    std::map<std::string, std::string> found;
    const auto response = range({"k", prefix_end("k")});
    for (const KeyValue& kv : response->kvs) found[kv.key] = kv.value;
    ASSERT_EQ(found, expected) << "turn " << turn;
  }
  EXPECT_GT(failed, 80);
}

TEST_F(SqliteStore, ClosingDropsWhatIsQueuedAndFinishesWhatIsBeingWritten) {
  ASSERT_TRUE(open());
  int answered = 0;
  const auto count = [&](const auto&) { ++answered; };
  store_->txn({{}, {PutOp{"written", "v"}}, {}}, count);
  loop_.settle();  // hands it to the writer
  store_->txn({{}, {PutOp{"queued", "v"}}, {}}, count);
  const int before = answered;  // the writer may have been fast
  store_.reset();
  loop_.settle();
  EXPECT_EQ(answered, before);
  ASSERT_TRUE(open());
  EXPECT_EQ(value_of("written"), "v");
  EXPECT_EQ(value_of("queued"), "none");
}

TEST_F(SqliteStore, KeepsAsMuchHistoryAsToldAndNoMore) {
  ASSERT_TRUE(open({100, 0}));
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(put("k" + std::to_string(i % 7), "v"));
  const Revision now = range({"k1"})->revision;
  EXPECT_TRUE(range({"k1", "", 0, now - 90}));
  EXPECT_EQ(range({"k1", "", 0, now - 150}).error().code, Errc::kNotFound);
  ASSERT_TRUE(open());
  EXPECT_EQ(range({"k1", "", 0, now - 150}).error().code, Errc::kNotFound);
  EXPECT_EQ(range({"k", prefix_end("k")})->count, 7);
  EXPECT_LT(std::filesystem::file_size(path()), size_t{64} << 10);
}

TEST_F(SqliteStore, ForgetsNothingByItselfThatALiveWatchHasStillToBeTold) {
  ASSERT_TRUE(open({100, 0}));
  size_t events = 0;
  WatchHandler handler;
  handler.on_events = [&](const WatchBatch& batch) { events += batch.events.size(); };
  handler.on_compacted = [](Revision at) { ADD_FAILURE() << "compacted at " << at; };
  const auto watch = store_->watch({"k", "", 1}, std::move(handler));
  for (int i = 0; i < 3000; ++i) store_->txn({{}, {PutOp{"k", "v"}}, {}}, [](const auto&) {});
  ASSERT_TRUE(loop_.run_until([&] { return events == 3000; }));
  const Revision now = put("k", "last")->revision;
  ASSERT_TRUE(put("k", "more"));  // behind the compaction that the last one caused
  EXPECT_EQ(range({"k", "", 0, now - 200}).error().code, Errc::kNotFound);
}

TEST_F(SqliteStore, KeepsNoMoreSupersededBytesThanTold) {
  ASSERT_TRUE(open({0, size_t{1} << 20}));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(put("k", std::string(100'000, 'v')));
  ASSERT_TRUE(open());
  EXPECT_LT(std::filesystem::file_size(path()), size_t{5} << 20);
  EXPECT_EQ(range({"k"})->kvs[0].version, 100);
}

TEST_F(SqliteStore, RevisionsDoNotGoBackThoughAllTheirKeysAreGoneAndCompacted) {
  ASSERT_TRUE(open({1, 0}));
  ASSERT_TRUE(put("k", "v"));
  Revision last = 0;
  for (int i = 0; i < 10; ++i) {
    store_->txn({{}, {DeleteRangeOp{"k", ""}}, {}},
                [&](const auto& response) { last = response->revision; });
    ASSERT_TRUE(loop_.run_until([&] { return last != 0; }));
    store_->compact(last, [](const auto&) {});
    ASSERT_TRUE(put("j", "v"));
  }
  const Revision now = range({"k"})->revision;
  ASSERT_TRUE(open());
  EXPECT_EQ(range({"k"})->revision, now);
}

// A power loss takes the writes that were not synced; here: a copy of the files made before them.
TEST_F(SqliteStore, RevisionsDoNotGoBackOverAPowerLossThatTookLeasedWrites) {
  ASSERT_TRUE(open());
  const LeaseId lease = grant(100);
  ASSERT_TRUE(put("state", "0", lease));
  const Revision durable = put("unit", "v")->revision;
  for (const char* suffix : {"", "-wal"}) {
    std::filesystem::copy_file(path() + suffix, path() + ".copy" + suffix);
  }
  Revision told = 0;
  for (int i = 1; i <= 300; ++i) told = put("state", std::to_string(i), lease)->revision;
  EXPECT_EQ(told, durable + 300);
  store_.reset();
  for (const char* suffix : {"", "-wal"}) {
    ::unlink((path() + suffix).c_str());
    std::filesystem::rename(path() + ".copy" + suffix, path() + suffix);
  }
  ASSERT_TRUE(open());
  EXPECT_EQ(value_of("unit"), "v");
  EXPECT_EQ(value_of("state"), "0");
  const Revision after = range({"unit"})->revision;
  EXPECT_GE(after, told);
  EXPECT_GT(grant(100), lease);
  // And not by a clean restart after that either.
  ASSERT_TRUE(open());
  EXPECT_GE(range({"unit"})->revision, after);
}

TEST_F(SqliteStore, LeavesNoLogBehindWhenClosed) {
  ASSERT_TRUE(open());
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(put("k", std::string(50'000, 'v')));
  EXPECT_LT(std::filesystem::file_size(path() + "-wal"), size_t{12} << 20);
  store_.reset();
  EXPECT_FALSE(std::filesystem::exists(path() + "-wal"));
}

}  // namespace
}  // namespace flotilla::store
