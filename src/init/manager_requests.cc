// The manager's public face as far as it is about jobs and about its own end.
#include <algorithm>

#include "init/manager.h"
#include "init/manager_impl.h"

namespace flotilla::init {

using base::Errc;
using base::Result;
using base::Status;

namespace {

constexpr std::string_view kBadSetting = "org.freedesktop.systemd1.BadUnitSetting";

struct NamedMarker {
  std::string_view name;
  UnitMarker marker;
};
constexpr NamedMarker kMarkers[] = {{"needs-reload", UnitMarker::kNeedsReload},
                                    {"needs-restart", UnitMarker::kNeedsRestart}};

JobView view_of(const Manager::Impl& impl, const Job& job) {
  return {job.id, impl.graph.id(job.unit), to_string(job.type), to_string(job.state)};
}

FinalAction final_of(std::string_view how) {
  if (how == "reboot" || how == "kexec") return FinalAction::kReboot;
  if (how == "halt") return FinalAction::kHalt;
  return how == "exit" ? FinalAction::kExit : FinalAction::kPoweroff;
}

bool is_active_or_wanted(const Manager::Impl& impl, std::string_view name) {
  const UnitId unit = impl.graph.find(name);
  if (unit == kNoUnit) return false;
  const ActiveState state = impl.active(unit);
  if (state == ActiveState::kActive || state == ActiveState::kReloading) return true;
  const Job* job = impl.jobs.of_unit(unit);
  return job != nullptr && (job->type == JobType::kStart || job->type == JobType::kRestart);
}

}  // namespace

// --- Jobs ---

Result<uint32_t> Manager::enqueue_job(std::string_view unit, std::string_view type,
                                      std::string_view mode) {
  return impl_->request(unit, type, mode);
}

Result<uint32_t> Manager::enqueue_job(std::string_view unit, std::string_view type,
                                      std::string_view mode, std::vector<uint32_t>& others) {
  return impl_->request(unit, type, mode, &others);
}

std::vector<uint32_t> Manager::enqueue_marked_jobs() {
  std::vector<uint32_t> ids;
  for (const Unit* unit : units()) {
    if (unit->markers == 0) continue;
    const bool restarts = (unit->markers & static_cast<uint8_t>(UnitMarker::kNeedsRestart)) != 0;
    const auto id =
        impl_->request(unit->id, restarts ? "try-restart" : "reload-or-try-restart", "fail");
    if (id) {
      ids.push_back(*id);
    } else {
      impl_->log(
          4, fmt::format("Failed to enqueue marked job for {}: {}", unit->id, id.error().message));
    }
  }
  return ids;
}

Status Manager::set_markers(std::string_view name, const std::vector<std::string>& words) {
  Unit* unit = impl_->find(name);
  if (unit == nullptr) {
    return base::not_found("Unit {} not loaded.", name);
  }
  uint8_t absolute = 0, plus = 0, minus = 0;
  bool any_absolute = false;
  for (const std::string& word : words) {
    const bool is_relative = !word.empty() && (word[0] == '+' || word[0] == '-');
    const std::string_view text = std::string_view(word).substr(is_relative ? 1 : 0);
    const auto found = std::find_if(std::begin(kMarkers), std::end(kMarkers),
                                    [text](const NamedMarker& m) { return m.name == text; });
    if (found == std::end(kMarkers)) {
      return base::unexpected({Errc::kInvalid, fmt::format("Unknown marker \"{}\".", text), 0,
                               std::string(kBadSetting)});
    }
    any_absolute = any_absolute || !is_relative;
    uint8_t& set = !is_relative ? absolute : word[0] == '+' ? plus : minus;
    set = static_cast<uint8_t>(set | static_cast<uint8_t>(found->marker));
  }
  if (any_absolute && (plus != 0 || minus != 0)) {
    return base::unexpected({Errc::kInvalid, "Bad marker syntax.", 0, std::string(kBadSetting)});
  }
  if (any_absolute || words.empty()) unit->markers = 0;
  unit->markers = static_cast<uint8_t>((unit->markers | absolute | plus) & ~minus);
  impl_->save(*unit);
  impl_->note_changed(*unit);
  return {};
}

std::vector<JobView> Manager::job_neighbours(uint32_t id, JobSide side) const {
  const Job* job = impl_->jobs.find(id);
  if (job == nullptr || job->ignore_order) return {};
  std::vector<JobId> ids;
  for (const Dependency kind : {Dependency::kAfter, Dependency::kBefore}) {
    for (const UnitId other : impl_->graph.dependencies(job->unit, kind)) {
      const Job* theirs = impl_->jobs.of_unit(other);
      if (theirs == nullptr) continue;
      const int order = compare_order(*job, *theirs, kind);
      if (side == JobSide::kBefore ? order > 0 : order < 0) ids.push_back(theirs->id);
    }
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<JobView> views;
  views.reserve(ids.size());
  for (const JobId other : ids) views.push_back(view_of(*impl_, *impl_->jobs.find(other)));
  return views;
}

bool Manager::can_reload(const Unit& unit) const {
  if (unit.settings.name.type() == unit::UnitType::kMount) return true;
  return unit.settings.load_state == LoadState::kLoaded && impl_->graph.can_reload(unit.graph_id);
}

Status Manager::cancel_job(uint32_t id) {
  if (impl_->jobs.find(id) == nullptr) {
    return base::unexpected({Errc::kNotFound, fmt::format("Job {} does not exist.", id), 0,
                             "org.freedesktop.systemd1.NoSuchJob"});
  }
  impl_->finish(id, JobResult::kCanceled);
  return {};
}

void Manager::clear_jobs() { impl_->clear_all_jobs(); }

std::vector<JobView> Manager::jobs() const {
  std::vector<JobView> views;
  for (const JobId id : impl_->jobs.ids()) {
    if (const Job* job = impl_->jobs.find(id)) views.push_back(view_of(*impl_, *job));
  }
  return views;
}

std::optional<JobView> Manager::find_job(uint32_t id) const {
  const Job* job = impl_->jobs.find(id);
  if (job == nullptr) return std::nullopt;
  return view_of(*impl_, *job);
}

// --- The end ---

void Manager::exit(int code) { impl_->begin_shutdown(FinalAction::kExit, code); }

void Manager::shutdown(std::string_view how) { impl_->begin_shutdown(final_of(how), 0); }

void Manager::shutdown_now(std::string_view how) { impl_->end_now(final_of(how)); }

Status Manager::set_exit_code(uint8_t code) {
  if (!impl_->may_exit()) {
    return base::unexpected({Errc::kUnsupported,
                             "ExitCode can only be set for user service managers or in containers.",
                             0, "org.freedesktop.DBus.Error.NotSupported"});
  }
  impl_->exit_code = code;
  impl_->save_manager();
  return {};
}

std::string_view Manager::system_state() const {
  const Impl& impl = *impl_;
  if (!impl.is_stopping() && !impl.boot_finish.is_set()) {
    const UnitId basic = impl.graph.find("basic.target");
    const bool is_up = basic != kNoUnit && impl.active(basic) == ActiveState::kActive;
    return is_up ? "starting" : "initializing";
  }
  if (impl.is_stopping() || is_active_or_wanted(impl, "shutdown.target")) return "stopping";
  if (!is_user_manager() && (is_active_or_wanted(impl, "rescue.target") ||
                             is_active_or_wanted(impl, "emergency.target"))) {
    return "maintenance";
  }
  return n_failed_units() > 0 ? "degraded" : "running";
}

}  // namespace flotilla::init
