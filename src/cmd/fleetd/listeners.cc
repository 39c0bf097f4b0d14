#include "cmd/fleetd/listeners.h"

#include <fcntl.h>
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

bool is_tcp_socket(const base::Fd& fd) {
  int domain = AF_UNIX;
  socklen_t size = sizeof domain;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size);
  return domain == AF_INET || domain == AF_INET6;
}

}  // namespace

base::Result<std::vector<ListeningSocket>> Listeners::take(
    const std::vector<std::string>& addresses) {
  if (!inherited_) {
    FLOTILLA_ASSIGN(inherited_, api::inherited_listeners());
  }
  std::vector<ListeningSocket> taken;
  if (!inherited_->empty()) {
    for (const base::Fd& fd : *inherited_) {
      FLOTILLA_ASSIGN(base::Fd copy, duplicate(fd));
      const bool is_tcp = is_tcp_socket(copy);
      taken.push_back({std::move(copy), false, is_tcp});
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
    taken.push_back({std::move(copy), address.is_tls, false});
    kept.emplace(text, std::move(ours));
  }
  open_ = std::move(kept);
  return taken;
}

}  // namespace flotilla::fleetd
