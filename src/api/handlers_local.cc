// The routes that the machine of a unit answers: its log, its status, a restart.
#include <charconv>

#include "api/handlers.h"
#include "api/json_text.h"
#include "unit/fleet_requirements.h"

namespace flotilla::api {
namespace {

constexpr int kMaxLogLines = 100'000;

Response elsewhere(std::string_view machine) {
  return error_response(
      503, fmt::format("unit runs on machine {}; ask the API of that machine", machine));
}

// Why this machine cannot serve the request, as a response; nothing if it can. `machine` may be
// asked for where a unit is on several.
std::optional<Response> refuse_local(const Handlers& handlers, const Call& call) {
  const registry::Cluster& cluster = handlers.cluster();
  const auto unit = cluster.units.find(call.unit);
  if (unit == cluster.units.end()) return error_response(404, "unit does not exist");
  const std::string_view wanted = call.target.parameter("machine");
  if (!wanted.empty() && cluster.machines.find(wanted) == cluster.machines.end()) {
    return error_response(404, "machine does not exist");
  }
  const std::string& self = handlers.parts.machine_id;
  if (unit::extract_requirements(unit->second.options, call.unit).global) {
    if (!wanted.empty() && wanted != self) return elsewhere(wanted);
    return std::nullopt;
  }
  const std::string* machine = cluster.machine_of(call.unit);
  if (machine == nullptr) return error_response(409, "unit is not scheduled to any machine");
  if (!wanted.empty() && wanted != *machine) {
    return error_response(409, fmt::format("unit is scheduled to machine {}", *machine));
  }
  if (*machine != self) return elsewhere(*machine);
  return std::nullopt;
}

}  // namespace

void Handlers::get_log(Call& call) {
  if (auto refusal = refuse_local(*this, call)) return call.respond(std::move(*refusal));
  int lines = 10;
  if (call.target.has_parameter("lines")) {
    const std::string_view text = call.target.parameter("lines");
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), lines);
    if (error != std::errc() || end != text.data() + text.size() || lines < 0 ||
        lines > kMaxLogLines) {
      return call.respond(error_response(
          400, fmt::format("invalid value \"{}\" for lines: expected a number from 0 to {}", text,
                           kMaxLogLines)));
    }
  }
  const std::string_view follow = call.target.parameter("follow");
  const bool follows = call.target.has_parameter("follow") && follow != "false" && follow != "0";
  base::Result<std::shared_ptr<BodyStream>> stream =
      parts.inspector.log(std::string(call.unit), lines, follows);
  if (!stream) {
    const int status = base::names_of(stream.error().code).http_status;
    return call.respond(error_response(status, stream.error().message));
  }
  Response response;
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.stream = std::move(*stream);
  call.respond(std::move(response));
}

void Handlers::get_status(Call& call) {
  if (auto refusal = refuse_local(*this, call)) return call.respond(std::move(*refusal));
  parts.inspector.status(std::string(call.unit),
                         [respond = call.respond](base::Result<UnitStatusText> status) {
                           if (!status) {
                             const int code = base::names_of(status.error().code).http_status;
                             return respond(error_response(code, status.error().message));
                           }
                           JsonText json;
                           json.begin_object().key("exitStatus").number(status->exit_status);
                           json.key("text").text(status->text).end_object();
                           respond(json_response(200, std::move(json).str()));
                         });
}

// Answered when the restart is through. What was not started is not restarted: that would start a
// unit against its desired state.
void Handlers::restart_unit(Call& call) {
  if (auto refusal = refuse_local(*this, call)) return call.respond(std::move(*refusal));
  const auto states = cluster().states.find(call.unit);
  bool is_launched = false;
  if (states != cluster().states.end()) {
    for (const auto& [machine, state] : states->second) {
      is_launched |= machine == parts.machine_id && state.launched;
      // Nothing is done by halves: a unit on several machines is restarted on each by its own API.
      const bool is_everywhere = call.target.parameter("machine").empty();
      if (is_everywhere && state.launched && machine != parts.machine_id) {
        return call.respond(elsewhere(machine));
      }
    }
  }
  if (!is_launched) return call.respond(error_response(409, "unit is not launched"));
  parts.inspector.restart(std::string(call.unit),
                          [respond = call.respond](const base::Result<void>& done) {
                            if (done) return respond(empty_response(204));
                            const int code = base::names_of(done.error().code).http_status;
                            respond(error_response(code, done.error().message));
                          });
}

}  // namespace flotilla::api
