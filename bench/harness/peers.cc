#include "harness/peers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "harness/machine.h"

namespace flotilla::bench {
namespace {

constexpr PeerKind kAll[] = {PeerKind::kS6, PeerKind::kRunit, PeerKind::kDinit};

std::string program_of(PeerKind kind) {
  switch (kind) {
    case PeerKind::kS6:
      return "s6-svscan";
    case PeerKind::kRunit:
      return "runsvdir";
    case PeerKind::kDinit:
      break;
  }
  return "dinit";
}

// Empty: it is not there.
std::string find_in_path(const std::string& name) {
  const char* const path = getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::string whole = directory + "/" + name;
    if (access(whole.c_str(), X_OK) == 0) return whole;
  }
  return {};
}

std::string service_name(size_t index) { return "s" + std::to_string(index); }

std::string service_command(const StampFile& stamps, size_t index) {
  return stamps.program() + " " + stamps.path() + " " + std::to_string(index);
}

}  // namespace

std::string to_string(PeerKind kind) {
  return kind == PeerKind::kS6 ? "s6" : kind == PeerKind::kRunit ? "runit" : "dinit";
}

std::vector<PeerKind> installed_peers() {
  std::vector<PeerKind> found;
  for (const PeerKind kind : kAll) {
    if (!find_in_path(program_of(kind)).empty()) found.push_back(kind);
  }
  return found;
}

bool can_do(PeerKind kind, PeerTask task) noexcept {
  return kind == PeerKind::kDinit || task == PeerTask::kBoot;
}

PeerMachine::PeerMachine(PeerKind kind, PeerTask task, std::string folder, size_t services,
                         const StampFile& stamps)
    : kind_(kind), folder_(std::move(folder)) {
  raise_descriptor_limit();
  const std::string units = folder_ + "/peer";
  mkdir(units.c_str(), 0755);
  command_ = {find_in_path(program_of(kind_))};
  switch (kind_) {
    case PeerKind::kS6:
      write_run_scripts(services, stamps);
      for (const char* word : {"-c", "10000"}) command_.emplace_back(word);
      command_.push_back(units);
      return;
    case PeerKind::kRunit:
      write_run_scripts(services, stamps);
      command_.push_back(units);
      return;
    case PeerKind::kDinit:
      write_dinit_services(task, services, stamps);
      for (const char* word : {"--user", "--quiet", "--services-dir"}) command_.emplace_back(word);
      command_.push_back(units);
      command_.emplace_back("--socket-path");
      command_.push_back(folder_ + "/peer-socket");
      command_.emplace_back("boot");
      return;
  }
}

void PeerMachine::write_run_scripts(size_t services, const StampFile& stamps) const {
  for (size_t i = 0; i < services; ++i) {
    const std::string script = folder_ + "/peer/" + service_name(i) + "/run";
    write_file(script, "#!/bin/sh\nexec " + service_command(stamps, i) + "\n");
    chmod(script.c_str(), 0755);
  }
}

void PeerMachine::write_dinit_services(PeerTask task, size_t services,
                                       const StampFile& stamps) const {
  const bool is_chain = task == PeerTask::kChain;
  std::string boot = "type = internal\n";
  for (size_t i = 0; i < services; ++i) {
    std::string text = is_chain ? "type = scripted\n" : "type = process\n";
    text += "command = " + service_command(stamps, i) + (is_chain ? " exit\n" : "\n");
    if (is_chain && i > 0) text += "depends-on = " + service_name(i - 1) + "\n";
    if (task == PeerTask::kRestart) {
      text += "restart = true\nrestart-delay = 0\nrestart-limit-count = 0\n";
    }
    write_file(folder_ + "/peer/" + service_name(i), text);
    boot += "waits-for = " + service_name(i) + "\n";
  }
  write_file(folder_ + "/peer/boot", boot);
}

uint64_t PeerMachine::start() {
  std::vector<char*> argv;
  for (std::string& word : command_) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  const uint64_t begin = now_ns();
  pid_ = vfork();
  if (pid_ == 0) {
    for (const int stream : {0, 1, 2}) dup2(null, stream);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(null);
  end_at_exit(pid_, EndBy::kKillOfAll);
  return begin;
}

PeerMachine::~PeerMachine() {
  if (pid_ <= 0) return;
  // Parents before their children, so that nothing is started again.
  for (const pid_t process : tree_of(pid_)) kill(process, SIGKILL);
  waitpid(pid_, nullptr, 0);
  forget_at_exit(pid_);
}

}  // namespace flotilla::bench
