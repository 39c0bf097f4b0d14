// Process tracking without cgroups: a unit's processes are those it started, their descendants, all
// in a session that one of them began, and orphans with the unit's INVOCATION_ID in their
// environment. A process that sheds all of that is not found.
//
// Costs a walk over /proc when it is asked; nothing in between.
#pragma once

#include <memory>
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
  std::vector<class BestEffortGroup*> waiting_;  // lost a process, and may be empty
};

}  // namespace flotilla::init
