#include "cmd/fleetd/listeners.h"

#include <fcntl.h>

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

base::Result<std::vector<base::Fd>> Listeners::take(const std::vector<std::string>& addresses) {
  if (!inherited_) {
    FLOTILLA_ASSIGN(inherited_, api::inherited_listeners());
  }
  std::vector<base::Fd> taken;
  if (!inherited_->empty()) {
    for (const base::Fd& fd : *inherited_) {
      FLOTILLA_ASSIGN(base::Fd copy, duplicate(fd));
      taken.push_back(std::move(copy));
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
    taken.push_back(std::move(copy));
    kept.emplace(text, std::move(ours));
  }
  open_ = std::move(kept);
  return taken;
}

}  // namespace flotilla::fleetd
