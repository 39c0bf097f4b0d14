// Process tracking without cgroups: a unit's processes are those it started, their descendants, all
// in a session that one of them began, and orphans with the unit's INVOCATION_ID in their
// environment. A process that sheds all of that is not found.
//
// As long as orphans come to us, only processes are asked for that units have told of, our other
// children and what is below these; else, as after an earlier manager, all of /proc is. Costs
// nothing in between.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "init/process_stat.h"
#include "init/process_tracker.h"

namespace flotilla::init {

class BestEffortTracker final : public ProcessTracker {
 public:
  BestEffortTracker() = default;
  ~BestEffortTracker() override;
  BestEffortTracker(const BestEffortTracker&) = delete;
  BestEffortTracker& operator=(const BestEffortTracker&) = delete;

  TrackingKind kind() const noexcept override { return TrackingKind::kBestEffort; }
  std::unique_ptr<ProcessGroup> make_group(std::string_view path,
                                           Callback<void()> on_empty) override;
  void check_empty() override;

 private:
  friend class BestEffortGroup;
  // Our children that no unit has told of; nothing where orphans may be anywhere.
  std::optional<std::vector<pid_t>> unclaimed_children();
  void claim(pid_t pid);
  void give_up(pid_t pid) noexcept;

  std::vector<class BestEffortGroup*> waiting_;  // lost a process, and may be empty
  std::vector<pid_t> claimed_;                   // processes that units have told of, sorted
  std::vector<pid_t> ended_;             // of those: no unit's any more once they are reaped
  std::optional<bool> has_all_orphans_;  // once that was asked for
};

}  // namespace flotilla::init
