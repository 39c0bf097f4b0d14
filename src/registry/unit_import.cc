#include "registry/unit_import.h"

#include <memory>
#include <utility>

#include "registry/codec.h"
#include "registry/keys.h"
#include "unit/fleet_name.h"
#include "unit/fleet_requirements.h"

namespace flotilla::registry {
namespace {

constexpr int kMaxTries = 8;

bool is_template(std::string_view name) {
  const auto parts = unit::split_fleet_name(name);
  return parts && parts->is_template();
}

// What the leader writes where it places the unit.
template <typename Entry>
Entry entry_of(const Unit& unit) {
  Entry entry;
  entry.hash = unit.hash;
  entry.text = unit::serialize(unit.options);
  entry.target = unit.desired;
  return entry;
}

class Import : public std::enable_shared_from_this<Import> {
 public:
  Import(store::Store& store, std::string prefix, const Cluster& cluster, UnitImport wanted,
         Registry::Callback<PutOutcome> done)
      : store_(store),
        keys_(std::move(prefix)),
        existing_(wanted.existing),
        machine_(std::move(wanted.machine)),
        done_(std::move(done)) {
    unit_.name = std::move(wanted.name);
    unit_.hash = unit::hash_hex(wanted.options);
    unit_.options = std::move(wanted.options);
    unit_.desired = wanted.desired;
    history_.hash = unit_.hash;
    history_.finished_on = std::move(wanted.finished_on);
    history_.finished_usec = wanted.finished_usec;
    choose_place(cluster);
  }

  // `current`: the unit as it is here, or null.
  void attempt(const store::KeyValue* current, int tries) {
    if (tries == 0) return done_(base::conflict("unit {} kept changing meanwhile", unit_.name));
    store::TxnRequest txn;
    Unit next = unit_;
    outcome_ = PutOutcome::Kind::kCreated;
    if (current == nullptr) {
      txn.compares.push_back(store::key_is_absent(keys_.unit(unit_.name)));
      add_place(txn);
    } else {
      const base::Result<Unit> here = decode_unit(current->value);
      if (here && here->hash == unit_.hash && here->desired == unit_.desired) {
        return done_(PutOutcome{PutOutcome::Kind::kUnchanged, current->mod_revision});
      }
      if (existing_ == Existing::kStays) return done_(refusal(here));
      if (here) next.extra = here->extra;
      outcome_ = PutOutcome::Kind::kOverwritten;
      txn.compares.push_back(store::mod_is(keys_.unit(unit_.name), current->mod_revision));
    }
    txn.then_ops.emplace_back(store::PutOp{keys_.unit(unit_.name), encode(next)});
    if (has_finished()) {
      txn.then_ops.emplace_back(store::PutOp{keys_.history(unit_.name), encode(history_)});
    } else {
      txn.then_ops.emplace_back(store::DeleteRangeOp{keys_.history(unit_.name), {}});
    }
    store::RangeRequest again;
    again.key = keys_.unit(unit_.name);
    txn.else_ops.emplace_back(std::move(again));
    send(std::move(txn), tries);
  }

 private:
  bool has_finished() const {
    return unit_.desired == TargetState::kLaunched && !history_.finished_on.empty();
  }

  void choose_place(const Cluster& cluster) {
    if (unit_.desired == TargetState::kInactive || is_template(unit_.name)) return;
    is_global_ = unit::extract_requirements(unit_.options, unit_.name).global;
    if (!is_global_ && machine_.empty()) return;
    if (!cluster.leader) {
      place_guard_ = store::key_is_absent(keys_.leader());
    } else if (!is_global_ && cluster.machines.contains(machine_)) {
      place_guard_ = store::key_exists(keys_.machine(machine_));
    }
  }

  void add_place(store::TxnRequest& txn) const {
    if (!place_guard_) return;
    txn.compares.push_back(*place_guard_);
    if (is_global_) {
      txn.then_ops.emplace_back(
          store::PutOp{keys_.global(unit_.name), encode(entry_of<GlobalEntry>(unit_))});
      return;
    }
    // A lone place of a unit that is gone is left to the leader.
    txn.compares.push_back(store::key_is_absent(keys_.schedule(machine_, unit_.name)));
    ScheduleEntry entry = entry_of<ScheduleEntry>(unit_);
    entry.is_finished = has_finished();
    txn.then_ops.emplace_back(store::PutOp{keys_.schedule(machine_, unit_.name), encode(entry)});
  }

  void send(store::TxnRequest txn, int tries) {
    store_.txn(std::move(txn),
               [self = shared_from_this(), tries](base::Result<store::TxnResponse> result) {
                 if (!result) return self->done_(base::unexpected(std::move(result).error()));
                 if (result->succeeded) {
                   return self->done_(PutOutcome{self->outcome_, result->revision});
                 }
                 const auto& range = std::get<store::RangeResponse>(result->responses.front());
                 // Nobody has made the unit: it is the place that cannot be had.
                 if (range.kvs.empty()) self->place_guard_.reset();
                 self->attempt(range.kvs.empty() ? nullptr : &range.kvs.front(), tries - 1);
               });
  }

  base::Unexpected refusal(const base::Result<Unit>& here) const {
    if (!here || here->hash != unit_.hash) {
      return base::conflict("unit {} is here with other contents", unit_.name);
    }
    return base::conflict("unit {} is here with the desired state {}, not {}", unit_.name,
                          to_string(here->desired), to_string(unit_.desired));
  }

  store::Store& store_;
  const Keys keys_;
  const Existing existing_;
  const std::string machine_;
  const Registry::Callback<PutOutcome> done_;
  Unit unit_;
  UnitHistory history_;
  bool is_global_ = false;
  std::optional<store::Compare> place_guard_;  // under which the place is written; none: it is not
  PutOutcome::Kind outcome_ = PutOutcome::Kind::kCreated;
};

}  // namespace

void import_unit(store::Store& store, const std::string& prefix, const Cluster& cluster,
                 UnitImport unit, Registry::Callback<PutOutcome> done) {
  const auto import =
      std::make_shared<Import>(store, prefix, cluster, std::move(unit), std::move(done));
  import->attempt(nullptr, kMaxTries);  // most often the unit is new
}

}  // namespace flotilla::registry
