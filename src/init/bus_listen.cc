#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/rooted_file_tree.h"
#include "init/bus_facade.h"

namespace flotilla::init {
namespace {

constexpr int kBacklog = 1024;
constexpr mode_t kOpenToAll = 0666;  // each call is judged by who makes it

// Whether somebody accepts connections there.
bool is_answered(const sockaddr_un& address) {
  base::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return false;
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(probe.get(), generic, sizeof address) == 0 || errno == EAGAIN;
}

// For a socket that could not be bound for want of a directory or because of an old one.
base::Status make_room(const sockaddr_un& address, int error) {
  const std::string path = address.sun_path;
  if (error == ENOENT) {
    FLOTILLA_ASSIGN(const auto host, base::RootedFileTree::open("/"));
    return host->make_directories(path.substr(0, path.rfind('/') + 1), 0755);
  }
  if (error != EADDRINUSE) return base::system_error(error, "bind the socket {}", path);
  if (is_answered(address)) return base::already_exists("another manager listens on {}", path);
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return base::system_error(errno, "remove the old socket {}", path);
}

}  // namespace

base::Result<base::Fd> listen_for_bus(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return base::too_large("the socket path {} has {} bytes, the limit is {}", path, path.size(),
                           sizeof address.sun_path - 1);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  base::Fd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listening) return base::system_error(errno, "make the socket {}", path);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  // At most starts there is a directory and nothing in its place.
  if (::bind(listening.get(), generic, sizeof address) < 0) {
    FLOTILLA_TRY(make_room(address, errno));
    if (::bind(listening.get(), generic, sizeof address) < 0) {
      return base::system_error(errno, "bind the socket {}", path);
    }
  }
  if (::chmod(path.c_str(), kOpenToAll) < 0 || ::listen(listening.get(), kBacklog) < 0) {
    return base::system_error(errno, "listen on {}", path);
  }
  return listening;
}

}  // namespace flotilla::init
