// Evaluates Condition*= and Assert*= lines. Loop thread only; does small reads of files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/file_tree.h"
#include "init/unit_settings.h"

namespace flotilla::init {

// What conditions look at besides files. Text that is empty is not known.
struct ConditionWorld {
  explicit ConditionWorld(const base::FileTree& file_tree) : tree(file_tree) {}

  const base::FileTree& tree;
  std::string host_name;
  std::string machine_id;
  std::string architecture;  // "x86-64"
  std::string kernel_release;
  std::string kernel_command_line;
  std::string virtualization;  // "none", "docker", "kvm", ...
  bool is_container = false;
  uint32_t uid = 0, gid = 0;
  std::vector<std::string> user_names, group_names;  // of uid and gid
  std::vector<std::string> environment;              // the manager's
  uint64_t memory_bytes = 0;
  unsigned cpus = 0;
  bool first_boot = false;

  // What this machine is; costs some reads.
  static ConditionWorld of_machine(const base::FileTree& tree);
};

// The line's own answer, negation included: no where it cannot be told, negated or not. A kind that
// is not implemented is not asked here: the directives table keeps it out.
bool holds(const Condition& condition, const ConditionWorld& world);

// All of the plain ones, and one of those with "|" if there are any. They stand in the order of
// their lines, and the last is looked at first. Each line looked at remembers its result; after a
// plain one that does not hold none is. `failed`, if given, gets the line that decided against it.
bool all_hold(std::vector<Condition>& conditions, const ConditionWorld& world,
              const Condition** failed = nullptr);

}  // namespace flotilla::init
