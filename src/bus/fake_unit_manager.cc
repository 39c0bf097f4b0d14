#include "bus/fake_unit_manager.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace flotilla::bus {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;

namespace {

std::string name_of_path(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Error no_such_unit(std::string_view unit) {
  return Error{Errc::kNotFound, fmt::format("Unit {} not found.", unit), 0,
               "org.freedesktop.systemd1.NoSuchUnit"};
}

Error not_loaded(std::string_view unit) {
  return Error{Errc::kNotFound, fmt::format("Unit {} not loaded.", unit), 0,
               "org.freedesktop.systemd1.NoSuchUnit"};
}

}  // namespace

class FakeUnitManager::Subscription final : public base::Registration {
 public:
  Subscription(FakeUnitManager& manager, uint64_t id)
      : manager_(manager), alive_(manager.alive_), id_(id) {}
  ~Subscription() override {
    if (*alive_) manager_.listeners_.erase(id_);
  }

 private:
  FakeUnitManager& manager_;
  std::shared_ptr<bool> alive_;
  uint64_t id_;
};

// --- The test's side ---

void FakeUnitManager::add_unit_file(const std::string& name, bool has_install_section) {
  files_[name] = has_install_section;
}

void FakeUnitManager::remove_unit_file(const std::string& name) { files_.erase(name); }

void FakeUnitManager::add_file(const std::string& path, bool has_install_section) {
  paths_[path] = has_install_section;
}

void FakeUnitManager::finish_jobs() {
  while (!jobs_.empty()) finish_job(jobs_.front().id);
}

void FakeUnitManager::end_process(const std::string& unit, bool failed) {
  if (finish_oneshot(unit, failed ? JobResult::kFailed : JobResult::kDone)) return;
  units_[unit].main_pid = 0;
  change(unit, failed ? "failed" : "inactive", failed ? "failed" : "dead");
}

void FakeUnitManager::set_connected(bool connected) {
  if (connected_ == connected) return;
  connected_ = connected;
  if (connected) {
    soon([this] {
      if (connected_) notify([](UnitManagerListener& listener) { listener.on_connected(); });
    });
    return;
  }
  const Error why{Errc::kUnavailable, "the D-Bus connection has ended", 0, {}};
  soon([this, why] {
    // The jobs go on; only their results are lost.
    for (Job& job : jobs_) {
      if (auto done = std::exchange(job.done, nullptr)) done(base::unexpected(why));
    }
    notify([&](UnitManagerListener& listener) { listener.on_disconnected(why); });
  });
}

UnitState FakeUnitManager::state_of(const std::string& name) const {
  UnitState state;
  state.name = name;
  state.description = name;
  state.load_state = is_loadable(name) ? "loaded" : "not-found";
  auto unit = units_.find(name);
  state.active_state = unit != units_.end() ? unit->second.active_state : "inactive";
  state.sub_state = unit != units_.end() ? unit->second.sub_state : "dead";
  for (const Job& job : jobs_) {
    if (job.unit != name) continue;
    state.job_id = job.id;
    state.job_type = job.type;
  }
  return state;
}

// --- Inside ---

void FakeUnitManager::soon(std::function<void()> work) {
  loop_.post([alive = alive_, work = std::move(work)] {
    if (*alive) work();
  });
}

template <typename T>
void FakeUnitManager::reply(const Done<T>& done, Result<T> result) {
  soon([done, result = std::move(result)]() mutable { done(std::move(result)); });
}

template <typename T>
bool FakeUnitManager::admit(std::string_view method, const std::string& call, const Done<T>& done) {
  calls_.push_back(call);
  if (!connected_) {
    reply<T>(done, base::unavailable("no connection to the service manager"));
    return false;
  }
  if (auto failure = failures_.find(std::string(method)); failure != failures_.end()) {
    reply<T>(done, base::unexpected(failure->second));
    return false;
  }
  return true;
}

bool FakeUnitManager::is_loadable(const std::string& unit) const {
  return files_.count(unit) != 0 || links_.count(unit) != 0;
}

void FakeUnitManager::notify(const std::function<void(UnitManagerListener&)>& tell) {
  const std::shared_ptr<bool> alive = alive_;
  for (uint64_t next = 0; *alive;) {
    auto found = listeners_.upper_bound(next);
    if (found == listeners_.end()) return;
    next = found->first;
    tell(*found->second);
  }
}

void FakeUnitManager::change(const std::string& name, std::string active, std::string sub) {
  Unit& unit = units_[name];
  unit.active_state = std::move(active);
  unit.sub_state = std::move(sub);
  const UnitChange change{name, "", unit.active_state, unit.sub_state};
  soon([this, change] {
    if (!connected_) return;
    notify([&](UnitManagerListener& listener) { listener.on_unit_changed(change); });
  });
}

// --- Jobs ---

void FakeUnitManager::enqueue(const std::string& type, std::string_view unit, JobMode mode,
                              Done<JobResult> done) {
  const std::string name(unit);
  if (!admit(type, fmt::format("{} {} {}", type, unit, to_string(mode)), done)) return;
  const bool known = units_.count(name) != 0;
  if (!is_loadable(name) && !(type == "stop" && known)) {
    reply<JobResult>(done,
                     base::unexpected(type == "stop" ? not_loaded(name) : no_such_unit(name)));
    return;
  }
  const uint32_t id = next_job_++;
  jobs_.push_back({id, type, name, std::move(done)});
  if (type != "stop") change(name, "activating", "start");
  const base::Micros* lasts = type != "stop" ? find_oneshot(name) : nullptr;
  if (lasts != nullptr) {
    jobs_.back().end = loop_.after(*lasts, [this, id] { finish_job(id); });
  } else if (!hold_jobs_) {
    soon([this, id] { finish_job(id); });
  }
}

JobResult FakeUnitManager::carry_out(const Job& job) {
  if (job.type == "stop") {
    finish_oneshot(job.unit, JobResult::kCanceled);
    const bool failed = units_[job.unit].active_state == "failed";
    units_[job.unit].main_pid = 0;
    if (!failed) change(job.unit, "inactive", "dead");
    return JobResult::kDone;
  }
  auto outcome = outcomes_.find(job.unit);
  const JobResult result = outcome != outcomes_.end() ? outcome->second : JobResult::kDone;
  if (result == JobResult::kDone && find_oneshot(job.unit) != nullptr) {
    change(job.unit, "inactive", "dead");
  } else if (result == JobResult::kDone) {
    units_[job.unit].main_pid = next_pid_++;
    change(job.unit, "active", "running");
  } else if (result == JobResult::kFailed || result == JobResult::kTimeout) {
    change(job.unit, "failed", "failed");
  } else {
    change(job.unit, "inactive", "dead");
  }
  return result;
}

const base::Micros* FakeUnitManager::find_oneshot(const std::string& unit) const {
  for (const auto& [prefix, lasts] : oneshots_) {
    if (unit.compare(0, prefix.size(), prefix) == 0) return &lasts;
  }
  return nullptr;
}

bool FakeUnitManager::finish_oneshot(const std::string& unit, JobResult result) {
  const auto found = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& job) {
    return job.unit == unit && job.end != nullptr;
  });
  if (found == jobs_.end()) return false;
  finish_job(found->id, result);
  return true;
}

void FakeUnitManager::finish_job(uint32_t id, std::optional<JobResult> result) {
  auto found =
      std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& job) { return job.id == id; });
  if (found == jobs_.end()) return;
  const Job job = std::move(*found);
  jobs_.erase(found);
  if (result) outcomes_[job.unit] = *result;
  const JobRemoved removed{job.id, job.unit, carry_out(job)};
  if (result) outcomes_.erase(job.unit);
  soon([this, removed, done = job.done] {
    const std::shared_ptr<bool> alive = alive_;
    if (done) done(removed.result);
    if (!*alive || !connected_) return;
    notify([&](UnitManagerListener& listener) { listener.on_job_removed(removed); });
  });
}

void FakeUnitManager::start(std::string_view unit, JobMode mode, Done<JobResult> done) {
  enqueue("start", unit, mode, std::move(done));
}
void FakeUnitManager::stop(std::string_view unit, JobMode mode, Done<JobResult> done) {
  enqueue("stop", unit, mode, std::move(done));
}
void FakeUnitManager::restart(std::string_view unit, JobMode mode, Done<JobResult> done) {
  enqueue("restart", unit, mode, std::move(done));
}

// --- The rest of UnitManager ---

base::RegistrationPtr FakeUnitManager::subscribe(UnitManagerListener& listener) {
  const uint64_t id = next_listener_++;
  listeners_.emplace(id, &listener);
  if (connected_) {
    soon([this, id] {
      auto found = listeners_.find(id);
      if (connected_ && found != listeners_.end()) found->second->on_connected();
    });
  }
  return std::make_unique<Subscription>(*this, id);
}

void FakeUnitManager::link_unit_files(std::vector<std::string> paths,
                                      Done<std::vector<UnitFileChange>> done) {
  if (!admit("link", fmt::format("link {}", fmt::join(paths, " ")), done)) return;
  std::vector<UnitFileChange> changes;
  for (const std::string& path : paths) {
    const std::string name = name_of_path(path);
    if (std::exchange(links_[name], path) == path) continue;
    changes.push_back({"symlink", "/run/systemd/system/" + name, path});
  }
  reply<std::vector<UnitFileChange>>(done, std::move(changes));
}

void FakeUnitManager::enable_unit_files(std::vector<std::string> names, Done<EnableOutcome> done) {
  if (!admit("enable", fmt::format("enable {}", fmt::join(names, " ")), done)) return;
  EnableOutcome outcome;
  for (const std::string& given : names) {
    const std::string name = name_of_path(given);
    if (!is_loadable(name) && given.front() != '/') {
      reply<EnableOutcome>(
          done,
          base::unexpected(Error{Errc::kNotFound, fmt::format("Unit file {} does not exist.", name),
                                 0, "org.freedesktop.DBus.Error.FileNotFound"}));
      return;
    }
    auto file = files_.find(name);
    auto link = links_.find(name);
    const bool installs =
        (file != files_.end() && file->second) ||
        (link != links_.end() && paths_.count(link->second) != 0 && paths_[link->second]);
    if (!installs) continue;
    outcome.carries_install_info = true;
    if (enabled_.insert(name).second) {
      outcome.changes.push_back(
          {"symlink", "/run/systemd/system/multi-user.target.wants/" + name,
           link != links_.end() ? link->second : "/etc/systemd/system/" + name});
    }
  }
  reply<EnableOutcome>(done, std::move(outcome));
}

void FakeUnitManager::disable_unit_files(std::vector<std::string> names,
                                         Done<std::vector<UnitFileChange>> done) {
  if (!admit("disable", fmt::format("disable {}", fmt::join(names, " ")), done)) return;
  std::vector<UnitFileChange> changes;
  for (const std::string& name : names) {
    if (enabled_.erase(name) != 0) {
      changes.push_back({"unlink", "/run/systemd/system/multi-user.target.wants/" + name, ""});
    }
    if (links_.erase(name) != 0) changes.push_back({"unlink", "/run/systemd/system/" + name, ""});
  }
  reply<std::vector<UnitFileChange>>(done, std::move(changes));
}

void FakeUnitManager::reload_daemon(Done<void> done) {
  if (!admit("reload", "reload", done)) return;
  for (auto unit = units_.begin(); unit != units_.end();) {
    const bool gone = !is_loadable(unit->first) && unit->second.active_state == "inactive";
    unit = gone ? units_.erase(unit) : std::next(unit);
  }
  reply<void>(done, Status());
  soon([this] { notify([](UnitManagerListener& listener) { listener.on_reloaded(); }); });
}

void FakeUnitManager::kill(std::string_view unit, KillWho who, int signal, Done<void> done) {
  if (!admit("kill", fmt::format("kill {} {} {}", unit, to_string(who), signal), done)) return;
  const std::string name(unit);
  auto found = units_.find(name);
  if (found == units_.end()) {
    return reply<void>(done, base::unexpected(not_loaded(unit)));
  }
  if (found->second.main_pid != 0) end_process(name, signal != 15);
  reply<void>(done, Status());
}

void FakeUnitManager::reset_failed(std::string_view unit, Done<void> done) {
  if (!admit("reset-failed", fmt::format("reset-failed {}", unit), done)) return;
  const std::string name(unit);
  auto found = units_.find(name);
  if (found == units_.end() && !is_loadable(name)) {
    return reply<void>(done, base::unexpected(not_loaded(unit)));
  }
  if (found != units_.end() && found->second.active_state == "failed") {
    change(name, "inactive", "dead");
  }
  reply<void>(done, Status());
}

void FakeUnitManager::list_units_by_names(std::vector<std::string> names,
                                          Done<std::vector<UnitState>> done) {
  if (!admit("list-by-names", fmt::format("list-by-names {}", fmt::join(names, " ")), done)) {
    return;
  }
  std::vector<UnitState> states;
  states.reserve(names.size());
  for (const std::string& name : names) states.push_back(state_of(name));
  reply<std::vector<UnitState>>(done, std::move(states));
}

void FakeUnitManager::list_units(Done<std::vector<UnitState>> done) {
  if (!admit("list", "list", done)) return;
  std::vector<UnitState> states;
  for (const auto& [name, unit] : units_) states.push_back(state_of(name));
  reply<std::vector<UnitState>>(done, std::move(states));
}

void FakeUnitManager::get_properties(std::string_view unit, Done<Properties> done) {
  if (!admit("get-properties", fmt::format("get-properties {}", unit), done)) return;
  const UnitState state = state_of(std::string(unit));
  const auto more = properties_.find(state.name);
  Properties properties = more != properties_.end() ? more->second : Properties{};
  auto text = [&](const char* name, const std::string& value) {
    properties[name] = Value{"s", value};
  };
  text("Id", state.name);
  text("Description", state.description);
  text("LoadState", state.load_state);
  text("ActiveState", state.active_state);
  text("SubState", state.sub_state);
  auto found = units_.find(state.name);
  properties["MainPID"] = Value{"u", uint64_t{found != units_.end() ? found->second.main_pid : 0}};
  if (auto link = links_.find(state.name); link != links_.end()) {
    text("FragmentPath", link->second);
  }
  reply<Properties>(done, std::move(properties));
}

void FakeUnitManager::get_processes(std::string_view unit, Done<std::vector<UnitProcess>> done) {
  if (!admit("get-processes", fmt::format("get-processes {}", unit), done)) return;
  auto found = units_.find(std::string(unit));
  if (found == units_.end()) {
    return reply<std::vector<UnitProcess>>(done, base::unexpected(not_loaded(unit)));
  }
  std::vector<UnitProcess> processes;
  if (found->second.main_pid != 0) {
    processes.push_back({fmt::format("/system.slice/{}", unit), found->second.main_pid, ""});
  }
  reply<std::vector<UnitProcess>>(done, std::move(processes));
}

}  // namespace flotilla::bus
