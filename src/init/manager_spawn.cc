// Processes: spawning what the service machine asks for, and signals.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "init/manager_impl.h"
#include "init/process_list.h"
#include "init/spawn_failure.h"

namespace flotilla::init {
namespace {

using base::Status;
using Kind = ServiceEvent::Kind;

// About what systemd takes from the beginning of a program to its word that it runs.
constexpr base::Micros kExecutionGrace{1'000};

std::string_view file_name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// What its lines are marked with: the program it is about, as all its commands share one stream.
std::string_view log_identifier(const UnitSettings& settings) {
  if (!settings.exec->syslog_identifier.empty()) return settings.exec->syslog_identifier;
  const ServiceCommands& commands = settings.commands;
  const auto main = commands[ServiceCommand::kStart];
  if (!main.empty()) return file_name_of(main.front().path());
  if (commands.begin() != commands.end()) return file_name_of(commands.begin()->path());
  return {};
}

}  // namespace

// Once for a run: what is changed meanwhile holds from the next one on.
void Manager::Impl::write_links(Unit& unit) const {
  if (edges.links == nullptr || (unit.links & kInvocationLink) != 0) return;
  remove_links(unit);
  unit.links = edges.links->write(unit.id, unit.invocation_id(), *unit.settings.exec->extras);
}

void Manager::Impl::remove_links(Unit& unit) const {
  if (unit.links == 0) return;
  edges.links->remove(unit.id, std::exchange(unit.links, LinkSet{0}));
}

void Manager::Impl::ensure_group(Unit& unit) {
  ServiceRuntime& runtime = *unit.service;
  // What is to go is not for another run.
  if (runtime.group_goes) release_group(unit);
  if (runtime.group) return;
  runtime.group = edges.tracker.make_group(
      group_path(unit), Callback<void()>::to<&ServiceRuntime::on_processes_gone>(runtime));
  if (runtime.group) runtime.group->set_invocation(unit.invocation_id());
}

bool Manager::Impl::attach_streams(Unit& unit, const StreamPlan& plan, ExecSpec& spec) {
  using End = StreamPlan::End;
  const ExecSettings& exec = *unit.settings.exec;
  const bool out = plan.output == End::kLog;
  const bool err = plan.error == End::kLog || (out && plan.error == End::kOutput);
  if (!out && !err) return true;
  UnitLogs::Request request;
  request.unit = unit.id;
  request.identifier = log_identifier(unit.settings);
  request.priority = exec.syslog_level;
  request.level_prefix = exec.syslog_level_prefix;
  request.priority_max = exec.extras->log_level_max.value_or(request.priority_max);
  request.separate_stderr = false;
  if (exec.extras.is_set()) request.extras = &*exec.extras;
  const auto fds = edges.logs.open_streams(request);
  if (!fds) {
    edges.logs.message(
        unit.id, 3, fmt::format("{}: Failed to set up its log: {}", unit.id, fds.error().message));
    return false;
  }
  unit.service->streams_open = true;
  if (out) spec.stdout_fd = fds->out;
  if (err) spec.stderr_fd = fds->out;
  return true;
}

// False: `outcome` says what the machine is told instead of a spawn.
const Unit* Manager::Impl::find_monitored(const Unit& unit) const {
  const Unit* found = nullptr;
  for (const Dependency kind : {Dependency::kOnFailureOf, Dependency::kOnSuccessOf}) {
    for (const UnitId other : graph.dependencies(unit.graph_id, kind)) {
      if (found != nullptr) return nullptr;
      found = unit_at(other);
    }
  }
  return found != nullptr && found->service ? found : nullptr;
}

bool Manager::Impl::prepare_exec(Unit& unit, const ServiceAction& action, PreparedExec& exec,
                                 ServiceEvent& outcome) {
  ServiceRuntime& runtime = *unit.service;
  const auto commands = unit.settings.commands[action.command];
  outcome = ServiceEvent::of(Kind::kSpawnFailed);
  if (action.index >= commands.size()) return false;
  const bool is_stop =
      action.command == ServiceCommand::kStop || action.command == ServiceCommand::kStopPost;
  const std::string invocation = unit.invocation_id();
  // The daemon may be born of the control process that ExecStart= of Type=forking is.
  const bool is_start = action.command == ServiceCommand::kStart;
  const NotifyAccess access = unit.settings.service->notify_access;
  const bool notifies = is_start ? access != NotifyAccess::kNone
                                 : access == NotifyAccess::kExec || access == NotifyAccess::kAll;
  ExecInputs inputs{unit.settings, commands[action.index], action.command, options.environment,
                    invocation};
  if (action.is_control && runtime.state.main_pid > 0) inputs.main_pid = runtime.state.main_pid;
  if (options.scope == ManagerScope::kUser) inputs.manager_pid = getpid();
  inputs.descriptors = options.inherited_descriptors;
  std::string passed_names;
  const std::vector<int> passed =
      is_start ? passed_descriptors(unit, passed_names) : std::vector<int>();
  inputs.passed_fds = passed;
  inputs.passed_names = passed_names;
  inputs.places = &options.host_values;
  inputs.is_user_manager = options.scope == ManagerScope::kUser;
  if (notifies) inputs.notify_socket = options.notify_socket;
  if (is_start) inputs.watchdog = runtime.state.watchdog;
  if (is_stop) {
    inputs.service_result = to_string(runtime.state.result);
    inputs.main_exit = runtime.state.main_exit;
  }
  const bool is_begin =
      action.command == ServiceCommand::kStart || action.command == ServiceCommand::kStartPre;
  const Unit* const monitored = is_begin ? find_monitored(unit) : nullptr;
  const std::string monitored_run = monitored == nullptr ? "" : monitored->invocation_id();
  if (monitored != nullptr) {
    inputs.monitored_unit = monitored->id;
    inputs.monitored_invocation = monitored_run;
    inputs.service_result = to_string(monitored->service->state.result);
    inputs.main_exit = monitored->service->state.main_exit;
  }
  std::string credentials;
  if (edges.helper != nullptr) {
    inputs.may_ask_nss = !edges.helper->program().empty();
    if (runtime.extras->sandbox) {
      inputs.dynamic_user = runtime.extras->sandbox->user.get();
      inputs.dynamic_group = runtime.extras->sandbox->group.get();
    }
    if (unit.settings.exec->sandbox->has_credentials()) {
      credentials = credentials_directory(edges.helper->paths(), unit.id);
      inputs.credentials_directory = credentials;
    }
  }
  PreparedExec::Failure failure;
  if (exec.prepare(inputs, edges.host, users, failure)) return true;
  edges.logs.message(unit.id, 3, fmt::format("{}: {}", unit.id, failure.message));
  if (failure.stage == SpawnStage::kNone) return false;
  // A process that does nothing but end as it would have there.
  exec.fail_at(failure, std::string(commands[action.index].path()));
  return true;
}

ServiceEvent Manager::Impl::spawn(Unit& unit, const ServiceAction& action) {
  ServiceRuntime& runtime = *unit.service;
  ServiceEvent outcome = ServiceEvent::of(Kind::kSpawnFailed);
  if (is_mount(unit) && action.command == ServiceCommand::kStart && !prepare_mount(unit)) {
    return outcome;
  }
  // An automatic restart of a plain service runs what was prepared before.
  const bool keeps = !action.is_control && unit.settings.service->restart != RestartSetting::kNo;
  std::shared_ptr<PreparedExec> prepared = keeps ? runtime.extras->main_exec : nullptr;
  if (!prepared) prepared = std::make_shared<PreparedExec>();
  if (keeps) runtime.extras.edit().main_exec = prepared;
  PreparedExec& exec = *prepared;
  // What a process still reads is not made anew.
  for (const BegunSpawn& begun : begun_) {
    if (begun.exec == prepared) {
      settle_spawns(0);
      break;
    }
  }
  const bool can_renew = keeps && exec.can_renew() && unit.n_fd_store() == 0 &&
                         exec.spec().passed_fd_count == 0 &&
                         !unit.settings.exec->sandbox->dynamic_user &&
                         unit.settings.commands[action.command].size() == 1;
  CommandRun run;
  run.start = now();
  if (!open_sandbox(unit, 0)) return outcome;
  if (can_renew) {
    exec.renew(unit.invocation_id());
  } else if (!prepare_exec(unit, action, exec, outcome)) {
    return outcome;
  }
  ExecSpec& spec = exec.spec();
  write_links(unit);
  ensure_group(unit);
  if (runtime.group) {
    configure_group(unit);
    const auto cgroup = runtime.group->prepare();
    if (!cgroup) {
      edges.logs.message(unit.id, 3, fmt::format("{}: {}", unit.id, cgroup.error().message));
      return outcome;
    }
    spec.cgroup_fd = *cgroup;
    runtime.group->watch_oom(Callback<void()>::to<&ServiceRuntime::on_oom>(runtime));
    if (!unit.has_cgroup) unit.has_cgroup = !runtime.group->cgroup_path().empty();
    if (unit.settings.extras->cgroup && unit.settings.extras->cgroup->delegate &&
        spec.uid != UINT32_MAX) {
      static_cast<void>(edges.tracker.delegate(group_path(unit), spec.uid, spec.gid));
    }
  }
  const bool is_doomed = spec.fail_stage != SpawnStage::kNone;
  if (!is_doomed && !attach_streams(unit, exec.streams(), spec)) return outcome;
  if (unit.settings.service->type == ServiceType::kIdle && !is_doomed)
    spec.idle_pipe_fd = idle_pipe();
  std::unique_ptr<HelperLaunch> launch;
  if (!is_doomed && is_helped(unit, exec)) {
    exec.leave_privileges();
    launch = make_launch(unit, action, exec);
    if (!launch) return outcome;
  }

  // Written down before it is done: see adoption.
  runtime.pending_spawn = {action.command, action.is_control, action.index};
  save(unit);
  const auto kind =
      action.is_control ? StateFile::SpawnKind::kControl : StateFile::SpawnKind::kMain;
  int32_t* pid_location =
      unit.has_state_slot() ? edges.state.spawn_pid(unit.state_slot, kind) : nullptr;
  ExecSpec& spawned = launch ? launch->spec : spec;
  spawned.pid_location = pid_location;
  // Only Type=exec waits for the program; nothing that is opened for the process may stay open
  // here longer than it takes to hand it over.
  const bool waits = !action.is_control && unit.settings.service->type == ServiceType::kExec;
  const bool goes_on = !waits && !launch && !is_doomed && exec.can_renew();
  settle_spawns(goes_on ? Spawner::kMostOnTheirWay - 1 : 0);
  const SpawnResult result = goes_on ? edges.spawner.begin(spawned) : edges.spawner.spawn(spawned);
  if (result.is_on_its_way) begun_.push_back({unit.graph_id, prepared});
  runtime.pending_spawn = {};
  if (result.pid < 0) {
    edges.logs.message(
        unit.id, 3,
        fmt::format("{}: Failed to fork: {}", unit.id, base::describe_errno(result.error)));
    if (pid_location != nullptr) *pid_location = 0;
    return outcome;
  }
  tell_spawn_failure(unit.id, spec, result);
  if (!action.is_control) spawned_last_ = unit.graph_id;
  const bool is_helped_on = launch && result.is_running();
  if (is_helped_on) expect_report(unit, action, *launch, spec.path);
  run.pid = result.pid;
  runtime.note_run(run, action.command, action.index, action.is_control);
  edges.processes.watch(action.is_control ? runtime.watch_control() : runtime.main_watch,
                        result.pid);
  if (runtime.group) runtime.group->add(result.pid);
  if (runtime.streams_open) edges.logs.set_pid(unit.id, result.pid);
  runtime.uid = exec.uid();
  runtime.gid = exec.gid();
  edges.program.on_spawn();
  if (waits && result.is_running() && !is_helped_on) {
    expect_execution(unit, result.pid);
    return ServiceEvent::spawned(result.pid, false);
  }
  return ServiceEvent::spawned(result.pid, result.is_running() && !is_helped_on);
}

// A program that ends as soon as it has begun has failed to start: its exit is waited for a little.
void Manager::Impl::expect_execution(const Unit& unit, pid_t pid) {
  const auto at = edges.timers.clock().monotonic() + kExecutionGrace;
  executed_.push_back({unit.graph_id, pid, at});
  if (!executed_timer_.is_armed()) edges.timers.arm(executed_timer_, at);
}

void Manager::Impl::on_executed() {
  const auto now = edges.timers.clock().monotonic();
  while (!executed_.empty() && executed_.front().believed_at <= now) {
    const Executed executed = executed_.front();
    executed_.erase(executed_.begin());
    Unit* const unit = unit_at(executed.unit);
    if (unit == nullptr || !unit->service || unit->service->state.main_pid != executed.pid)
      continue;
    feed(*unit, ServiceEvent::of(Kind::kExecuted));
  }
  if (!executed_.empty()) edges.timers.arm(executed_timer_, executed_.front().believed_at);
}

void Manager::Impl::settle_spawns(size_t left) {
  while (begun_.size() > left) {
    const BegunSpawn begun = std::move(begun_.front());
    begun_.erase(begun_.begin());
    const auto result = edges.spawner.settle();
    const Unit* const unit = unit_at(begun.unit);
    if (result && unit != nullptr) tell_spawn_failure(unit->id, begun.exec->spec(), *result);
  }
}

void Manager::Impl::tell_spawn_failure(const std::string& unit, const ExecSpec& spec,
                                       const SpawnResult& result) {
  if (!result.is_running()) {
    const int code = static_cast<int>(exit_code_of(result.stage));
    // What went wrong before there was a process has been told.
    if (spec.fail_stage == SpawnStage::kNone) {
      edges.logs.message(unit, 3,
                         fmt::format("{}: {}", unit, describe_spawn_failure(spec, result)));
    }
    edges.logs.message(
        unit, 3,
        fmt::format("{}: Failed at step {} spawning {}: {}", unit, exit_code_name(code), spec.path,
                    base::describe_errno(result.error)));
  } else if (result.error == ENOENT) {
    edges.logs.message(unit, 6,
                       fmt::format("{}: Executable {} missing, skipping: {}", unit, spec.path,
                                   base::describe_errno(result.error)));
  }
}

// The end to wait at; -1 where no job is there to be waited for.
int Manager::Impl::idle_pipe() {
  if (jobs.size() == 0) return -1;
  if (!idle_read_) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    idle_read_.reset(ends[0]);
    idle_write_.reset(ends[1]);
  }
  return idle_read_.get();
}

void Manager::Impl::release_idle() {
  if (!idle_write_ || jobs.size() != 0) return;
  idle_write_.reset();
  idle_read_.reset();
}

ServiceEvent Manager::Impl::send_kill(Unit& unit, const KillPlan& plan) {
  ServiceRuntime& runtime = *unit.service;
  const ServiceState& state = runtime.state;
  bool waits = false;
  const bool needs_wakeup = plan.signal != SIGKILL && plan.signal != SIGCONT;
  const auto send_one = [&](pid_t pid, bool can_wait) {
    if (pid <= 0 || edges.processes.signal(pid, plan.signal) != 0) return;
    if (needs_wakeup) edges.processes.signal(pid, SIGCONT);
    if (plan.hangup) edges.processes.signal(pid, SIGHUP);
    waits = waits || can_wait;
  };
  // Nobody may ever tell how a process ends that is not our child.
  if (plan.main) send_one(state.main_pid, !state.main_pid_alien);
  if (plan.control) send_one(state.control_pid, true);
  if (plan.others && runtime.group && runtime.group->is_populated()) {
    // Some kernels go on killing what is later born in a cgroup that was killed as a whole.
    if (plan.signal == SIGKILL) runtime.group_was_killed = true;
    std::array<pid_t, 2> except{};
    size_t count = 0;
    if (state.main_pid > 0) except[count++] = state.main_pid;
    if (state.control_pid > 0) except[count++] = state.control_pid;
    const std::span<const pid_t> others_except(except.data(), count);
    if (runtime.group->signal(plan.signal, others_except) > 0) {
      waits = runtime.group->watch_until_empty() || waits;
      if (needs_wakeup) runtime.group->signal(SIGCONT, others_except);
      if (plan.hangup) runtime.group->signal(SIGHUP, others_except);
    }
  }
  return ServiceEvent::kill_sent(waits);
}

Status Manager::Impl::kill(Unit& unit, KillWhom whom, int signal) {
  const auto no_process = [&](std::string_view which) {
    return base::unexpected({base::Errc::kNotFound, fmt::format("No {} process to kill", which), 0,
                             "org.freedesktop.systemd1.NoSuchProcess"});
  };
  if (unit.settings.name.type() == unit::UnitType::kSlice) {
    if (whom == KillWhom::kMain) return no_process("main");
    if (whom == KillWhom::kControl) return no_process("control");
    // The processes of the manager itself are nobody's.
    for (const ListedProcess& process : processes_of(unit)) {
      if (find_by_pid(process.pid) == nullptr) continue;
      static_cast<void>(edges.processes.signal(process.pid, signal));
    }
    return {};
  }
  if (!unit.service) {
    return base::unexpected({base::Errc::kUnsupported, "Operation not supported", EOPNOTSUPP,
                             "org.freedesktop.DBus.Error.NotSupported"});
  }
  ServiceRuntime& runtime = *unit.service;
  const pid_t main = runtime.state.main_pid, control = runtime.state.control_pid;
  if (whom == KillWhom::kMain && main <= 0) return no_process("main");
  if (whom == KillWhom::kControl && control <= 0) return no_process("control");
  size_t reached = 0;
  int error = 0;
  const auto send = [&](pid_t pid) {
    if (pid <= 0) return;
    const int failed = edges.processes.signal(pid, signal);
    failed == 0 ? static_cast<void>(++reached) : static_cast<void>(error = failed);
  };
  if (whom != KillWhom::kControl) send(main);
  if (whom != KillWhom::kMain) send(control);
  if (whom == KillWhom::kAll && runtime.group) {
    std::array<pid_t, 2> except{};
    size_t count = 0;
    if (main > 0) except[count++] = main;
    if (control > 0) except[count++] = control;
    reached += runtime.group->signal(signal, {except.data(), count});
  }
  if (error != 0) return base::system_error(error, "Failed to kill a process of {}", unit.id);
  return {};
}

}  // namespace flotilla::init
