#include "init/journal_sockets.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "init/keeper_link.h"
#include "init/log_streams.h"

namespace flotilla::init {
namespace {

using base::Result;
using base::Status;

struct Place {
  logs::InletKind kind;
  std::string_view name;
  std::string_view kept_name;
  int type;
};
// The one that nobody but a journal makes comes first.
constexpr std::array<Place, logs::kInletCount> kPlaces{
    Place{logs::InletKind::kNative, "/socket", "journal-socket", SOCK_DGRAM},
    Place{logs::InletKind::kStdout, "/stdout", "journal-stdout", SOCK_STREAM},
    Place{logs::InletKind::kSyslog, "/dev-log", "journal-dev-log", SOCK_DGRAM},
};
constexpr int kReceiveBuffer = 8 << 20;  // of what a boot says at once
constexpr char kDevLog[] = "/dev/log";

bool is_answered(const sockaddr_un& address, int type) noexcept {
  const base::Fd probe(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return probe &&
         connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

}  // namespace

void JournalSockets::take_back(std::string_view kept_name, base::Fd& fd) noexcept {
  for (size_t i = 0; i < kPlaces.size(); ++i) {
    if (kept_name == kPlaces[i].kept_name) sockets_[i] = std::move(fd);
  }
}

Status JournalSockets::open(KeeperPort& keeper) {
  if (mkdir(directory_.c_str(), 0755) != 0 && errno != EEXIST) {
    return base::system_error(errno, "make {}", directory_);
  }
  std::array<KeptFd, kPlaces.size()> kept;
  size_t made = 0;
  for (size_t i = 0; i < kPlaces.size(); ++i) {
    if (sockets_[i]) continue;
    FLOTILLA_ASSIGN(const bool is_ours, make(i));
    if (!is_ours) break;
    kept[made++] = {kPlaces[i].kept_name, sockets_[i].get()};
  }
  if (sockets_.back()) link_dev_log();
  return made == 0 ? Status() : keeper.store({kept.data(), made});
}

Result<bool> JournalSockets::make(size_t which) {
  const Place& place = kPlaces[which];
  const std::string path = directory_ + std::string(place.name);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return base::too_large("{}: the path is too long for a socket", path);
  }
  path.copy(address.sun_path, path.size());
  base::Fd made(socket(AF_UNIX, place.type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made) return base::system_error(errno, "make the socket {}", path);
  const auto bind_it = [&] {
    return bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  };
  if (!bind_it()) {
    if (errno != EADDRINUSE) return base::system_error(errno, "bind {}", path);
    if (is_answered(address, place.type)) return false;
    unlink(path.c_str());
    if (!bind_it()) return base::system_error(errno, "bind {}", path);
  }
  if (chmod(path.c_str(), 0666) != 0) return base::system_error(errno, "chmod {}", path);
  if (place.type == SOCK_STREAM) {
    if (listen(made.get(), SOMAXCONN) != 0) return base::system_error(errno, "listen on {}", path);
  } else {
    const int on = 1;
    if (setsockopt(made.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
      return base::system_error(errno, "ask for the senders to {}", path);
    }
    setsockopt(made.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(kReceiveBuffer));
  }
  sockets_[which] = std::move(made);
  return true;
}

// What leads nowhere is in the way of nobody.
void JournalSockets::link_dev_log() const noexcept {
  const std::string target = directory_ + std::string(kPlaces.back().name);
  struct stat status {};
  if (lstat(kDevLog, &status) == 0) {
    if (stat(kDevLog, &status) == 0 || unlink(kDevLog) != 0) return;
  }
  // Without /dev/log the socket itself is still there.
  if (symlink(target.c_str(), kDevLog) != 0) errno = 0;
}

void JournalSockets::hand_over(LogStreams& logs) {
  for (size_t i = 0; i < kPlaces.size(); ++i) {
    if (sockets_[i]) logs.add_inlet(kPlaces[i].kind, std::move(sockets_[i]));
  }
}

}  // namespace flotilla::init
