// SystemdNamespace: the distribution's own systemd, booted in namespaces by a script whose place
// FLOTILLA_SYSTEMD_NS names (it takes SDNS_NAME, SDNS_UNITS and SDNS_BIND and writes the pid of the
// manager to /dev/shm/NAME.pid). What is below `root` and the build is visible inside at its place.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "harness/system_test.h"

namespace flotilla::system_test {

class SystemdNamespace {
 public:
  explicit SystemdNamespace(const TemporaryRoot& root)
      : root_(root), name_("flotilla-sd-" + std::to_string(::getpid())) {}
  ~SystemdNamespace() { stop(); }
  SystemdNamespace(const SystemdNamespace&) = delete;
  SystemdNamespace& operator=(const SystemdNamespace&) = delete;

  static const char* script() {
    const char* script = std::getenv("FLOTILLA_SYSTEMD_NS");
    const bool is_usable = script != nullptr && ::access(script, X_OK) == 0 && ::geteuid() == 0;
    return is_usable ? script : nullptr;
  }

  // Boots it with the units of root/units. Returns whether it came up. Requires: script().
  bool start() {
    CommandOptions options;
    options.environment = {{"SDNS_NAME", name_},
                           {"SDNS_UNITS", root_ / "units"},
                           {"SDNS_BIND", root_.path() + ":" FLOTILLA_BINARY_DIR}};
    systemd_ = std::make_unique<BackgroundCommand>(std::vector<std::string>{script(), "full"},
                                                   root_ / "systemd.log", options);
    return wait_until([&] {
      const std::string state = inside({"systemctl", "is-system-running"}).out;
      return state == "running\n" || state == "degraded\n";
    });
  }

  void stop() {
    if (!systemd_) return;
    if (const pid_t pid = first_process(); pid > 1) ::kill(pid, SIGKILL);
    systemd_->wait();
    systemd_.reset();
    std::filesystem::remove("/dev/shm/" + name_ + ".pid");
    for (const char* tree : {"/sys/fs/cgroup/unified/", "/sys/fs/cgroup/"}) {
      EXPECT_TRUE(wait_until([&] { return remove_groups(tree + name_); }));
    }
  }

  // As the host counts.
  pid_t first_process() const {
    std::ifstream in("/dev/shm/" + name_ + ".pid");
    pid_t pid = 0;
    in >> pid;
    return pid;
  }
  Outcome inside(const std::vector<std::string>& command) const {
    std::vector<std::string> words{"nsenter", "-t", std::to_string(first_process()), "-a"};
    words.insert(words.end(), command.begin(), command.end());
    return run_command(words);
  }

 private:
  // A killed process leaves its group a moment later.
  static bool remove_groups(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return true;
    std::vector<std::string> groups{path};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path, error)) {
      if (entry.is_directory()) groups.push_back(entry.path());
    }
    std::sort(groups.rbegin(), groups.rend());
    for (const std::string& group : groups) ::rmdir(group.c_str());
    return !std::filesystem::exists(path, error);
  }

  const TemporaryRoot& root_;
  const std::string name_;
  std::unique_ptr<BackgroundCommand> systemd_;
};

}  // namespace flotilla::system_test
