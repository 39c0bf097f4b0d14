#include "sandbox/namespaces.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "sandbox/namespace_store.h"

namespace flotilla::sandbox {
namespace {

using base::Fd;
using base::Result;
using base::Status;

struct KindRow {
  int flag;
  const char* own;
  const char* what;
};
const KindRow& row_of(SharedKind kind) {
  static constexpr KindRow kRows[] = {{CLONE_NEWNET, "/proc/self/ns/net", "network"},
                                      {CLONE_NEWIPC, "/proc/self/ns/ipc", "IPC"}};
  return kRows[static_cast<size_t>(kind)];
}

// Among processes: each holds the sockets under descriptors of its own, and a record lock belongs
// to the process.
class StoreLock {
 public:
  explicit StoreLock(int fd) : fd_(fd) { set(F_WRLCK); }
  ~StoreLock() { set(F_UNLCK); }
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;

 private:
  void set(short type) {
    struct flock lock {};
    lock.l_type = type;
    while (::fcntl(fd_, F_SETLKW, &lock) != 0 && errno == EINTR) {
    }
  }
  int fd_;
};

Status raise_loopback() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return base::system_error(errno, "open a socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) {
    return base::system_error(errno, "look at the loopback interface");
  }
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) {
    return base::system_error(errno, "raise the loopback interface");
  }
  return {};
}

bool is_refusal(int error) {
  return error == EPERM || error == EACCES || error == ENOSYS || error == EINVAL ||
         error == ENOSPC || error == EUSERS;
}

Status write_whole(const std::string& path, const std::string& text) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return base::system_error(errno, "write {}", path);
  }
  return {};
}

Status write_maps(pid_t pid, uid_t uid, gid_t gid) {
  const auto map = [](uint32_t own, uint32_t id) {
    std::string text = fmt::format("{} {} 1\n", own, own);
    if (id != own && id != UINT32_MAX) text += fmt::format("{} {} 1\n", id, id);
    return text;
  };
  const std::string process = fmt::format("/proc/{}/", pid);
  // Without this an ordinary user may map no group.
  FLOTILLA_TRY(write_whole(process + "setgroups", "deny\n"));
  FLOTILLA_TRY(write_whole(process + "gid_map", map(::getgid(), gid)));
  return write_whole(process + "uid_map", map(::getuid(), uid));
}

}  // namespace

Status enter_shared_namespace(SharedKind kind, int store) {
  const KindRow& row = row_of(kind);
  const StoreLock lock(store);
  FLOTILLA_ASSIGN(Fd kept, take_kept_namespace(store));
  if (kept) {
    if (::setns(kept.get(), row.flag) != 0) {
      const int error = errno;
      static_cast<void>(keep_namespace(store + 1, kept.get()));
      return base::system_error(error, "join the {} namespace", row.what);
    }
    return keep_namespace(store + 1, kept.get());
  }
  if (::unshare(row.flag) != 0) {
    const int error = errno;
    if (is_refusal(error)) {
      return base::unsupported("the kernel gives no {} namespace: {}", row.what,
                               base::describe_errno(error));
    }
    return base::system_error(error, "make a {} namespace", row.what);
  }
  if (kind == SharedKind::kNetwork) FLOTILLA_TRY(raise_loopback());
  const Fd own(::open(row.own, O_RDONLY | O_CLOEXEC));
  if (!own) return base::system_error(errno, "open {}", row.own);
  return keep_namespace(store + 1, own.get());
}

Status join_namespace(SharedKind kind, const std::string& path) {
  const KindRow& row = row_of(kind);
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) return base::system_error(errno, "{}", path);
  if (::setns(file.get(), row.flag) != 0) return base::system_error(errno, "{}", path);
  return {};
}

Status enter_user_namespace(uid_t uid, gid_t gid) {
  const Fd made(::eventfd(0, EFD_CLOEXEC));
  if (!made) return base::system_error(errno, "make an event descriptor");
  const pid_t self = ::getpid();
  // The maps are written from outside, by somebody who has the rights there.
  const pid_t child = ::fork();
  if (child < 0) return base::system_error(errno, "fork");
  if (child == 0) {
    uint64_t answer = 0;
    if (::read(made.get(), &answer, sizeof answer) != sizeof answer || answer != 1) _exit(0);
    const auto written = write_maps(self, uid, gid);
    _exit(written ? 0 : written.error().error_number != 0 ? written.error().error_number : EIO);
  }
  const int unshared = ::unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
  const uint64_t told = unshared == 0 ? 1 : 2;
  static_cast<void>(::write(made.get(), &told, sizeof told));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (unshared != 0) {
    if (is_refusal(unshared)) return base::unsupported("the kernel gives no user namespace");
    return base::system_error(unshared, "make a user namespace");
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return base::system_error(WIFEXITED(status) ? WEXITSTATUS(status) : EIO,
                              "map the users of a namespace");
  }
  return {};
}

Status enter_host_name_namespace() {
  if (::unshare(CLONE_NEWUTS) == 0) return {};
  if (is_refusal(errno)) return base::unsupported("the kernel gives no host name namespace");
  return base::system_error(errno, "make a host name namespace");
}

}  // namespace flotilla::sandbox
