#include "api/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace flotilla::api {
namespace {

constexpr int kBacklog = 1024;
constexpr int kFirstInherited = 3;  // SD_LISTEN_FDS_START, sd_listen_fds(3)
constexpr int kMaxInherited = 256;

base::Result<int> parse_number(std::string_view text, int low, int high) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    return base::invalid("\"{}\" is no number from {} to {}", text, low, high);
  }
  return value;
}

// Whether somebody accepts connections at the path.
bool is_served(const sockaddr_un& address) {
  const base::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return true;
  return errno == EAGAIN;  // its backlog is full
}

base::Result<base::Fd> open_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return base::invalid("listen={}: the path of a unix socket has at most {} bytes", path,
                         sizeof address.sun_path - 1);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode))
      return base::already_exists("listen={}: a file that is no socket is there", path);
    if (is_served(address))
      return base::already_exists("listen={}: another process listens there", path);
    unlink(path.c_str());
  }
  base::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::system_error(errno, "make the socket for listen={}", path);
  // The file must never be open to more than the group, not even between bind and chmod.
  const mode_t before = umask(0117);
  const int bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int bind_errno = errno;
  umask(before);
  if (bound != 0) return base::system_error(bind_errno, "bind listen={}", path);
  if (listen(fd.get(), kBacklog) != 0) return base::system_error(errno, "listen on {}", path);
  return fd;
}

base::Result<base::Fd> open_tcp(const ListenAddress& where) {
  FLOTILLA_ASSIGN(const int port, parse_number(where.port, 0, 65535));
  sockaddr_storage storage{};
  socklen_t length = 0;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  bool loopback = false;
  const std::string host = where.host == "localhost" ? "127.0.0.1" : where.host;
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    length = sizeof *v4;
    loopback = (ntohl(v4->sin_addr.s_addr) >> 24U) == 127;
  } else if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<uint16_t>(port));
    length = sizeof *v6;
    loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
  } else {
    return base::invalid("listen={}:{}: the host must be an IP address or localhost", where.host,
                         where.port);
  }
  if (!loopback && !where.is_tls) {
    return base::denied(
        "listen={}:{}: whoever reaches this address could run anything, so TCP without TLS is for "
        "loopback addresses only; use https://{}:{}, 127.0.0.1 or a unix socket",
        where.host, where.port, where.host, where.port);
  }
  base::Fd fd(socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd)
    return base::system_error(errno, "make the socket for listen={}:{}", where.host, where.port);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    return base::system_error(errno, "listen on {}:{}", where.host, where.port);
  }
  return fd;
}

}  // namespace

base::Result<ListenAddress> parse_listen_address(std::string_view text) {
  ListenAddress address;
  std::string_view rest = text;
  if (rest.substr(0, 7) == "unix://") rest.remove_prefix(7);
  if (!rest.empty() && rest[0] == '/') {
    address.path = rest;
    return address;
  }
  if (rest.substr(0, 7) == "http://") {
    rest.remove_prefix(7);
  } else if (rest.substr(0, 8) == "https://") {
    rest.remove_prefix(8);
    address.is_tls = true;
  }
  const size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0) {
    return base::invalid(
        "listen={}: expected /PATH of a unix socket, HOST:PORT or https://HOST:PORT", text);
  }
  address.is_unix = false;
  address.host = rest.substr(0, colon);
  address.port = rest.substr(colon + 1);
  if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  if (const auto port = parse_number(address.port, 0, 65535); !port) {
    return base::invalid("listen={}: {}", text, port.error().message);
  }
  return address;
}

base::Result<base::Fd> open_listener(const ListenAddress& address) {
  return address.is_unix ? open_unix(address.path) : open_tcp(address);
}

base::Result<std::vector<base::Fd>> inherited_listeners() {
  std::vector<base::Fd> listeners;
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (pid == nullptr || count == nullptr || std::to_string(getpid()) != pid) return listeners;
  const base::Result<int> number = parse_number(count, 0, kMaxInherited);
  if (!number) return base::invalid("LISTEN_FDS: {}", number.error().message);
  for (int fd = kFirstInherited; fd < kFirstInherited + *number; ++fd) {
    int listening = 0;
    socklen_t size = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0) {
      return base::invalid("descriptor {} of LISTEN_FDS is no listening socket", fd);
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    listeners.emplace_back(fd);
  }
  return listeners;
}

}  // namespace flotilla::api
