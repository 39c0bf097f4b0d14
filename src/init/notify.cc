#include "init/notify.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "unit/utf8.h"

namespace flotilla::init {
namespace {

using base::Micros;
using base::Result;

template <typename Number>
std::optional<Number> parse_number(std::string_view text) noexcept {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Micros> parse_micros(std::string_view text) noexcept {
  const auto value = parse_number<uint64_t>(text);
  if (!value) return std::nullopt;
  if (*value >= static_cast<uint64_t>(Micros::max().count())) return Micros::max();
  return Micros(static_cast<int64_t>(*value));
}

// A number, or a name such as "ENOENT".
std::optional<int> parse_error_number(std::string_view text) noexcept {
  constexpr int kMost = 4095;
  if (const auto number = parse_number<int>(text)) {
    return *number >= 0 && *number <= kMost ? number : std::nullopt;
  }
  for (int number = 1; number < 200; ++number) {
    const char* const name = strerrorname_np(number);
    if (name != nullptr && text == name) return number;
  }
  return std::nullopt;
}

class Reader {
 public:
  NotifyMessage message;

  void take(std::string_view line) noexcept {
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) return;
    key_ = line.substr(0, equals);
    value_ = line.substr(equals + 1);
    if (is("READY")) {
      if (value_ == "1") message.state = NotifyMessage::State::kReady;
    } else if (is("RELOADING")) {
      if (value_ == "1") message.state = NotifyMessage::State::kReloading;
      message.says_reloading |= value_ == "1";
    } else if (is("STOPPING")) {
      if (value_ == "1") message.state = NotifyMessage::State::kStopping;
    } else if (is("STATUS")) {
      if (!message.status) take_status();
    } else if (is("ERRNO")) {
      number(kErrno, message.error_number, parse_error_number(value_));
    } else if (is("MAINPID")) {
      auto pid = parse_number<pid_t>(value_);
      if (pid && *pid <= 0) pid.reset();
      number(kMainPid, message.main_pid, pid);
    } else if (is("WATCHDOG")) {
      take_watchdog();
    } else if (is("WATCHDOG_USEC")) {
      number(kWatchdogUsec, message.watchdog_usec, parse_micros(value_));
    } else if (is("EXTEND_TIMEOUT_USEC")) {
      number(kExtend, message.extend_timeout_usec, parse_micros(value_));
    } else if (is("MONOTONIC_USEC")) {
      number(kMonotonic, message.monotonic_usec, parse_micros(value_));
    } else {
      take_descriptor_field();
    }
  }

 private:
  enum Field : uint32_t {
    kErrno = 1u << 0,
    kMainPid = 1u << 1,
    kWatchdog = 1u << 2,
    kWatchdogUsec = 1u << 3,
    kExtend = 1u << 4,
    kMonotonic = 1u << 5,
  };

  bool is(std::string_view key) const noexcept { return key_ == key; }
  bool is_first(Field field) noexcept {
    const bool first = (seen_ & field) == 0;
    seen_ |= field;
    return first;
  }
  void damaged() noexcept {
    if (message.damaged_count == message.damaged.size()) return;
    message.damaged[message.damaged_count++] = {key_, value_};
  }
  template <typename T>
  void number(Field field, std::optional<T>& to, const std::optional<T>& value) noexcept {
    if (!is_first(field)) return;
    to = value;
    if (!value) damaged();
  }
  void take_status() noexcept {
    // A text that nobody can read is none; the one before is not true any more either.
    message.status = unit::is_valid_utf8(value_) ? value_ : std::string_view();
    if (message.status->size() != value_.size()) damaged();
  }
  void take_watchdog() noexcept {
    if (!is_first(kWatchdog)) return;
    message.watchdog = value_ == "1";
    message.watchdog_trigger = value_ == "trigger";
    if (!message.watchdog && !message.watchdog_trigger) damaged();
  }
  void take_descriptor_field() noexcept {
    if (is("BARRIER")) {
      message.barrier |= value_ == "1";
    } else if (is("FDSTORE")) {
      message.fd_store |= value_ == "1";
    } else if (is("FDSTOREREMOVE")) {
      message.fd_store_remove |= value_ == "1";
    } else if (is("FDPOLL")) {
      message.fd_poll &= value_ != "0";
    } else if (is("FDNAME")) {
      if (!message.fd_name) message.fd_name = value_;
    }
  }

  std::string_view key_, value_;
  uint32_t seen_ = 0;
};

}  // namespace

NotifyMessage parse_notify(std::string_view text) noexcept {
  Reader reader;
  size_t lines = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find_first_of("\n\r"));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.empty()) continue;
    ++lines;
    reader.take(line);
  }
  reader.message.is_single = lines == 1;
  return reader.message;
}

NotifySocket::NotifySocket(base::Fd fd) noexcept
    : fd_(std::move(fd)),
      source_(Priority::kNotify, Callback<void(uint32_t)>::to<&NotifySocket::on_ready>(*this)) {}

Result<std::unique_ptr<NotifySocket>> NotifySocket::create(const std::string& host_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (host_path.size() >= sizeof(address.sun_path)) {
    return base::too_large("{}: the path is too long for a socket", host_path);
  }
  host_path.copy(address.sun_path, host_path.size());
  base::Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::system_error(errno, "make the notification socket");
  unlink(host_path.c_str());
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return base::system_error(errno, "bind {}", host_path);
  }
  // Services of any user may report; what counts is decided by the sender's pid.
  if (chmod(host_path.c_str(), 0777) != 0) return base::system_error(errno, "chmod {}", host_path);
  // Many services report at once during boot; the kernel's default holds few messages.
  const int size = 8 << 20;
  if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0) {
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  }
  return adopt(std::move(fd));
}

Result<std::unique_ptr<NotifySocket>> NotifySocket::adopt(base::Fd socket) {
  const int on = 1;
  if (setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    return base::system_error(errno, "set up the notification socket");
  }
  return std::unique_ptr<NotifySocket>(new NotifySocket(std::move(socket)));
}

base::Status NotifySocket::attach(
    Loop& loop, Callback<void(const NotifySender&, const NotifyMessage&)> on_message,
    Callback<void(std::string_view)> on_problem, int32_t* attempts) {
  if (attempts != nullptr) attempts_ = attempts;
  on_message_ = on_message;
  on_problem_ = on_problem;
  return loop.watch(source_, fd_.get(), EPOLLIN);
}

void NotifySocket::on_ready(uint32_t) { drain(); }

void NotifySocket::drain() {
  while (receive_one()) {
  }
}

// Takes the message that was looked at out of the socket when it has been dealt with.
class NotifySocket::Consumed {
 public:
  explicit Consumed(NotifySocket& socket) noexcept : socket_(socket) { ++*socket_.attempts_; }
  ~Consumed() {
    while (recv(socket_.fd_.get(), nullptr, 0, MSG_DONTWAIT) < 0 && errno == EINTR) {
    }
    *socket_.attempts_ = 0;
  }
  Consumed(const Consumed&) = delete;
  Consumed& operator=(const Consumed&) = delete;

 private:
  NotifySocket& socket_;
};

bool NotifySocket::receive_one() {
  iovec part{buffer_.data(), buffer_.size()};
  alignas(cmsghdr)
      std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * kMaxNotifyFds)>
          control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  // It stays in the socket until all that follows from it is written down: if this process is
  // killed before, the next one reads it again.
  const ssize_t size = recvmsg(fd_.get(), &header, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return errno == EINTR;
  const Consumed consumed(*this);
  NotifySender sender;
  // Descriptors are closed when this ends; for BARRIER=1 that is the answer the sender waits for.
  std::array<base::Fd, kMaxNotifyFds> fds;
  size_t fd_count = 0;
  for (cmsghdr* part_header = CMSG_FIRSTHDR(&header); part_header != nullptr;
       part_header = CMSG_NXTHDR(&header, part_header)) {
    if (part_header->cmsg_level != SOL_SOCKET) continue;
    if (part_header->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials{};
      memcpy(&credentials, CMSG_DATA(part_header), sizeof(credentials));
      sender = {credentials.pid, credentials.uid};
    } else if (part_header->cmsg_type == SCM_RIGHTS) {
      const size_t count = (part_header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count && fd_count < fds.size(); ++i) {
        int fd = -1;
        memcpy(&fd, CMSG_DATA(part_header) + i * sizeof(int), sizeof(int));
        fds[fd_count++].reset(fd);
      }
    }
  }
  if (*attempts_ > kMaxNotifyAttempts) {
    problem("A notify message ended the manager again and again. Ignoring.");
    return true;
  }
  const auto length = static_cast<size_t>(size);
  std::string_view text(buffer_.data(), std::min(length, kMaxNotifyMessage));
  if (sender.pid <= 0) {
    problem("Received notify message without valid credentials. Ignoring.");
  } else if ((header.msg_flags & MSG_TRUNC) != 0 || length >= kMaxNotifyMessage) {
    problem("Received notify message exceeded maximum size. Ignoring.");
  } else if (text.find('\0') < text.size() - (text.empty() ? 0 : 1)) {
    problem("Received notify message with embedded NUL bytes. Ignoring.");
  } else {
    if (!text.empty() && text.back() == '\0') text.remove_suffix(1);
    NotifyMessage message = parse_notify(text);
    message.fds = std::span(fds).first(fd_count);
    if (!message.barrier) {
      on_message_(sender, message);
    } else if (!message.is_single) {
      problem("Extra notification messages sent with BARRIER=1, ignoring everything.");
    } else if (fd_count != 1) {
      problem("Got incorrect number of fds with BARRIER=1, closing them.");
    }
  }
  return true;
}

void NotifySocket::problem(std::string_view text) {
  if (on_problem_) on_problem_(text);
}

}  // namespace flotilla::init
