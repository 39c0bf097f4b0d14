// The routes that the machine of a unit answers: its log, its status, a restart.
#include <cctype>
#include <charconv>
#include <vector>

#include "api/handlers.h"
#include "api/json_text.h"
#include "unit/fleet_requirements.h"

namespace flotilla::api {
namespace {

constexpr int kMaxLogLines = 100'000;

// Where a request is served: a machine, or nowhere, with the reason as a response. `machine=` may
// be asked for where a unit is on several.
struct Place {
  std::string machine;
  std::optional<Response> refusal;
  bool is_everywhere = false;  // it is on others as well, and none of them was named
};

Place refused(int status, std::string_view message) {
  return {{}, error_response(status, message), false};
}

Place place_of(const Handlers& handlers, const Call& call) {
  const registry::Cluster& cluster = handlers.cluster_for(call);
  const auto unit = cluster.units.find(call.unit);
  if (unit == cluster.units.end()) return refused(404, "unit does not exist");
  const std::string_view wanted = call.target.parameter("machine");
  if (!wanted.empty() && cluster.machines.find(wanted) == cluster.machines.end()) {
    return refused(404, "machine does not exist");
  }
  if (unit::extract_requirements(unit->second.options, call.unit).global) {
    return {wanted.empty() ? handlers.parts.machine_id : std::string(wanted), {}, wanted.empty()};
  }
  const std::string* machine = cluster.machine_of(call.unit);
  if (machine == nullptr) return refused(409, "unit is not scheduled to any machine");
  if (!wanted.empty() && wanted != *machine) {
    return refused(409, fmt::format("unit is scheduled to machine {}", *machine));
  }
  return {*machine, {}, false};
}

// The same request with the machine named, so that no other one serves it.
std::string target_for(const ParsedTarget& target, std::string_view machine) {
  std::string text = percent_encode_path(target.path) + "?machine=";
  for (const char c : machine) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.';
    text += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return target.raw_query.empty() ? text : text + "&" + target.raw_query;
}

// Restarts a unit on one machine after the other, up to the first that fails.
class RestartInTurn : public std::enable_shared_from_this<RestartInTurn> {
 public:
  RestartInTurn(std::vector<std::string> machines,
                std::function<void(const std::string& machine, Respond)> restart_on,
                Respond respond)
      : machines_(std::move(machines)),
        restart_on_(std::move(restart_on)),
        respond_(std::move(respond)) {}

  void go_on() {
    if (next_ == machines_.size()) return respond_(empty_response(204));
    const std::string& machine = machines_[next_++];
    restart_on_(machine, [self = shared_from_this()](Response response) {
      if (response.status / 100 != 2) return self->respond_(std::move(response));
      self->go_on();
    });
  }

 private:
  const std::vector<std::string> machines_;
  const std::function<void(const std::string&, Respond)> restart_on_;
  const Respond respond_;
  size_t next_ = 0;
};

}  // namespace

void Handlers::forward(const Call& call, std::string_view machine, PeerRequest::Answer answer) {
  const auto refuse = [&](std::string_view why) {
    call.respond(error_response(503, fmt::format("unit runs on machine {}{}", machine, why)));
  };
  if (parts.peers == nullptr || !call.request.forwarded_by.empty()) {
    return refuse("; ask the API of that machine");
  }
  const auto& machines = cluster_for(call).machines;
  const auto found = machines.find(machine);
  if (found == machines.end()) return refuse(", which is not there at the moment");
  if (found->second.api_address.empty()) {
    return refuse(", which announces no address of its API (api_address= of its fleetd)");
  }
  parts.peers->ask({std::string(machine), found->second.api_address, call.request.method,
                    target_for(call.target, machine), answer},
                   call.respond);
}

bool Handlers::serve_elsewhere(Call& call, PeerRequest::Answer answer) {
  Place place = place_of(*this, call);
  if (place.refusal) {
    call.respond(std::move(*place.refusal));
    return true;
  }
  if (place.machine == parts.machine_id) return false;
  forward(call, place.machine, answer);
  return true;
}

void Handlers::get_log(Call& call) {
  if (serve_elsewhere(call, PeerRequest::Answer::kText)) return;
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
  base::Result<std::shared_ptr<BodyStream>> stream = parts.inspector.log(
      std::string(call.unit), {lines, follows, std::string(call.target.parameter("output"))});
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
  if (serve_elsewhere(call, PeerRequest::Answer::kAtOnce)) return;
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
// unit against its desired state. A unit on several machines is restarted on all of them in turn.
void Handlers::restart_unit(Call& call) {
  Place place = place_of(*this, call);
  if (place.refusal) return call.respond(std::move(*place.refusal));
  std::vector<std::string> machines;
  if (const auto states = cluster().states.find(call.unit); states != cluster().states.end()) {
    for (const auto& [machine, state] : states->second) {
      if (state.launched && (place.is_everywhere || machine == place.machine)) {
        machines.push_back(machine);
      }
    }
  }
  if (machines.empty()) return call.respond(error_response(409, "unit is not launched"));
  const auto restart_on = [self = shared_from_this(), request = call.request, target = call.target,
                           unit = std::string(call.unit)](const std::string& machine,
                                                          Respond respond) {
    if (machine != self->parts.machine_id) {
      return self->forward({request, target, unit, std::move(respond)}, machine,
                           PeerRequest::Answer::kWhenDone);
    }
    self->parts.inspector.restart(unit, [respond](const base::Result<void>& done) {
      if (done) return respond(empty_response(204));
      // A service manager that was lost under way has restarted it, or has not.
      const bool is_open = done.error().code == base::Errc::kUnavailable;
      const int code = is_open ? 504 : base::names_of(done.error().code).http_status;
      respond(error_response(code, done.error().message));
    });
  };
  std::make_shared<RestartInTurn>(std::move(machines), restart_on, call.respond)->go_on();
}

}  // namespace flotilla::api
