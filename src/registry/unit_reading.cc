#include "registry/unit_reading.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "registry/cluster_records.h"
#include "registry/keys.h"
#include "unit/fleet_requirements.h"

namespace flotilla::registry {
namespace {

constexpr size_t kMaxNameBytes = 256;
// Beyond it the view is the cheaper way.
constexpr size_t kMaxMachines = 2000;
constexpr size_t kMachinesOfTxn = store::kMaxTxnOps / 2;  // a place and the machine's record

store::RangeRequest range_of(std::string key, std::string range_end, store::Revision revision) {
  store::RangeRequest request;
  request.key = std::move(key);
  request.range_end = std::move(range_end);
  request.revision = revision;
  return request;
}

class UnitReading : public std::enable_shared_from_this<UnitReading> {
 public:
  UnitReading(store::Store& store, const std::string& prefix, std::string unit,
              std::vector<std::string> machines, std::function<void(std::optional<Cluster>)> done)
      : store_(store),
        keys_(prefix),
        unit_(std::move(unit)),
        wanted_(std::move(machines)),
        done_(std::move(done)),
        records_(keys_) {}

  void begin() {
    store::TxnRequest txn;
    txn.then_ops.emplace_back(range_of(keys_.unit(unit_), {}, 0));
    txn.then_ops.emplace_back(range_of(keys_.history(unit_), {}, 0));
    const std::string states = keys_.state(unit_, {});
    txn.then_ops.emplace_back(range_of(states, store::prefix_end(states), 0));
    send(std::move(txn), [this](store::Revision revision) {
      records_.cluster().revision = revision;
      read_places();
    });
  }

 private:
  const Cluster& cluster() const { return records_.cluster(); }

  // The places are looked for where the unit has a state; that is where it is, most often.
  void read_places() {
    const auto unit = cluster().units.find(unit_);
    if (unit == cluster().units.end()) return finish();
    is_global_ = unit::extract_requirements(unit->second.options, unit_).global;
    std::vector<std::string> machines = wanted_;
    if (!is_global_) {
      if (const auto states = cluster().states.find(unit_); states != cluster().states.end()) {
        for (const auto& [machine, state] : states->second) machines.push_back(machine);
      }
    }
    read_places_on(machines, [this] {
      if (is_global_ || is_settled()) return finish();
      list_machines();
    });
  }

  // Has one place and is not about to leave it: there is no other that tells of the unit.
  bool is_settled() const {
    const auto places = cluster().schedule.find(unit_);
    return places != cluster().schedule.end() && places->second.size() == 1 &&
           !places->second.begin()->second.is_leaving;
  }

  void list_machines() {
    const std::string all = keys_.machine({});
    store::RangeRequest request = range_of(all, store::prefix_end(all), cluster().revision);
    request.keys_only = true;
    store_.range(std::move(request), [self = shared_from_this()](auto answer) {
      if (!answer || answer->kvs.size() > kMaxMachines) return self->done_(std::nullopt);
      std::vector<std::string> machines;
      for (const store::KeyValue& kv : answer->kvs) {
        if (auto key = self->keys_.parse(kv.key)) machines.push_back(std::move(key->first));
      }
      self->read_places_on(machines, [raw = self.get()] { raw->on_all_places(); });
    });
  }

  void on_all_places() {
    const bool is_meant = cluster().units.at(unit_).desired != TargetState::kInactive &&
                          cluster().find_finished(unit_) == nullptr;
    if (is_meant && !cluster().schedule.contains(unit_)) return done_(std::nullopt);
    finish();
  }

  void read_places_on(const std::vector<std::string>& machines, const std::function<void()>& then) {
    std::vector<store::TxnRequest> txns;
    for (const std::string& machine : machines) {
      const bool is_possible = !machine.empty() && machine.find('/') == std::string::npos &&
                               machine.size() <= kMaxNameBytes;
      if (!is_possible || !asked_.insert(machine).second) continue;
      if (txns.empty() || txns.back().then_ops.size() >= 2 * kMachinesOfTxn) txns.emplace_back();
      auto& ops = txns.back().then_ops;
      ops.emplace_back(range_of(keys_.schedule(machine, unit_), {}, cluster().revision));
      ops.emplace_back(range_of(keys_.machine(machine), {}, cluster().revision));
    }
    if (txns.empty()) return then();
    const auto left = std::make_shared<size_t>(txns.size());
    for (store::TxnRequest& txn : txns) {
      send(std::move(txn), [left, then](store::Revision) {
        if (--*left == 0) then();
      });
    }
  }

  // Of several that fail one says so.
  void send(store::TxnRequest txn, std::function<void(store::Revision)> then) {
    store_.txn(std::move(txn), [self = shared_from_this(), then = std::move(then)](
                                   const base::Result<store::TxnResponse>& answer) {
      if (self->is_over_) return;
      if (!answer) return self->give_up();
      for (const store::OpResponse& response : answer->responses) {
        for (const store::KeyValue& kv : std::get<store::RangeResponse>(response).kvs) {
          self->records_.put(kv);
        }
      }
      if (!self->cluster().unreadable.empty()) return self->give_up();
      then(answer->revision);
    });
  }

  void give_up() {
    is_over_ = true;
    done_(std::nullopt);
  }
  void finish() { done_(std::move(records_.cluster())); }

  store::Store& store_;
  const Keys keys_;
  const std::string unit_;
  const std::vector<std::string> wanted_;
  const std::function<void(std::optional<Cluster>)> done_;
  ClusterRecords records_;
  bool is_global_ = false;
  bool is_over_ = false;
  std::set<std::string> asked_;  // machines
};

}  // namespace

void read_unit(store::Store& store, const std::string& prefix, const std::string& unit,
               std::vector<std::string> machines,
               std::function<void(std::optional<Cluster>)> done) {
  // A name that cannot exist is asked about like one that does not.
  const bool is_possible =
      !unit.empty() && unit.size() <= kMaxNameBytes && unit.find('/') == std::string::npos;
  std::make_shared<UnitReading>(store, prefix, is_possible ? unit : std::string("none"),
                                std::move(machines), std::move(done))
      ->begin();
}

}  // namespace flotilla::registry
