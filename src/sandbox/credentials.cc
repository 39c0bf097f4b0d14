#include "sandbox/credentials.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>

#include "base/fd.h"
#include "sandbox/mount_tools.h"

namespace flotilla::sandbox {
namespace {

using base::Fd;
using base::Result;
using base::Status;

Result<std::string> read_all(int fd, const std::string& path) {
  std::string data;
  char buffer[4096];
  for (;;) {
    const ssize_t size = ::read(fd, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return base::system_error(errno, "read {}", path);
    if (size == 0) return data;
    data.append(buffer, static_cast<size_t>(size));
    if (data.size() > kMaxCredentialBytes) return base::system_error(E2BIG, "{}", path);
  }
}

// The address we connect from says who asks for what.
Status bind_to_name(int fd, const std::string& unit, const std::string& id) {
  uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random) {
    return base::system_error(errno, "get a random number");
  }
  const std::string name = fmt::format("{:016x}/unit/{}/{}", random, unit, id);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() + 1 > sizeof address.sun_path) return {};
  name.copy(address.sun_path + 1, name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) return {};
  return base::system_error(errno, "name a socket");
}

Result<std::string> read_from_socket(const std::string& path, const std::string& unit,
                                     const std::string& id) {
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return base::system_error(errno, "open a socket");
  FLOTILLA_TRY(bind_to_name(socket.get(), unit, id));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return base::system_error(ENAMETOOLONG, "{}", path);
  path.copy(address.sun_path, path.size());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return base::system_error(errno, "{}", path);
  }
  ::shutdown(socket.get(), SHUT_WR);
  return read_all(socket.get(), path);
}

Result<std::string> read_credential(const std::string& path, const std::string& unit,
                                    const std::string& id) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (file) return read_all(file.get(), path);
  const int error = errno;
  if (error == ENXIO) return read_from_socket(path, unit, id);
  return base::system_error(error, "{}", path);
}

class Collector {
 public:
  explicit Collector(const CredentialRequest& request) : request_(request) {}

  Status add_loaded(const Credential& wanted) {
    if (wanted.value.empty() || wanted.value[0] != '/') return add_from_stores(wanted);
    struct stat there {};
    if (::stat(wanted.value.c_str(), &there) == 0 && S_ISDIR(there.st_mode)) {
      return add_directory(wanted, wanted.id, wanted.value, 0);
    }
    auto data = read_credential(wanted.value, request_.unit, wanted.id);
    if (!data) {
      if (data.error().error_number == ENOENT && has_default(wanted.id)) return {};
      return base::unexpected(std::move(data).error());
    }
    return add(wanted, wanted.id, std::move(*data));
  }

  // `wanted`: where it comes from, which says whether it is encrypted.
  Status add(const Credential& wanted, const std::string& id, std::string data) {
    const bool is_there = std::any_of(found_.begin(), found_.end(),
                                      [&](const LoadedCredential& one) { return one.id == id; });
    if (is_there) return {};
    // The keys are systemd's own; without the secret the program must not run.
    if (wanted.is_encrypted) {
      return base::system_error(EOPNOTSUPP, "decrypt credential {}", id);
    }
    if (data.size() + id.size() > left_) return base::system_error(E2BIG, "credential {}", id);
    left_ -= data.size() + id.size();
    found_.push_back({id, std::move(data)});
    return {};
  }

  std::vector<LoadedCredential> take() && { return std::move(found_); }

 private:
  bool has_default(const std::string& id) const {
    const auto& set = request_.settings.set_credentials;
    return std::any_of(set.begin(), set.end(), [&](const Credential& one) { return one.id == id; });
  }
  // One that nobody provides is left out: the program will find it missing.
  Status add_from_stores(const Credential& wanted) {
    const std::string& name = wanted.value.empty() ? wanted.id : wanted.value;
    for (const std::string& store : request_.stores) {
      std::string path = store;
      path.append(wanted.is_encrypted ? ".encrypted/" : "/").append(name);
      auto data = read_credential(path, request_.unit, wanted.id);
      if (data) return add(wanted, wanted.id, std::move(*data));
      if (data.error().error_number != ENOENT) return base::unexpected(std::move(data).error());
    }
    return {};
  }
  Status add_directory(const Credential& wanted, const std::string& prefix, const std::string& path,
                       int depth) {
    if (depth > 32) return base::system_error(ELOOP, "{}", path);
    std::error_code error;
    std::vector<std::filesystem::directory_entry> entries;
    for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
         it.increment(error)) {
      entries.push_back(*it);
    }
    if (error) return base::system_error(error.value(), "{}", path);
    std::sort(entries.begin(), entries.end());
    for (const auto& entry : entries) {
      const std::string name = entry.path().filename();
      std::string id = prefix;
      id.append("_").append(name);
      struct stat there {};
      if (::lstat(entry.path().c_str(), &there) != 0 || !is_credential_name(id)) continue;
      if (S_ISDIR(there.st_mode)) {
        FLOTILLA_TRY(add_directory(wanted, id, entry.path(), depth + 1));
      } else if (S_ISREG(there.st_mode) || S_ISSOCK(there.st_mode)) {
        FLOTILLA_ASSIGN(std::string data, read_credential(entry.path(), request_.unit, id));
        FLOTILLA_TRY(add(wanted, id, std::move(data)));
      }
    }
    return {};
  }

  const CredentialRequest& request_;
  std::vector<LoadedCredential> found_;
  size_t left_ = kMaxCredentialBytes;
};

Status write_files(int directory, const std::vector<LoadedCredential>& credentials, uid_t uid) {
  for (const LoadedCredential& one : credentials) {
    const Fd file(::openat(directory, one.id.c_str(),
                           O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return base::system_error(errno, "credential {}", one.id);
    for (size_t done = 0; done < one.data.size();) {
      const ssize_t size = ::write(file.get(), one.data.data() + done, one.data.size() - done);
      if (size < 0) return base::system_error(errno, "credential {}", one.id);
      done += static_cast<size_t>(size);
    }
    if (::fchmod(file.get(), 0400) != 0 ||
        (uid != ::geteuid() && ::fchown(file.get(), uid, static_cast<gid_t>(-1)) != 0)) {
      return base::system_error(errno, "credential {}", one.id);
    }
  }
  if (::fchmod(directory, 0500) != 0 ||
      (uid != ::geteuid() && ::fchown(directory, uid, static_cast<gid_t>(-1)) != 0)) {
    return base::system_error(errno, "the directory of credentials");
  }
  return {};
}

// A file system of its own, in memory, that is nowhere to be seen yet. Empty where the kernel
// refuses.
Fd make_file_system() {
  for (const char* type : {"ramfs", "tmpfs"}) {
    const Fd context(::fsopen(type, FSOPEN_CLOEXEC));
    if (!context) continue;
    ::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", type, 0);
    ::fsconfig(context.get(), FSCONFIG_SET_STRING, "mode", "0700", 0);
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) continue;
    Fd mounted(::fsmount(context.get(), FSMOUNT_CLOEXEC,
                         MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID));
    if (mounted) return mounted;
  }
  return {};
}

// Without a file system of its own: beside its place, and moved there when it is whole.
Status write_plain(const CredentialRequest& request,
                   const std::vector<LoadedCredential>& credentials) {
  const std::string draft = request.directory + fmt::format(".{}", ::getpid());
  if (::mkdir(draft.c_str(), 0700) != 0) return base::system_error(errno, "{}", draft);
  const Fd directory(::open(draft.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Status written = directory ? write_files(directory.get(), credentials, request.uid)
                             : Status(base::system_error(errno, "{}", draft));
  ::rmdir(request.directory.c_str());
  if (written && ::rename(draft.c_str(), request.directory.c_str()) != 0) {
    written = base::system_error(errno, "{}", request.directory);
  }
  if (!written) remove_credentials(draft);
  return written;
}

}  // namespace

Result<std::vector<LoadedCredential>> load_credentials(const CredentialRequest& request) {
  Collector collector(request);
  for (const Credential& one : request.settings.load_credentials) {
    FLOTILLA_TRY(collector.add_loaded(one));
  }
  for (const Credential& one : request.settings.set_credentials) {
    FLOTILLA_TRY(collector.add(one, one.id, one.value));
  }
  return std::move(collector).take();
}

Status write_credentials(const CredentialRequest& request) {
  FLOTILLA_ASSIGN(const std::vector<LoadedCredential> credentials, load_credentials(request));
  remove_credentials(request.directory);
  FLOTILLA_TRY(make_directories(request.directory.substr(0, request.directory.rfind('/')), 0755));
  const Fd mounted = make_file_system();
  if (!mounted) return write_plain(request, credentials);
  const Fd directory(::openat(mounted.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return base::system_error(errno, "open the directory of credentials");
  FLOTILLA_TRY(write_files(directory.get(), credentials, request.uid));
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  static_cast<void>(
      ::mount_setattr(mounted.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes));
  if (::mkdir(request.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return base::system_error(errno, "{}", request.directory);
  }
  if (::move_mount(mounted.get(), "", AT_FDCWD, request.directory.c_str(),
                   MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return write_plain(request, credentials);
  }
  return {};
}

void remove_credentials(const std::string& directory) noexcept {
  ::umount2(directory.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  std::error_code error;
  std::filesystem::remove_all(directory, error);
}

}  // namespace flotilla::sandbox
