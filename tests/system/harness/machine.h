// Machine: one flotilla-init over a TemporaryRoot, and the distribution's systemctl to talk to it.
// At its end it is stopped in order, and nothing of it may be left: no process, no cgroup, no
// report of a sanitizer; what is found then is a failure of the running test.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/command.h"
#include "harness/processes.h"
#include "harness/temporary_root.h"

namespace flotilla::system_test {

// A unit as `show` prints it.
struct Shown {
  pid_t main_pid = 0;
  std::string active, sub, result, status, code, job;

  bool has_job() const { return !job.empty() && job != "0"; }
  // Nothing of it is on the way to another state.
  bool is_settled() const {
    return !has_job() && (active == "active" || active == "inactive" || active == "failed");
  }
};

class Machine {
 public:
  Machine() = default;
  ~Machine();

  const TemporaryRoot& root() const noexcept { return root_; }

  // DIR/etc/systemd/system/NAME.
  void add_unit(std::string_view name, std::string_view text) const;
  // Starts flotilla-init and waits until it has booted. Fails the test where it does not.
  void start(const CommandOptions& options = {});
  // SIGTERM to the keeper; returns its exit code (-1: it did not end, and was killed).
  int stop();
  // SIGKILL to the keeper. Returns when nothing of the machine lives any more; it can be started
  // again then.
  void kill_keeper();

  Outcome systemctl(const std::vector<std::string>& arguments) const;
  // One property of a unit (or of the manager: unit ""), as `show --value` prints it.
  std::string property(const std::string& unit, const std::string& name) const;
  // "active running success": ActiveState, SubState, Result.
  std::string state(const std::string& unit) const;
  pid_t main_pid(const std::string& unit) const;
  // Many units by one command, by their ids.
  std::map<std::string, Shown> show(const std::vector<std::string>& units) const;
  // Waits until another manager than `old_manager` answers and all of these are settled.
  bool wait_until_settled(const std::vector<std::string>& units, pid_t old_manager) const;
  // Those of them that are not, a line each.
  std::string unsettled(const std::vector<std::string>& units) const;
  bool wait_for_state(const std::string& unit, const std::string& state) const;

  pid_t keeper() const;
  // 0 while there is none (or just one being replaced).
  pid_t manager() const;
  pid_t logd() const;
  // All of the tree below the keeper that is none of our programs, zombies left out.
  std::vector<Process> services() const;
  // What the daemon has printed. A line can come after the answer of the call it speaks of.
  std::string output() const { return root_.read("init.log"); }
  bool wait_for_output(const std::string& text) const;
  // The unit's log: the texts of its lines.
  std::vector<std::string> log_of(const std::string& unit) const;

  // Managers that were killed by the test itself do not count as crashes.
  void expect_crashes() { crashes_are_expected_ = true; }
  // For programs that the machine's units start: ASAN_OPTIONS and UBSAN_OPTIONS as Environment=.
  std::string sanitizer_environment() const;

 private:
  void check_nothing_left(pid_t keeper) const;
  void check_sanitizer_reports() const;

  TemporaryRoot root_;
  std::unique_ptr<BackgroundCommand> daemon_;
  std::optional<uid_t> user_;  // whose machine it is, where that is not the test's
  bool crashes_are_expected_ = false;
};

bool is_root();

}  // namespace flotilla::system_test
