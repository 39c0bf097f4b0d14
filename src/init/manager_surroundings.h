// What the program finds around it when it starts: its environment, its directories, the machine.
// Read once, before the manager is made.
#pragma once

#include <sys/resource.h>

#include <string>
#include <vector>

#include "base/file_tree.h"
#include "init/manager_program.h"
#include "init/search_path.h"
#include "unit/specifier.h"

namespace flotilla::init {

// Empty where it is not set.
std::string from_environment(const char* name);

// What PID 1 finds missing on a bare machine; in a container all of it is there.
void mount_basics();

// The manager has a few descriptors for each of maybe thousands of services. Returns what services
// get: what the manager got, but as PID 1, which nobody gave anything, what systemd has for them.
rlimit raise_descriptor_limit(bool is_pid1);

// flotilla-logd beside this program, else in the usual places; empty where there is none.
// A program that stands beside this one, or in the search path; empty: nowhere.
std::string find_own_program(std::string_view name);
std::string find_log_program(const ProgramOptions& options);

// The search path; `host` is the tree of the machine, `tree` the one below --root=.
std::vector<UnitDirectory> unit_directories(const ProgramOptions& options,
                                            const base::FileTree& tree, const base::FileTree& host);

// What specifiers stand for.
unit::HostValues host_values(const ProgramOptions& options, const base::FileTree& tree,
                             const base::FileTree& host, const std::string& boot_id);

// What every service inherits. As systemd: little, and none of it by chance; a manager of a user
// hands on what the user has.
std::vector<std::string> service_environment(const ProgramOptions& options, bool is_pid1);

}  // namespace flotilla::init
