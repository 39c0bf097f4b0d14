#include "init/children.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/fd.h"

namespace flotilla::init {
namespace {

constexpr size_t kFirstBuckets = 64;  // a power of two

}  // namespace

ChildWatch::~ChildWatch() {
  if (table_ != nullptr) table_->remove(*this);
}

ProcessTable::ProcessTable() : buckets_(kFirstBuckets, nullptr) {}

ProcessTable::~ProcessTable() {
  for (ChildWatch* first : buckets_) {
    while (first != nullptr) {
      ChildWatch* const next = first->next_;
      first->table_ = nullptr;
      first->next_ = nullptr;
      first = next;
    }
  }
}

// Pids are given out in sequence, so their low bits spread by themselves.
size_t ProcessTable::bucket(pid_t pid) const noexcept {
  return static_cast<size_t>(pid) & (buckets_.size() - 1);
}

void ProcessTable::insert(ChildWatch& watch, pid_t pid) {
  if (watch.table_ != nullptr) watch.table_->remove(watch);
  if (size_ >= buckets_.size()) grow();
  watch.pid_ = pid;
  watch.table_ = this;
  ChildWatch*& first = buckets_[bucket(pid)];
  watch.next_ = first;
  first = &watch;
  ++size_;
}

void ProcessTable::grow() {
  std::vector<ChildWatch*> old(buckets_.size() * 2, nullptr);
  old.swap(buckets_);
  for (ChildWatch* watch : old) {
    while (watch != nullptr) {
      ChildWatch* const next = watch->next_;
      ChildWatch*& first = buckets_[bucket(watch->pid_)];
      watch->next_ = first;
      first = watch;
      watch = next;
    }
  }
}

void ProcessTable::remove(ChildWatch& watch) noexcept {
  if (watch.table_ != this) return;
  for (ChildWatch** link = &buckets_[bucket(watch.pid_)]; *link != nullptr;
       link = &(*link)->next_) {
    if (*link != &watch) continue;
    *link = watch.next_;
    break;
  }
  watch.next_ = nullptr;
  watch.table_ = nullptr;
  --size_;
}

ChildWatch* ProcessTable::find(pid_t pid) const noexcept {
  for (ChildWatch* watch = buckets_[bucket(pid)]; watch != nullptr; watch = watch->next_) {
    if (watch->pid_ == pid) return watch;
  }
  return nullptr;
}

bool ProcessTable::deliver(const ChildExit& exit) {
  ChildWatch* const watch = find(exit.pid);
  if (watch == nullptr) return false;
  remove(*watch);
  const Callback<void(const ChildExit&)> on_exit = watch->on_exit_;  // the call may destroy it
  on_exit(exit);
  return true;
}

std::vector<pid_t> ProcessTable::pids() const {
  std::vector<pid_t> all;
  for (const ChildWatch* first : buckets_) {
    for (const ChildWatch* watch = first; watch != nullptr; watch = watch->next_) {
      all.push_back(watch->pid_);
    }
  }
  return all;
}

// Kept after the process is gone: it may be in its own callback.
struct Children::Stranger {
  Stranger(Children& owner, Loop& its_loop, pid_t its_pid)
      : children(owner), loop(its_loop), pid(its_pid) {}
  void on_ready(uint32_t) {
    loop.unwatch(source);
    pidfd.reset();
    children.on_stranger_gone(pid);
  }

  Children& children;
  Loop& loop;
  pid_t pid;
  base::Fd pidfd;
  FdSource source{Priority::kChildren, Callback<void(uint32_t)>::to<&Stranger::on_ready>(*this)};
};

Children::Children(Callback<void()> before_exit,
                   Callback<void(const ChildExit&)> on_unknown) noexcept
    : before_exit_(before_exit), on_unknown_(on_unknown) {}
Children::~Children() = default;

base::Result<std::unique_ptr<Children>> Children::create(
    Loop& loop, Callback<void()> before_exit, Callback<void(const ChildExit&)> on_unknown) {
  std::unique_ptr<Children> children(new Children(before_exit, on_unknown));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  FLOTILLA_ASSIGN(
      children->signals_,
      SignalSource::create(
          loop, set, Priority::kChildren,
          Callback<void(const signalfd_siginfo&)>::to<&Children::on_signal>(*children)));
  return children;
}

void Children::on_signal(const signalfd_siginfo&) { reap(); }

void Children::reap() {
  for (;;) {
    siginfo_t info{};
    // It stays a zombie while its watcher works: if the manager dies in between, the keeper finds
    // it, and until then its pid cannot be another process's.
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (info.si_pid == 0) return;
    deliver({info.si_pid, info.si_code, info.si_status, info.si_uid});
    siginfo_t reaped{};
    while (waitid(P_PID, static_cast<id_t>(info.si_pid), &reaped, WEXITED | WNOHANG) != 0 &&
           errno == EINTR) {
    }
  }
}

void Children::watch_strangers(Loop& loop) {
  for (const pid_t pid : table_.pids()) {
    siginfo_t info{};
    const bool is_child =
        waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    if (is_child) continue;
    auto stranger = std::make_unique<Stranger>(*this, loop, pid);
    stranger->pidfd.reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!stranger->pidfd || !loop.watch(stranger->source, stranger->pidfd.get(), EPOLLIN)) {
      on_stranger_gone(pid);
      continue;
    }
    strangers_.push_back(std::move(stranger));
  }
}

void Children::deliver(const ChildExit& exit) {
  before_exit_();
  if (!table_.deliver(exit)) on_unknown_(exit);
}

}  // namespace flotilla::init
