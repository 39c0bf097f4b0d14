#include "overlord/executor.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace flotilla::overlord {

struct ThreadPool::Impl {
  struct Job {
    std::function<void()> work;
    std::function<void()> done;
  };

  Impl(base::EventLoop& event_loop, unsigned count) : loop(event_loop), max_threads(count) {}

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      wake.wait(lock, [this] { return ending || !jobs.empty(); });
      --idle;
      if (jobs.empty()) return;  // ending, and everything is done
      Job job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job.work();
      job.work = nullptr;
      loop.post(std::move(job.done));
      lock.lock();
    }
  }

  base::EventLoop& loop;
  const unsigned max_threads;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Job> jobs;
  unsigned idle = 0;
  bool ending = false;
  std::vector<std::thread> threads;  // loop thread only
};

ThreadPool::ThreadPool(base::EventLoop& loop, unsigned threads)
    : impl_(std::make_unique<Impl>(loop, threads)) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->ending = true;
  }
  impl_->wake.notify_all();
  for (std::thread& thread : impl_->threads) thread.join();
}

void ThreadPool::submit(std::function<void()> work, std::function<void()> done) {
  bool needs_thread = false;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->jobs.push_back({std::move(work), std::move(done)});
    needs_thread = impl_->idle < impl_->jobs.size() && impl_->threads.size() < impl_->max_threads;
  }
  if (needs_thread) impl_->threads.emplace_back([impl = impl_.get()] { impl->run(); });
  impl_->wake.notify_one();
}

}  // namespace flotilla::overlord
