// Executor: where blocking work goes (fsync, reading directories, name look-ups), so that the loop
// thread never waits. Work must not touch anything that belongs to the loop thread.
#pragma once

#include <functional>
#include <memory>

#include "base/event_loop.h"

namespace flotilla::overlord {

class Executor {
 public:
  virtual ~Executor() = default;
  // Runs `work` elsewhere, then `done` on the loop thread, never inside this call. Works may run at
  // the same time as each other. Destroying the executor waits for the work; its `done`s may then
  // still come from the loop.
  virtual void submit(std::function<void()> work, std::function<void()> done) = 0;
};

// Runs the work inside submit(): for tests, which stay single-threaded and in order.
class InlineExecutor final : public Executor {
 public:
  explicit InlineExecutor(base::EventLoop& loop) : loop_(loop) {}
  void submit(std::function<void()> work, std::function<void()> done) override {
    work();
    loop_.post(std::move(done));
  }

 private:
  base::EventLoop& loop_;
};

// A few threads, made when there is first something to do.
class ThreadPool final : public Executor {
 public:
  ThreadPool(base::EventLoop& loop, unsigned threads);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void submit(std::function<void()> work, std::function<void()> done) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::overlord
