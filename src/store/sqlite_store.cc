#include "store/sqlite_store.h"

#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "store/local_store.h"
#include "store/sqlite_file.h"

namespace flotilla::store {

namespace {

// The writer thread: takes one batch at a time, writes it, posts the outcome to the loop.
class SqliteJournal final : public Journal {
 public:
  SqliteJournal(std::unique_ptr<SqliteFile> file, base::EventLoop& loop)
      : loop_(loop), file_(std::move(file)) {
    // Signals are for the loop's thread: the new one is born with all of them blocked.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { write_all(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  // Lets a batch that was handed over be written first.
  ~SqliteJournal() override {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    wake_up_.notify_one();
    thread_.join();
  }
  SqliteJournal(const SqliteJournal&) = delete;
  SqliteJournal& operator=(const SqliteJournal&) = delete;

  void write(Batch batch, std::function<void(base::Status)> done) override {
    {
      const std::lock_guard lock(mutex_);
      next_.emplace(std::move(batch), std::move(done));
    }
    wake_up_.notify_one();
  }

 private:
  using Job = std::pair<Batch, std::function<void(base::Status)>>;

  void write_all() {
    pthread_setname_np(pthread_self(), "store");
    for (;;) {
      std::optional<Job> job;
      {
        std::unique_lock lock(mutex_);
        wake_up_.wait(lock, [this] { return next_.has_value() || is_ending_; });
        if (!next_) return;
        job.swap(next_);
      }
      base::Status written = file_->write(job->first);
      loop_.post([done = std::move(job->second), written = std::move(written)] { done(written); });
      file_->checkpoint_if_long();
    }
  }

  base::EventLoop& loop_;
  std::unique_ptr<SqliteFile> file_;
  std::mutex mutex_;
  std::condition_variable wake_up_;
  std::optional<Job> next_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace

base::Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path,
                                                       base::EventLoop& loop,
                                                       SqliteOptions options) {
  LocalState state;
  FLOTILLA_ASSIGN(auto file, SqliteFile::open(path, state));
  auto journal = std::make_unique<SqliteJournal>(std::move(file), loop);
  return std::unique_ptr<Store>(std::make_unique<LocalStore>(
      loop, std::move(state), std::move(journal),
      Retention{options.keep_revisions, options.keep_superseded_bytes}));
}

}  // namespace flotilla::store
