// Programs run by a test: to their end with all they print (run_command), or beside the test
// (BackgroundCommand). What they start and leave behind falls to the test; see processes.h.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <initializer_list>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace flotilla::system_test {

// How long anything may take that ought to happen at once; generous, for a busy machine.
inline constexpr std::chrono::seconds kPatience{40};

struct CommandOptions {
  std::vector<std::pair<std::string, std::string>> environment{};  // on top of the test's own
  std::string directory{};                                         // to run in; empty: the test's
  std::string input{};
  std::chrono::seconds timeout = kPatience;
  std::optional<uid_t> user{};      // and the group of that number; root only
  std::function<void()> prepare{};  // in the child, before the program
};

struct Outcome {
  int exit_code = -1;  // 128 + N: ended by signal N
  bool timed_out = false;
  std::string out, err;
};
std::ostream& operator<<(std::ostream& stream, const Outcome& outcome);

Outcome run_command(const std::vector<std::string>& command, const CommandOptions& options = {});

class BackgroundCommand {
 public:
  // stdout and stderr go to the end of this file.
  BackgroundCommand(const std::vector<std::string>& command, const std::string& output_file,
                    const CommandOptions& options = {});
  ~BackgroundCommand();
  BackgroundCommand(const BackgroundCommand&) = delete;
  BackgroundCommand& operator=(const BackgroundCommand&) = delete;

  pid_t pid() const noexcept { return pid_; }
  bool is_running() const;
  void signal(int number) const;
  // Its exit code as in Outcome, once it has ended; nullopt: not within the time.
  std::optional<int> wait(std::chrono::seconds timeout = kPatience);

 private:
  pid_t pid_ = -1;
  int pidfd_ = -1;
  mutable std::optional<int> exit_code_;
};

// Looks again and again, 100 times a second, until the fact holds; false: it did not within the
// time. For facts that nobody can be asked to tell of.
bool wait_until(const std::function<bool()>& fact, std::chrono::seconds timeout = kPatience);

}  // namespace flotilla::system_test
