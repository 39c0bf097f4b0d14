#include "init/loop_signals.h"

#include <array>
#include <cerrno>

namespace flotilla::init {

base::Result<std::unique_ptr<SignalSource>> SignalSource::create(
    Loop& loop, const sigset_t& signals, Priority priority,
    Callback<void(const signalfd_siginfo&)> on_signal) {
  if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return base::system_error(errno, "block signals");
  }
  base::Fd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return base::system_error(errno, "receive signals");
  std::unique_ptr<SignalSource> source(new SignalSource(std::move(fd), priority, on_signal));
  FLOTILLA_TRY(loop.watch(source->source_, source->fd_.get(), EPOLLIN));
  return source;
}

SignalSource::SignalSource(base::Fd fd, Priority priority,
                           Callback<void(const signalfd_siginfo&)> on_signal) noexcept
    : fd_(std::move(fd)),
      on_signal_(on_signal),
      source_(priority, Callback<void(uint32_t)>::to<&SignalSource::on_ready>(*this)) {}

void SignalSource::on_ready(uint32_t) {
  // One read takes what is pending; what comes meanwhile makes the descriptor ready again. The
  // callback may destroy this object, so nothing of it is touched after the last call.
  std::array<signalfd_siginfo, 8> signals;
  const ssize_t size = read(fd_.get(), signals.data(), sizeof signals);
  if (size <= 0) return;
  const size_t count = static_cast<size_t>(size) / sizeof(signalfd_siginfo);
  const Callback<void(const signalfd_siginfo&)> on_signal = on_signal_;
  for (size_t i = 0; i < count; ++i) on_signal(signals[i]);
}

}  // namespace flotilla::init
