// What follows when a job ends, when a unit changes its state, and when a unit is looked at again:
// pure functions from the graph, the installed jobs and the states to lists of things to do.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "init/job.h"
#include "init/transaction.h"
#include "init/unit_graph.h"

namespace flotilla::init {

// --- The end of a job ---

struct FinishedJob {
  JobId id;
  JobResult result;
};

struct JobFinish {
  // The stop half of a restart is over: the job stays, as a waiting start (continue_as_start()).
  // `finished` is empty then.
  bool continues_as_start = false;
  // The job itself, then those that fail with it, each to be taken out of the table in this order.
  std::vector<FinishedJob> finished;
  // Units whose OnFailure= is due because of it: a start that timed out or lost a dependency never
  // becomes a failed unit.
  std::vector<UnitId> on_failure;
  // Units with a job that may be runnable now. Holds no duplicates.
  std::vector<UnitId> look_again;
};

enum class Recursion : uint8_t { kDependents, kThisOnly };

// Requires: `id` is in view.jobs.
JobFinish finish_job(const TransactionView& view, JobId id, JobResult result,
                     Recursion recursion = Recursion::kDependents);

// --- A unit's state against its job ---

struct JobVerdict {
  std::optional<JobResult> result;  // the job is over
  bool look_again = false;          // a waiting job: now may be the time
  bool unexpected = false;          // nobody asked for this change: see retroactive_requests()
};
enum class ReloadOutcome : uint8_t { kNone, kFailed };
// What a change to `now` means for the unit's job (nullptr: it has none).
JobVerdict judge_job(const Job* job, ActiveState now, ReloadOutcome reload);

// What to do with a waiting, runnable job before the unit itself is asked.
enum class JobStart : uint8_t {
  kRun,            // ask the unit: start, stop (also for kRestart) or reload it
  kFinishDone,     // already as wanted
  kFinishSkipped,  // verify-active of a unit that is not active
  kFinishInvalid,  // reload of a unit that is not active
  kLater,          // leave it waiting; the next change of the unit's state brings it up again
};
JobStart decide_job_start(JobType type, ActiveState state) noexcept;

// A unit that this one is bound to (BindsTo= with After=) and that is not active: a start must fail
// as kDependency. kNoUnit: none.
UnitId find_missing_binding(const TransactionView& view, UnitId unit) noexcept;

// --- A unit's state against other units ---

enum class Reason : uint8_t {
  kRetroactive,  // it came up or went down by itself
  kOnFailure,
  kOnSuccess,
  kUnneeded,  // "Unit is not needed anymore."
  kBound,     // "Unit is stopped because bound to inactive unit X."
  kUpheld,    // "Unit is started because upheld by active unit X."
};

struct Consequence {
  JobRequest request;
  Reason reason;
  UnitId cause;
};

struct StateChange {
  UnitId unit;
  ActiveState before;
  ActiveState now;
  bool unexpected = false;         // from judge_job()
  bool will_auto_restart = false;  // services: a restart follows, so neither failed nor done yet
};

// Requests that follow at once. Put them in even if one fails; a failure is only logged.
std::vector<Consequence> requests_of_change(const TransactionView& view, const StateChange& change);

// Units to look at once the turn is over and the jobs of the change are through, with
// settle_unit(): the changed one and those it needs, binds and upholds.
std::vector<UnitId> units_to_settle(const TransactionView& view, const StateChange& change);

// StopWhenUnneeded=, BindsTo= and Upholds= of one unit, by how things stand now. At most one
// request. To be rate-limited by the caller (16 in 10 s a unit), for it may be refused for ever.
// `restarting`: units with an automatic restart pending count as needed; by UnitId, may be short.
std::optional<Consequence> settle_unit(const TransactionView& view, UnitId unit,
                                       const std::vector<bool>& restarting);

// The log line of a consequence, without the unit's name in front.
std::string text_of(const UnitGraph& graph, const Consequence& consequence);

}  // namespace flotilla::init
