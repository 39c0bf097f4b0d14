// Jobs: what somebody wants done to a unit, and the table of those installed. At most one job
// stands at a unit (and besides it one that does nothing). Which jobs a request brings is decided
// by transaction.h, what follows from the end of one by job_finish.h.
//
// Owned by the manager; loop thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "init/unit_graph.h"
#include "init/unit_state.h"

namespace flotilla::init {

using JobId = uint32_t;  // from 1; 0: none

// The first five are what an installed job may be; collapse() makes one of them (or kNop) of the
// others. Numbers stand in the state file.
enum class JobType : uint8_t {
  kStart = 0,
  kVerifyActive = 1,
  kStop = 2,
  kReload = 3,
  kRestart = 4,  // a stop that becomes a start when it is done
  kNop = 5,
  kTryRestart = 6,
  kReloadOrStart = 7,
  kTryReload = 8,
};

enum class JobState : uint8_t { kWaiting = 0, kRunning = 1 };

enum class JobResult : uint8_t {
  kDone,
  kCanceled,
  kTimeout,
  kFailed,
  kDependency,
  kSkipped,
  kInvalid,
  kAssert,
  kUnsupported,
  kCollected,
  kOnce,
};

std::string_view to_string(JobType type) noexcept;
std::string_view to_string(JobState state) noexcept;
std::string_view to_string(JobMode mode) noexcept;
std::string_view to_string(JobResult result) noexcept;
std::optional<JobType> parse_job_type(std::string_view name) noexcept;
std::optional<JobMode> parse_job_mode(std::string_view name) noexcept;

// --- The rules of job types ---

// The one type that does what both do; nothing where they contradict each other.
std::optional<JobType> merge(JobType a, JobType b) noexcept;
inline bool is_conflicting(JobType a, JobType b) noexcept { return !merge(a, b).has_value(); }
// What a type that depends on the unit's state is right now: a try-restart of a dead unit is a nop.
JobType collapse(JobType type, ActiveState state) noexcept;
// merge(), then collapse().
std::optional<JobType> merge_and_collapse(JobType a, JobType b, ActiveState state) noexcept;
// Whether a job of this type has nothing to do at a unit in this state.
bool is_redundant(JobType type, ActiveState state) noexcept;
// Whether the job may be asked of this unit at all.
bool is_applicable(JobType type, const UnitGraph& graph, UnitId unit) noexcept;

// --- Installed jobs ---

struct Job {
  JobId id = 0;
  UnitId unit = kNoUnit;
  JobType type = JobType::kNop;
  JobState state = JobState::kWaiting;
  bool irreversible = false;  // no later request may take its place
  bool ignore_order = false;
};

class JobTable {
 public:
  // Null where there is none. Valid until the table changes.
  const Job* find(JobId id) const noexcept;
  const Job* of_unit(UnitId unit) const noexcept;
  const Job* nop_of_unit(UnitId unit) const noexcept;

  struct Installed {
    JobId id = 0;                 // of the job that now does what was asked
    bool is_new = false;          // false: it went into one that was there
    bool runs_again = false;      // it was running, and waits again with a new type
    std::optional<Job> replaced;  // a contradicting job, now out of the table; ends as kCanceled
  };
  // Requires: job.unit is valid; job.id is free, or zero for the next one; job.state is not looked
  // at.
  Installed install(const Job& job, ActiveState state);
  // Puts a job back as a state file tells it, id and all; later ids are higher.
  void restore(const Job& job);
  // The job as it was; nothing where the id is unknown.
  std::optional<Job> remove(JobId id);
  void set_state(JobId id, JobState state) noexcept;
  // A restart whose stop is done: kRestart becomes a waiting kStart.
  void continue_as_start(JobId id) noexcept;

  // Ascending ids. Jobs removed while iterating over ids are simply not found any more.
  std::vector<JobId> ids() const;
  size_t size() const noexcept { return size_; }
  JobId next_id() const noexcept { return next_id_; }
  void set_next_id(JobId id) noexcept { next_id_ = id; }
  // Makes room for jobs with these numbers, so that installing them in any other order costs
  // nothing more. Requires: ascending, none in use.
  void reserve_ids(const std::vector<JobId>& ids);
  // Gives back the room of jobs that are over, if all are.
  void shrink_to_fit();

 private:
  Job* find_mutable(JobId id) noexcept;
  void insert(const Job& job);
  std::vector<JobId>& slots_of(JobType type) noexcept {
    return type == JobType::kNop ? nop_by_unit_ : by_unit_;
  }

  std::vector<Job> jobs_;       // ascending by id; removed ones have no unit
  size_t size_ = 0;             // of those that are there
  std::vector<JobId> by_unit_;  // by UnitId; 0: none
  std::vector<JobId> nop_by_unit_;
  JobId next_id_ = 1;
};

// --- Order ---

// Which of two jobs runs first, where a's unit has After= (kAfter) or Before= (kBefore) on b's: <0:
// a first, >0: b first, 0: together. A stop goes before anything else, and two stops run in
// reverse.
int compare_order(const Job& a, const Job& b, Dependency a_to_b) noexcept;

// Whether no other installed job has to end before this one. Says nothing of the unit's own state.
bool job_is_runnable(const UnitGraph& graph, const JobTable& jobs, const Job& job) noexcept;

}  // namespace flotilla::init
