// The transaction: from one request and the dependency graph to the jobs that carry it out, as
// systemd decides it. Pure: values in, a Plan or the reason why not out; nothing is installed.
//
// In turn: requirement dependencies pull in jobs (each remembers who wants it, and whether the
// request stands or falls with it); what is done already is dropped; ordering cycles are broken by
// dropping a job that is not essential; contradicting jobs of one unit lose the inessential one;
// the rest is merged to one job a unit, and compared with the jobs that are installed.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "init/job.h"
#include "init/unit_graph.h"

namespace flotilla::init {

struct JobRequest {
  UnitId unit = kNoUnit;
  JobType type = JobType::kStart;
  JobMode mode = JobMode::kReplace;
};

struct Plan {
  // In an order in which ordering dependencies among them hold. Install them in this order; states
  // are not set. Numbers are: jobs count from the one the request makes, in the order in which they
  // were pulled in, those that did not stay included.
  std::vector<Job> jobs;
  size_t anchor = 0;  // which of `jobs` is the request itself
  JobId next_id = 1;  // the first number that is free after this transaction
  // Installed jobs that end as kCanceled before, without anything following from it (isolate and
  // flush).
  std::vector<JobId> cancel;
  // For the log, each a whole line: cycles with their whole path and the job dropped for it,
  // dependencies that could not be pulled in.
  std::vector<std::string> warnings;
};

// What a transaction looks at. `active` is by UnitId.
struct TransactionView {
  const UnitGraph& graph;
  const JobTable& jobs;
  ActiveStates active;
};

// Errors carry systemd's sentence and D-Bus name: NoSuchUnit, UnitMasked, BadUnitSetting,
// LoadFailed, JobTypeNotApplicable, NoIsolation, TransactionIsDestructive,
// TransactionJobsConflicting, TransactionOrderIsCyclic. `warnings`, if given, gets the lines of a
// transaction that failed too (the cycle that could not be broken).
base::Result<Plan> build_transaction(const TransactionView& view, const JobRequest& request,
                                     std::vector<std::string>* warnings = nullptr);

// Whether a user may ask this of the unit by name (RefuseManualStart= and its kin), and, for all
// but a stop, whether the unit is loaded. To be asked before build_transaction() for requests from
// outside alone.
base::Status check_manual_request(const TransactionView& view, UnitId unit, JobType type);
// ok for a loaded unit; otherwise the error systemd gives for it.
base::Status check_load_state(const UnitGraph& graph, UnitId unit);

// The type that "reload-or-restart" and "reload-or-try-restart" are for this unit.
JobType reload_if_possible(const UnitGraph& graph, UnitId unit, JobType type) noexcept;

}  // namespace flotilla::init
