#include "agent/agent_manager.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>

#include "agent/local_unit.h"

namespace flotilla::agent {

using registry::TargetState;

namespace {

constexpr base::Micros kFirstRetry = std::chrono::seconds(1);
constexpr base::Micros kLongestRetry = std::chrono::seconds(60);

// Units in one call about their files: its message stays far below the bus's limits.
constexpr size_t kMostFilings = 1000;
// A service manager that has not answered by then is busy with one of them.
constexpr base::Micros kFilingPatience = std::chrono::seconds(2);

// Units that are active for as long as the service manager lives, whoever it is; the time at which
// one of them became so tells one life from the next.
constexpr std::array<const char*, 3> kLifeWitnesses{"sysinit.target", "basic.target", "-.slice"};

}  // namespace

AgentManager::AgentManager(registry::Registry& registry, base::EventLoop& loop,
                           registry::MachineSession& session, bus::UnitManager& unit_manager,
                           overlord::State& state, overlord::StateEngine& engine,
                           AgentOptions options)
    : loop_(loop),
      session_(session),
      unit_manager_(unit_manager),
      engine_(engine),
      options_(std::move(options)),
      files_(options_.units_directory),
      marks_(state),
      assignments_(registry.store(), loop, registry.prefix(), session.self().id,
                   session.self().metadata, [this] { engine_.ensure_soon(); }),
      publisher_(registry, loop, session),
      lease_unit_({options_.units_directory, options_.lease_program, options_.manager_socket}),
      fence_(loop, session, state, lease_unit_, options_.boot_id,
             [this] { engine_.ensure_soon(); }),
      links_(
          loop, kMostFilings, kFilingPatience,
          [this](auto filings, auto ended) { send_links(std::move(filings), std::move(ended)); }),
      enables_(
          loop, kMostFilings, kFilingPatience,
          [this](auto filings, auto ended) { send_enables(std::move(filings), std::move(ended)); }),
      removals_(loop, kMostFilings, kFilingPatience, [this](auto filings, auto ended) {
        send_removals(std::move(filings), std::move(ended));
      }) {
  if (options_.last_schedule_path.empty() || options_.executor == nullptr) return;
  last_schedule_ = std::make_unique<LastSchedule>(loop_, *options_.executor,
                                                  options_.last_schedule_path, session_.self().id);
}

AgentManager::~AgentManager() { *alive_ = false; }

base::Status AgentManager::start_up() {
  session_.on_acknowledged([this, alive = alive_] {
    if (*alive) fence_.on_acknowledged();
  });
  FLOTILLA_TRY(files_.prepare());
  FLOTILLA_ASSIGN(auto texts, files_.list());
  for (auto& [unit, text] : texts) {
    auto local = std::make_unique<Local>();
    local->is_loaded = true;
    local->unresolved_text = std::move(text);
    locals_.emplace(unit, std::move(local));
  }
  assignments_.start();
  subscription_ = unit_manager_.subscribe(*this);
  return {};
}

void AgentManager::stop() {
  *alive_ = false;
  if (last_schedule_ && hears_the_store()) last_schedule_->flush();
  subscription_.reset();
  assignments_.stop();
}

const LocalUnit* AgentManager::find_unit(const std::string& name) const {
  const auto found = locals_.find(name);
  return found != locals_.end() && found->second->is_loaded ? &found->second->shown : nullptr;
}

std::map<std::string, LocalUnit> AgentManager::units() const {
  std::map<std::string, LocalUnit> units;
  for (const auto& [name, local] : locals_) {
    if (local->is_loaded) units.emplace(name, local->shown);
  }
  return units;
}

// --- Getting ready ---

void AgentManager::on_connected() {
  has_identity_ = false;
  find_identity(0);
}

void AgentManager::on_disconnected(const base::Error& why) {
  SPDLOG_WARN("Lost the service manager: {}", why.message);
  has_identity_ = false;
}

void AgentManager::find_identity(size_t candidate) {
  if (candidate == kLifeWitnesses.size()) return take_identity(options_.boot_id);
  unit_manager_.get_properties(
      kLifeWitnesses[candidate], guarded<bus::Properties>([this, candidate](auto properties) {
        if (!properties && properties.error().code == base::Errc::kUnavailable) return;
        const uint64_t since =
            properties ? bus::unsigned_property(*properties, "ActiveEnterTimestamp", 0) : 0;
        if (since == 0) return find_identity(candidate + 1);
        take_identity(fmt::format("{}/{}", options_.boot_id, since));
      }));
}

void AgentManager::take_identity(std::string identity) {
  if (identity != marks_.identity()) {
    marks_.use_identity(std::move(identity));
    for (auto& [unit, local] : locals_) {
      restore_mark(unit, *local);
    }
  }
  has_identity_ = true;
  for (const auto& [unit, local] : locals_) {
    const UnitMark* mark = marks_.find(unit);
    const bool is_doubtful =
        mark != nullptr && mark->reached == TargetState::kLaunched && !mark->is_confirmed;
    if (is_doubtful && !local->is_busy) {
      check_unconfirmed(unit);
    }
  }
  for (auto& [unit, local] : locals_) local->retry_at = {};
  read_all_states();
  engine_.ensure_soon();
}

// We said we would start it and then the daemon, or the connection, was gone. Whether the manager
// got to know of it shows in what it remembers of the unit.
void AgentManager::check_unconfirmed(const std::string& unit) {
  Local& local = *locals_.at(unit);
  local.is_busy = true;
  unit_manager_.get_properties(
      unit, guarded<bus::Properties>([this, unit](auto properties) {
        const auto found = locals_.find(unit);
        if (found == locals_.end()) return;
        found->second->is_busy = false;
        engine_.ensure_soon();
        if (!properties) return;
        const std::string_view active = bus::string_property(*properties, "ActiveState");
        const bool was_started =
            (!active.empty() && active != "inactive") ||
            bus::unsigned_property(*properties, "InactiveExitTimestamp", 0) != 0;
        const bool has_ended = was_started && active == "inactive" &&
                               bus::string_property(*properties, "Result") == "success";
        if (has_ended) note_end(unit, *found->second);
        set_reached(unit, was_started ? TargetState::kLaunched : TargetState::kLoaded, was_started);
      }));
}

void AgentManager::read_all_states() {
  std::vector<std::string> names;
  names.reserve(locals_.size());
  for (const auto& [unit, local] : locals_) {
    if (local->is_loaded) names.push_back(unit);
  }
  if (lease_unit_.is_used()) names.emplace_back(kLeaseUnit);
  if (!names.empty()) read_states(std::move(names));
}

void AgentManager::read_states(std::vector<std::string> names) {
  unit_manager_.list_units_by_names(
      std::move(names), guarded<std::vector<bus::UnitState>>([this](auto states) {
        if (!states) {
          if (states.error().code != base::Errc::kUnavailable) {
            SPDLOG_ERROR("Failed to read unit states: {}", states.error().message);
          }
          return;
        }
        for (const bus::UnitState& state : *states) take_state(state);
      }));
}

void AgentManager::take_state(const bus::UnitState& state, std::optional<uint64_t> enter_usec) {
  if (state.name == kLeaseUnit) return check_lease_unit(state.active_state);
  const auto found = locals_.find(state.name);
  if (found == locals_.end()) return;
  Local& local = *found->second;
  const bool is_active = state.active_state == "active";
  const bool became_active = is_active && local.shown.state.active_state != "active";
  const bool has_ended = has_ended_by_restart(local, state);
  local.shown.state = state;
  if (has_ended) {
    note_end(state.name, local);
    set_reached(state.name, TargetState::kLaunched, true);
  }
  if (!is_active) local.active_enter_usec = 0;
  if (is_active && enter_usec) local.active_enter_usec = *enter_usec;
  if (became_active && !enter_usec) return read_enter_time(state.name);
  publish(state.name);
}

void AgentManager::on_unit_changed(const bus::UnitChange& change) {
  if (change.name == kLeaseUnit) return check_lease_unit(change.active_state);
  const auto found = locals_.find(change.name);
  if (found == locals_.end()) return;
  bus::UnitState state = found->second->shown.state;
  state.name = change.name;
  if (!change.load_state.empty()) state.load_state = change.load_state;
  if (!change.active_state.empty()) state.active_state = change.active_state;
  if (!change.sub_state.empty()) state.sub_state = change.sub_state;
  take_state(state, change.active_enter_usec);
}

void AgentManager::on_unit_removed(const std::string& unit) {
  const auto found = locals_.find(unit);
  if (found == locals_.end() || !found->second->is_loaded) return;
  bus::UnitState state = found->second->shown.state;
  state.active_state = "inactive";
  state.sub_state = "dead";
  take_state(state);
}

void AgentManager::on_reloaded() { read_all_states(); }

void AgentManager::read_enter_time(const std::string& unit) {
  locals_.at(unit)->is_reading_enter_time = true;
  unit_manager_.get_properties(
      unit, guarded<bus::Properties>([this, unit](auto properties) {
        const auto found = locals_.find(unit);
        if (found == locals_.end()) return;
        found->second->is_reading_enter_time = false;
        if (properties && found->second->shown.state.active_state == "active") {
          found->second->active_enter_usec =
              bus::unsigned_property(*properties, "ActiveEnterTimestamp", 0);
        }
        publish(unit);
      }));
}

void AgentManager::publish(const std::string& unit) {
  const auto found = locals_.find(unit);
  if (found == locals_.end()) return;
  const Local& local = *found->second;
  if (!local.is_loaded && !local.problem.empty()) return publish_failed_load(unit);
  // It would be told that it is active, but not since when.
  if (local.is_reading_enter_time && local.shown.state.active_state == "active") return;
  // A state without hash says nothing; it comes once the text on disk has been looked at.
  const bool is_known = local.is_loaded && !local.shown.hash.empty() &&
                        local.shown.reached != TargetState::kInactive &&
                        !local.shown.state.active_state.empty();
  if (!is_known) return;
  registry::UnitState state;
  state.name = unit;
  state.hash = local.shown.hash;
  state.load_state = local.shown.state.load_state;
  state.active_state = local.shown.state.active_state;
  state.sub_state = local.shown.state.sub_state;
  state.active_enter_usec = local.active_enter_usec;
  state.problem = local.problem;
  const bool is_launched = local.shown.reached == TargetState::kLaunched;
  const UnitMark* mark = marks_.find(unit);
  const bool is_starting = is_launched && mark != nullptr && !mark->is_confirmed;
  // What failed before it was started again must not be taken for what has come of this start.
  state.launched = is_launched && !(is_starting && state.active_state == "failed");
  // What the service manager has been asked to start will not stay as it is.
  const bool is_passing =
      state.active_state == "activating" || (is_starting && state.active_state == "inactive");
  publisher_.publish(std::move(state), is_passing ? Lasting::kUnlikely : Lasting::kLikely);
}

// --- Passes ---

bool AgentManager::is_ready() const {
  return has_identity_ && (hears_the_store() || last_known_.has_value());
}

base::Status AgentManager::ensure() {
  publisher_.on_session_change();
  was_registered_ = was_registered_ || session_.is_registered();
  keep_or_forget_last_known();
  stop_fenced();
  if (!is_ready()) return {};
  const AssignedUnits& assigned = this->assigned();
  resolve_texts(assigned);
  // What could not even be loaded and is not wanted any more.
  std::erase_if(locals_, [&](const auto& item) {
    const Local& local = *item.second;
    if (local.is_loaded || local.is_busy || assigned.units.contains(item.first)) return false;
    publisher_.withdraw(item.first);
    return true;
  });

  std::vector<Operation> operations = plan_for(assigned);
  tell_ends(assigned);
  begin(last_known_ ? only_bringing_up(std::move(operations)) : operations);
  return {};
}

// What is as it should be, which is nearly all, is passed over: a pass is made for each change.
std::vector<Operation> AgentManager::plan_for(const AssignedUnits& assigned) {
  std::map<std::string, Wanted> wanted;
  std::map<std::string, Present> present;
  const base::MonotonicTime now = loop_.clock().monotonic();
  const auto is_left_alone = [&](const Local& local, std::string_view wanted_hash) {
    // What has failed waits, unless something else is wanted now.
    const bool is_waiting = local.retry_at > now && local.failed_version == wanted_hash;
    if (is_waiting) engine_.ensure_before(local.retry_at - now);
    return local.is_busy || is_waiting;
  };
  auto local = locals_.begin();
  const auto take_unwanted = [&] {
    if (!is_left_alone(*local->second, {}) && local->second->is_loaded) {
      present[local->first] = {local->second->shown.hash, local->second->shown.reached};
    }
    ++local;
  };
  for (const auto& [unit, assignment] : assigned.units) {
    while (local != locals_.end() && local->first < unit) take_unwanted();
    const bool is_here = local != locals_.end() && local->first == unit;
    const Local* here = is_here ? (local++)->second.get() : nullptr;
    if (here != nullptr && is_left_alone(*here, assignment.hash)) continue;
    const TargetState target = target_of(unit, assignment);
    const bool is_loaded = here != nullptr && here->is_loaded;
    const bool is_settled = is_loaded && target != TargetState::kInactive &&
                            here->shown.reached == target && here->shown.hash == assignment.hash;
    if (is_settled) continue;
    wanted[unit] = {assignment.hash, target};
    if (is_loaded) present[unit] = {here->shown.hash, here->shown.reached};
  }
  while (local != locals_.end()) take_unwanted();
  return plan(wanted, present, assigned.untouchable);
}

// The files that were here when the daemon started are compared by their bytes, once.
void AgentManager::resolve_texts(const AssignedUnits& assigned) {
  for (auto& [unit, local] : locals_) {
    if (!local->unresolved_text || assigned.untouchable.contains(unit)) continue;
    const auto wanted = assigned.units.find(unit);
    const bool is_same =
        wanted != assigned.units.end() && text_on_disk(wanted->second) == *local->unresolved_text;
    // Of what the store says now there may be more, and other, than was last known.
    if (!is_same && last_known_) continue;
    local->shown.hash = is_same ? wanted->second.hash : std::string();
    restore_mark(unit, *local);
    local->unresolved_text.reset();
    publish(unit);
  }
}

void AgentManager::begin(const std::vector<Operation>& operations) {
  std::vector<std::string> units;
  for (const Operation& operation : operations) {
    if (operation.kind == Operation::Kind::kReload) continue;
    std::unique_ptr<Local>& local = locals_[operation.unit];
    if (!local) local = std::make_unique<Local>();
    if (!local->is_busy) units.push_back(operation.unit);
    local->is_busy = true;
    const bool is_reload_due = operation.kind == Operation::Kind::kLoad && !local->chain.empty();
    local->chain.push_back(operation);
    if (!is_reload_due) continue;
    const auto reload = std::find_if(operations.begin(), operations.end(), [](const Operation& o) {
      return o.kind == Operation::Kind::kReload;
    });
    if (reload != operations.end()) local->chain.push_back(*reload);
  }
  for (const std::string& unit : units) go_on(unit);
}

void AgentManager::go_on(const std::string& unit) {
  Local& local = *locals_.at(unit);
  if (local.chain.empty()) {
    local.is_busy = false;
    if (!local.is_loaded && local.retry_at == base::MonotonicTime{}) locals_.erase(unit);
    return engine_.ensure_soon();
  }
  const Operation operation = std::move(local.chain.front());
  local.chain.pop_front();
  switch (operation.kind) {
    case Operation::Kind::kUnload:
      return unload(unit, operation);
    case Operation::Kind::kLoad:
      return load(unit, operation);
    case Operation::Kind::kReload:
      return reload_once(unit, operation);
    case Operation::Kind::kStop:
      return stop_unit(unit, operation);
    case Operation::Kind::kStart:
      return start(unit, operation);
  }
}

void AgentManager::finish(const std::string& unit, const Operation& operation,
                          const base::Status& status) {
  Local& local = *locals_.at(unit);
  const std::string job = operation.kind == Operation::Kind::kReload ? "N/A" : unit;
  if (status) {
    SPDLOG_INFO("AgentReconciler completed task: type={} job={} reason=\"{}\"",
                to_string(operation.kind), job, operation.reason);
    local.retry_delay = kFirstRetry;
    local.retry_at = {};
    set_problem(unit, {});
  } else {
    SPDLOG_ERROR("AgentReconciler task failed: type={} job={} reason=\"{}\" err={}",
                 to_string(operation.kind), job, operation.reason, status.error().message);
    local.chain.clear();
    local.retry_at = loop_.clock().monotonic() + local.retry_delay;
    local.retry_delay = std::min(local.retry_delay * 2, kLongestRetry);
    const AssignedUnits& assigned = this->assigned();
    const auto wanted = assigned.units.find(unit);
    local.failed_version = wanted != assigned.units.end() ? wanted->second.hash : "";
    set_problem(unit, status.error().message);
  }
  go_on(unit);
}

bus::Done<void> AgentManager::finisher(const std::string& unit, Operation operation) {
  return guarded<void>([this, unit, operation = std::move(operation)](const base::Status& status) {
    finish(unit, operation, status);
  });
}

void AgentManager::set_reached(const std::string& unit, TargetState reached, bool is_confirmed) {
  Local& local = *locals_.at(unit);
  local.shown.reached = reached;
  marks_.set(unit,
             {local.shown.hash, reached, is_confirmed, local.claimed_lease, local.has_ended_well});
  publish(unit);
}

}  // namespace flotilla::agent
