// The methods that make, show and cancel jobs, and those that act on a unit without one.

#include <fmt/format.h>

#include <csignal>
#include <optional>

#include "bus/object_path.h"
#include "init/bus_answer.h"
#include "init/bus_methods.h"
#include "init/bus_write.h"
#include "init/process_list.h"

namespace flotilla::init {

using base::Result;

namespace {

bool is_without_file(const Unit& unit) {
  const LoadState state = unit.settings.load_state;
  return state == LoadState::kNotFound || state == LoadState::kError ||
         state == LoadState::kBadSetting;
}

// The answer comes at once: JobRemoved tells how the job ended.
bool is_unknown_to_stop(BusRequest& request, std::string_view unit, std::string_view type) {
  if (type != "stop") return false;
  // Nothing to stop and no file either: as if it had never been heard of.
  const Result<const Unit*> loaded = request.manager.load_unit(unit);
  if (!loaded || !is_without_file(**loaded) || (*loaded)->active_state() != "inactive") {
    return false;
  }
  answer_error(request, kBusNoSuchUnit, fmt::format("Unit {} not loaded.", unit));
  return true;
}

void enqueue(BusRequest& request, std::string_view unit, std::string_view type,
             std::string_view mode) {
  if (is_unknown_to_stop(request, unit, type)) return;
  const Result<uint32_t> job = request.manager.enqueue_job(unit, type, mode);
  if (!job) return request.call.send_error(job.error());
  answer_with(request, [&](bus::MessageWriter& body) { body.object_path(bus::job_path(*job)); });
}

void enqueue_named(BusRequest& request, std::string_view type) {
  bus::MessageReader arguments = request.call.arguments();
  const std::string unit = arguments.string().value_or("");
  enqueue(request, unit, type, arguments.string().value_or(""));
}

void enqueue_own(BusRequest& request, std::string_view type) {
  const std::string unit = request.subject.unit->id;
  enqueue(request, unit, type, request.call.arguments().string().value_or(""));
}

// uosos: a job and its unit.
void write_job_and_unit(bus::MessageWriter& body, const JobView& job) {
  body.u32(job.id)
      .object_path(bus::job_path(job.id))
      .string(job.unit)
      .object_path(bus::unit_path(job.unit))
      .string(job.type);
}

void enqueue_and_tell_all(BusRequest& request, std::string_view unit, std::string_view type,
                          std::string_view mode) {
  if (is_unknown_to_stop(request, unit, type)) return;
  std::vector<uint32_t> others;
  const Result<uint32_t> id = request.manager.enqueue_job(unit, type, mode, others);
  if (!id) return request.call.send_error(id.error());
  answer_with(request, [&](bus::MessageWriter& body) {
    write_job_and_unit(body, request.manager.find_job(*id).value_or(JobView{}));
    body.open_array("(uosos)");
    for (const uint32_t other : others) {
      const std::optional<JobView> job = request.manager.find_job(other);
      if (!job) continue;
      body.open_struct("uosos");
      write_job_and_unit(body, *job);
      body.close();
    }
    body.close();
  });
}

void send_neighbours(BusRequest& request, uint32_t id, Manager::JobSide side) {
  if (!request.manager.find_job(id)) {
    return answer_error(request, kBusNoSuchJob, fmt::format("Job {} does not exist.", id));
  }
  answer_with(request, [&](bus::MessageWriter& body) {
    body.open_array("(usssoo)");
    for (const JobView& job : request.manager.job_neighbours(id, side)) write_job_line(body, job);
    body.close();
  });
}

std::optional<KillWhom> whom_of(std::string_view word) {
  // With "-fail" it is an error if there was nothing to kill; of one process that is so anyway.
  constexpr std::string_view kFail = "-fail";
  if (word.size() > kFail.size() && word.substr(word.size() - kFail.size()) == kFail) {
    word.remove_suffix(kFail.size());
  }
  if (word == "all" || word.empty()) return KillWhom::kAll;
  if (word == "main") return KillWhom::kMain;
  if (word == "control") return KillWhom::kControl;
  return {};
}

void kill(BusRequest& request, const std::string& unit, const std::string& word, int32_t signal) {
  const std::optional<KillWhom> whom = whom_of(word);
  if (!whom) {
    return answer_error(request, kBusInvalidArgs, fmt::format("Invalid who argument {}", word));
  }
  if (signal <= 0 || signal >= _NSIG) {
    return answer_error(request, kBusInvalidArgs, "Signal number out of range.");
  }
  const Unit* known = request.manager.find_unit(unit);
  if (word == "all-fail" && known != nullptr && request.manager.processes(*known).empty()) {
    return answer_error(request, "org.freedesktop.systemd1.NoSuchProcess",
                        "No matching processes to kill");
  }
  answer_status(request, request.manager.kill_unit(unit, *whom, signal));
}

}  // namespace

void bus_start_unit(BusRequest& request) { enqueue_named(request, "start"); }
void bus_stop_unit(BusRequest& request) { enqueue_named(request, "stop"); }
void bus_reload_unit(BusRequest& request) { enqueue_named(request, "reload"); }
void bus_restart_unit(BusRequest& request) { enqueue_named(request, "restart"); }
void bus_try_restart_unit(BusRequest& request) { enqueue_named(request, "try-restart"); }
void bus_reload_or_restart_unit(BusRequest& request) {
  enqueue_named(request, "reload-or-restart");
}
void bus_reload_or_try_restart_unit(BusRequest& request) {
  enqueue_named(request, "reload-or-try-restart");
}

void bus_unit_start(BusRequest& request) { enqueue_own(request, "start"); }
void bus_unit_stop(BusRequest& request) { enqueue_own(request, "stop"); }
void bus_unit_reload(BusRequest& request) { enqueue_own(request, "reload"); }
void bus_unit_restart(BusRequest& request) { enqueue_own(request, "restart"); }
void bus_unit_try_restart(BusRequest& request) { enqueue_own(request, "try-restart"); }
void bus_unit_reload_or_restart(BusRequest& request) { enqueue_own(request, "reload-or-restart"); }
void bus_unit_reload_or_try_restart(BusRequest& request) {
  enqueue_own(request, "reload-or-try-restart");
}

void bus_start_unit_with_flags(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::string unit = arguments.string().value_or("");
  const std::string mode = arguments.string().value_or("");
  if (const uint64_t flags = arguments.u64().value_or(0); flags != 0) {
    return answer_error(request, kBusInvalidArgs,
                        fmt::format("Invalid 'flags' parameter '{}'", flags));
  }
  enqueue(request, unit, "start", mode);
}

void bus_start_unit_replace(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::string old_unit = arguments.string().value_or("");
  const std::string new_unit = arguments.string().value_or("");
  const std::string mode = arguments.string().value_or("");
  const Unit* unit = request.manager.find_unit(old_unit);
  if (unit == nullptr) {
    return answer_error(request, kBusNoSuchUnit, fmt::format("Unit {} not loaded.", old_unit));
  }
  std::optional<JobView> job;
  if (unit->job != 0) job = request.manager.find_job(unit->job);
  if (!job || job->type != "start") {
    return answer_error(request, kBusNoSuchJob, fmt::format("No job queued for unit {}", old_unit));
  }
  enqueue(request, new_unit, "start", mode);
}

void bus_enqueue_unit_job(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::string unit = arguments.string().value_or("");
  const std::string type = arguments.string().value_or("");
  enqueue_and_tell_all(request, unit, type, arguments.string().value_or(""));
}

void bus_unit_enqueue_job(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::string unit = request.subject.unit->id;
  const std::string type = arguments.string().value_or("");
  enqueue_and_tell_all(request, unit, type, arguments.string().value_or(""));
}

void bus_enqueue_marked_jobs(BusRequest& request) {
  const std::vector<uint32_t> ids = request.manager.enqueue_marked_jobs();
  answer_with(request, [&](bus::MessageWriter& body) {
    body.open_array("o");
    for (const uint32_t id : ids) body.object_path(bus::job_path(id));
    body.close();
  });
}

void bus_get_job_after(BusRequest& request) {
  send_neighbours(request, request.call.arguments().u32().value_or(0), Manager::JobSide::kAfter);
}
void bus_get_job_before(BusRequest& request) {
  send_neighbours(request, request.call.arguments().u32().value_or(0), Manager::JobSide::kBefore);
}
void bus_job_get_after(BusRequest& request) {
  send_neighbours(request, request.subject.job->id, Manager::JobSide::kAfter);
}
void bus_job_get_before(BusRequest& request) {
  send_neighbours(request, request.subject.job->id, Manager::JobSide::kBefore);
}

void bus_get_job(BusRequest& request) {
  const uint32_t id = request.call.arguments().u32().value_or(0);
  if (!request.manager.find_job(id)) {
    return answer_error(request, kBusNoSuchJob, fmt::format("Job {} does not exist.", id));
  }
  answer_with(request, [&](bus::MessageWriter& body) { body.object_path(bus::job_path(id)); });
}

void bus_list_jobs(BusRequest& request) {
  answer_with(request, [&](bus::MessageWriter& body) {
    body.open_array("(usssoo)");
    for (const JobView& job : request.manager.jobs()) write_job_line(body, job);
    body.close();
  });
}

void bus_cancel_job(BusRequest& request) {
  const uint32_t id = request.call.arguments().u32().value_or(0);
  if (!request.manager.find_job(id)) {
    return answer_error(request, kBusNoSuchJob, fmt::format("Job {} does not exist.", id));
  }
  answer_status(request, request.manager.cancel_job(id));
}

void bus_job_cancel(BusRequest& request) {
  answer_status(request, request.manager.cancel_job(request.subject.job->id));
}

void bus_clear_jobs(BusRequest& request) {
  request.manager.clear_jobs();
  request.call.send_empty();
}

void bus_kill_unit(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::string unit = arguments.string().value_or("");
  const std::string whom = arguments.string().value_or("");
  kill(request, unit, whom, arguments.i32().value_or(0));
}

void bus_unit_kill(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::string whom = arguments.string().value_or("");
  const std::string unit = request.subject.unit->id;
  kill(request, unit, whom, arguments.i32().value_or(0));
}

void bus_clean_unit(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::string unit = arguments.string().value_or("");
  const auto what = arguments.strings();
  if (!what) return answer_error(request, kBusInvalidArgs, what.error().message);
  answer_status(request, request.manager.clean_unit(unit, *what));
}

void bus_unit_clean(BusRequest& request) {
  const std::string unit = request.subject.unit->id;
  const auto what = request.call.arguments().strings();
  if (!what) return answer_error(request, kBusInvalidArgs, what.error().message);
  answer_status(request, request.manager.clean_unit(unit, *what));
}

void bus_reset_failed_unit(BusRequest& request) {
  answer_status(request,
                request.manager.reset_failed(request.call.arguments().string().value_or("")));
}

void bus_unit_reset_failed(BusRequest& request) {
  const std::string unit = request.subject.unit->id;
  answer_status(request, request.manager.reset_failed(unit));
}

void bus_reset_failed(BusRequest& request) {
  request.manager.reset_failed_all();
  request.call.send_empty();
}

}  // namespace flotilla::init
