#include "harness/command.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "harness/processes.h"

namespace flotilla::system_test {
namespace {

using Clock = std::chrono::steady_clock;

int open_pidfd(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

int milliseconds_to(Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return left < 0 ? 0 : static_cast<int>(left) + 1;
}

[[noreturn]] void become(const std::vector<std::string>& command, const CommandOptions& options) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  for (const auto& [name, value] : options.environment) setenv(name.c_str(), value.c_str(), 1);
  if (options.prepare) options.prepare();
  if (options.user) {
    const gid_t group = *options.user;
    if (setgroups(0, nullptr) != 0 || setgid(group) != 0 || setuid(*options.user) != 0) _exit(126);
  }
  if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) _exit(126);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
  _exit(127);
}

// One stream of a running command; closed at its end.
struct Stream {
  int fd;
  std::string* text;
  void read_some() {
    char buffer[65536];
    const ssize_t size = read(fd, buffer, sizeof(buffer));
    if (size > 0) {
      text->append(buffer, static_cast<size_t>(size));
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
      close(fd);
      fd = -1;
    }
  }
};

// Until the process has ended; then what is left in the pipes. Others may hold them open for long.
bool collect(int pidfd, Stream& out, Stream& err, Clock::time_point deadline) {
  for (;;) {
    pollfd fds[] = {{pidfd, POLLIN, 0}, {out.fd, POLLIN, 0}, {err.fd, POLLIN, 0}};
    const int ready = poll(fds, 3, milliseconds_to(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    if (fds[1].revents != 0) out.read_some();
    if (fds[2].revents != 0) err.read_some();
    if (fds[0].revents == 0) continue;
    for (Stream* stream : {&out, &err}) {
      if (stream->fd < 0) continue;
      fcntl(stream->fd, F_SETFL, O_NONBLOCK);
      const size_t before = stream->text->size();
      stream->read_some();
      if (stream->text->size() != before) break;
    }
    pollfd rest[] = {{out.fd, POLLIN, 0}, {err.fd, POLLIN, 0}};
    if (poll(rest, 2, 0) <= 0) return true;
  }
}

}  // namespace

std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
  return stream << "exit code " << outcome.exit_code << (outcome.timed_out ? " (timed out)" : "")
                << "\nstdout: " << outcome.out << "\nstderr: " << outcome.err;
}

Outcome run_command(const std::vector<std::string>& command, const CommandOptions& options) {
  become_subreaper();
  int out[2], err[2], in[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 || pipe2(in, O_CLOEXEC) != 0) {
    throw std::runtime_error("pipe");
  }
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    become(command, options);
  }
  close(in[0]);
  close(out[1]);
  close(err[1]);
  if (pid < 0) throw std::runtime_error("fork");
  // Inputs are small: they fit into the pipe.
  if (write(in[1], options.input.data(), options.input.size()) < 0) {
  }
  close(in[1]);
  Outcome outcome;
  Stream out_stream{out[0], &outcome.out}, err_stream{err[0], &outcome.err};
  const int pidfd = open_pidfd(pid);
  if (!collect(pidfd, out_stream, err_stream, Clock::now() + options.timeout)) {
    outcome.timed_out = true;
    kill_tree(pid);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.exit_code = code_of(status);
  close(pidfd);
  if (out_stream.fd >= 0) close(out_stream.fd);
  if (err_stream.fd >= 0) close(err_stream.fd);
  return outcome;
}

BackgroundCommand::BackgroundCommand(const std::vector<std::string>& command,
                                     const std::string& output_file,
                                     const CommandOptions& options) {
  become_subreaper();
  const int output = open(output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (output < 0 || input < 0) throw std::runtime_error("open " + output_file);
  pid_ = fork();
  if (pid_ == 0) {
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    become(command, options);
  }
  close(output);
  close(input);
  if (pid_ < 0) throw std::runtime_error("fork");
  pidfd_ = open_pidfd(pid_);
  keep_for_waiting(pid_);
}

BackgroundCommand::~BackgroundCommand() {
  if (!exit_code_) {
    kill_tree(pid_);
    wait();
  }
  close(pidfd_);
}

bool BackgroundCommand::is_running() const {
  if (exit_code_) return false;
  pollfd poll_fd{pidfd_, POLLIN, 0};
  return poll(&poll_fd, 1, 0) == 0;
}

void BackgroundCommand::signal(int number) const {
  syscall(SYS_pidfd_send_signal, pidfd_, number, nullptr, 0);
}

std::optional<int> BackgroundCommand::wait(std::chrono::seconds timeout) {
  if (exit_code_) return exit_code_;
  const auto deadline = Clock::now() + timeout;
  pollfd poll_fd{pidfd_, POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&poll_fd, 1, milliseconds_to(deadline));
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return std::nullopt;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  forget_waiting(pid_);
  exit_code_ = code_of(status);
  return exit_code_;
}

bool wait_until(const std::function<bool()>& fact, std::chrono::seconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (!fact()) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace flotilla::system_test
