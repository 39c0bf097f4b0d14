// plan(): what the agent has to do so that what is here becomes what is wanted here. A pure
// function; applied, it has nothing left to do.
//
//   wanted             here                      operations
//   no, or inactive    yes                       Unload
//   loaded, launched   no                        Load [Start]
//   any                another text              Unload, Load [Start], one Reload for all
//   loaded, launched   not touched by us yet     Load [Start]
//   launched           loaded                    Start
//   loaded             launched                  Stop
//
// "Launched" is what was done, not what is: a unit that was started here and has ended since, or
// that a user has stopped, is launched still. Restarting is the service manager's business.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "registry/objects.h"

namespace flotilla::agent {

struct Wanted {
  std::string hash;
  registry::TargetState target = registry::TargetState::kInactive;
};

struct Present {
  std::string hash;  // of the text on disk
  // How far the agent has brought it since this service manager came up; kInactive: not at all.
  registry::TargetState reached = registry::TargetState::kInactive;
};

struct Operation {
  // In the order in which they are done.
  enum class Kind : uint8_t { kUnload, kLoad, kReload, kStop, kStart };
  Kind kind = Kind::kLoad;
  std::string unit;  // empty for kReload
  std::string reason;

  friend bool operator==(const Operation&, const Operation&) = default;
};

// fleet's names: "UnloadUnit" ...
std::string_view to_string(Operation::Kind kind);

// Grouped by kind in the order above, by unit name within a group. Units in `untouchable` are left
// as they are: what is wanted of them cannot be read.
std::vector<Operation> plan(const std::map<std::string, Wanted>& wanted,
                            const std::map<std::string, Present>& present,
                            const std::set<std::string>& untouchable = {});

}  // namespace flotilla::agent
