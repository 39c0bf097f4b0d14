// NamespaceMachine: a machine of namespaces whose PID 1 is the program, for the life of the object
// (namespace.sh). Needs root.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "harness/command.h"
#include "harness/temporary_root.h"

namespace flotilla::system_test {

class NamespaceMachine {
 public:
  // `units`: the folder of its units, which it sees at its place.
  NamespaceMachine(const TemporaryRoot& root, const std::string& name, const std::string& units,
                   const std::vector<std::string>& program, const CommandOptions& options = {})
      : pid_file_(root / (name + ".pid")),
        cgroup_(cgroup_root() + "/flotilla-test-" + std::to_string(getpid()) + "-" + name) {
    std::vector<std::string> command{FLOTILLA_SOURCE_DIR "/tests/system/namespace.sh", units,
                                     pid_file_, cgroup_};
    command.insert(command.end(), program.begin(), program.end());
    process_ = std::make_unique<BackgroundCommand>(command, root / (name + ".log"), options);
  }
  // All its processes end at once.
  ~NamespaceMachine() {
    if (const pid_t pid = init_pid(); pid > 1) ::kill(pid, SIGKILL);
    process_->signal(SIGKILL);
    process_->wait();
    unlink(pid_file_.c_str());
    // The last processes of the machine end after its first.
    wait_until([&] {
      return run_command({"find", cgroup_, "-depth", "-type", "d", "-delete"}).exit_code == 0;
    });
  }
  NamespaceMachine(const NamespaceMachine&) = delete;
  NamespaceMachine& operator=(const NamespaceMachine&) = delete;

  static std::string cgroup_root() {
    const bool is_hybrid = !read_file("/sys/fs/cgroup/unified/cgroup.procs").empty();
    return is_hybrid ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";
  }

  Outcome run(std::vector<std::string> command) const {
    command.insert(command.begin(), {"nsenter", "-t", std::to_string(init_pid()), "-a"});
    return run_command(command);
  }
  bool wait_until_booted() const {
    return wait_until([&] {
      return init_pid() > 1 && run({"systemctl", "is-active", "default.target"}).out == "active\n";
    });
  }
  // As the host counts; 0: not yet.
  pid_t init_pid() const { return static_cast<pid_t>(std::atoi(read_file(pid_file_).c_str())); }

 private:
  std::string pid_file_, cgroup_;
  std::unique_ptr<BackgroundCommand> process_;
};

}  // namespace flotilla::system_test
