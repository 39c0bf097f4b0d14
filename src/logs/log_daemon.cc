#include "logs/log_daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "base/idle_pages.h"

namespace flotilla::logs {
namespace {

constexpr int kMaxEpollEvents = 64;
constexpr int kMaxReadsInTurn = 8;  // then the other streams have theirs
constexpr int kLossReportMsec = 10'000;
constexpr std::size_t kMaxFdsInMessage = 253;  // the kernel's
constexpr std::size_t kReservedFds = 72;
constexpr std::size_t kUsualMessage = 4096;

int watch(int epoll, int operation, int fd, std::uint32_t events, void* tag) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = tag;
  return ::epoll_ctl(epoll, operation, fd, &event) == 0 ? 0 : errno;
}

// Takes the descriptors out of a received message. The kernel has made them ours in any case.
std::size_t take_descriptors(msghdr& message, base::Fd* fds) noexcept {
  std::size_t count = 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t in_part = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < in_part && count < kMaxFdsInMessage; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      fds[count++].reset(fd);
    }
  }
  return count;
}

bool is_readable_kind(int fd) noexcept {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

}  // namespace

LogDaemon::EventQueue::~EventQueue() { std::free(items); }

LogDaemon::LogDaemon(const DaemonConfig& config) noexcept : config_(config) {}

int LogDaemon::start() noexcept {
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return errno;
  int failure = watch(epoll_.get(), EPOLL_CTL_ADD, config_.control, EPOLLIN, &config_.control);
  watched_ = EPOLLIN;
  if (failure == 0 && config_.signals >= 0) {
    failure = watch(epoll_.get(), EPOLL_CTL_ADD, config_.signals, EPOLLIN, &config_.signals);
  }
  return failure;
}

bool LogDaemon::turn(int timeout_msec) noexcept {
  if (has_losses_ && (timeout_msec < 0 || timeout_msec > kLossReportMsec)) {
    timeout_msec = kLossReportMsec;
  }
  epoll_event events[kMaxEpollEvents];
  const int count = ::epoll_wait(epoll_.get(), events, kMaxEpollEvents, timeout_msec);
  if (count == 0 && has_losses_) report_losses();
  bool go_on = count >= 0 || errno == EINTR;
  for (int i = 0; i < count; ++i) {
    void* tag = events[i].data.ptr;
    if (tag == &config_.signals) {
      go_on = false;
    } else if (tag == &config_.control) {
      if ((events[i].events & EPOLLOUT) != 0) control_blocked_ = false;
      if (!on_control()) go_on = false;
    } else if (!on_inlet(tag)) {
      auto& stream = *static_cast<LogStream*>(tag);
      if (!stream.ended) on_stream(stream);
    }
  }
  // Not before: later events of this turn may speak of a stream that has ended.
  sweep_ended();
  send_events();
  return go_on && !control_closed_;
}

void LogDaemon::finish() noexcept {
  drain_inlets();
  streams_.for_each([this](LogStream& stream) {
    if (!stream.ended) drain(stream);
    if (!stream.ended) end_stream(stream, LineSplitter::Rest::kPiece);
  });
  sweep_ended();
  tell_all_suppressed();
  report_losses();
  // Streams that were merely handed over have not ended: nothing is told but what was before.
  send_events();
  units_.for_each([this](UnitEntry& unit) {
    unlist(unit);
    unit.log.close();
  });
}

// ---- the control socket ----

// False when the manager is gone.
bool LogDaemon::on_control() noexcept {
  std::size_t largest = 0;
  for (;;) {
    iovec data{control_buffer_, sizeof(control_buffer_)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFdsInMessage)];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t size = ::recvmsg(config_.control, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (largest > kUsualMessage) base::release_pages(control_buffer_, sizeof(control_buffer_));
      base::release_stack_pages();
      return true;
    }
    if (size <= 0) {
      control_closed_ = true;
      return false;
    }
    largest = std::max(largest, static_cast<std::size_t>(size));
    base::Fd fds[kMaxFdsInMessage];
    const std::size_t fd_count = take_descriptors(message, fds);
    on_message(control_buffer_, static_cast<std::size_t>(size), fds, fd_count);
  }
}

void LogDaemon::on_message(const char* bytes, std::size_t size, base::Fd* fds,
                           std::size_t fd_count) noexcept {
  MessageReader message(std::string_view(bytes, size));
  if (message.is_damaged()) return;
  switch (message.type()) {
    case MessageType::kAddStreams:
      add_streams(message, fds, fd_count);
      break;
    case MessageType::kSetPid: {
      for (PidChange change; message.next_pid(change);) {
        LogStream* stream = streams_.find(change.id);
        if (stream == nullptr || stream->ended) continue;
        drain(*stream);  // what came before is its predecessor's
        stream->set_pid(change.pid);
      }
      break;
    }
    case MessageType::kForgetUnit: {
      std::string_view name;
      if (message.next_unit(name)) forget_unit(name);
      break;
    }
    case MessageType::kSync:
      sync(message.argument());
      break;
    case MessageType::kAddInlet:
      if (fd_count > 0) add_inlet(message.argument(), std::move(fds[0]));
      break;
    case MessageType::kEvents:  // ours to send
      break;
  }
}

void LogDaemon::add_streams(MessageReader& message, base::Fd* fds, std::size_t fd_count) noexcept {
  std::size_t taken = 0;
  for (StreamSpec spec; message.next_stream(spec); ++taken) {
    const int failure = taken < fd_count ? add_stream(spec, std::move(fds[taken])) : EMFILE;
    if (failure != 0) post({EventType::kStreamRefused, failure, spec.id});
  }
}

// Returns 0 or the errno that tells why not.
int LogDaemon::add_stream(const StreamSpec& spec, base::Fd fd) noexcept {
  if (!is_valid_unit_name(spec.unit) || !is_readable_kind(fd.get())) return EINVAL;
  if (streams_.find(spec.id) != nullptr) return EEXIST;
  if (streams_.size() + kReservedFds + 8 >= config_.max_descriptors) return EMFILE;
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) return errno;
  LogStream* stream = streams_.add(spec, std::move(fd));
  if (stream == nullptr) return ENOMEM;
  int failure = 0;
  const RateLimit::Rule rule{spec.rate_interval_usec, spec.rate_burst};
  if (stream->is_limited && !(attach(*stream) && set_rate_limit(*stream->unit, rule))) {
    failure = ENOMEM;
  } else {
    failure = watch(epoll_.get(), EPOLL_CTL_ADD, stream->fd.get(), EPOLLIN, stream);
  }
  if (failure != 0) erase(stream);
  return failure;
}

// Finds or makes the stream's unit. False when there is no memory.
bool LogDaemon::attach(LogStream& stream) noexcept {
  if (stream.unit != nullptr) return true;
  stream.unit = units_.find_or_add(stream.unit_name());
  if (stream.unit == nullptr) return false;
  ++stream.unit->streams;
  return true;
}

void LogDaemon::erase(LogStream* stream) noexcept {
  UnitEntry* const unit = stream->unit;
  streams_.erase(stream);
  if (unit == nullptr) return;
  --unit->streams;
  erase_if_idle(*unit);
}

void LogDaemon::forget_unit(std::string_view name) noexcept {
  streams_.for_each([&](LogStream& stream) {
    if (stream.unit_name() != name || stream.ended) return;
    drain(stream);
    if (stream.ended) return;
    end_stream(stream, LineSplitter::Rest::kLine);
    tell_ended(stream);
  });
  UnitEntry* const unit = units_.find(name);
  if (unit == nullptr) return;
  unit->log.report_losses(config_.place);
  unlist(*unit);
  unit->log.close();
  erase_if_idle(*unit);  // an entry with streams goes with the last of them, in sweep_ended()
}

void LogDaemon::sync(std::uint64_t id) noexcept {
  drain_inlets();
  streams_.for_each([this](LogStream& stream) {
    if (!stream.ended) drain(stream);
  });
  if (has_losses_) report_losses();
  post({EventType::kSyncDone, 0, id});
}

void LogDaemon::post(const Event& event) noexcept {
  if (events_.size == events_.capacity) {
    const std::size_t capacity = events_.capacity == 0 ? 64 : events_.capacity * 2;
    void* bigger = std::realloc(events_.items, capacity * sizeof(Event));
    if (bigger == nullptr) return;
    events_.items = static_cast<Event*>(bigger);
    events_.capacity = capacity;
  }
  events_.items[events_.size++] = event;
}

void LogDaemon::send_events() noexcept {
  if (control_blocked_ || control_closed_) return;
  std::size_t sent = 0;
  while (sent < events_.size) {
    char bytes[16 + kMaxEventsPerMessage * 16];
    MessageWriter message(bytes, sizeof(bytes));
    message.start(MessageType::kEvents);
    while (sent + message.count() < events_.size &&
           message.add_event(events_.items[sent + message.count()])) {
    }
    const ssize_t size = ::send(config_.control, message.bytes().data(), message.bytes().size(),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      control_blocked_ = errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS;
      break;  // a socket that is closed says so when it is read
    }
    sent += message.count();
  }
  if (sent > 0) {
    events_.size -= sent;
    std::memmove(events_.items, events_.items + sent, events_.size * sizeof(Event));
  }
  watch_control(control_blocked_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void LogDaemon::watch_control(std::uint32_t events) noexcept {
  if (events == watched_) return;
  watched_ = events;
  watch(epoll_.get(), EPOLL_CTL_MOD, config_.control, events, &config_.control);
}

// ---- streams ----

void LogDaemon::on_stream(LogStream& stream) noexcept {
  // A read that fills the buffer says that the writer is ahead of us.
  for (int i = 0; i < kMaxReadsInTurn; ++i) {
    if (read_once(stream) < static_cast<long>(kReadSize)) break;
  }
  if (!stream.ended) stream.trim();
}

// Reads once and writes the lines. Returns the number of bytes, or 0 when nothing was there or the
// stream has ended.
long LogDaemon::read_once(LogStream& stream) noexcept {
  const std::string_view rest = stream.rest();
  char* const fresh = read_buffer_ + kMaxMessage;
  char* const begin = fresh - rest.size();
  const ssize_t got = ::read(stream.fd.get(), fresh, kReadSize);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return 0;
  if (got <= 0) {
    end_stream(stream, LineSplitter::Rest::kLine);
    tell_ended(stream);
    return 0;
  }
  if (!rest.empty()) std::memcpy(begin, rest.data(), rest.size());
  const std::size_t size = rest.size() + static_cast<std::size_t>(got);
  const auto emit = [&](std::string_view message, std::uint8_t priority, bool partial) {
    add_line(stream, message, priority, partial);
  };
  batch_.start(config_.place.wall_nsec(), stream.kind);
  const std::size_t used = stream.splitter.split(std::string_view(begin, size), rest.size(), emit);
  const std::string_view left_over(begin + used, size - used);
  if (!stream.keep(left_over)) {
    stream.splitter.finish(left_over, LineSplitter::Rest::kPiece, emit);
    stream.keep({});
  }
  write_batch(stream);
  return got;
}

// Reads all that is readable now, but not what a busy writer adds meanwhile.
void LogDaemon::drain(LogStream& stream) noexcept {
  int readable = 0;
  if (::ioctl(stream.fd.get(), FIONREAD, &readable) != 0) readable = 0;
  long left = readable;
  do {
    const long got = read_once(stream);
    if (got <= 0) return;
    left -= got;
  } while (left > 0);
}

void LogDaemon::end_stream(LogStream& stream, LineSplitter::Rest rest) noexcept {
  batch_.start(config_.place.wall_nsec(), stream.kind);
  stream.splitter.finish(stream.rest(), rest,
                         [&](std::string_view message, std::uint8_t priority, bool partial) {
                           add_line(stream, message, priority, partial);
                         });
  write_batch(stream);
  if (stream.is_limited && rest == LineSplitter::Rest::kLine) {
    // Nothing may ever come behind them.
    const std::uint32_t lines = stream.unit->rate->take_suppressed();
    if (lines > 0) tell_suppressed(*stream.unit, lines, Idle::kErase);
  }
  // Before the close: the other holders of the pipe keep its description, and epoll with it, alive.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, stream.fd.get(), nullptr);
  stream.fd.reset();
  stream.ended = true;
  stream.next_ended = ended_;
  ended_ = &stream;
}

// The manager knows nothing of those that programs have opened by themselves.
void LogDaemon::tell_ended(const LogStream& stream) noexcept {
  if (stream.id < kFirstOwnStream) post({EventType::kStreamEnded, 0, stream.id});
}

void LogDaemon::sweep_ended() noexcept {
  while (ended_ != nullptr) {
    LogStream* stream = ended_;
    if (stream->id >= kFirstOwnStream) --own_streams_;
    ended_ = stream->next_ended;
    erase(stream);
  }
}

void LogDaemon::add_line(LogStream& stream, std::string_view message, std::uint8_t priority,
                         bool partial) noexcept {
  if (priority > stream.priority_max) return;
  if (stream.is_limited && !is_let_through(stream, priority, partial)) return;
  if (!batch_.has_room(message.size())) write_batch(stream);
  batch_.add(message, priority, partial);
}

void LogDaemon::write_batch(LogStream& stream) noexcept {
  if (batch_.count() == 0) return;
  if (!attach(stream)) return batch_.clear();
  SourceSlot source = stream.source(config_.place.boot);
  write_batch(*stream.unit, source);
  stream.note_number_of(source);
}

void LogDaemon::write_batch(UnitEntry& unit, SourceSlot& source) noexcept {
  if (batch_.count() == 0) return;
  if (!unit.log.is_open()) make_room_for(unit, Idle::kErase);
  const bool had_lost = unit.log.lost_lines() > 0;
  unit.log.append(config_.place, batch_.view(), source);
  batch_.clear();
  if (unit.log.is_open()) note_open(unit);
  if (unit.log.lost_lines() == 0) return;
  has_losses_ = true;
  if (!had_lost) complain(unit);
}

// ---- open logs ----

// A unit that nothing writes to and that is not open is known by its files alone.
void LogDaemon::erase_if_idle(UnitEntry& unit) noexcept {
  if (unit.streams > 0 || unit.log.is_open() || unit.log.lost_lines() > 0) return;
  if (has_running_limit(unit)) return;
  if (unit.rate != nullptr) --rate_limits_;
  unlist(unit);
  units_.erase(&unit);
}

void LogDaemon::make_room_for(const UnitEntry& unit, Idle idle) noexcept {
  const std::size_t used = streams_.size() + kReservedFds;
  const std::size_t left = config_.max_descriptors > used ? config_.max_descriptors - used : 0;
  std::size_t limit = left / 2 < config_.max_open_logs ? left / 2 : config_.max_open_logs;
  if (limit == 0) limit = 1;
  while (open_logs_ >= limit) {
    UnitEntry* victim = oldest_open_;
    if (victim == &unit) victim = victim->newer;
    if (victim == nullptr) return;
    unlist(*victim);
    victim->log.close();
    if (idle == Idle::kErase) erase_if_idle(*victim);
  }
}

void LogDaemon::note_open(UnitEntry& unit) noexcept {
  if (newest_open_ == &unit) return;
  unlist(unit);
  unit.older = newest_open_;
  if (newest_open_ != nullptr) newest_open_->newer = &unit;
  newest_open_ = &unit;
  if (oldest_open_ == nullptr) oldest_open_ = &unit;
  unit.listed_open = true;
  ++open_logs_;
}

void LogDaemon::unlist(UnitEntry& unit) noexcept {
  if (!unit.listed_open) return;
  (unit.newer != nullptr ? unit.newer->older : newest_open_) = unit.older;
  (unit.older != nullptr ? unit.older->newer : oldest_open_) = unit.newer;
  unit.newer = unit.older = nullptr;
  unit.listed_open = false;
  --open_logs_;
}

void LogDaemon::report_losses() noexcept {
  has_losses_ = false;
  units_.for_each([this](UnitEntry& unit) {
    if (unit.log.lost_lines() == 0) return;
    // Nothing may be erased from the table that is being walked.
    if (!unit.log.is_open()) make_room_for(unit, Idle::kKeep);
    unit.log.report_losses(config_.place);
    if (unit.log.is_open()) note_open(unit);
    if (unit.log.lost_lines() > 0) has_losses_ = true;
  });
}

// Says on stderr that a log cannot be written; only if stderr takes it at once.
void LogDaemon::complain(const UnitEntry& unit) const noexcept {
  pollfd error_output{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&error_output, 1, 0) != 1 || (error_output.revents & POLLOUT) == 0) return;
  char text[512];
  const std::string_view name = unit.log.unit();
  const char* why = ::strerrordesc_np(unit.log.last_error());
  const int size = std::snprintf(
      text, sizeof(text), "flotilla-logd: %.*s: cannot write the log, lines are lost: %s\n",
      static_cast<int>(name.size()), name.data(), why != nullptr ? why : "unknown error");
  if (size > 0) {
    [[maybe_unused]] const ssize_t put =
        ::write(STDERR_FILENO, text, static_cast<std::size_t>(size));
  }
}

}  // namespace flotilla::logs
