// One turn of the manager, its boot, and its end.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "init/manager_conf.h"
#include "init/manager_impl.h"
#include "unit/environment.h"

namespace flotilla::init {
namespace {

// More steps than any sane machine needs in one turn; what is left waits for the next.
constexpr size_t kMaxStepsPerTurn = 1'000'000;

std::string_view target_of(FinalAction action) {
  switch (action) {
    case FinalAction::kReboot:
      return "reboot.target";
    case FinalAction::kPoweroff:
      return "poweroff.target";
    case FinalAction::kHalt:
      return "halt.target";
    case FinalAction::kExit:
    case FinalAction::kReexec:
      break;
  }
  return "exit.target";
}

// Under no unit's name; a NUL ends each.
void save_assignments(StateSideFile* side, SideKind kind,
                      const std::vector<std::string>& assignments) {
  if (side == nullptr) return;
  std::string text;
  for (const std::string& assignment : assignments) text.append(assignment).push_back('\0');
  if (text != side->find("", kind)) static_cast<void>(side->put("", kind, text));
}

std::vector<std::string> load_assignments(const StateSideFile* side, SideKind kind) {
  std::vector<std::string> assignments;
  if (side == nullptr) return assignments;
  for (std::string_view text = side->find("", kind); !text.empty();) {
    const size_t size = std::min(text.find('\0'), text.size() - 1);
    assignments.emplace_back(text.substr(0, size));
    text.remove_prefix(size + 1);
  }
  return assignments;
}

}  // namespace

Manager::Impl::Impl(ManagerOptions manager_options, ManagerEdges manager_edges)
    : options(std::move(manager_options)),
      edges(manager_edges),
      loader({options.unit_directories, options.host_values, options.scope,
              options.scope == ManagerScope::kSystem ? "system.slice" : "app.slice"}),
      users(edges.host) {
  userspace = now();
  read_conf(true);
  std::sort(options.environment.begin(), options.environment.end());
  base_environment = options.environment;
}

// A manager that takes over, or reads its units again, reads its own settings again too; those that
// clients may change meanwhile count at the start alone.
void Manager::Impl::read_conf(bool is_start) {
  ManagerConf conf = read_manager_conf(edges.tree, options.scope, options.host_values);
  loader.set_defaults(std::move(conf.unit_defaults));
  shown_conf = conf.shown;
  for (const std::string& warning : conf.warnings) log(4, warning);
  if (!is_start) return;
  for (const std::string& assignment : conf.manager_environment) {
    const size_t equals = assignment.find('=');
    setenv(assignment.substr(0, equals).c_str(), assignment.c_str() + equals + 1, 1);
  }
  unit::Environment environment(options.environment);
  for (const std::string& assignment : conf.default_environment) {
    environment.set_assignment(assignment);
  }
  options.environment = environment.assignments();
  // A level of the command line goes first.
  if (conf.log_level >= 0 && options.log_level == ManagerOptions().log_level) {
    options.log_level = conf.log_level;
  }
}

void Manager::Impl::take_client_environment(std::vector<std::string> assignments) {
  std::sort(assignments.begin(), assignments.end());
  client_environment = std::move(assignments);
  save_assignments(edges.side, SideKind::kEnvironment, client_environment);
  unit::Environment all(base_environment);
  for (const std::string& assignment : client_environment) all.set_assignment(assignment);
  options.environment = all.assignments();
}

void Manager::Impl::adopt_environment() {
  client_environment = load_assignments(edges.side, SideKind::kEnvironment);
  take_generated_environment(load_assignments(edges.side, SideKind::kGeneratedEnvironment));
  if (!client_environment.empty()) take_client_environment(client_environment);
}

Manager::Impl::~Impl() { settle_spawns(0); }

Timestamps Manager::Impl::now() const noexcept {
  const base::Clock& clock = edges.timers.clock();
  return {clock.wall(), clock.monotonic()};
}

const ConditionWorld& Manager::Impl::world() {
  if (!world_) {
    world_ = std::make_unique<ConditionWorld>(ConditionWorld::of_machine(edges.host));
    world_->environment = options.environment;
    const auto user = users.find_user(std::to_string(world_->uid));
    if (user) world_->user_names.push_back((*user)->name);
    const auto groups = edges.host.read("/etc/group", UserDb::kMaxBytes);
    for (const GroupEntry& group : parse_group(groups ? *groups : "")) {
      if (group.gid == world_->gid) world_->group_names.push_back(group.name);
    }
  }
  return *world_;
}

void Manager::Impl::note_changed(Unit& unit) {
  if (observer != nullptr) events_.changed_units.insert(unit.id);
}

void Manager::Impl::run_turn() {
  if (final_ && final_->forced) {
    if (!any_process_left()) finish_all();
    return;
  }
  for (size_t steps = 0; steps < kMaxStepsPerTurn; ++steps) {
    // What has happened goes before what is wanted, and both before what merely tidies up.
    if (!run_one_change() && !run_one_wish() && !run_one_job() && !settle_one()) break;
  }
  make_group_ahead();
  release_groups();
  check_boot_finished();
  release_idle();
  check_shutdown();
  collect_garbage();
  flush_events();
  edges.logs.flush();
}

void Manager::Impl::take_generated_environment(const std::vector<std::string>& assignments) {
  if (assignments.empty()) return;
  save_assignments(edges.side, SideKind::kGeneratedEnvironment, assignments);
  unit::Environment environment(base_environment);
  for (const std::string& assignment : assignments) environment.set_assignment(assignment);
  base_environment = environment.assignments();
  take_client_environment(client_environment);
}

void Manager::Impl::boot() {
  booting_ = true;
  generators_may_run_ = true;
  save_manager();
  remove_forgotten_transients();
  generators_begin = now();
  waits_for_generators_ = generators_.start([this](const std::vector<std::string>& environment) {
    waits_for_generators_ = generators_may_run_ = false;
    take_generated_environment(environment);
    // A client may have asked for a unit before all that belongs to it was written.
    const auto is_loaded = [](const auto& unit) { return unit != nullptr; };
    if (std::any_of(units.begin(), units.end(), is_loaded)) {
      static_cast<void>(reload_all());
    } else {
      loader.refresh();
    }
    if (!is_stopping()) boot_units();
  });
  if (!waits_for_generators_) boot_units();
}

void Manager::Impl::begin_reload(std::function<void()> done) {
  if (generators_.is_running()) {
    // What they have read may have changed since.
    reload_again_ = true;
    if (done) reload_next_.push_back(std::move(done));
    return;
  }
  if (done) reloading_.push_back(std::move(done));
  generators_may_run_ = true;
  save_manager();
  generators_begin = now();
  const bool runs = generators_.start([this](const std::vector<std::string>& environment) {
    take_generated_environment(environment);
    end_reload();
  });
  if (!runs) end_reload();
}

void Manager::Impl::end_reload() {
  generators_may_run_ = false;
  save_manager();
  units_reload = generators_end = now();
  read_conf(false);
  static_cast<void>(reload_all());
  for (const auto& done : std::exchange(reloading_, {})) done();
  if (!std::exchange(reload_again_, false)) return;
  reloading_ = std::exchange(reload_next_, {});
  begin_reload(nullptr);
}

void Manager::Impl::boot_units() {
  generators_may_run_ = false;
  units_load_start = generators_end = now();
  const auto start = [&](const std::string& name) -> base::Status {
    FLOTILLA_ASSIGN(Unit * unit, load(name));
    FLOTILLA_TRY(check_load_state(graph, unit->graph_id));
    FLOTILLA_ASSIGN([[maybe_unused]] const uint32_t id,
                    enqueue({unit->graph_id, JobType::kStart, JobMode::kReplace}));
    return {};
  };
  loader.settle(true);  // the search path was read a moment ago
  // What the manager itself runs in is there before anything is asked for.
  if (options.scope == ManagerScope::kSystem) static_cast<void>(load("init.scope"));
  auto started = start(options.default_unit);
  units_load_finish = now();
  loader.settle(false);
  if (!started) {
    log(3, fmt::format("Failed to start {}: {}", options.default_unit, started.error().message));
    if (const auto rescue = start("rescue.target"); !rescue) {
      log(2, fmt::format("Failed to start rescue.target: {}", rescue.error().message));
    }
  }
  save_manager();
  edges.program.request_turn();
}

void Manager::Impl::check_boot_finished() {
  if (!booting_ || waits_for_generators_ || jobs.size() != 0) return;
  booting_ = false;
  boot_finish = now();
  end_startup_phase();
  const Micros took = boot_finish.monotonic - userspace.monotonic;
  log(6, fmt::format("Startup finished in {:.3f}s.", static_cast<double>(took.count()) / 1e6));
  save_manager();
  if (observer != nullptr) observer->on_startup_finished(took);
}

void Manager::Impl::begin_shutdown(FinalAction action, int code) {
  if (final_) return;
  final_ = Final{action, code};
  exit_code = code;
  save_manager();
  booting_ = false;
  list_mounts();
  const std::string target(target_of(action));
  log(6, fmt::format("Shutting down: starting {}.", target));
  auto unit = load(target);
  const auto id = unit
                      ? enqueue({(*unit)->graph_id, JobType::kStart, JobMode::kReplaceIrreversibly})
                      : base::Result<uint32_t>(base::unexpected(unit.error()));
  if (!id) {
    log(4,
        fmt::format("Failed to start {}: {}; stopping all services.", target, id.error().message));
    clear_all_jobs();
  }
  edges.program.request_turn();
}

// First the target's own transaction, in order; then whatever is left, all at once.
void Manager::Impl::check_shutdown() {
  if (!final_ || final_->forced || final_->done || jobs.size() != 0) return;
  bool any = false;
  for (const auto& unit : units) {
    // What is mounted and has not gone with its target stays.
    if (!unit || !unit->service || unit->is_inactive_or_failed()) continue;
    if (is_mount(*unit) && unit->control_pid() == 0) continue;
    any = true;
    if (final_->draining) continue;
    wishes_.push_back({{unit->graph_id, JobType::kStop, JobMode::kReplaceIrreversibly}, kNoUnit});
  }
  if (any && !final_->draining) {
    final_->draining = true;
    edges.program.request_turn();
    return;
  }
  if (any) return;
  finish_all();
}

void Manager::Impl::flush_events() {
  if (observer == nullptr) return;
  Events events = std::move(events_);
  events_ = {};
  for (int i = 0; i < events.reloads; ++i) observer->on_reloading(true);
  for (const std::string& unit : events.new_units) observer->on_unit_new(unit);
  // The job that was asked for first, then those it pulled in.
  std::sort(events.new_jobs.begin(), events.new_jobs.end());
  for (const auto& [id, unit] : events.new_jobs) observer->on_job_new(id, unit);
  for (const uint32_t id : events.changed_jobs) observer->on_job_changed(id);
  for (const std::string& unit : events.changed_units) observer->on_unit_changed(unit);
  for (const Events::Removed& job : events.removed_jobs) {
    observer->on_job_removed(job.id, job.unit, to_string(job.result));
  }
  for (const std::string& unit : events.removed_units) observer->on_unit_removed(unit);
  for (int i = 0; i < events.reloads; ++i) observer->on_reloading(false);
}

}  // namespace flotilla::init
