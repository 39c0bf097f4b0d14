// EngineManager: the scheduler's edge. Becomes leader if nobody is, tells the Scheduler of what
// changes in the view while it leads, and writes what it decided in transactions that only the
// leader's can succeed.
//
// Until it leads it listens to the leader's key alone. Once elected it holds the view, decides when
// that has been read, and lets it go when another leads; while the store is away it keeps it.
//
// Owned by fleetd's composition; loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/failure_moves.h"
#include "engine/gathering.h"
#include "engine/leader_watch.h"
#include "engine/pacing.h"
#include "engine/scheduler.h"
#include "engine/storm_guard.h"
#include "overlord/state_engine.h"
#include "registry/cluster_view.h"
#include "registry/keys.h"
#include "registry/machine_session.h"

namespace flotilla::engine {

// For metrics; counted since the start.
struct EngineCounters {
  uint64_t passes = 0;
  uint64_t scheduled = 0;
  uint64_t unscheduled = 0;
  uint64_t failed_writes = 0;
  uint64_t failed_scheduling = 0;    // decisions in them, by kind
  uint64_t failed_unscheduling = 0;  //
  uint64_t machine_away = 0;         // units unscheduled because their machine went away ...
  uint64_t unable_to_run = 0;        // ... or because it may not run them any more
  uint64_t unplaced = 0;             // units that found no machine, counted in each pass
  base::Micros pass_time{0};         // of all passes together
  base::WallTime leader_since;       // 0: not the leader
};

class EngineManager final : public overlord::StateManager {
 public:
  // Requires: all references outlive the manager; `view` is held while it is needed.
  EngineManager(store::Store& store, base::EventLoop& loop, std::string prefix,
                registry::MachineSession& session, registry::ClusterView& view,
                overlord::StateEngine& engine);
  ~EngineManager() override;

  std::string_view name() const override { return "engine"; }
  base::Status start_up() override;
  base::Status ensure() override;
  void stop() override;
  // Decides nothing any more and lets another lead at once; `done` is called when the store has
  // answered. For an orderly end.
  void resign(std::function<void()> done);
  // Neither leads nor wants to, until stand_again(). Lets another lead as soon as the store
  // answers.
  void stand_down();
  void stand_again();

  // For simulations: to see what the storm guard is good for.
  void believe_in_absence() { storm_guard_ = StormGuard(storm_time_ = base::Micros(0)); }

  bool is_leader() const { return leads_at_ != 0; }
  const EngineCounters& counters() const { return counters_; }
  // See Scheduler; the leader, who has one, answers faster than others. Requires: the view has
  // data.
  std::vector<Verdict> explain(std::string_view unit);

 private:
  static constexpr base::Micros kRetry = std::chrono::seconds(1);

  void on_change(const registry::ClusterChange& change);
  bool is_of_interest(const registry::ClusterChange& change) const;
  bool may_wait(const registry::ClusterChange& change) const;
  bool has_deciding_state(const registry::ClusterChange& change) const;
  bool has_caught_up() const;
  bool is_own(const registry::Leader& leader) const;
  void follow_leader();
  void campaign();
  void forget_lead();
  void leave_lead(store::Revision leads_at, std::function<void(bool)> done);
  void give_up_lead(store::Revision leads_at);
  base::MonotonicTime watching_since();
  void note_leader(const std::string& machine);
  Absence look_out_for_storms();
  // Decisions on their way to the store, and the revision of the leader key under which they were
  // made: another lead of ours, later, must not send the rest of them.
  struct Writing {
    std::vector<Decision> decisions{};
    store::Revision leads_at = 0;
    size_t most_pieces = 1;  // on their way at once
    size_t next = 0;         // the first decision that has not been sent
    size_t pieces = 0;       // on their way now
    bool has_failed = false;
    bool is_retry_due = false;
  };
  void write(std::vector<Decision> decisions);
  void write_on(const std::shared_ptr<Writing>& writing);
  void write_piece(const std::shared_ptr<Writing>& writing);
  void on_write_failed(Writing& writing, size_t from, size_t end,
                       const base::Result<store::TxnResponse>& result);
  void rebalance();
  bool tend_to_failures();
  void move_failed(const std::vector<registry::Move>& moves);
  void forget_moves(std::vector<std::string> units);
  void send(store::TxnRequest txn, const char* what, std::function<void()> done);
  FailureMoves::Times times() const;
  bool is_fence_due() const;
  void fence();
  store::Op operation_for(const Decision& decision) const;
  void report(const Decision& decision);
  void report_failure(const std::vector<Decision>& decisions, size_t from, size_t end);

  store::Store& store_;
  base::EventLoop& loop_;
  const registry::Keys keys_;
  registry::MachineSession& session_;
  registry::ClusterView& view_;
  overlord::StateEngine& engine_;
  LeaderWatch leader_watch_;
  base::RegistrationPtr view_hold_;  // from an election of ours until another leads
  // uninterrupted_since() of the view when it was first looked at under this hold, else never().
  base::MonotonicTime view_since_ = base::MonotonicTime::never();
  std::unique_ptr<Scheduler> scheduler_;  // while we lead
  FailureMoves failures_;                 //
  base::Micros storm_time_;               // a lease time
  StormGuard storm_guard_;
  Gathering gathering_;
  Pacing pacing_;
  base::RegistrationPtr next_piece_;   // of decisions, until it may be sent
  bool have_machines_changed_ = true;  // since its last look
  bool is_new_lead_ = true;            // it has not looked in this lead yet
  bool said_storm_ = false;
  base::RegistrationPtr subscription_;
  store::Revision leads_at_ = 0;  // mod revision of the leader key while it is ours, else 0
  std::string last_leader_;
  bool is_campaigning_ = false;
  bool is_writing_ = false;
  bool is_resigning_ = false;
  base::RegistrationPtr retry_;  // of giving up the lead
  // The lead under which a write was left without an answer, or 0: it may still be on its way.
  store::Revision unanswered_at_ = 0;
  store::Revision written_ = 0;  // the view must have seen this before the next decision
  store::Revision seen_ = 0;     // of the view when it last changed
  EngineCounters counters_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::engine
