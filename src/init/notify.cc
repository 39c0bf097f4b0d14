#include "init/notify.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>

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

bool is_printable_utf8(std::string_view text) noexcept {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' && c != '\t') return false;
  }
  return true;
}

void take_field(NotifyMessage& message, std::string_view key, std::string_view value) noexcept {
  if (key == "READY") {
    message.ready = value == "1";
  } else if (key == "RELOADING") {
    message.reloading = value == "1";
  } else if (key == "STOPPING") {
    message.stopping = value == "1";
  } else if (key == "STATUS") {
    if (is_printable_utf8(value)) message.status = value;
  } else if (key == "ERRNO") {
    const auto number = parse_number<int>(value);
    if (number && *number >= 0 && *number < 4096) message.error_number = number;
  } else if (key == "BUSERROR") {
    message.bus_error = value;
  } else if (key == "MAINPID") {
    const auto pid = parse_number<pid_t>(value);
    if (pid && *pid > 0) message.main_pid = pid;
  } else if (key == "WATCHDOG") {
    message.watchdog = value == "1";
    message.watchdog_trigger = value == "trigger";
  } else if (key == "WATCHDOG_USEC") {
    message.watchdog_usec = parse_micros(value);
  } else if (key == "EXTEND_TIMEOUT_USEC") {
    message.extend_timeout_usec = parse_micros(value);
  } else if (key == "MONOTONIC_USEC") {
    message.monotonic_usec = parse_micros(value);
  } else if (key == "BARRIER") {
    message.barrier = value == "1";
  } else if (key == "FDSTORE") {
    message.fd_store = value == "1";
  } else if (key == "FDSTOREREMOVE") {
    message.fd_store_remove = value == "1";
  } else if (key == "FDNAME") {
    message.fd_name = value;
  }
}

}  // namespace

NotifyMessage parse_notify(std::string_view text) noexcept {
  NotifyMessage message;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    take_field(message, line.substr(0, equals), line.substr(equals + 1));
  }
  return message;
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
    Loop& loop, Callback<void(const NotifySender&, const NotifyMessage&)> on_message) {
  on_message_ = on_message;
  return loop.watch(source_, fd_.get(), EPOLLIN);
}

void NotifySocket::on_ready(uint32_t) { drain(); }

void NotifySocket::drain() {
  while (receive_one()) {
  }
}

bool NotifySocket::receive_one() {
  iovec part{buffer_.data(), buffer_.size()};
  alignas(cmsghdr)
      std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * (kMaxNotifyFds + 8))>
          control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t size = recvmsg(fd_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return errno == EINTR;
  NotifySender sender;
  // Descriptors are closed when this ends; for BARRIER=1 that is the answer the sender waits for.
  std::array<base::Fd, kMaxNotifyFds + 8> fds;
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
  const bool too_long =
      (header.msg_flags & MSG_TRUNC) != 0 || static_cast<size_t>(size) > kMaxNotifyMessage;
  if (sender.pid <= 0 || too_long) return true;
  on_message_(sender, parse_notify({buffer_.data(), static_cast<size_t>(size)}));
  return true;
}

}  // namespace flotilla::init
