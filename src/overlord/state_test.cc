#include "overlord/state.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "base/fake_event_loop.h"

namespace flotilla::overlord {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

struct StateTest : testing::Test {
  StateTest() {
    char name[] = "/tmp/flotilla-state-XXXXXX";
    directory = ::mkdtemp(name);
    path = directory + "/state/journal";
  }
  ~StateTest() override { std::filesystem::remove_all(directory); }

  std::unique_ptr<State> open() {
    auto state = State::open(loop, executor, path);
    EXPECT_TRUE(state.has_value()) << (state ? "" : state.error().message);
    return state ? std::move(*state) : nullptr;
  }
  static void put(State& state, const std::string& key, const std::string& json) {
    StateTxn txn;
    txn.put(kDataKind, key, json);
    const base::Status status = state.commit(txn);
    ASSERT_TRUE(status.has_value()) << status.error().message;
  }
  static std::string get(const State& state, const std::string& key) {
    const std::string* value = state.find(kDataKind, key);
    return value != nullptr ? *value : "(none)";
  }

  base::FakeEventLoop loop;
  InlineExecutor executor{loop};
  std::string directory;
  std::string path;
};

TEST_F(StateTest, RemembersOverARestart) {
  {
    const auto state = open();
    put(*state, "a", R"( {"x": [1, 2,
                          "three"]} )");
    put(*state, "b", "2");
    put(*state, "b", "3");
    put(*state, "c", "4");
    StateTxn txn;
    txn.erase(kDataKind, "c");
    txn.put("change", "1", R"({"kind":"overwrite"})");
    ASSERT_TRUE(state->commit(txn));
  }
  const auto state = open();
  EXPECT_EQ(get(*state, "a"), R"({"x":[1,2,"three"]})");
  EXPECT_EQ(get(*state, "b"), "3");
  EXPECT_EQ(get(*state, "c"), "(none)");
  EXPECT_EQ(state->all("change").size(), 1u);
  EXPECT_TRUE(state->all("task").empty());
}

TEST_F(StateTest, ABadValueIsRefusedAndNothingOfItsTransactionIsDone) {
  const auto state = open();
  StateTxn txn;
  txn.put(kDataKind, "a", "1");
  txn.put(kDataKind, "b", "{");
  const base::Status status = state->commit(txn);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, base::Errc::kInvalid);
  EXPECT_EQ(get(*state, "a"), "(none)");
}

TEST_F(StateTest, ManyCommitsOfOneTurnShareOneSync) {
  struct Counter final : Executor {
    explicit Counter(base::EventLoop& event_loop) : inner(event_loop) {}
    void submit(std::function<void()> work, std::function<void()> done) override {
      ++count;
      inner.submit(std::move(work), std::move(done));
    }
    InlineExecutor inner;
    int count = 0;
  } counter(loop);
  auto state = State::open(loop, counter, path);
  ASSERT_TRUE(state);
  int durable = 0;
  for (int i = 0; i < 100; ++i) {
    StateTxn txn;
    txn.put(kDataKind, "k" + std::to_string(i), "1");
    ASSERT_TRUE((*state)->commit(txn, [&](const base::Status& s) { durable += s ? 1 : 0; }));
  }
  EXPECT_EQ(durable, 0);
  loop.settle();
  EXPECT_EQ(durable, 100);
  EXPECT_EQ(counter.count, 1);
  // Those that nobody waits for have more time to share one.
  for (int i = 0; i < 100; ++i) {
    put(**state, "k", std::to_string(i));
    loop.settle();
  }
  EXPECT_EQ(counter.count, 1);
  loop.advance(base::Micros(100'000));
  EXPECT_EQ(counter.count, 2);
}

TEST_F(StateTest, LosesAtMostTheLastRecordWhereverTheFileIsCut) {
  {
    const auto state = open();
    for (int i = 0; i < 5; ++i) put(*state, "n", std::to_string(i));
  }
  const std::string whole = read_file(path);
  for (size_t length = 0; length <= whole.size(); ++length) {
    write_file(path, whole.substr(0, length));
    const auto lines = std::count(whole.begin(), whole.begin() + static_cast<long>(length), '\n');
    {
      const auto state = open();
      ASSERT_NE(state, nullptr) << "cut at " << length;
      EXPECT_EQ(get(*state, "n"), lines < 2 ? "(none)" : std::to_string(lines - 2));
      put(*state, "after", "1");
    }
    EXPECT_EQ(get(*open(), "after"), "1") << "cut at " << length;
  }
}

TEST_F(StateTest, SkipsADamagedRecordKeepsACopyAndGoesOn) {
  {
    const auto state = open();
    put(*state, "a", "1");
    put(*state, "b", "2");
    put(*state, "c", "3");
  }
  std::string bytes = read_file(path);
  bytes[bytes.find("\"b\"") + 1] = 'x';
  write_file(path, bytes);
  const auto state = open();
  EXPECT_EQ(get(*state, "a"), "1");
  EXPECT_EQ(get(*state, "b"), "(none)");
  EXPECT_EQ(get(*state, "c"), "3");
  EXPECT_EQ(read_file(path + ".damaged"), bytes);
}

TEST_F(StateTest, RefusesWhatIsNoJournalAndLeavesItAlone) {
  std::filesystem::create_directories(directory + "/state");
  write_file(path, "something else entirely\n");
  const auto state = State::open(loop, executor, path);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().message, path + ": this is no state journal; move it away to start anew");
  EXPECT_EQ(read_file(path), "something else entirely\n");
  write_file(path, "flotilla-journal 2\nwhat do I know\n");
  EXPECT_EQ(State::open(loop, executor, path).error().code, base::Errc::kUnsupported);
}

TEST_F(StateTest, AFileThatGrowsWithoutNeedIsWrittenAnew) {
  const std::string filler(2000, 'x');
  {
    const auto state = open();
    put(*state, "keep", "true");
    for (int i = 0; i < 300; ++i) {
      put(*state, "n", "\"" + filler + std::to_string(i) + "\"");
      loop.settle();
    }
    EXPECT_LT(state->journal_size(), 100'000u);
  }
  const auto state = open();
  EXPECT_EQ(get(*state, "keep"), "true");
  EXPECT_EQ(get(*state, "n"), "\"" + filler + "299\"");
}

TEST_F(StateTest, WhatIsCommittedWhileTheFileIsWrittenAnewIsKept) {
  // Holds every work back until the test lets it go, so that commits fall into the rewriting.
  struct Slow final : Executor {
    void submit(std::function<void()> work, std::function<void()> done) override {
      queue.emplace_back(std::move(work), std::move(done));
    }
    std::vector<std::pair<std::function<void()>, std::function<void()>>> queue;
  } slow;
  {
    auto opened = State::open(loop, slow, path);
    ASSERT_TRUE(opened);
    State& state = **opened;
    const std::string filler(2000, 'x');
    for (int i = 0; i < 400; ++i) {
      put(state, "n", "\"" + filler + "\"");
      put(state, "i", std::to_string(i));
      loop.settle();
      if (i % 3 == 0 && !slow.queue.empty()) {
        auto next = std::move(slow.queue.front());
        slow.queue.erase(slow.queue.begin());
        next.first();
        put(state, "between", std::to_string(i));
        next.second();
        loop.settle();
      }
    }
    EXPECT_LT(state.journal_size(), 400'000u);
  }
  const auto state = open();
  EXPECT_EQ(get(*state, "i"), "399");
  EXPECT_EQ(get(*state, "between"), "399");
}

TEST_F(StateTest, AFullDiskFailsTheCommitAndChangesNothing) {
  // A file size limit plays the full disk.
  const auto state = open();
  put(*state, "a", "1");
  const rlimit old = [] {
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    return limit;
  }();
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit small = old;
  small.rlim_cur = state->journal_size() + 10;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  StateTxn txn;
  txn.put(kDataKind, "b", "\"" + std::string(500, 'y') + "\"");
  const base::Status status = state->commit(txn);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_FALSE(status);
  EXPECT_EQ(get(*state, "b"), "(none)");
  put(*state, "c", "3");
  EXPECT_EQ(get(*open(), "c"), "3");
  EXPECT_EQ(get(*open(), "b"), "(none)");
}

// A child commits a counter as fast as it can and says each number it has committed; killed at a
// random moment, the file must hold at least the last number said.
TEST_F(StateTest, KillNineAtAnyMomentLosesNothingThatWasCommitted) {
  std::minstd_rand random(7);
  for (int round = 0; round < 30; ++round) {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      base::FakeEventLoop child_loop;
      InlineExecutor child_executor(child_loop);
      auto state = State::open(child_loop, child_executor, path);
      if (!state) ::_exit(1);
      const std::string* before = (*state)->find(kDataKind, "n");
      uint32_t n = before != nullptr ? static_cast<uint32_t>(std::stoul(*before)) : 0;
      const std::string filler = "\"" + std::string(3000, 'x') + "\"";
      for (;;) {
        ++n;
        StateTxn txn;
        txn.put(kDataKind, "n", std::to_string(n));
        txn.put(kDataKind, "filler", filler);
        if (!(*state)->commit(txn)) ::_exit(1);
        if (::write(fds[1], &n, sizeof n) != sizeof n) ::_exit(1);
        child_loop.settle();
      }
    }
    ::close(fds[1]);
    uint32_t said = 0;
    const unsigned reads = 1 + static_cast<unsigned>(random() % 60);
    for (unsigned i = 0; i < reads; ++i) ASSERT_EQ(::read(fds[0], &said, sizeof said), 4);
    ::kill(child, SIGKILL);
    while (::read(fds[0], &said, sizeof said) == sizeof said) {
    }
    ::close(fds[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    const auto state = open();
    ASSERT_NE(state, nullptr);
    EXPECT_GE(std::stoul(get(*state, "n")), said);
  }
}

}  // namespace
}  // namespace flotilla::overlord
