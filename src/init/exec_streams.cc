#include "init/exec_streams.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "init/terminal.h"

namespace flotilla::init {
namespace {

using End = StreamPlan::End;
using Kind = StreamSetting::Kind;

const StreamSetting& setting_of(const ExecSettings& exec, int stream) {
  return stream == STDIN_FILENO    ? exec.standard_input
         : stream == STDOUT_FILENO ? exec.standard_output
                                   : exec.standard_error;
}

bool is_file(Kind kind) {
  return kind == Kind::kFile || kind == Kind::kAppend || kind == Kind::kTruncate;
}

// An output in itself, without what it may have in common with another stream.
End end_of(const StreamSetting& stream) {
  switch (stream.kind) {
    case Kind::kInherit:
    case Kind::kNull:
    case Kind::kData:
      return End::kNull;
    case Kind::kJournal:
      return End::kLog;
    case Kind::kKmsg:
      return End::kKmsg;
    case Kind::kFile:
    case Kind::kAppend:
    case Kind::kTruncate:
      return End::kFile;
    case Kind::kTty:
      return End::kTerminal;
    case Kind::kSocket:
      return End::kSocket;
    case Kind::kFd:
      return End::kNamed;
  }
  return End::kNull;
}

Kind without_socket(Kind kind, bool has_socket) {
  return kind == Kind::kSocket && !has_socket ? Kind::kInherit : kind;
}

bool same_place(const StreamSetting& a, const StreamSetting& b) {
  if (a.kind != b.kind) return false;
  return (!is_file(a.kind) && a.kind != Kind::kFd) || a.path_or_name == b.path_or_name;
}

// An output that is the file standard input reads shares its descriptor.
bool is_input_file(const ExecSettings& exec, const StreamSetting& stream) {
  return exec.standard_input.kind == Kind::kFile && is_file(stream.kind) &&
         stream.path_or_name == exec.standard_input.path_or_name;
}

base::Fd connect_to(const std::string& path) {
  base::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return {};
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return {};
  }
  return fd;
}

// Never waits: not for the other end of a pipe, nor for a line.
base::Fd open_path(const std::string& path, int flags, mode_t mode) {
  const mode_t before = umask(0);
  base::Fd fd(::open(path.c_str(), flags | O_NOCTTY | O_CLOEXEC | O_NONBLOCK, mode));
  umask(before);
  if (!fd && errno == ENXIO) {
    struct stat found {};
    if (stat(path.c_str(), &found) != 0) return {};
    // A pipe that nobody reads yet, or a socket that listens.
    if (S_ISFIFO(found.st_mode)) {
      fd.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    } else if (S_ISSOCK(found.st_mode)) {
      fd = connect_to(path);
    }
  }
  if (!fd) return fd;
  const int now = fcntl(fd.get(), F_GETFL);
  if (now >= 0) static_cast<void>(fcntl(fd.get(), F_SETFL, now & ~O_NONBLOCK));
  return fd;
}

base::Fd open_file(const ExecSettings& exec, const base::FileTree& host, int stream) {
  const StreamSetting& setting = setting_of(exec, stream);
  const mode_t mode = 0666 & ~exec.umask.value_or(0022);
  int flags = O_WRONLY | O_CREAT;
  if (stream == STDIN_FILENO) {
    const bool is_shared =
        is_input_file(exec, exec.standard_output) || is_input_file(exec, exec.standard_error);
    flags = is_shared ? O_RDWR | O_CREAT : O_RDONLY;
  } else if (setting.kind == Kind::kAppend) {
    flags |= O_APPEND;
  } else if (setting.kind == Kind::kTruncate) {
    flags |= O_TRUNC;
  }
  return open_path(host.host_path(setting.path_or_name), flags, mode);
}

// The bytes in memory, which nobody can change any more.
base::Fd open_data(std::string_view data) {
  base::Fd memory(memfd_create("data-fd", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return memory;
  while (!data.empty()) {
    const ssize_t written = write(memory.get(), data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return {};
    data.remove_prefix(static_cast<size_t>(written));
  }
  static_cast<void>(
      fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
  const std::string self = "/proc/self/fd/" + std::to_string(memory.get());
  base::Fd reading(::open(self.c_str(), O_RDONLY | O_CLOEXEC));
  if (reading) return reading;
  lseek(memory.get(), 0, SEEK_SET);
  return memory;
}

// What the unit wants done to its terminal before anything uses it.
void prepare_terminal(const ExecSettings& exec) {
  const ExecExtras& extras = exec.extras.get();
  const std::string& path = tty_path_of(exec);
  if (extras.tty_vhangup) hang_up_terminal(path);
  if (extras.tty_reset) reset_terminal(path);
  if (extras.tty_vt_disallocate) disallocate_terminal(path);
}

constexpr std::array<std::string_view, 3> kStreamNames{"input", "output", "error output"};
constexpr std::array kStreamStages{SpawnStage::kStdin, SpawnStage::kStdout, SpawnStage::kStderr};

}  // namespace

StreamPlan plan_streams(const ExecSettings& exec, bool has_terminal_input, bool has_socket) {
  StreamPlan plan;
  const bool is_terminal = exec.standard_input.kind == Kind::kTty;
  Kind input = without_socket(exec.standard_input.kind, has_socket);
  if ((is_terminal && !has_terminal_input) ||
      (input == Kind::kData && exec.extras->standard_input_data.empty())) {
    input = Kind::kNull;
  }
  plan.input = input == Kind::kData ? End::kData : end_of({input, {}});

  const Kind output = without_socket(exec.standard_output.kind, has_socket);
  const Kind error = without_socket(exec.standard_error.kind, has_socket);
  const auto end_of_output = [&](Kind kind, const StreamSetting& setting) {
    if (kind == Kind::kInherit) {
      if (plan.input != End::kNull && plan.input != End::kData) return End::kInput;
      return is_terminal && plan.input == End::kNull ? End::kTerminal : End::kNull;
    }
    if (kind == Kind::kTty && plan.input == End::kTerminal) return End::kInput;
    if (is_input_file(exec, setting)) return End::kInput;
    return end_of({kind, {}});
  };
  plan.output = end_of_output(output, exec.standard_output);
  const bool is_same = error == Kind::kInherit ||
                       (error == output && same_place(exec.standard_error, exec.standard_output));
  plan.error = is_same ? End::kOutput : end_of_output(error, exec.standard_error);
  return plan;
}

bool needs_term(const ExecSettings& exec) {
  const auto is_terminal = [](const StreamSetting& stream) {
    return stream.kind == Kind::kTty || stream.with_console;
  };
  return is_terminal(exec.standard_input) || is_terminal(exec.standard_output) ||
         is_terminal(exec.standard_error) || !exec.extras->tty_path.empty();
}

const std::string& tty_path_of(const ExecSettings& exec) {
  static const std::string console = "/dev/console";
  return exec.extras->tty_path.empty() ? console : exec.extras->tty_path;
}

int PreparedStreams::open_end(const StreamInputs& inputs, int stream, End end, base::Fd& fd) {
  switch (end) {
    case End::kNull:
    case End::kLog:
    case End::kInput:
    case End::kOutput:
      return 0;
    case End::kFile:
      fd = open_file(inputs.exec, inputs.host, stream);
      break;
    case End::kTerminal:
      fd = open_terminal(inputs.host.host_path(tty_path_of(inputs.exec)),
                         stream == STDIN_FILENO ? O_RDWR : O_WRONLY);
      break;
    case End::kData:
      fd = open_data(inputs.exec.extras->standard_input_data);
      break;
    case End::kKmsg:
      // Without one the output goes nowhere, as when no log is there.
      fd.reset(::open("/dev/kmsg", O_WRONLY | O_NOCTTY | O_CLOEXEC));
      return 0;
    case End::kSocket:
      fd.reset(fcntl(inputs.socket_fd, F_DUPFD_CLOEXEC, 3));
      break;
    case End::kNamed: {
      const std::string& name = setting_of(inputs.exec, stream).path_or_name;
      const auto found = std::find_if(inputs.named_fds.begin(), inputs.named_fds.end(),
                                      [&](const auto& named) { return named.first == name; });
      if (found == inputs.named_fds.end()) return ENOENT;
      fd.reset(fcntl(found->second, F_DUPFD_CLOEXEC, 3));
      break;
    }
  }
  if (!fd) return errno;
  reusable_ = false;
  return 0;
}

bool PreparedStreams::open(const StreamInputs& inputs, ExecSpec& spec, Failure& failure) {
  for (base::Fd& fd : fds_) fd.reset();
  const ExecSettings& exec = inputs.exec;
  const bool wants_socket = exec.standard_input.kind == Kind::kSocket ||
                            exec.standard_output.kind == Kind::kSocket ||
                            exec.standard_error.kind == Kind::kSocket;
  if (wants_socket && inputs.needs_socket && inputs.socket_fd < 0) {
    failure = {SpawnStage::kNone, EINVAL, "Got no socket."};
    return false;
  }
  plan_ = plan_streams(exec, inputs.has_terminal_input, inputs.socket_fd >= 0);
  reusable_ = true;
  if (exec.extras.is_set()) prepare_terminal(exec);
  const End ends[3] = {plan_.input, plan_.output, plan_.error};
  for (int stream = 0; stream < 3; ++stream) {
    const auto index = static_cast<size_t>(stream);
    const int error = open_end(inputs, stream, ends[index], fds_[index]);
    if (error == 0) continue;
    failure.error = error;
    if (ends[index] == End::kNamed) {
      failure.message = "Failed to load a named file descriptor: " + base::describe_errno(error);
      return false;
    }
    failure.stage = kStreamStages[index];
    failure.message = "Failed to set up standard " + std::string(kStreamNames[index]) + ": " +
                      base::describe_errno(error);
    return false;
  }
  if (plan_.input == End::kTerminal) {
    set_terminal_size(fds_[0].get(), exec.extras->tty_rows, exec.extras->tty_columns);
    if (inputs.terminal_owner != UINT32_MAX) {
      if (const int error = give_terminal(fds_[0].get(), inputs.terminal_owner); error != 0) {
        failure = {SpawnStage::kStdin, error,
                   "Failed to change ownership of terminal: " + base::describe_errno(error)};
        return false;
      }
    }
  }
  spec.stdin_fd = fds_[0].get();
  spec.stdout_fd = plan_.output == End::kInput ? spec.stdin_fd : fds_[1].get();
  spec.stderr_fd = plan_.error == End::kOutput  ? spec.stdout_fd
                   : plan_.error == End::kInput ? spec.stdin_fd
                                                : fds_[2].get();
  return true;
}

}  // namespace flotilla::init
