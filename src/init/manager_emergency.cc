// What the manager does about itself: actions that units ask for (FailureAction= and its kin), and
// an end at once.
#include <algorithm>
#include <csignal>

#include "init/manager_impl.h"

namespace flotilla::init {
namespace {

// How long processes get between SIGTERM and SIGKILL when all ends at once.
constexpr Micros kLastWords{90'000'000};

struct ActionText {
  std::string_view words;
  std::string_view target;  // empty: no target is started
  FinalAction final;
  bool immediate;
};

ActionText text_of(EmergencyAction action) {
  switch (action) {
    case EmergencyAction::kReboot:
      return {"Rebooting", "reboot.target", FinalAction::kReboot, false};
    case EmergencyAction::kRebootForce:
      return {"Forcibly rebooting", {}, FinalAction::kReboot, false};
    case EmergencyAction::kRebootImmediate:
      return {"Rebooting immediately", {}, FinalAction::kReboot, true};
    case EmergencyAction::kPoweroff:
      return {"Powering off", "poweroff.target", FinalAction::kPoweroff, false};
    case EmergencyAction::kPoweroffForce:
      return {"Forcibly powering off", {}, FinalAction::kPoweroff, false};
    case EmergencyAction::kPoweroffImmediate:
      return {"Powering off immediately", {}, FinalAction::kPoweroff, true};
    case EmergencyAction::kHaltForce:
      return {"Forcibly halting", {}, FinalAction::kHalt, false};
    case EmergencyAction::kExit:
      return {"Exiting", "exit.target", FinalAction::kExit, false};
    case EmergencyAction::kExitForce:
    case EmergencyAction::kNone:
      break;
  }
  return {"Exiting immediately", {}, FinalAction::kExit, false};
}

// What the unit ended with: the status of its main process, 255 for one that did not exit.
std::optional<uint8_t> exit_status_of(const Unit& unit) {
  if (!unit.service || !unit.service->main_run.exit.is_set()) return std::nullopt;
  const CommandRun& run = unit.service->main_run;
  if (run.code != CLD_EXITED) return uint8_t{255};
  return static_cast<uint8_t>(run.status);
}

}  // namespace

void Manager::Impl::act(EmergencyAction action, std::optional<uint8_t> status, ActNoise noise,
                        std::string_view reason) {
  if (action == EmergencyAction::kNone) return;
  const bool exits = action == EmergencyAction::kExit || action == EmergencyAction::kExitForce;
  if (exits && status) exit_code = *status;
  if (exits && !may_exit()) {
    const bool forced = action == EmergencyAction::kExitForce;
    log(5, fmt::format("Doing \"{0}\" action instead of an \"{1}\" emergency action.",
                       forced ? "poweroff-force" : "poweroff", forced ? "exit-force" : "exit"));
    action = forced ? EmergencyAction::kPoweroffForce : EmergencyAction::kPoweroff;
  }
  const ActionText text = text_of(action);
  log(noise == ActNoise::kWarning ? 4 : 7, fmt::format("{}: {}", text.words, reason));
  if (text.immediate) return edges.program.finish(text.final, exit_code);
  if (text.target.empty()) return end_now(text.final);
  const auto target = load(text.target);
  if (!target)
    return log(4, fmt::format("Failed to start {}: {}", text.target, target.error().message));
  wishes_.push_back(
      {{(*target)->graph_id, JobType::kStart, JobMode::kReplaceIrreversibly}, kNoUnit});
  edges.program.request_turn();
}

void Manager::Impl::act_on_change(const Unit& unit, ActiveState before, ActiveState now) {
  const UnitActions& actions = *unit.settings.extras->actions;
  if (before != ActiveState::kFailed && now == ActiveState::kFailed) {
    auto status = actions.failure_exit_status;
    if (!status) status = exit_status_of(unit);
    return act(actions.failure, status, ActNoise::kQuiet, fmt::format("unit {} failed", unit.id));
  }
  const bool was_down = before == ActiveState::kInactive || before == ActiveState::kFailed;
  if (was_down || now != ActiveState::kInactive) return;
  auto status = actions.success_exit_status;
  if (!status) status = exit_status_of(unit);
  act(actions.success, status, ActNoise::kQuiet, fmt::format("unit {} succeeded", unit.id));
}

// No unit is stopped any more: every process is told to end, and what does not is killed.
void Manager::Impl::end_now(FinalAction action) {
  if (final_ && final_->forced) return;
  final_ = Final{action, exit_code};
  final_->forced = true;
  booting_ = false;
  save_manager();
  signal_all(SIGTERM);
  for (const auto& unit : units) {
    if (!unit || !unit->service || !unit->service->group) continue;
    static_cast<void>(unit->service->group->watch_until_empty());
  }
  edges.timers.arm_after(last_words_, kLastWords);
  edges.program.request_turn();
}

void Manager::Impl::signal_all(int signal) {
  std::vector<pid_t> pids;
  for (const auto& unit : units) {
    if (unit && unit->service && unit->service->group) unit->service->group->pids(pids);
  }
  for (const pid_t pid : pids) {
    edges.processes.signal(pid, signal);
    // What is stopped could not hear it.
    if (signal != SIGKILL) edges.processes.signal(pid, SIGCONT);
  }
}

void Manager::Impl::on_last_words() {
  signal_all(SIGKILL);
  finish_all();
}

bool Manager::Impl::any_process_left() const {
  std::vector<pid_t> pids;
  for (const auto& unit : units) {
    if (unit && unit->service && unit->service->group) unit->service->group->pids(pids);
    if (!pids.empty()) return true;
  }
  return false;
}

void Manager::Impl::finish_all() {
  if (!final_ || final_->done) return;
  final_->done = true;
  flush_events();
  edges.logs.flush();
  edges.program.finish(final_->action, exit_code);
}

}  // namespace flotilla::init
