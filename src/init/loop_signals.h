// Signals as events of the loop: one signalfd for a set of signals that are blocked in this process
// from the making of the source on. They stay blocked when it ends, so that none kills the manager
// on its way out.
#pragma once

#include <sys/signalfd.h>

#include <csignal>
#include <memory>

#include "init/loop.h"

namespace flotilla::init {

class SignalSource {
 public:
  static base::Result<std::unique_ptr<SignalSource>> create(
      Loop& loop, const sigset_t& signals, Priority priority,
      Callback<void(const signalfd_siginfo&)> on_signal);

 private:
  SignalSource(base::Fd fd, Priority priority,
               Callback<void(const signalfd_siginfo&)> on_signal) noexcept;
  void on_ready(uint32_t events);

  base::Fd fd_;
  Callback<void(const signalfd_siginfo&)> on_signal_;
  FdSource source_;
};

}  // namespace flotilla::init
