#include "agent/state_publisher.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "registry/keys.h"

namespace flotilla::agent {

namespace {

constexpr base::Micros kRetry = std::chrono::seconds(1);
// How long a state waits for the one that follows it.
constexpr base::Micros kPatience = std::chrono::milliseconds(20);
// After a write nothing is written for this many times as long as its answer took: where the store
// has all it can do, more changes share a write, and where it has not, nobody notices.
constexpr int kPausePerAnswer = 2;
constexpr base::Micros kLongestPause = std::chrono::seconds(1);

}  // namespace

StatePublisher::StatePublisher(registry::Registry& registry, base::EventLoop& loop,
                               registry::MachineSession& session)
    : registry_(registry), loop_(loop), session_(session) {}

StatePublisher::~StatePublisher() { *alive_ = false; }

void StatePublisher::publish(registry::UnitState state, Lasting lasting) {
  state.machine = session_.self().id;
  const std::string unit = state.name;
  const auto published = published_.find(unit);
  const bool is_known = published != published_.end() && published->second == state;
  current_.insert_or_assign(unit, std::move(state));
  if (is_known && !dirty_.contains(unit) && !is_flushing_) return;
  dirty_.insert(unit);
  if (lasting == Lasting::kLikely) return flush_soon();
  if (!patience_) patience_ = loop_.after(kPatience, [this] { flush_soon(); });
}

void StatePublisher::claim(registry::UnitState state, store::Revision entry_revision,
                           std::function<void(base::Status)> done) {
  state.machine = session_.self().id;
  // Whatever comes of it, what was known to be in the store is not known any more.
  published_.erase(state.name);
  maybe_published_.insert(state.name);
  registry_.claim_unit(state, entry_revision, session_.lease(), std::move(done));
}

void StatePublisher::tell_finished(registry::UnitHistory history, store::Revision entry_revision,
                                   std::function<void(base::Status)> done) {
  history.finished_on = session_.self().id;
  registry_.put_finished(history, entry_revision, std::move(done));
}

void StatePublisher::withdraw(const std::string& unit) {
  current_.erase(unit);
  if (!maybe_published_.contains(unit) && !dirty_.contains(unit)) return;
  dirty_.insert(unit);
  flush_soon();
}

void StatePublisher::on_session_change() {
  if (!session_.is_registered()) return;
  // What came while the store was away waits for this.
  if (session_.lease() == lease_) return flush_if_urgent();
  lease_ = session_.lease();
  published_.clear();
  for (const auto& [unit, state] : current_) dirty_.insert(unit);
  find_leftovers();
  flush_soon();
}

// A run of ours that was killed may have left states of units that are gone since: where its record
// is in force still. Else its lease has ended, and they went with that; so a machine that joins, or
// all of them after an outage, need not look through the states of the whole cluster.
void StatePublisher::find_leftovers() {
  search_retry_.reset();
  const auto on_states = [this, alive = alive_](const auto& units) {
    if (!*alive) return;
    if (!units) {
      SPDLOG_WARN("Failed to look for old unit states: {}; trying again", units.error().message);
      search_retry_ = loop_.after(kRetry, [this] { find_leftovers(); });
      return;
    }
    for (const std::string& unit : *units) {
      maybe_published_.insert(unit);
      if (!current_.contains(unit)) dirty_.insert(unit);
    }
    flush_soon();
  };
  const std::string machine = session_.self().id;
  store::RangeRequest own_record;
  own_record.key = registry::Keys(registry_.prefix()).machine(machine);
  own_record.keys_only = true;
  registry_.store().range(
      std::move(own_record), [this, alive = alive_, machine, on_states](const auto& record) {
        if (!*alive) return;
        const bool is_new = record && !record->kvs.empty() && record->kvs.front().version == 1;
        if (!is_new) registry_.list_states_of(machine, on_states);
      });
}

void StatePublisher::flush_if_urgent() {
  if (is_urgent_) flush_soon();
}

void StatePublisher::flush_soon() {
  is_urgent_ = !dirty_.empty();
  if (is_flush_due_ || is_flushing_ || pause_ || dirty_.empty()) return;
  is_flush_due_ = true;
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    is_flush_due_ = false;
    flush();
  });
}

void StatePublisher::flush() {
  if (is_flushing_ || dirty_.empty() || !session_.is_registered()) return;
  std::vector<registry::UnitState> puts;
  auto gone = std::make_shared<std::vector<std::string>>();
  for (const std::string& unit : dirty_) {
    if (const auto state = current_.find(unit); state != current_.end()) {
      puts.push_back(state->second);
    } else {
      gone->push_back(unit);
    }
  }
  is_flushing_ = true;
  is_urgent_ = false;
  flushed_at_ = loop_.clock().monotonic();
  patience_.reset();
  auto sent = std::make_shared<std::set<std::string>>(std::exchange(dirty_, {}));
  for (const registry::UnitState& state : puts) maybe_published_.insert(state.name);
  const auto written = std::make_shared<std::vector<registry::UnitState>>(puts);
  const auto done = [this, alive = alive_, sent, gone, written](const base::Status& status) {
    if (!*alive) return;
    if (status) {
      for (registry::UnitState& state : *written) {
        const std::string unit = state.name;
        published_.insert_or_assign(unit, std::move(state));
      }
      for (const std::string& unit : *gone) {
        published_.erase(unit);
        maybe_published_.erase(unit);
      }
    } else {
      dirty_.insert(sent->begin(), sent->end());
    }
    on_flushed(status);
  };
  const std::string machine = session_.self().id;
  if (puts.empty()) return registry_.delete_states(machine, *gone, done);
  registry_.put_states(puts, session_.lease(),
                       [this, alive = alive_, gone, machine, done](const base::Status& status) {
                         if (!*alive) return;
                         if (!status || gone->empty()) return done(status);
                         registry_.delete_states(machine, *gone, done);
                       });
}

void StatePublisher::on_flushed(const base::Status& status) {
  is_flushing_ = false;
  if (status) return pause();
  is_urgent_ = true;
  SPDLOG_WARN("Failed to publish unit states: {}; trying again", status.error().message);
  retry_ = loop_.after(kRetry, [this] { flush_soon(); });
}

void StatePublisher::pause() {
  const base::Micros answered_in = loop_.clock().monotonic() - flushed_at_;
  const base::Micros length = std::min(answered_in * kPausePerAnswer, kLongestPause);
  if (length <= base::Micros(0)) return flush_if_urgent();
  pause_ = loop_.after(length, [this] {
    pause_.reset();
    flush_if_urgent();
  });
}

}  // namespace flotilla::agent
