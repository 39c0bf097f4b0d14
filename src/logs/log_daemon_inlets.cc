// What programs send to the sockets of the journal by themselves: syslog(3), sd_journal_send(3) and
// sd_journal_stream_fd(3). Their lines go to the log of the unit the sender is in, by its cgroup as
// the kernel tells it; those of processes in no unit, or gone before we looked, to "-.slice".
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "logs/log_daemon.h"

namespace flotilla::logs {
namespace {

constexpr int kMaxDatagramsInTurn = 64;  // then the streams have theirs
constexpr int kMaxTurnsOfDrain = 256;
constexpr int kMaxAcceptsInTurn = 16;
constexpr std::size_t kMaxOwnStreams = 1024;
constexpr std::size_t kMaxLargeDatagram = std::size_t{1} << 20;
constexpr const char kNoUnit[] = "-.slice";

// Reads a small file of /proc; 0 bytes where there is none.
std::size_t read_file(const char* path, char* out, std::size_t capacity) noexcept {
  const base::Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return 0;
  const ssize_t got = ::read(file.get(), out, capacity);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

struct Received {
  ssize_t size = -1;
  std::int32_t pid = 0;
  base::Fd fd;  // the text of a large message
};

// The facility, where it is not daemon's, and the unit's. `out` holds the result where it is not
// the unit's alone.
std::string_view fields_of(const JournalMessage& message, std::string_view of_unit,
                           char (&out)[kMaxFields]) noexcept {
  constexpr int kDaemon = 3;
  if (message.facility < 0 || message.facility == kDaemon) return of_unit;
  auto size = static_cast<std::size_t>(
      std::snprintf(out, kMaxFacilityField, "SYSLOG_FACILITY=%d", message.facility));
  if (!of_unit.empty()) {
    out[size++] = '\0';
    std::memcpy(out + size, of_unit.data(), of_unit.size());
    size += of_unit.size();
  }
  return {out, size};
}

Received receive(int socket, char* buffer, std::size_t capacity) noexcept {
  iovec data{buffer, capacity};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * 4) + 64];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  Received received;
  received.size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (received.size < 0) return received;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS && part->cmsg_len >= CMSG_LEN(sizeof(ucred))) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(part), sizeof(sender));
      received.pid = sender.pid;
    }
    if (part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      received.fd.reset(fd);  // of several, which nobody sends, the last
    }
  }
  return received;
}

}  // namespace

int LogDaemon::add_inlet(std::uint64_t kind, base::Fd socket) noexcept {
  if (kind >= kInletCount || !socket) return EINVAL;
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) return errno;
  base::Fd& inlet = inlets_[kind];
  if (inlet) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, inlet.get(), nullptr);
  inlet = std::move(socket);
  // We are in the manager's own part of the tree.
  char text[4096];
  const std::size_t size = read_file("/proc/self/cgroup", text, sizeof(text));
  std::string_view own = path_of_cgroup({text, size});
  constexpr std::string_view kManagersScope = "/init.scope";
  if (own.size() >= kManagersScope.size() &&
      part_of(own, own.size() - kManagersScope.size()) == kManagersScope) {
    own.remove_suffix(kManagersScope.size());
  }
  std::snprintf(own_cgroup_, sizeof(own_cgroup_), "%.*s", static_cast<int>(own.size()), own.data());
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &inlet;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, inlet.get(), &event) == 0 ? 0 : errno;
}

// False: the tag is none of an inlet.
bool LogDaemon::on_inlet(void* tag) noexcept {
  for (std::size_t i = 0; i < kInletCount; ++i) {
    if (tag != &inlets_[i]) continue;
    const auto kind = static_cast<InletKind>(i);
    if (kind == InletKind::kStdout) {
      accept_streams();
    } else {
      read_datagrams(kind);
    }
    return true;
  }
  for (base::Fd& connection : greetings_) {
    if (tag != &connection) continue;
    if (connection) on_greeting(connection);
    return true;
  }
  return false;
}

void LogDaemon::drain_inlets() noexcept {
  for (const InletKind kind : {InletKind::kSyslog, InletKind::kNative}) {
    // All that is there now, but not what a busy sender adds meanwhile without end.
    for (int i = 0; i < kMaxTurnsOfDrain && read_datagrams(kind); ++i) {
    }
  }
}

// ---- datagrams ----

// True: there may be more.
bool LogDaemon::read_datagrams(InletKind kind) noexcept {
  const base::Fd& socket = inlets_[static_cast<std::size_t>(kind)];
  if (!socket) return false;
  sender_ = 0;  // since the turn before, a process may have moved, and a pid may be another's
  for (int i = 0; i < kMaxDatagramsInTurn; ++i) {
    const Received received = receive(socket.get(), read_buffer_, sizeof(read_buffer_));
    if (received.size < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    if (received.size == 0 && received.fd && kind == InletKind::kNative) {
      on_large_datagram(received.pid, received.fd.get());
    } else {
      on_datagram(kind, received.pid, {read_buffer_, static_cast<std::size_t>(received.size)});
    }
  }
  return true;
}

void LogDaemon::on_datagram(InletKind kind, std::int32_t pid, std::string_view bytes) noexcept {
  if (kind == InletKind::kSyslog) {
    const JournalMessage message = parse_syslog(bytes);
    if (!message.text.empty()) add_message(pid, message);
    return;
  }
  for (JournalMessage message; next_native_entry(bytes, message);) add_message(pid, message);
}

// What does not fit into a datagram comes as a file in memory. Who sent it may still change it, so
// it is copied before it is looked at.
void LogDaemon::on_large_datagram(std::int32_t pid, int fd) noexcept {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0) return;
  std::size_t size = static_cast<std::size_t>(status.st_size);
  if (size > kMaxLargeDatagram) size = kMaxLargeDatagram;
  // A file on a disk or a network could make us wait: only those in memory are read.
  const int seals = ::fcntl(fd, F_GET_SEALS);
  auto* const copy = seals < 0 ? nullptr : static_cast<char*>(std::malloc(size));
  if (copy == nullptr) return;
  const ssize_t got = ::pread(fd, copy, size, 0);
  if (got > 0) on_datagram(InletKind::kNative, pid, {copy, static_cast<std::size_t>(got)});
  std::free(copy);
}

void LogDaemon::add_message(std::int32_t pid, const JournalMessage& message) noexcept {
  const char* const name = unit_of_sender(pid);
  UnitEntry* const unit = units_.find_or_add(name);
  if (unit == nullptr) return;
  if (!knows_limits_) load_limits(name, unit);
  if (message.priority > sender_limits_.priority_max()) return erase_if_idle(*unit);
  const RateLimit::Rule& rate = sender_limits_.rate();
  if (rate.is_set() && !(set_rate_limit(*unit, rate) && is_let_through(*unit, message.priority))) {
    return erase_if_idle(*unit);
  }
  char fields[kMaxFields];
  SourceSlot slot;
  slot.source.pid = pid;
  slot.source.boot = config_.place.boot;
  slot.source.identifier = message.identifier.empty() ? sender_name_ : message.identifier;
  slot.source.fields = fields_of(message, sender_limits_.fields(), fields);
  batch_.start(config_.place.wall_nsec(), StreamKind::kStdout);
  LineSplitter splitter(message.priority, false);
  const auto emit = [&](std::string_view line, std::uint8_t priority, bool partial) {
    if (!batch_.has_room(line.size())) write_batch(*unit, slot);
    batch_.add(line, priority, partial);
  };
  const std::size_t used = splitter.split(message.text, 0, emit);
  splitter.finish(part_of(message.text, used), LineSplitter::Rest::kLine, emit);
  write_batch(*unit, slot);
  erase_if_idle(*unit);
}

// Fills sender_name_, too.
const char* LogDaemon::unit_of_sender(std::int32_t pid) noexcept {
  if (pid == sender_ && pid != 0) return sender_unit_;
  sender_ = pid;
  knows_limits_ = false;
  char path[64];
  char text[4096];
  std::snprintf(path, sizeof(path), "/proc/%d/comm", pid);
  std::size_t size = read_file(path, sender_name_, sizeof(sender_name_) - 1);
  while (size > 0 && sender_name_[size - 1] == '\n') --size;
  sender_name_[size] = '\0';
  std::snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
  size = read_file(path, text, sizeof(text));
  std::string_view unit = unit_of_cgroup({text, size}, own_cgroup_);
  if (size == 0) {
    // It is gone. If it was the main process of a service, we have been told so.
    streams_.for_each([&](const LogStream& stream) {
      if (pid != 0 && stream.pid == pid) unit = stream.unit_name();
    });
  }
  std::snprintf(sender_unit_, sizeof(sender_unit_), "%.*s",
                unit.empty() ? static_cast<int>(sizeof(kNoUnit)) : static_cast<int>(unit.size()),
                unit.empty() ? kNoUnit : unit.data());
  return sender_unit_;
}

// ---- streams ----

void LogDaemon::accept_streams() noexcept {
  const base::Fd& listening = inlets_[static_cast<std::size_t>(InletKind::kStdout)];
  for (int i = 0; i < kMaxAcceptsInTurn; ++i) {
    base::Fd connection(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection) return;
    if (own_streams_ >= kMaxOwnStreams) continue;  // and it is closed
    // One that has said nothing for the longest time makes room.
    base::Fd& place = greetings_[next_greeting_++ % kMaxGreetings];
    if (place) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, place.get(), nullptr);
    place = std::move(connection);
    // By edges: what has come and is not enough yet must not wake us again.
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = &place;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, place.get(), &event) != 0) place.reset();
  }
}

void LogDaemon::on_greeting(base::Fd& connection) noexcept {
  char bytes[kMaxGreeting];
  const ssize_t got = ::recv(connection.get(), bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  StreamGreeting greeting;
  const auto state = got <= 0 ? GreetingState::kWrong
                              : parse_greeting({bytes, static_cast<std::size_t>(got)}, greeting);
  if (state == GreetingState::kIncomplete) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection.get(), nullptr);
  base::Fd stream(std::move(connection));
  char unused[kMaxGreeting];
  if (state == GreetingState::kWrong || ::recv(stream.get(), unused, greeting.size, MSG_DONTWAIT) !=
                                            static_cast<ssize_t>(greeting.size)) {
    return;
  }
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(stream.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
  sender_ = 0;
  const std::string_view own = unit_of_sender(peer.pid);
  StreamSpec spec;
  spec.id = kFirstOwnStream + next_own_stream_++;
  // The administrator may speak for any unit.
  const bool names_unit = peer.uid == 0 && is_valid_unit_name(greeting.unit);
  spec.unit = names_unit ? greeting.unit : own;
  char name[kMaxUnitName + 1];
  std::memcpy(name, spec.unit.data(), spec.unit.size());
  name[spec.unit.size()] = '\0';
  load_limits(name, units_.find(spec.unit));
  spec.priority_max = sender_limits_.priority_max();
  spec.rate_interval_usec = sender_limits_.rate().interval_usec;
  spec.rate_burst = sender_limits_.rate().burst;
  spec.fields = sender_limits_.fields();
  spec.identifier = greeting.identifier.empty() ? sender_name_ : greeting.identifier;
  spec.pid = peer.pid;
  spec.priority = greeting.priority;
  spec.level_prefix = greeting.level_prefix;
  if (add_stream(spec, std::move(stream)) == 0) ++own_streams_;
}

}  // namespace flotilla::logs
