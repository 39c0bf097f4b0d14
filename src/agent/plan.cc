#include "agent/plan.h"

#include <algorithm>

namespace flotilla::agent {

using registry::TargetState;

namespace {

constexpr const char* kNotScheduledHere = "unit loaded but not scheduled here";
constexpr const char* kNotLoaded = "unit scheduled here but not loaded";
constexpr const char* kOtherHash = "unit loaded but hash differs to expected";
constexpr const char* kShouldRun = "unit currently loaded but desired state is launched";
constexpr const char* kShouldNotRun = "unit currently launched but desired state is loaded";
constexpr const char* kFileChanged = "unit file changed on disk";

class Planner {
 public:
  void add(Operation::Kind kind, const std::string& unit, const char* reason) {
    operations_.push_back({kind, unit, reason});
  }

  void bring_up(const std::string& unit, TargetState target) {
    add(Operation::Kind::kLoad, unit, kNotLoaded);
    if (target == TargetState::kLaunched) add(Operation::Kind::kStart, unit, kShouldRun);
  }

  void replace(const std::string& unit, TargetState target) {
    add(Operation::Kind::kUnload, unit, kOtherHash);
    bring_up(unit, target);
    needs_reload_ = true;
  }

  std::vector<Operation> finish() {
    if (needs_reload_) add(Operation::Kind::kReload, {}, kFileChanged);
    std::stable_sort(operations_.begin(), operations_.end(),
                     [](const Operation& a, const Operation& b) { return a.kind < b.kind; });
    return std::move(operations_);
  }

 private:
  std::vector<Operation> operations_;
  bool needs_reload_ = false;
};

}  // namespace

std::string_view to_string(Operation::Kind kind) {
  switch (kind) {
    case Operation::Kind::kUnload:
      return "UnloadUnit";
    case Operation::Kind::kLoad:
      return "LoadUnit";
    case Operation::Kind::kReload:
      return "ReloadUnitFiles";
    case Operation::Kind::kStop:
      return "StopUnit";
    case Operation::Kind::kStart:
      return "StartUnit";
  }
  return "";
}

std::vector<Operation> plan(const std::map<std::string, Wanted>& wanted,
                            const std::map<std::string, Present>& present,
                            const std::set<std::string>& untouchable) {
  Planner planner;
  for (const auto& [name, here] : present) {
    if (untouchable.contains(name)) continue;
    const auto found = wanted.find(name);
    if (found == wanted.end() || found->second.target == TargetState::kInactive) {
      planner.add(Operation::Kind::kUnload, name, kNotScheduledHere);
      continue;
    }
    const Wanted& want = found->second;
    if (want.hash != here.hash) {
      planner.replace(name, want.target);
    } else if (here.reached == TargetState::kInactive) {
      planner.bring_up(name, want.target);
    } else if (here.reached == TargetState::kLoaded && want.target == TargetState::kLaunched) {
      planner.add(Operation::Kind::kStart, name, kShouldRun);
    } else if (here.reached == TargetState::kLaunched && want.target == TargetState::kLoaded) {
      planner.add(Operation::Kind::kStop, name, kShouldNotRun);
    }
  }
  for (const auto& [name, want] : wanted) {
    const bool is_new = want.target != TargetState::kInactive && !present.contains(name) &&
                        !untouchable.contains(name);
    if (is_new) planner.bring_up(name, want.target);
  }
  return planner.finish();
}

}  // namespace flotilla::agent
