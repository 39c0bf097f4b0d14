#include "sim/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "registry/codec.h"
#include "store/memory_store.h"
#include "unit/fleet_file.h"
#include "unit/fleet_requirements.h"
#include "unit/oneshot.h"

namespace flotilla::sim {

using registry::KeyKind;
using registry::TargetState;

namespace {

// After this long without disturbance everything that was told has been heard.
constexpr base::Micros kHeard = std::chrono::seconds(12);
constexpr base::Micros kTogether = std::chrono::seconds(2);

std::string make_directory() {
  // In memory where that is possible: thousands of small files are written.
  const bool has_shm = std::filesystem::is_directory("/dev/shm");
  std::string name = has_shm ? "/dev/shm/flotilla-sim-XXXXXX" : "/tmp/flotilla-sim-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
  return name;
}

}  // namespace

World::World(const WorldOptions& options)
    : options_(options),
      random_(options.seed),
      directory_(make_directory()),
      store_(store::make_memory_store(loop_)),
      registry_(*store_, kPrefix),
      truth_(*store_, loop_, kPrefix),
      wire_(loop_) {
  truth_.open();
  subscription_ =
      truth_.subscribe([this](const registry::ClusterChange& change) { note_schedule(change); });
  const size_t count = options.machines + (options.has_twin ? 1 : 0);
  networks_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const bool is_twin = i >= options.machines;
    MachineOptions machine;
    machine.id = fmt::format("m{:03}", is_twin ? 0 : i);
    machine.state_id = fmt::format("disk-{}", i);
    machine.public_ip = fmt::format("10.0.{}.{}", i / 256, i % 256);
    machine.metadata = {{"zone", i % 2 == 0 ? "a" : "b"}, {"disk", i % 3 == 0 ? "ssd" : "hdd"}};
    machine.disable_engine = i >= options.engines;
    machine.has_stopped_boottime = options.mutation == Mutation::kLeaseClockStands;
    // The one would hide that the other is missing.
    machine.has_no_lease_service = options.mutation == Mutation::kNoLeaseService ||
                                   options.mutation == Mutation::kLeaseClockStands;
    machine.has_no_storm_guard = options.mutation == Mutation::kNoStormGuard;
    machines_.push_back(
        std::make_unique<Machine>(Link::Parts{*store_, wire_, random_, networks_[i], *this}, loop_,
                                  machine, fmt::format("{}/{}", directory_, i),
                                  [this, i](const std::string& unit) { dirty_.emplace(i, unit); }));
    if (!is_twin) machines_.back()->power_on();
  }
}

World::~World() {
  machines_.clear();
  // What waits for an answer holds its own timer: let it run out while there is a loop.
  loop_.advance(std::chrono::seconds(5));
  std::filesystem::remove_all(directory_);
}

void World::run(base::Micros time) {
  const base::MonotonicTime end = loop_.clock().monotonic() + time;
  loop_.advance(base::Micros(0));
  check_moment();
  while (loop_.next_deadline() <= end) {
    // All that happens at one instant, before anybody looks.
    loop_.advance(std::max(loop_.next_deadline() - loop_.clock().monotonic(), base::Micros(0)));
    check_moment();
  }
  loop_.advance(end - loop_.clock().monotonic());
  check_moment();
}

void World::put_unit(const std::string& name, const std::string& text, TargetState desired) {
  const auto options = unit::parse_fleet_file(text);
  if (!options) throw std::runtime_error(options.error().message);
  registry_.put_unit(name, *options, desired, [](auto) {});
}

void World::set_desired(const std::string& name, TargetState desired) {
  registry_.set_desired(name, desired, [](auto) {});
}

void World::destroy(const std::string& name) {
  registry_.delete_unit(name, [](auto) {});
}

void World::edit_metadata(const std::string& machine, const std::string& key,
                          const std::string& value) {
  registry_.edit_metadata(machine, key, value, [](auto) {});
}

void World::rebalance() {
  store::TxnRequest txn;
  txn.then_ops.emplace_back(store::PutOp{registry::Keys(kPrefix).rebalance(), "{}"});
  store_->txn(std::move(txn), [](auto) {});
}

void World::compact() {
  const store::Revision revision = truth_.cluster().revision;
  if (revision > 1) store_->compact(revision, [](auto) {});
}

Machine* World::leader() {
  const auto& leader = truth_.cluster().leader;
  if (!leader) return nullptr;
  for (const auto& machine : machines_) {
    const Daemon* daemon = machine->daemon();
    if (daemon != nullptr && daemon->session.self().nonce == leader->nonce) return machine.get();
  }
  return nullptr;
}

void World::heal() {
  make_room();
  for (size_t i = 0; i < machines_.size(); ++i) {
    networks_[i].longest_delay = base::Micros(2'000);
    networks_[i].lose_answer_one_in = 0;
    if (networks_[i].is_cut) machines_[i]->mend();
    const bool is_twin = i >= options_.machines;
    if (is_twin) {
      machines_[i]->power_off();
      continue;
    }
    if (machines_[i]->is_paused()) machines_[i]->resume();
    machines_[i]->power_on();
    machines_[i]->manager()->hold_jobs(false);
    machines_[i]->manager()->finish_jobs();
    machines_[i]->start_daemon();
  }
}

void World::violate(std::string what) {
  if (!said_.insert(what).second) return;
  violations_.push_back(
      fmt::format("at {} ms: {}", loop_.clock().monotonic().since_epoch.count() / 1000, what));
}

// --- Transactions ---

std::optional<base::Result<store::TxnResponse>> World::before(const std::string&,
                                                              store::TxnRequest& request) {
  const bool grows =
      std::any_of(request.then_ops.begin(), request.then_ops.end(),
                  [](const auto& op) { return std::holds_alternative<store::PutOp>(op); });
  if (is_full_ && grows) {
    return base::Result<store::TxnResponse>(
        base::unexpected(base::Error{base::Errc::kInternal, "the store is full"}));
  }

  const auto drop_compares = [&](KeyKind kind) {
    std::erase_if(request.compares, [&](const store::Compare& compare) {
      const auto key = keys_.parse(compare.key);
      return key && key->kind == kind;
    });
  };
  const auto puts = [&](KeyKind kind) {
    return std::any_of(request.then_ops.begin(), request.then_ops.end(), [&](const store::Op& op) {
      const auto* put = std::get_if<store::PutOp>(&op);
      const auto key = put != nullptr ? keys_.parse(put->key) : std::nullopt;
      return key && key->kind == kind;
    });
  };
  switch (options_.mutation) {
    case Mutation::kNone:
    case Mutation::kLeaseClockStands:
    case Mutation::kNoStormGuard:
    case Mutation::kNoLeaseService:
      break;
    case Mutation::kLeaderWritesUnguarded:
      if (!puts(KeyKind::kLeader)) drop_compares(KeyKind::kLeader);
      break;
    case Mutation::kElectionUnguarded:
      if (puts(KeyKind::kLeader)) drop_compares(KeyKind::kLeader);
      break;
    case Mutation::kRegistrationUnguarded:
      if (puts(KeyKind::kMachine)) drop_compares(KeyKind::kMachine);
      break;
    case Mutation::kUnansweredWriteUnfenced: {
      const bool is_fence =
          puts(KeyKind::kLeader) && request.compares.size() == 1 && truth_.cluster().leader &&
          std::get<int64_t>(request.compares[0].operand) == truth_.cluster().leader->mod_revision;
      if (is_fence) {
        return base::Result<store::TxnResponse>(
            store::TxnResponse{true, 0, {store::PutResponse{}}});
      }
      break;
    }
    case Mutation::kClaimUnguarded:
      if (puts(KeyKind::kState)) drop_compares(KeyKind::kSchedule);
      break;
  }
  return std::nullopt;
}

void World::after(const std::string& machine, const store::TxnRequest& request,
                  const store::TxnResponse& response) {
  if (!response.succeeded) return;
  for (const store::Op& op : request.then_ops) {
    const auto* put = std::get_if<store::PutOp>(&op);
    const auto* erase = std::get_if<store::DeleteRangeOp>(&op);
    const auto key = put != nullptr     ? keys_.parse(put->key)
                     : erase != nullptr ? keys_.parse(erase->key)
                                        : std::nullopt;
    if (!key) continue;
    if (key->kind == KeyKind::kSchedule || key->kind == KeyKind::kGlobal) {
      ++schedule_writes_;
      if (key->kind == KeyKind::kSchedule && erase != nullptr) {
        check_absence(machine, key->first, key->second);
      }
      check_leader_write(machine, response.revision);
    } else if (key->kind == KeyKind::kLeader && put != nullptr) {
      check_put_of_leader(put->value, response.revision);
    } else if (key->kind == KeyKind::kMachine && put != nullptr) {
      check_put_of_machine(*put, response.revision);
    }
  }
}

void World::check_leader_write(const std::string& machine, store::Revision revision) {
  store::RangeRequest request;
  request.key = keys_.leader();
  request.revision = revision;
  store_->range(std::move(request), [this, machine](auto result) {
    if (!result) return;  // compacted meanwhile
    const auto leader = result->kvs.empty()
                            ? base::Result<registry::Leader>(base::not_found("no leader"))
                            : registry::decode_leader(result->kvs.front().value);
    if (!leader || leader->machine != machine) {
      violate(fmt::format("{} wrote into the schedule while {} led", machine,
                          leader ? leader->machine : "nobody"));
    }
  });
}

void World::check_put_of_leader(const std::string& value, store::Revision revision) {
  const auto next = registry::decode_leader(value);
  store::RangeRequest request;
  request.key = keys_.leader();
  request.revision = revision - 1;
  store_->range(std::move(request), [this, next](auto result) {
    if (!result || result->kvs.empty()) return;
    const auto before = registry::decode_leader(result->kvs.front().value);
    if (before && before->machine != next->machine) {
      violate(fmt::format("{} took the lead from {}, whose lease had not ended", next->machine,
                          before->machine));
    }
  });
}

void World::check_put_of_machine(const store::PutOp& put, store::Revision revision) {
  const auto next = registry::decode_machine(put.value);
  store::RangeRequest request;
  request.key = put.key;
  request.revision = revision - 1;
  store_->range(std::move(request), [this, next](auto result) {
    if (!result || result->kvs.empty()) return;
    const auto before = registry::decode_machine(result->kvs.front().value);
    const bool is_other =
        before && (before->state_id != next->state_id || before->boot_id != next->boot_id);
    if (is_other) {
      violate(
          fmt::format("{} registered over the living record of {}", next->nonce, before->nonce));
    }
  });
}

void World::note_schedule(const registry::ClusterChange& change) {
  if (change.units.contains(kFrail)) check_moves();
  if (!change.machines.empty()) note_machines();
  const std::string nonce = truth_.cluster().leader ? truth_.cluster().leader->nonce : "";
  if (std::exchange(leading_, nonce) != nonce) leading_since_ = loop_.clock().monotonic();
  for (const std::string& unit : change.schedule) {
    const auto found = truth_.cluster().schedule.find(unit);
    for (auto it = entries_.lower_bound({unit, ""});
         it != entries_.end() && it->first.first == unit;) {
      const bool is_there =
          found != truth_.cluster().schedule.end() && found->second.contains(it->first.second);
      it = is_there ? std::next(it) : entries_.erase(it);
    }
    if (found == truth_.cluster().schedule.end()) continue;
    for (const auto& [machine, entry] : found->second) {
      auto& [revision, since] = entries_[{unit, machine}];
      if (revision == entry.mod_revision) continue;
      if (revision == 0) check_finished(entry);
      revision = entry.mod_revision;
      since = loop_.clock().monotonic();
    }
  }
}

void World::note_machines() {
  const base::MonotonicTime now = loop_.clock().monotonic();
  std::set<std::string> present;
  for (const auto& [id, machine] : truth_.cluster().machines) present.insert(id);
  for (const std::string& id : present_) {
    if (!present.contains(id)) vanished_[id] = now;
  }
  present_ = std::move(present);
  std::erase_if(vanished_, [this](const auto& gone) { return present_.contains(gone.first); });
  // Closer together than anybody's view of them can be apart.
  const auto together = std::count_if(vanished_.begin(), vanished_.end(), [&](const auto& gone) {
    return now - gone.second <= kTogether;
  });
  const bool is_new = std::any_of(vanished_.begin(), vanished_.end(),
                                  [&](const auto& gone) { return gone.second == now; });
  if (is_new && static_cast<size_t>(together) * 3 > present_.size() + vanished_.size()) {
    storm_at_ = now;
  }
}

// Nothing is taken from a machine for its absence by a leader that has not watched for a lease
// time, nor within a lease time after many have vanished together.
void World::check_absence(const std::string& leader, const std::string& machine,
                          const std::string& unit) {
  const registry::Cluster& cluster = truth_.cluster();
  const auto known = cluster.units.find(unit);
  const auto gone = vanished_.find(machine);
  const auto scheduled = cluster.schedule.find(unit);
  if (known == cluster.units.end() || gone == vanished_.end() ||
      scheduled == cluster.schedule.end() || scheduled->second.size() > 1 ||
      known->second.desired == TargetState::kInactive) {
    return;
  }
  const base::MonotonicTime now = loop_.clock().monotonic();
  // What it saw last of the machine may be older than the truth.
  if (now - gone->second < kTogether) return;
  const base::Micros lease = MachineOptions().ttl;
  // Who comes to lead later knows of those that had units, no more.
  const bool has_led = leading_since_ + kTogether < storm_at_;
  if (has_led && storm_at_ <= now && now - storm_at_ < lease) {
    violate(fmt::format("{} took {} from {} although many machines had just vanished", leader, unit,
                        machine));
  }
  const Machine* lead = this->leader();
  if (lead == nullptr || lead->id() != leader) return;
  const base::MonotonicTime started = lead->daemon()->started_at;
  if (gone->second < started && now - started < lease) {
    violate(fmt::format("{} took {} from {}, which it never saw, as soon as it had started", leader,
                        unit, machine));
  }
}

// What has finished is given to no machine any more.
void World::check_finished(const registry::ScheduleEntry& entry) {
  const registry::UnitHistory* finished = truth_.cluster().find_finished(entry.name);
  if (finished == nullptr || finished->mod_revision > entry.mod_revision) return;
  violate(fmt::format("{} is scheduled to {} although it has finished on {}", entry.name,
                      entry.machine, finished->finished_on));
}

// One after the other, and no more than the unit allows; with each it goes elsewhere in one step.
void World::check_moves() {
  const auto found = truth_.cluster().histories.find(kFrail);
  if (found == truth_.cluster().histories.end()) {
    frail_moves_ = {};
    return;
  }
  const registry::UnitHistory& history = found->second;
  if (frail_moves_.first != history.hash) frail_moves_ = {history.hash, 0};
  const uint32_t before = std::exchange(frail_moves_.second, history.moves);
  if (history.moves > kFrailMoves) {
    violate(fmt::format("{} was moved {} times", kFrail, history.moves));
  }
  if (history.moves < before || history.moves > before + 1) {
    violate(fmt::format("the moves of {} went from {} to {}", kFrail, before, history.moves));
  }
}

// --- What must hold at every moment ---

bool World::may_run_once_only(const std::string& unit) const { return unit.starts_with("once"); }

void World::check_moment() {
  if (dirty_.empty()) return;
  std::set<std::string> units;
  for (const auto& [index, unit] : std::exchange(dirty_, {})) {
    const bool runs = machines_[index]->runs(unit);
    bool& ran = ran_[{index, unit}];
    if (ran && !runs) check_reason_to_stop(index, unit);
    ran = runs;
    if (runs) units.insert(unit);
  }
  for (const std::string& unit : units) {
    if (may_run_once_only(unit)) check_run_once(unit);
  }
}

void World::check_run_once(const std::string& unit) {
  std::vector<std::string> runners;
  for (const auto& machine : machines_) {
    // What gets no CPU does nothing; when it goes on it has to notice before it does.
    if (!machine->is_paused() && machine->runs(unit)) runners.push_back(machine->id());
  }
  if (runners.size() > 1) {
    violate(fmt::format("{} runs on {} at once", unit, fmt::join(runners, " and ")));
  }
}

void World::check_reason_to_stop(size_t index, const std::string& unit) {
  const Machine& machine = *machines_[index];
  const bool ends_by_itself = unit.starts_with("job");
  if (!machine.is_on() || may_run_once_only(unit) || ends_by_itself) return;
  const auto entry = entries_.find({unit, machine.id()});
  if (entry == entries_.end()) return;
  const auto unit_entry = truth_.cluster().schedule.find(unit);
  if (unit_entry == truth_.cluster().schedule.end()) return;
  const auto record = unit_entry->second.find(machine.id());
  if (record == unit_entry->second.end() || record->second.target != TargetState::kLaunched) return;
  const base::MonotonicTime since = entry->second.second;
  const bool is_old = loop_.clock().monotonic() - since > kHeard;
  if (is_old && since < machine.disturbed_from()) {
    violate(fmt::format("{} was stopped on {} although it is scheduled there", unit, machine.id()));
  }
}

}  // namespace flotilla::sim
