#include "init/unit.h"

#include "init/directives_values.h"
#include "init/exec_names.h"
#include "init/manager_service.h"

namespace flotilla::init {

static_assert(sizeof(Unit) <= 248, "what few units need belongs into the settings' extras");
namespace {

const CommandRun kNoRun;
const std::string kNoText;

}  // namespace

Unit::Unit(UnitSettings unit_settings)
    : settings(std::move(unit_settings)), id(settings.name.str()) {}
Unit::~Unit() = default;

std::string_view Unit::description() const {
  return settings.description.empty() ? std::string_view(id) : settings.description.view();
}

std::string_view Unit::load_state() const { return to_string(settings.load_state); }

ActiveState Unit::active() const {
  if (service) return active_state_of(settings.service->type, service->state.sub);
  return simple_active ? ActiveState::kActive : ActiveState::kInactive;
}

void Unit::note_active_since(const Timestamps& time) {
  for (const UnitMoment which :
       {UnitMoment::kStateChange, UnitMoment::kInactiveExit, UnitMoment::kActiveEnter}) {
    times.set(which, time);
  }
}

std::string_view Unit::active_state() const { return to_string(active()); }

std::string_view Unit::sub_state() const {
  if (service && service->is_abandoned && service->state.sub == ServiceSubState::kRunning) {
    return "abandoned";
  }
  if (service) return to_string(service->state.sub);
  if (!simple_active) return "dead";
  switch (settings.name.type()) {
    case unit::UnitType::kScope:
    case unit::UnitType::kSocket:
      return "running";
    case unit::UnitType::kMount:
      return "mounted";
    default:
      return "active";
  }
}

std::string_view Unit::result() const {
  return to_string(service ? service->state.result : ServiceResult::kSuccess);
}

std::string_view Unit::clean_result() const {
  return to_string(service ? service->extras->clean_result : ServiceResult::kSuccess);
}

std::vector<std::string> Unit::can_clean() const {
  std::vector<std::string> words;
  for (size_t i = 0; i < kDirectoryKinds; ++i) {
    if (settings.exec->extras->directories[i].items.empty()) continue;
    words.emplace_back(directory_word(static_cast<DirectoryKind>(i)));
  }
  return words;
}

std::string_view Unit::reload_result() const {
  return to_string(service ? service->state.reload_result : ServiceResult::kSuccess);
}

bool Unit::is_active_or_activating() const {
  const ActiveState state = active();
  return state == ActiveState::kActive || state == ActiveState::kActivating ||
         state == ActiveState::kReloading;
}

bool Unit::is_inactive_or_failed() const {
  const ActiveState state = active();
  return state == ActiveState::kInactive || state == ActiveState::kFailed;
}

std::string Unit::invocation_id() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  bool any = false;
  for (const uint8_t byte : invocation) {
    any = any || byte != 0;
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return any ? text : std::string();
}

std::string_view Unit::process_tracking() const {
  return tracked_by_cgroup ? "cgroup" : "best-effort";
}

pid_t Unit::main_pid() const { return service ? service->state.main_pid : 0; }
pid_t Unit::control_pid() const { return service ? service->state.control_pid : 0; }
std::string Unit::cgroup_path() const {
  return has_cgroup ? service->group->cgroup_path() : std::string();
}
const CommandRun& Unit::main_run() const { return service ? service->main_run : kNoRun; }

CommandRun Unit::command_run(ServiceCommand which, size_t index) const {
  if (!service) return {};
  const CommandRun* run = service->find_run(which, index);
  return run != nullptr ? *run : CommandRun();
}

bool Unit::has_run(ServiceCommand which) const {
  return service && service->find_run(which, 0) != nullptr;
}

uint32_t Unit::n_restarts() const { return service ? service->state.n_restarts : 0; }
const std::string& Unit::status_text() const {
  return service ? service->extras->status_text : kNoText;
}
int Unit::status_errno() const { return service ? service->extras->status_errno : 0; }
uint32_t Unit::n_fd_store() const {
  if (!service || !service->extras->fd_store) return 0;
  return static_cast<uint32_t>(service->extras->fd_store->size());
}
Timestamps Unit::watchdog_time() const {
  return service ? service->extras->watchdog_time : Timestamps();
}
Micros Unit::watchdog() const {
  if (!service) return kInfinity;
  return service->state.watchdog;
}
uid_t Unit::uid() const { return service ? service->uid : UINT32_MAX; }
gid_t Unit::gid() const { return service ? service->gid : UINT32_MAX; }

}  // namespace flotilla::init
