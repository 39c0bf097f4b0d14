#include "cmd/fleetd/listeners.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "api/listener.h"

namespace flotilla::fleetd {

namespace {

base::Result<base::Fd> duplicate(const base::Fd& fd) {
  base::Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return base::system_error(errno, "duplicate a listening socket");
  return copy;
}

}  // namespace

ListeningSocket inherited_socket(base::Fd fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  ListeningSocket socket{std::move(fd)};
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    socket.is_inherited_tcp = true;
    if (ntohl(v4.sin_addr.s_addr) >> 24U == 127) return socket;
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    socket.far_address = fmt::format("{}:{}", text, ntohs(v4.sin_port));
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    socket.is_inherited_tcp = true;
    if (IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr)) return socket;
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    socket.far_address = fmt::format("[{}]:{}", text, ntohs(v6.sin6_port));
  }
  return socket;
}

base::Result<std::vector<ListeningSocket>> Listeners::take(
    const std::vector<std::string>& addresses) {
  if (!inherited_) {
    FLOTILLA_ASSIGN(inherited_, api::inherited_listeners());
  }
  std::vector<ListeningSocket> taken;
  if (!inherited_->empty()) {
    for (const base::Fd& fd : *inherited_) {
      FLOTILLA_ASSIGN(base::Fd copy, duplicate(fd));
      taken.push_back(inherited_socket(std::move(copy)));
    }
    return taken;
  }
  std::map<std::string, base::Fd> opened;
  for (const std::string& text : addresses) {
    if (open_.count(text) != 0 || opened.count(text) != 0) continue;
    FLOTILLA_ASSIGN(const api::ListenAddress address, api::parse_listen_address(text));
    FLOTILLA_ASSIGN(base::Fd listener, api::open_listener(address));
    opened.emplace(text, std::move(listener));
  }
  std::map<std::string, base::Fd> kept;
  for (const std::string& text : addresses) {
    const auto old = open_.find(text);
    const base::Fd& fd = old != open_.end() ? old->second : opened.at(text);
    if (kept.count(text) != 0) continue;
    FLOTILLA_ASSIGN(base::Fd copy, duplicate(fd));
    FLOTILLA_ASSIGN(base::Fd ours, duplicate(fd));
    FLOTILLA_ASSIGN(const api::ListenAddress address, api::parse_listen_address(text));
    taken.push_back({std::move(copy), address.is_tls});
    kept.emplace(text, std::move(ours));
  }
  open_ = std::move(kept);
  return taken;
}

}  // namespace flotilla::fleetd
