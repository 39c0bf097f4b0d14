// Processes that come to their program through flotilla-exec: what they share, the order they are
// started with, and what the helper reports.
#include <algorithm>
#include <array>

#include "init/dynamic_users.h"
#include "init/manager_impl.h"

namespace flotilla::init {
namespace {

using Kind = ServiceEvent::Kind;

bool writes_credentials(ServiceCommand which) {
  return which == ServiceCommand::kStartPre || which == ServiceCommand::kStart;
}

// "places7n0": one end of the pair that keeps a network namespace.
std::string kept_place_name(uint64_t number, char kind, size_t end) {
  return fmt::format("{}{}{}{}", kPlacesPrefix, number, kind, end);
}

}  // namespace

SandboxRuntime& Manager::Impl::sandbox_of(ServiceRuntime& runtime) {
  auto& sandbox = runtime.extras.edit().sandbox;
  if (!sandbox) sandbox = std::make_unique<SandboxRuntime>();
  return *sandbox;
}

// The keeper has the namespaces, so that commands that run under another manager find them.
void Manager::Impl::keep_places(SandboxPlaces& places) {
  places.number = ++last_places_;
  if (edges.keeper == nullptr) return;
  std::vector<std::string> names;
  std::vector<int> fds;
  const auto add = [&](char kind, const std::array<base::Fd, 2>& pair) {
    for (size_t i = 0; i < pair.size() && pair[i]; ++i) {
      names.push_back(kept_place_name(places.number, kind, i));
      fds.push_back(pair[i].get());
    }
  };
  add('n', places.network);
  add('i', places.ipc);
  std::vector<KeptFd> kept;
  for (size_t i = 0; i < fds.size(); ++i) kept.push_back({names[i], fds[i]});
  if (kept.empty()) return;
  if (const auto stored = edges.keeper->store(kept); !stored) log(4, stored.error().message);
}

void Manager::Impl::save_places(const Unit& unit, const SandboxPlaces* places) {
  if (edges.side == nullptr) return;
  const std::string text = places == nullptr ? std::string() : text_of(*places);
  if (text == edges.side->find(unit.id, SideKind::kSandboxPlaces)) return;
  if (const auto saved = edges.side->put(unit.id, SideKind::kSandboxPlaces, text); !saved) {
    log_of(unit, 4, saved.error().message);
  }
}

void Manager::Impl::release_places(Unit& unit) {
  auto& places = unit.service->extras->sandbox->places;
  if (!places) return;
  if (places.use_count() == 1 && edges.keeper != nullptr) {
    for (const auto& [kind, pair] :
         {std::pair('n', &places->network), std::pair('i', &places->ipc)}) {
      for (size_t i = 0; i < pair->size() && (*pair)[i]; ++i) {
        static_cast<void>(edges.keeper->remove(kept_place_name(places->number, kind, i)));
      }
    }
  }
  edges.helper->release(std::move(places));
  // Last: a manager that dies before lets go of them once more.
  save_places(unit, nullptr);
}

// Null: the keeper has not all of them.
std::shared_ptr<SandboxPlaces> Manager::Impl::find_kept_places(const PlacesRecord& record) {
  last_places_ = std::max(last_places_, record.number);
  if (auto shared = adopted_places_[record.number].lock()) return shared;
  auto places = std::make_shared<SandboxPlaces>();
  places->number = record.number;
  places->tmp_directory = record.tmp_directory;
  places->var_tmp_directory = record.var_tmp_directory;
  bool is_whole = true;
  const auto take = [&](char kind, std::array<base::Fd, 2>& pair) {
    for (size_t i = 0; i < pair.size(); ++i) {
      const auto kept = inherited_stored_.find(kept_place_name(record.number, kind, i));
      is_whole = is_whole && kept != inherited_stored_.end();
      if (kept == inherited_stored_.end()) continue;
      pair[i] = std::move(kept->second);
      inherited_stored_.erase(kept);
    }
  };
  if (record.network) take('n', places->network);
  if (record.ipc) take('i', places->ipc);
  if (!is_whole) return nullptr;
  adopted_places_[record.number] = places;
  return places;
}

// What an earlier manager has opened for it, whether the unit still lives or was just ending.
void Manager::Impl::adopt_sandbox(Unit& unit, bool lives) {
  if (edges.helper == nullptr) return;
  ServiceRuntime& runtime = *unit.service;
  const std::string text(edges.side == nullptr
                             ? std::string_view()
                             : edges.side->find(unit.id, SideKind::kSandboxPlaces));
  if (const auto record = parse_places(text)) {
    if (auto places = find_kept_places(*record)) sandbox_of(runtime).places = std::move(places);
  }
  if (!lives) {
    if (runtime.extras->sandbox) close_sandbox(unit);
    return;
  }
  if (!unit.settings.exec->sandbox.is_set()) return;
  const pid_t main = runtime.state.main_pid;
  if (!open_sandbox(unit, main > 0 ? main : runtime.state.control_pid)) return;
  sandbox_of(runtime);  // its credentials go with it
}

// Before anything is prepared: who the user is comes out of it. `running` is a process of the unit
// that an earlier manager started, or 0.
bool Manager::Impl::open_sandbox(Unit& unit, pid_t running) {
  const ExecSettings& exec = *unit.settings.exec;
  if (edges.helper == nullptr || !exec.sandbox.is_set()) return true;
  SandboxRuntime& sandbox = sandbox_of(*unit.service);
  const auto fail = [&](const base::Error& error) {
    edges.logs.message(unit.id, 3,
                       fmt::format("{}: Failed to set up sandboxing: {}", unit.id, error.message));
    return false;
  };
  if (const PlacesWanted wanted = places_wanted(exec); wanted.any() && !sandbox.places) {
    for (const UnitId id : graph.dependencies(unit.graph_id, Dependency::kJoinsNamespaceOf)) {
      const Unit* const other = unit_at(id);
      if (other == nullptr || !other->service || !other->service->extras->sandbox) continue;
      if (sandbox.places = other->service->extras->sandbox->places; sandbox.places) break;
    }
    if (!sandbox.places) {
      auto places = edges.helper->make_places(unit.id, wanted, running);
      if (!places) return fail(places.error());
      sandbox.places = std::move(*places);
      keep_places(*sandbox.places);
    }
    save_places(unit, sandbox.places.get());
  }
  if (exec.sandbox->dynamic_user && !sandbox.user) {
    const std::vector<std::string> paths =
        dynamic_user_paths(*exec.extras, directory_bases(options.host_values));
    auto user = edges.helper->make_user(DynamicUser::Kind::kUser, exec.user, paths);
    if (!user) return fail(user.error());
    sandbox.user = std::move(*user);
    if (exec.group != exec.user) {
      auto group = edges.helper->make_user(DynamicUser::Kind::kGroup, exec.group, paths);
      if (!group) return fail(group.error());
      sandbox.group = std::move(*group);
    }
  }
  return true;
}

// What is over with this run; with an automatic restart, too: the next one begins anew.
void Manager::Impl::close_sandbox(Unit& unit) {
  if (edges.helper == nullptr || !unit.service->extras->sandbox) return;
  const ExecSettings& exec = *unit.settings.exec;
  SandboxRuntime& sandbox = *unit.service->extras->sandbox;
  if (exec.sandbox->has_credentials()) {
    edges.helper->remove_credentials(credentials_directory(edges.helper->paths(), unit.id));
  }
  const bool has_own_user = unit.service->uid != UINT32_MAX && unit.service->uid != 0;
  if (exec.sandbox->remove_ipc && has_own_user) {
    edges.helper->remove_ipc(unit.service->uid, unit.service->gid);
  }
  release_places(unit);
  edges.helper->release(std::move(sandbox.user));
  edges.helper->release(std::move(sandbox.group));
  unit.service->extras.edit().sandbox.reset();
}

bool Manager::Impl::is_helped(const Unit& unit, const PreparedExec& exec) const {
  return edges.helper != nullptr &&
         (needs_helper(*unit.settings.exec) || !exec.unknown_names().empty());
}

// Null: it could not be made, which has been said.
std::unique_ptr<HelperLaunch> Manager::Impl::make_launch(Unit& unit, const ServiceAction& action,
                                                         PreparedExec& exec) {
  ServiceRuntime& runtime = *unit.service;
  ExecHelper& helper = *edges.helper;
  const auto fail = [&](std::string_view why) {
    edges.logs.message(unit.id, 3, fmt::format("{}: {}", unit.id, why));
    return nullptr;
  };
  if (helper.program().empty()) {
    return fail("Its settings need flotilla-exec, which is not installed beside flotilla-init.");
  }
  const unit::Command& command = unit.settings.commands[action.command][action.index];
  OrderInputs inputs{unit.settings,  exec.spec(),
                     action.command, command.effective_privilege(),
                     helper.paths(), sandbox_of(runtime).places.get()};
  if (unit.settings.service->notify_access != NotifyAccess::kNone) {
    inputs.notify_socket = options.notify_socket;
  }
  inputs.host = &options.host_values;
  std::string credentials;
  if (unit.settings.exec->sandbox->has_credentials()) {
    credentials = credentials_directory(helper.paths(), unit.id);
    const bool is_there = helper.has_credentials(credentials);
    inputs.writes_credentials = writes_credentials(action.command) && !is_there;
    if (is_there || inputs.writes_credentials) inputs.credentials_directory = credentials;
  }
  const UnknownNames& unknown = exec.unknown_names();
  inputs.unknown_user = unknown.user;
  inputs.unknown_group = unknown.group;
  inputs.unknown_groups = unknown.groups;
  ExecSpec left;
  const sandbox::Order order = make_order(inputs, left);
  auto launch = helper.launch(left, order, inputs.places);
  if (!launch) return fail(launch.error().message);
  return std::move(*launch);
}

void Manager::Impl::expect_report(Unit& unit, const ServiceAction& action, HelperLaunch& launch,
                                  std::string program) {
  ServiceRuntime& runtime = *unit.service;
  auto& slot = action.is_control ? sandbox_of(runtime).control : sandbox_of(runtime).main;
  const auto on_news =
      action.is_control ? Callback<void(uint32_t)>::to<&ServiceRuntime::on_control_report>(runtime)
                        : Callback<void(uint32_t)>::to<&ServiceRuntime::on_main_report>(runtime);
  slot = std::make_unique<HelperRun>(std::move(launch.report), std::move(program),
                                     !action.is_control, on_news);
  if (const auto watched = edges.helper->watch(*slot); !watched) {
    edges.logs.message(unit.id, 4, fmt::format("{}: {}", unit.id, watched.error().message));
  }
}

void Manager::Impl::read_report(Unit& unit, bool is_main) {
  ServiceRuntime& runtime = *unit.service;
  if (!runtime.extras->sandbox) return;
  auto& slot = is_main ? runtime.extras->sandbox->main : runtime.extras->sandbox->control;
  if (!slot) return;
  std::vector<sandbox::Report> told;
  const HelperRun::Outcome outcome = slot->read(told);
  for (const sandbox::Report& report : told) {
    const bool is_failure = report.kind == sandbox::Report::Kind::kFailure;
    edges.logs.message(unit.id, is_failure ? 3 : 4, fmt::format("{}: {}", unit.id, report.message));
    if (!is_failure) continue;
    const std::string why =
        report.error == 0 ? std::string() : ": " + base::describe_errno(report.error);
    edges.logs.message(unit.id, 3,
                       fmt::format("{}: Failed at step {} spawning {}{}", unit.id,
                                   exit_code_name(report.exit_code), slot->program(), why));
  }
  if (outcome == HelperRun::Outcome::kPending) return;
  slot.reset();
  const bool is_awaited = unit.settings.service->type == ServiceType::kExec;
  if (outcome == HelperRun::Outcome::kExecuted && is_main && is_awaited) {
    expect_execution(unit, unit.service->state.main_pid);
  }
}

void ServiceRuntime::on_main_report(uint32_t) { manager.read_report(unit, true); }
void ServiceRuntime::on_control_report(uint32_t) { manager.read_report(unit, false); }

}  // namespace flotilla::init
