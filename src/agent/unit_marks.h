// UnitMarks: what the agent remembers of the units it has touched, in the journalled State, so that
// a daemon that was killed repeats nothing and stops nothing. A mark belongs to one life of the
// service manager (its identity): when that has come up anew, nothing is started there yet.
#pragma once

#include <map>
#include <string>

#include "overlord/state.h"
#include "registry/objects.h"

namespace flotilla::agent {

struct UnitMark {
  std::string hash;
  registry::TargetState reached = registry::TargetState::kInactive;
  // Whether the service manager is known to have taken the start that `reached` launched tells of:
  // the mark is written before the call.
  bool is_confirmed = false;
  // Of a unit that must not run twice: the lease under which it was started; else 0.
  store::LeaseId claimed_lease = 0;
  bool has_ended_well = false;  // of a oneshot
};

class UnitMarks {
 public:
  explicit UnitMarks(overlord::State& state) : state_(state) {}

  // Marks of other identities are forgotten. Call again when the manager's identity has changed.
  void use_identity(std::string identity);
  const std::string& identity() const { return identity_; }

  const UnitMark* find(const std::string& unit) const;
  // A State that cannot be written (a full disk) is logged; the mark holds in memory.
  void set(const std::string& unit, const UnitMark& mark);
  void erase(const std::string& unit);

 private:
  overlord::State& state_;
  std::string identity_;
  std::map<std::string, UnitMark> marks_;
};

}  // namespace flotilla::agent
