#include "scale/observer.h"

#include <signal.h>

#include <stdexcept>
#include <utility>

#include "registry/codec.h"
#include "scale/crew.h"
#include "store/etcd_store.h"

namespace flotilla::bench {

namespace {

constexpr base::Micros kTick = std::chrono::milliseconds(10);

}  // namespace

Observer::Observer(const store::EtcdOptions& etcd)
    : store_(store::make_etcd_store(etcd, loop_)),
      registry_(*store_, kClusterPrefix),
      view_(*store_, loop_, kClusterPrefix) {
  const auto end = [this](int) {
    problem_ = "interrupted";
    loop_.stop();
  };
  interrupt_ = loop_.on_signal(SIGINT, end);
  terminate_ = loop_.on_signal(SIGTERM, end);
  subscription_ =
      view_.subscribe([this](const registry::ClusterChange& change) { on_change(change); });
  view_.open();
}

Observer::~Observer() = default;

void Observer::wait(const std::string& what, std::function<bool()> fact, base::Micros limit) {
  if (fact()) return;
  fact_ = std::move(fact);
  const base::RegistrationPtr give_up = loop_.after(limit, [this, what] {
    problem_ = "gave up waiting for " + what;
    loop_.stop();
  });
  look_at_fact();
  loop_.run();
  tick_.reset();
  fact_ = {};
  if (!problem_.empty()) throw std::runtime_error(std::exchange(problem_, {}));
}

void Observer::look_at_fact() {
  tick_ = loop_.after(kTick, [this] { look_at_fact(); });
  if (fact_ && fact_()) loop_.stop();
}

void Observer::pass(base::Micros time) {
  const base::MonotonicTime end = loop_.clock().monotonic() + time;
  wait(
      "time to pass", [&] { return loop_.clock().monotonic() >= end; },
      time + std::chrono::minutes(1));
}

void Observer::look_away() {
  view_.close();
  running_.clear();
  reported_.clear();
}

void Observer::begin_to_count() {
  const std::string states = registry::Keys(kClusterPrefix).states();
  registry::MirrorHandler handler;
  handler.on_put = [this](const store::KeyValue& kv) { on_state(kv); };
  handler.on_delete = [](const std::string&) {};
  handler.on_step = [this](store::Revision) {
    if (fact_ && fact_()) loop_.stop();
  };
  states_ = std::make_unique<registry::Mirror>(*store_, loop_, states, store::prefix_end(states),
                                               std::move(handler));
}

void Observer::end_to_count() {
  states_.reset();
  view_.open();
  wait(
      "the cluster to be read", [this] { return view_.is_ready(); }, std::chrono::minutes(1));
}

void Observer::on_state(const store::KeyValue& kv) {
  const auto key = registry::Keys(kClusterPrefix).parse(kv.key);
  const auto state = registry::decode_unit_state(kv.value);
  if (key && state && state->active_state == "active") reported_.insert(key->first);
}

void Observer::put_unit(size_t number, const std::string& name, const std::string& place) {
  ++asked_;
  registry_.put_unit(name, unit_options(number, place), registry::TargetState::kLaunched,
                     [this](const base::Result<registry::PutOutcome>& outcome) {
                       ++answered_;
                       if (!outcome) problem_ = outcome.error().message;
                     });
}

void Observer::set_place(const std::string& machine, const std::string& place) {
  ++asked_;
  registry_.edit_metadata(machine, "place", place,
                          [this](const base::Result<store::Revision>& revision) {
                            ++answered_;
                            if (!revision) problem_ = revision.error().message;
                          });
}

bool Observer::runs(const std::string& unit) const {
  const auto scheduled = cluster().schedule.find(unit);
  if (scheduled == cluster().schedule.end() || scheduled->second.size() != 1) return false;
  const auto states = cluster().states.find(unit);
  if (states == cluster().states.end()) return false;
  const auto state = states->second.find(scheduled->second.begin()->first);
  return state != states->second.end() && state->second.active_state == "active";
}

void Observer::look(const std::string& unit) {
  if (runs(unit)) {
    running_.insert(unit);
  } else {
    running_.erase(unit);
  }
}

void Observer::on_change(const registry::ClusterChange& change) {
  for (const std::string& unit : change.states) look(unit);
  for (const std::string& unit : change.schedule) look(unit);
  if (fact_ && fact_()) loop_.stop();
}

}  // namespace flotilla::bench
