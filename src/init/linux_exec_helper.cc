#include "init/linux_exec_helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "sandbox/namespace_store.h"

namespace flotilla::init {
namespace {

using base::Fd;
using base::Result;
using base::Status;

constexpr unsigned kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

Result<Fd> write_order(std::string_view bytes) {
  Fd file(::memfd_create("flotilla-order", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return base::system_error(errno, "make a file for flotilla-exec");
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t size = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (size < 0) return base::system_error(errno, "write the order for flotilla-exec");
    done += static_cast<size_t>(size);
  }
  if (::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) {
    return base::system_error(errno, "seal the order for flotilla-exec");
  }
  return file;
}

Status make_pair(std::array<Fd, 2>& pair) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return base::system_error(errno, "make a place to keep a namespace");
  }
  pair[0].reset(fds[0]);
  pair[1].reset(fds[1]);
  return {};
}

// A running process of the unit has the namespace that an earlier manager had the store of.
void refill(const std::array<Fd, 2>& pair, pid_t running, const char* kind) {
  if (running <= 0) return;
  const Fd own(::open(fmt::format("/proc/{}/ns/{}", running, kind).c_str(), O_RDONLY | O_CLOEXEC));
  if (!own) return;
  static_cast<void>(sandbox::keep_namespace(pair[1].get(), own.get()));
}

// The first entry of a directory with these first characters; empty: none.
std::string find_entry(const char* directory, std::string_view prefix) {
  DIR* const stream = ::opendir(directory);
  if (stream == nullptr) return {};
  std::string found;
  while (const dirent* const entry = ::readdir(stream)) {
    if (std::string_view(entry->d_name).substr(0, prefix.size()) != prefix) continue;
    found = fmt::format("{}/{}", directory, entry->d_name);
    break;
  }
  ::closedir(stream);
  return found;
}

}  // namespace

LinuxExecHelper::LinuxExecHelper(Loop& loop, Spawner& spawner, UserDb& users, std::string program,
                                 SandboxPaths paths, std::string boot_id)
    : loop_(loop),
      spawner_(spawner),
      program_(std::move(program)),
      paths_(std::move(paths)),
      boot_id_(std::move(boot_id)),
      users_(users, paths_.runtime + "/systemd/dynamic-uid") {}

Result<std::unique_ptr<HelperLaunch>> LinuxExecHelper::launch(const ExecSpec& plain,
                                                              const sandbox::Order& order,
                                                              const SandboxPlaces* places) {
  auto launch = std::make_unique<HelperLaunch>();
  FLOTILLA_ASSIGN(launch->order, write_order(sandbox::encode_order(order)));
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
    return base::system_error(errno, "make a pipe for flotilla-exec");
  }
  launch->report.reset(pipe[0]);
  launch->report_in.reset(pipe[1]);
  launch->fds.assign(plain.passed_fds, plain.passed_fds + plain.passed_fd_count);
  launch->fds.push_back(launch->order.get());
  launch->fds.push_back(launch->report_in.get());
  if (order.network_store >= 0) {
    for (const Fd& one : places->network) launch->fds.push_back(one.get());
  }
  if (order.ipc_store >= 0) {
    for (const Fd& one : places->ipc) launch->fds.push_back(one.get());
  }
  launch->program = program_;
  launch->number = std::to_string(3 + plain.passed_fd_count);
  launch->arguments = {launch->program.c_str(), "run", launch->number.c_str(), nullptr};
  launch->spec = plain;
  launch->spec.path = launch->program.c_str();
  launch->spec.argv = launch->arguments.data();
  launch->spec.passed_fds = launch->fds.data();
  launch->spec.passed_fd_count = static_cast<uint32_t>(launch->fds.size());
  return launch;
}

Status LinuxExecHelper::watch(HelperRun& run) { return loop_.watch(run.source, run.fd(), EPOLLIN); }

Result<std::string> LinuxExecHelper::make_tmp(const char* base, std::string_view unit,
                                              pid_t running) {
  const std::string prefix = fmt::format("systemd-private-{}-{}-", boot_id_, unit);
  if (running > 0) {
    if (std::string found = find_entry(base, prefix); !found.empty()) return found + "/tmp";
  }
  std::string outer = fmt::format("{}/{}XXXXXX", base, prefix);
  if (::mkdtemp(outer.data()) == nullptr) return base::system_error(errno, "make {}", outer);
  std::string inner = outer + "/tmp";
  if (::mkdir(inner.c_str(), 0777) != 0 || ::chmod(inner.c_str(), 01777) != 0) {
    return base::system_error(errno, "make {}", inner);
  }
  return inner;
}

Result<std::shared_ptr<SandboxPlaces>> LinuxExecHelper::make_places(std::string_view unit,
                                                                    PlacesWanted wanted,
                                                                    pid_t running) {
  auto places = std::make_shared<SandboxPlaces>();
  if (wanted.tmp) {
    FLOTILLA_ASSIGN(places->tmp_directory, make_tmp("/tmp", unit, running));
    auto var_tmp = make_tmp("/var/tmp", unit, running);
    if (!var_tmp) {
      remove_tmp(places->tmp_directory);
      return base::unexpected(std::move(var_tmp).error());
    }
    places->var_tmp_directory = std::move(*var_tmp);
  }
  if (wanted.network) {
    FLOTILLA_TRY(make_pair(places->network));
    refill(places->network, running, "net");
  }
  if (wanted.ipc) {
    FLOTILLA_TRY(make_pair(places->ipc));
    refill(places->ipc, running, "ipc");
  }
  return places;
}

void LinuxExecHelper::release(std::shared_ptr<SandboxPlaces> places) {
  if (!places || places.use_count() > 1) return;
  remove_tmp(places->tmp_directory);
  remove_tmp(places->var_tmp_directory);
}

// Mostly there is nothing in it; whatever is takes as long as it takes, outside of the manager.
void LinuxExecHelper::remove_tmp(const std::string& directory) {
  if (directory.empty()) return;
  const std::string outer = directory.substr(0, directory.rfind('/'));
  const bool is_gone = ::rmdir(directory.c_str()) == 0 || errno == ENOENT;
  if (is_gone && (::rmdir(outer.c_str()) == 0 || errno == ENOENT)) return;
  run_helper({"remove", outer});
}

void LinuxExecHelper::run_helper(const std::vector<std::string>& arguments) {
  if (program_.empty()) return;
  std::vector<const char*> pointers{program_.c_str()};
  for (const std::string& one : arguments) pointers.push_back(one.c_str());
  pointers.push_back(nullptr);
  const char* const environment[] = {nullptr};
  ExecSpec spec;
  spec.path = program_.c_str();
  spec.argv = pointers.data();
  spec.environment = environment;
  static_cast<void>(spawner_.spawn(spec));
}

Result<std::shared_ptr<DynamicUser>> LinuxExecHelper::make_user(
    DynamicUser::Kind kind, const std::string& name, const std::vector<std::string>& paths) {
  return users_.acquire(kind, name, paths);
}

void LinuxExecHelper::release(std::shared_ptr<DynamicUser> user) {
  users_.release(std::move(user));
}

bool LinuxExecHelper::has_credentials(const std::string& directory) const {
  return ::access(directory.c_str(), F_OK) == 0;
}

void LinuxExecHelper::remove_credentials(const std::string& directory) {
  ::umount2(directory.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  // Without a file system of its own the credentials lie in the directory itself.
  if (::rmdir(directory.c_str()) != 0 && errno != ENOENT) run_helper({"remove", directory});
}

void LinuxExecHelper::end_utmp(const sandbox::UtmpFiles& files, const std::string& id,
                               const ChildExit& exit) {
  sandbox::write_utmp_end(files, id, exit.pid, exit.code, exit.status);
}

void LinuxExecHelper::remove_ipc(uint32_t uid, uint32_t gid) {
  run_helper({"remove-ipc", std::to_string(uid), std::to_string(gid)});
}

}  // namespace flotilla::init
