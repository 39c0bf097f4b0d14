// Runs the generators of man systemd.generator: programs that write unit files at boot and before a
// reload, and those that say what the manager's environment is. All at once, without waiting in
// line: the loop goes on, and the owner is called when the last of them has ended.
//
// Owned by the manager; loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "init/children.h"
#include "init/manager_options.h"
#include "init/timers.h"

namespace flotilla::init {

class Generators {
 public:
  // What outlives it.
  explicit Generators(const ManagerOptions& options, ManagerEdges& edges);
  ~Generators();
  Generators(const Generators&) = delete;
  Generators& operator=(const Generators&) = delete;

  // Empties the three directories of generated units and starts what there is to start. False:
  // there is nothing, and `done` will not be called. Else it is, once, with what environment
  // generators said ("NAME=value").
  bool start(std::function<void(const std::vector<std::string>&)> done);
  bool is_running() const noexcept { return done_ != nullptr; }

  // Of each name the first in the directories' order; masked and unsuitable files are left out.
  static std::vector<std::string> find_programs(const base::FileTree& tree,
                                                const std::vector<std::string>& directories);

 private:
  struct Run {
    Run(Generators& of, std::string path_of_program);
    void on_exit(const ChildExit& exit);
    Generators& owner;
    std::string path;
    base::Fd output;  // of environment generators: what they print
    ChildWatch watch;
    bool is_over = false;
  };

  std::vector<std::string> directories(std::string_view kind) const;
  std::string output_directory(std::string_view suffix) const;
  bool clear_output();  // false: there were no such directories
  void remove_empty_output();
  void start_next_environment();
  void start_all();
  bool spawn(Run& run, const std::vector<std::string>& arguments);
  void take_output(Run& run);
  void on_run_over(Run& run);
  void on_timeout();
  void finish();

  const ManagerOptions& options_;
  ManagerEdges& edges_;
  std::function<void(const std::vector<std::string>&)> done_;
  std::vector<std::string> waiting_environment_;  // programs, the next at the end
  std::vector<std::string> waiting_;
  std::vector<std::unique_ptr<Run>> runs_;
  std::vector<std::string> environment_;
  bool in_environment_phase_ = false;
  bool starting_ = false;
  Timer timeout_;
};

}  // namespace flotilla::init
