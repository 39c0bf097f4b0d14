// Whether we lead: the election, what shuts out late writes of ours, and how the lead is given up.
#include <spdlog/spdlog.h>

#include <utility>

#include "engine/engine_manager.h"
#include "registry/codec.h"

namespace flotilla::engine {

bool EngineManager::is_own(const registry::Leader& leader) const {
  return leader.machine == session_.self().id && leader.nonce == session_.self().nonce;
}

void EngineManager::follow_leader() {
  const auto& leader = leader_watch_.leader();
  const bool is_known = leader_watch_.is_live() && session_.is_registered();
  const bool is_ours = is_known && leader && is_own(*leader) && leader->lease == session_.lease();
  if (is_ours != is_leader()) {
    SPDLOG_INFO("Engine leadership {}", is_ours ? "acquired" : "lost");
    counters_.leader_since = is_ours ? loop_.clock().wall() : base::WallTime{};
  }
  leads_at_ = is_ours ? leader->mod_revision : 0;
  if (!is_ours) scheduler_.reset();
  if (leader) note_leader(leader->machine);
  if (is_ours && !view_hold_) view_hold_ = view_.hold();
  if (is_ours || !is_known) return;
  // A key of our own machine is left from an earlier run of ours.
  const bool may_be_ours =
      leader_watch_.is_vacant() || (leader && leader->machine == session_.self().id);
  if (!may_be_ours) {
    forget_lead();
  } else if (!is_campaigning_) {
    campaign();
  }
}

void EngineManager::forget_lead() {
  view_hold_.reset();
  view_since_ = base::MonotonicTime::never();
  storm_guard_ = StormGuard(storm_time_);
  have_machines_changed_ = true;
  is_new_lead_ = true;
}

void EngineManager::note_leader(const std::string& machine) {
  if (machine == last_leader_) return;
  if (last_leader_.empty()) {
    SPDLOG_INFO("Engine leader is {}", machine);
  } else {
    SPDLOG_INFO("Engine leadership changed from {} to {}", last_leader_, machine);
  }
  last_leader_ = machine;
}

void EngineManager::campaign() {
  is_campaigning_ = true;
  const store::Revision before = leader_watch_.mod_revision();
  store::TxnRequest txn;
  txn.compares.push_back(before != 0 ? store::mod_is(keys_.leader(), before)
                                     : store::key_is_absent(keys_.leader()));
  registry::Leader self;
  self.machine = session_.self().id;
  self.nonce = session_.self().nonce;
  txn.then_ops.emplace_back(store::PutOp{keys_.leader(), registry::encode(self), session_.lease()});
  store_.txn(std::move(txn), [this, alive = alive_](auto result) {
    if (!*alive) return;
    is_campaigning_ = false;
    if (is_resigning_) return give_up_lead(0);
    // Won or lost, the watch will tell who leads.
    if (!result) SPDLOG_WARN("Failed to become the engine leader: {}", result.error().message);
    engine_.ensure_before(kRetry);
  });
}

// A write without an answer may have been done without our having seen it, or be done later. Any
// other revision of the leader key than the one it was made under shuts it out for good, and a view
// that has seen that revision has seen the write if it was done.
bool EngineManager::is_fence_due() const {
  return unanswered_at_ != 0 && unanswered_at_ == leads_at_;
}

void EngineManager::fence() {
  is_writing_ = true;
  registry::Leader self = *view_.cluster().leader;
  store::TxnRequest txn;
  txn.compares.push_back(store::mod_is(keys_.leader(), leads_at_));
  txn.then_ops.emplace_back(store::PutOp{keys_.leader(), registry::encode(self), session_.lease()});
  store_.txn(std::move(txn), [this, alive = alive_](base::Result<store::TxnResponse> result) {
    if (!*alive) return;
    is_writing_ = false;
    if (is_resigning_) return give_up_lead(0);
    if (result && result->succeeded) {
      written_ = std::max(written_, result->revision);
      return engine_.ensure_soon();
    }
    // Refused: an earlier attempt was done after all, or somebody else leads. The view will tell.
    engine_.ensure_before(kRetry);
  });
}

// --- The end of a lead ---

// What we wrote last of the key may be unheard yet: where it is not as expected, the answer tells
// whether it is ours still. `done` hears whether the store has answered.
void EngineManager::leave_lead(store::Revision leads_at, std::function<void(bool)> done) {
  store::TxnRequest txn;
  txn.compares.push_back(store::mod_is(keys_.leader(), leads_at));
  txn.then_ops.emplace_back(store::DeleteRangeOp{keys_.leader(), {}});
  txn.else_ops.emplace_back(store::RangeRequest{.key = keys_.leader()});
  store_.txn(std::move(txn), [this, alive = alive_, done = std::move(done)](
                                 const base::Result<store::TxnResponse>& result) {
    if (!result || result->succeeded || !*alive || !is_resigning_) return done(result.has_value());
    const auto& found = std::get<store::RangeResponse>(result->responses.front()).kvs;
    const auto leader = found.empty() ? base::not_found("nobody leads")
                                      : registry::decode_leader(found.front().value);
    if (!leader || !is_own(*leader)) return done(true);
    leave_lead(found.front().mod_revision, done);
  });
}

void EngineManager::resign(std::function<void()> done) {
  is_resigning_ = true;
  if (!is_leader()) return loop_.post(std::move(done));
  leave_lead(leads_at_, [done = std::move(done)](bool) { done(); });
}

void EngineManager::stand_down() {
  is_resigning_ = true;
  give_up_lead(leads_at_);  // we may lead and not have heard of it
  if (!is_leader()) return;
  SPDLOG_INFO("Engine leadership given up");
  counters_.leader_since = {};
  leads_at_ = 0;
  scheduler_.reset();
  forget_lead();
}

// Until the store has answered. With 0 the key is looked at first.
void EngineManager::give_up_lead(store::Revision leads_at) {
  leave_lead(leads_at, [this, alive = alive_](bool has_answered) {
    if (!*alive || has_answered || !is_resigning_) return;
    retry_ = loop_.after(kRetry, [this] { give_up_lead(0); });
  });
}

void EngineManager::stand_again() {
  is_resigning_ = false;
  retry_.reset();
  engine_.ensure_soon();
}

}  // namespace flotilla::engine
