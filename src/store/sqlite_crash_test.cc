// kill -9 at random points: whatever was acknowledged is there afterwards.
//
// The parent runs this program again as the writer (a disabled test that takes its orders from the
// environment), reads acknowledgements from a pipe, and kills it.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>

#include "base/fd.h"
#include "store/sqlite_harness.h"

namespace flotilla::store {
namespace {

constexpr const char* kPathVariable = "FLOTILLA_STORE_CRASH_PATH";
constexpr const char* kFdVariable = "FLOTILLA_STORE_CRASH_FD";
constexpr const char* kRoundVariable = "FLOTILLA_STORE_CRASH_ROUND";
constexpr SqliteOptions kSmallHistory{300, size_t{1} << 20};
constexpr int kKeys = 50;

// One acknowledged write: key number `key` had the text of `value` at `revision`.
struct Acknowledgement {
  int64_t key;
  int64_t value;
  Revision revision;
};

std::string key_text(int64_t key) { return fmt::format("k{}", key); }
std::string value_text(int64_t value) {
  return fmt::format("{}:{}", value, std::string(static_cast<size_t>(value % 700), 'v'));
}

TEST(SqliteCrash, DISABLED_WritesUntilKilled) {
  const char* path = ::getenv(kPathVariable);
  const char* out_text = ::getenv(kFdVariable);
  const char* round = ::getenv(kRoundVariable);
  if (path == nullptr || out_text == nullptr || round == nullptr) {
    GTEST_SKIP() << "run by SqliteCrash.KeepsEveryAcknowledgedWrite alone";
  }
  const int out = static_cast<int>(::strtol(out_text, nullptr, 10));
  std::mt19937_64 random(::strtoul(round, nullptr, 10));
  WaitingLoop loop;
  auto opened = open_sqlite_store(path, loop, kSmallHistory);
  if (!opened) {
    fmt::print(stderr, "{}\n", opened.error().message);
    ::_exit(3);
  }
  Store& store = **opened;
  LeaseId lease = 0;
  store.grant_lease(std::chrono::seconds(1000),
                    [&](const auto& granted) { lease = granted->lease; });
  loop.run_until([&] { return lease != 0; });
  // Batches of several writes, of which each is acknowledged by itself.
  for (;;) {
    int outstanding = 0;
    for (uint64_t i = 1 + random() % 4; i > 0; --i) {
      const auto key = static_cast<int64_t>(random() % kKeys);
      const auto value = static_cast<int64_t>(random() >> 2);
      ++outstanding;
      store.txn({{}, {PutOp{key_text(key), value_text(value), key % 2 == 0 ? 0 : lease}}, {}},
                [&outstanding, out, key, value](const base::Result<TxnResponse>& response) {
                  --outstanding;
                  if (!response) ::_exit(4);
                  const Acknowledgement told{key, value, response->revision};
                  if (::write(out, &told, sizeof told) != sizeof told) ::_exit(5);
                });
    }
    loop.run_until([&] { return outstanding == 0; });
  }
}

class Writer {
 public:
  Writer(const std::string& path, int round) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) abort();
    from_.reset(ends[0]);
    base::Fd to(ends[1]);
    // All that the child needs is made before the fork: another thread may hold the heap's lock.
    const std::vector<std::string> settings = {fmt::format("{}={}", kPathVariable, path),
                                               fmt::format("{}={}", kFdVariable, 9),
                                               fmt::format("{}={}", kRoundVariable, round)};
    std::vector<char*> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
    for (const std::string& setting : settings) {
      environment.push_back(const_cast<char*>(setting.c_str()));
    }
    environment.push_back(nullptr);
    std::string program = "/proc/self/exe";
    std::string filter = "--gtest_filter=SqliteCrash.DISABLED_WritesUntilKilled";
    std::string disabled = "--gtest_also_run_disabled_tests";
    char* arguments[] = {program.data(), filter.data(), disabled.data(), nullptr};
    pid_ = ::fork();
    if (pid_ == 0) {
      const int null = ::open("/dev/null", O_WRONLY);
      ::dup2(null, 1);
      ::dup2(to.get(), 9);
      ::execve(program.c_str(), arguments, environment.data());
      ::_exit(127);
    }
  }
  ~Writer() { kill(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // The next acknowledgement, if one comes within `patience` (negative: for ever).
  std::optional<Acknowledgement> read(int patience_ms) {
    pollfd ready{from_.get(), POLLIN, 0};
    if (::poll(&ready, 1, patience_ms) != 1) return std::nullopt;
    Acknowledgement told{};
    if (::read(from_.get(), &told, sizeof told) != sizeof told) return std::nullopt;
    return told;
  }
  // Returns the signal that ended it.
  int kill() {
    if (pid_ <= 0) return 0;
    int status = 0;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
  }

 private:
  base::Fd from_;
  pid_t pid_ = 0;
};

TEST(SqliteCrash, KeepsEveryAcknowledgedWrite) {
  const TemporaryFolder folder;
  const std::string path = folder / "store.db";
  std::mt19937 random(11);
  std::map<int64_t, Acknowledgement> last;
  Revision highest = 0;
  size_t acknowledged = 0;
  constexpr int kRounds = 60;
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    const auto take = [&](const Acknowledgement& told) {
      EXPECT_GT(told.revision, highest);
      highest = told.revision;
      last[told.key] = told;
      ++acknowledged;
    };
    {
      Writer writer(path, round);
      // Some rounds die while opening, most at some moment among their writes.
      const auto moment = random() % 150;
      for (unsigned i = 0; i < moment; ++i) {
        const auto told = writer.read(round % 10 == 9 ? static_cast<int>(random() % 3) : -1);
        if (!told) break;
        take(*told);
      }
      if (const auto told = writer.read(static_cast<int>(random() % 4))) take(*told);
      ASSERT_EQ(writer.kill(), SIGKILL);
      while (const auto told = writer.read(0)) take(*told);
    }
    WaitingLoop loop;
    auto store = open_sqlite_store(path, loop, kSmallHistory);
    ASSERT_TRUE(store) << store.error().message;
    std::optional<RangeResponse> now;
    (*store)->range({"k", prefix_end("k")},
                    [&](auto response) { now.emplace(std::move(*response)); });
    ASSERT_TRUE(loop.run_until([&] { return now.has_value(); }));
    EXPECT_GE(now->revision, highest);
    highest = now->revision;
    std::map<std::string, KeyValue> found;
    for (const KeyValue& kv : now->kvs) found[kv.key] = kv;
    for (const auto& [key, told] : last) {
      const KeyValue& kv = found[key_text(key)];
      // A later write may have been done and not acknowledged; an earlier one may not be there.
      ASSERT_GE(kv.mod_revision, told.revision);
      if (kv.mod_revision > told.revision) continue;
      EXPECT_EQ(kv.value, value_text(told.value));
    }
  }
  EXPECT_GT(acknowledged, 500U);
}

}  // namespace
}  // namespace flotilla::store
