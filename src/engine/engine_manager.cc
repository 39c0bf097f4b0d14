#include "engine/engine_manager.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "engine/notes.h"
#include "engine/rebalance.h"
#include "registry/codec.h"

namespace flotilla::engine {

namespace {

// Transactions with decisions that are on their way at once: a store that is busy with many others
// takes its time to answer each.
constexpr size_t kMostPieces = 8;

}  // namespace

EngineManager::EngineManager(store::Store& store, base::EventLoop& loop, std::string prefix,
                             registry::MachineSession& session, registry::ClusterView& view,
                             overlord::StateEngine& engine)
    : store_(store),
      loop_(loop),
      keys_(std::move(prefix)),
      session_(session),
      view_(view),
      engine_(engine),
      leader_watch_(store, loop, keys_.leader(), [this] { engine_.ensure_soon(); }),
      storm_time_(session.ttl()),
      storm_guard_(storm_time_) {}

EngineManager::~EngineManager() { *alive_ = false; }

base::Status EngineManager::start_up() {
  subscription_ =
      view_.subscribe([this](const registry::ClusterChange& change) { on_change(change); });
  leader_watch_.open();
  return {};
}

void EngineManager::on_change(const registry::ClusterChange& change) {
  // The store has been put back to an earlier state.
  if (view_.is_ready() &&
      view_.cluster().revision < std::exchange(seen_, view_.cluster().revision)) {
    written_ = 0;
  }
  if (!change.machines.empty()) have_machines_changed_ = true;
  if (scheduler_) {
    scheduler_->update(view_.cluster(), change);
    failures_.update(view_.cluster(), change, times());
  }
  if (!is_leader() || !is_of_interest(change)) return;
  const base::MonotonicTime now = loop_.clock().monotonic();
  if (!may_wait(change)) {
    gathering_.hurry();
  } else if (!change.units.empty()) {
    gathering_.on_new_units(now);
  }
  engine_.ensure_before(gathering_.wait(now));
}

std::vector<Verdict> EngineManager::explain(std::string_view unit) {
  if (!scheduler_) return engine::explain(view_.cluster(), unit);
  std::vector<Verdict> verdicts = scheduler_->explain(unit);
  const bool is_storm = is_leader() && storm_guard_.is_storm();
  add_notes(view_.cluster(), unit, is_storm ? Holding::kStorm : Holding::kNothing, verdicts);
  return verdicts;
}

bool EngineManager::is_of_interest(const registry::ClusterChange& change) const {
  return change.leader || !change.units.empty() || !change.schedule.empty() ||
         !change.machines.empty() || has_deciding_state(change);
}

// New units do, and what we have written ourselves: for others, as Gathering says.
bool EngineManager::may_wait(const registry::ClusterChange& change) const {
  if (change.leader || !change.machines.empty() || has_deciding_state(change)) return false;
  const registry::Cluster& cluster = view_.cluster();
  return std::all_of(change.units.begin(), change.units.end(), [&](const std::string& unit) {
    return cluster.units.contains(unit) && !cluster.schedule.contains(unit);
  });
}

// Unit states decide nothing, but that a unit which must not run twice is gone from where it was,
// that one which is handed over runs at its new place, and that one has failed which may move.
bool EngineManager::has_deciding_state(const registry::ClusterChange& change) const {
  const registry::Cluster& cluster = view_.cluster();
  return std::any_of(change.states.begin(), change.states.end(), [&](const std::string& unit) {
    if (!cluster.units.contains(unit)) return false;
    if (failures_.is_watching(unit)) return true;
    const auto scheduled = cluster.schedule.find(unit);
    if (scheduled == cluster.schedule.end()) return !cluster.states.contains(unit);
    return scheduled->second.size() > 1;  // it is being handed over
  });
}

void EngineManager::stop() {
  subscription_.reset();
  leader_watch_.close();
  retry_.reset();
  next_piece_.reset();
  *alive_ = false;
  leads_at_ = 0;
  scheduler_.reset();
  view_hold_.reset();
}

base::Status EngineManager::ensure() {
  if (is_resigning_) return {};
  follow_leader();
  if (!is_leader() || is_writing_ || !has_caught_up()) return {};
  if (is_fence_due()) {
    fence();
    return {};
  }
  const base::MonotonicTime begin = loop_.clock().monotonic();
  if (const base::Micros wait = gathering_.wait(begin); wait > base::Micros(0)) {
    engine_.ensure_before(wait);
    return {};
  }
  gathering_.on_decision();
  ++counters_.passes;
  if (!scheduler_) {
    scheduler_ = std::make_unique<Scheduler>();
    scheduler_->read(view_.cluster());
    failures_ = {};
    failures_.read(view_.cluster(), times());
  }
  std::vector<Decision> decisions = scheduler_->decide(look_out_for_storms());
  counters_.unplaced += scheduler_->unplaced();
  counters_.pass_time += loop_.clock().monotonic() - begin;
  if (!decisions.empty()) {
    write(std::move(decisions));
  } else if (tend_to_failures()) {
    // What follows from it comes first.
  } else if (view_.cluster().wants_rebalance) {
    rebalance();
  }
  return {};
}

// The view must show our lead, and with it everything that was written under earlier ones; and our
// own record: a leader that does not see itself would take its own units away.
bool EngineManager::has_caught_up() const {
  if (!view_.is_ready() || view_.cluster().revision < written_) return false;
  const auto& leader = view_.cluster().leader;
  if (!leader || leader->mod_revision != leads_at_) return false;
  const auto self = view_.cluster().machines.find(session_.self().id);
  return self != view_.cluster().machines.end() && self->second.nonce == session_.self().nonce &&
         self->second.lease == session_.lease();
}

// That the store was there without interruption is what makes absence credible: every machine that
// lives has had the time to say so. The leader's key, which was watched before our election, tells
// that as well as a view that has been read only since then.
base::MonotonicTime EngineManager::watching_since() {
  const base::MonotonicTime of_view = view_.uninterrupted_since();
  if (view_since_ == base::MonotonicTime::never()) view_since_ = of_view;
  const base::MonotonicTime of_key = leader_watch_.since();
  return of_view == view_since_ ? of_key : std::max(of_view, of_key);
}

Absence EngineManager::look_out_for_storms() {
  const base::MonotonicTime now = loop_.clock().monotonic();
  if (std::exchange(have_machines_changed_, false)) {
    const registry::Cluster& cluster = view_.cluster();
    StormGuard::Present present;
    for (const auto& [id, machine] : cluster.machines) present.emplace(id, machine.create_revision);
    if (std::exchange(is_new_lead_, false)) {
      // Nobody has looked before us: what still has units was there not long ago, and may have
      // vanished together with the leader.
      StormGuard::Present before = present;
      for (const auto& [unit, machines] : cluster.schedule) {
        for (const auto& [id, entry] : machines) before.emplace(id, 0);
      }
      storm_guard_.look(now, watching_since(), std::move(before));
    }
    storm_guard_.look(now, watching_since(), std::move(present));
  } else {
    storm_guard_.look(now, watching_since());
  }
  if (storm_guard_.is_storm() && !said_storm_) {
    SPDLOG_WARN(
        "More than a third of the machines vanished together; waiting for one more lease "
        "time before their units are moved");
  }
  said_storm_ = storm_guard_.is_storm();
  if (storm_guard_.trusted_from() <= now) return Absence::kTrusted;
  // Asked for only if it matters: an idle cluster is not woken up.
  if (scheduler_->has_units_away()) engine_.ensure_before(storm_guard_.trusted_from() - now);
  return Absence::kDoubted;
}

// Units that begin to be scheduled do not hang on each other's order; a unit that is taken from one
// machine and given to another, or makes room for it, does.
void EngineManager::write(std::vector<Decision> decisions) {
  is_writing_ = true;
  const auto writing = std::make_shared<Writing>();
  const bool are_in_any_order =
      std::all_of(decisions.begin(), decisions.end(),
                  [](const Decision& d) { return d.kind == Decision::Kind::kSchedule; });
  if (are_in_any_order) {
    writing->most_pieces = kMostPieces;
    // What one machine gets stands together: it hears of it in one message.
    std::stable_sort(decisions.begin(), decisions.end(),
                     [](const Decision& a, const Decision& b) { return a.machine < b.machine; });
  }
  writing->decisions = std::move(decisions);
  writing->leads_at = leads_at_;
  write_on(writing);
}

void EngineManager::write_on(const std::shared_ptr<Writing>& writing) {
  // Without the lead, or the units the rest was decided on, the rest is decided anew.
  while (writing->next < writing->decisions.size() && writing->pieces < writing->most_pieces &&
         !writing->has_failed && leads_at_ == writing->leads_at && !is_resigning_) {
    const base::Micros wait = pacing_.wait(loop_.clock().monotonic());
    if (writing->pieces > 0 && wait > base::Micros(0)) {
      next_piece_ = loop_.after(wait, [this, writing] { write_on(writing); });
      return;
    }
    write_piece(writing);
  }
  next_piece_.reset();
  if (writing->pieces > 0) return;
  is_writing_ = false;
  if (writing->is_retry_due) return engine_.ensure_before(kRetry);
  engine_.ensure_soon();
}

// Cut at the store's limits; every piece holds only while we still lead.
void EngineManager::write_piece(const std::shared_ptr<Writing>& writing) {
  const std::vector<Decision>& decisions = writing->decisions;
  store::TxnRequest txn;
  txn.compares.push_back(store::mod_is(keys_.leader(), writing->leads_at));
  size_t bytes = 0;
  const size_t from = writing->next;
  size_t end = from;
  while (end < decisions.size() && txn.then_ops.size() < store::kMaxTxnOps) {
    store::Op operation = operation_for(decisions[end]);
    const auto* put = std::get_if<store::PutOp>(&operation);
    const size_t size = put != nullptr ? put->key.size() + put->value.size() : 0;
    if (end > from && bytes + size > store::kAdvisedRequestBytes) break;
    bytes += size;
    txn.then_ops.push_back(std::move(operation));
    ++end;
  }
  writing->next = end;
  ++writing->pieces;
  const base::MonotonicTime sent = loop_.clock().monotonic();
  pacing_.on_sent(sent);
  store_.txn(std::move(txn), [this, alive = alive_, writing, from, end,
                              sent](base::Result<store::TxnResponse> result) {
    if (!*alive) return;
    --writing->pieces;
    const base::MonotonicTime now = loop_.clock().monotonic();
    gathering_.on_answer(now, now - sent);
    pacing_.on_answer(now - sent);
    if (!result || !result->succeeded) {
      on_write_failed(*writing, from, end, result);
    } else {
      written_ = std::max(written_, result->revision);
      for (size_t i = from; i < end; ++i) report(writing->decisions[i]);
    }
    write_on(writing);
  });
}

void EngineManager::on_write_failed(Writing& writing, size_t from, size_t end,
                                    const base::Result<store::TxnResponse>& result) {
  ++counters_.failed_writes;
  report_failure(writing.decisions, from, end);
  writing.has_failed = true;
  if (result) {
    SPDLOG_INFO("Engine leadership lost while writing decisions");
    return;
  }
  SPDLOG_ERROR("Failed to write decisions: {}", result.error().message);
  if (result.error().code != base::Errc::kUnavailable) unanswered_at_ = writing.leads_at;
  writing.is_retry_due = true;
}

FailureMoves::Times EngineManager::times() const {
  return {loop_.clock().monotonic(), loop_.clock().wall()};
}

// All is where it should be but for what has failed. Tells whether something is done about it.
bool EngineManager::tend_to_failures() {
  FailureMoves::Due due = failures_.due(times().now);
  if (due.next != base::Micros(0)) engine_.ensure_before(due.next);
  std::vector<registry::Move> moves;
  for (const std::string& unit : due.moves) {
    std::string to = scheduler_->find_other_machine(unit);
    // It stays where its state shows what is wrong with it.
    if (to.empty()) continue;
    moves.push_back({unit, *view_.cluster().machine_of(unit), std::move(to)});
    if (moves.size() == kMovesAtOnce) break;
  }
  if (!moves.empty()) {
    move_failed(moves);
  } else if (!due.well.empty()) {
    forget_moves(std::move(due.well));
  } else {
    return false;
  }
  return true;
}

void EngineManager::move_failed(const std::vector<registry::Move>& moves) {
  send(engine::move_failed(view_.cluster(), keys_, moves, times().wall, leads_at_), "move units",
       [moves] {
         for (const registry::Move& move : moves) {
           SPDLOG_INFO("Moved Unit({}) from Machine({}), where it failed, to Machine({})",
                       move.unit, move.from, move.to);
         }
       });
}

void EngineManager::forget_moves(std::vector<std::string> units) {
  if (units.size() > kMovesAtOnce) units.resize(kMovesAtOnce);
  send(engine::forget_moves(view_.cluster(), keys_, units, leads_at_), "forget moves", [] {});
}

// Somebody has asked for it, and all is where it should be. What does not fit into one transaction
// is planned anew.
void EngineManager::rebalance() {
  const std::vector<registry::Move> moves = plan_rebalance(view_.cluster());
  send(begin_moves(view_.cluster(), keys_, moves, leads_at_), "rebalance",
       [count = moves.size()] { SPDLOG_INFO("Rebalancing: {} units to move", count); });
}

// What was decided on the view as it is, in one transaction.
void EngineManager::send(store::TxnRequest txn, const char* what, std::function<void()> done) {
  is_writing_ = true;
  store_.txn(std::move(txn), [this, alive = alive_, what, done = std::move(done),
                              leads_at = leads_at_](base::Result<store::TxnResponse> result) {
    if (!*alive) return;
    is_writing_ = false;
    if (!result) {
      ++counters_.failed_writes;
      SPDLOG_ERROR("Failed to {}: {}", what, result.error().message);
      if (result.error().code != base::Errc::kUnavailable) unanswered_at_ = leads_at;
      return engine_.ensure_before(kRetry);
    }
    // Refused: something has changed, and the view will tell what.
    if (!result->succeeded) return engine_.ensure_before(kRetry);
    written_ = std::max(written_, result->revision);
    done();
    engine_.ensure_soon();
  });
}

store::Op EngineManager::operation_for(const Decision& decision) const {
  const registry::Cluster& cluster = view_.cluster();
  const auto unit = cluster.units.find(decision.unit);
  const bool has_unit = unit != cluster.units.end();
  switch (decision.kind) {
    case Decision::Kind::kSchedule:
    case Decision::Kind::kUpdate: {
      if (!has_unit) break;  // deleted since it was decided; the next pass sees to the rest
      registry::ScheduleEntry entry = schedule_entry_of(cluster, decision.unit, decision.machine);
      if (const auto old = cluster.schedule.find(decision.unit); old != cluster.schedule.end()) {
        const auto on_machine = old->second.find(decision.machine);
        if (on_machine != old->second.end()) entry.extra = on_machine->second.extra;
      }
      return store::PutOp{keys_.schedule(decision.machine, decision.unit), registry::encode(entry)};
    }
    case Decision::Kind::kPutGlobal: {
      if (!has_unit) break;
      registry::GlobalEntry entry = global_entry_of(unit->second);
      if (const auto old = cluster.globals.find(decision.unit); old != cluster.globals.end()) {
        entry.extra = old->second.extra;
      }
      return store::PutOp{keys_.global(decision.unit), registry::encode(entry)};
    }
    case Decision::Kind::kUnschedule:
    case Decision::Kind::kRemoveGlobal:
      break;
  }
  const bool is_global =
      decision.kind == Decision::Kind::kRemoveGlobal || decision.kind == Decision::Kind::kPutGlobal;
  return store::DeleteRangeOp{
      is_global ? keys_.global(decision.unit) : keys_.schedule(decision.machine, decision.unit),
      {}};
}

void EngineManager::report_failure(const std::vector<Decision>& decisions, size_t from,
                                   size_t end) {
  for (size_t i = from; i < end; ++i) {
    if (decisions[i].kind == Decision::Kind::kSchedule) ++counters_.failed_scheduling;
    if (decisions[i].kind == Decision::Kind::kUnschedule) ++counters_.failed_unscheduling;
  }
}

void EngineManager::report(const Decision& decision) {
  if (decision.kind == Decision::Kind::kSchedule) {
    ++counters_.scheduled;
    SPDLOG_INFO("Scheduled Unit({}) to Machine({})", decision.unit, decision.machine);
  } else if (decision.kind == Decision::Kind::kUnschedule) {
    ++counters_.unscheduled;
    if (decision.cause == Decision::Cause::kMachineAway) ++counters_.machine_away;
    if (decision.cause == Decision::Cause::kUnableToRun) ++counters_.unable_to_run;
    SPDLOG_INFO("Unscheduled Job({}) from Machine({})", decision.unit, decision.machine);
  }
  SPDLOG_INFO(
      "EngineReconciler completed task: {{Type: {}, JobName: {}, MachineID: {}, Reason: \"{}\"}}",
      to_string(decision.kind), decision.unit, decision.machine, decision.reason);
}

}  // namespace flotilla::engine
