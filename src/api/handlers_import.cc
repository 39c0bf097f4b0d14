// The routes that bring a registry over to another store: the edits of machines' metadata as they
// are, and a unit together with the place where it runs.
#include <charconv>

#include "api/handlers.h"
#include "api/json_text.h"
#include "registry/unit_import.h"
#include "unit/fleet_requirements.h"

namespace flotilla::api {
namespace {

// 0 for what is no number: then it is not known.
uint64_t usec_of(std::string_view text) {
  uint64_t usec = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), usec);
  return error == std::errc() && end == text.data() + text.size() ? usec : 0;
}

}  // namespace

void Handlers::list_metadata(Call& call) {
  JsonText json;
  json.begin_object().key("machines").begin_array();
  for (const auto& [machine, edits] : cluster().metadata_edits) {
    if (edits.empty()) continue;
    json.begin_object().field("id", machine).key("metadata").begin_object();
    for (const auto& [key, value] : edits) json.key(key).text(value);
    json.end_object().end_object();
  }
  json.end_array().end_object();
  call.respond(json_response(200, std::move(json).str()));
}

void Handlers::import_unit(Call& call) {
  if (const std::string why = refuse_content_type(call.request.content_types); !why.empty()) {
    return call.respond(error_response(415, why));
  }
  base::Result<UnitBody> body = read_unit_body(call);
  if (!body) return call.respond(error_response(400, body.error().message));
  if (body->options.empty()) return call.respond(error_response(409, "options field empty"));
  if (const base::Status valid = unit::validate_fleet_options(body->options); !valid) {
    return call.respond(error_response(400, valid.error().message));
  }
  const base::Result<registry::TargetState> desired = desired_state_of(*body);
  if (!desired) return call.respond(error_response(400, desired.error().message));
  registry::UnitImport unit;
  unit.name = body->name;
  unit.options = std::move(body->options);
  unit.desired = *desired;
  unit.machine = call.target.parameter("machine");
  unit.finished_on = call.target.parameter("finishedOn");
  unit.finished_usec = usec_of(call.target.parameter("finishedUsec"));
  if ((unit.machine + unit.finished_on).find('/') != std::string::npos) {
    return call.respond(error_response(400, "the id of a machine has no \"/\""));
  }
  if (call.target.has_parameter("replace")) unit.existing = registry::Existing::kIsReplaced;
  registry::import_unit(
      parts.registry.store(), parts.registry.prefix(), cluster(), std::move(unit),
      [self = shared_from_this(),
       respond = call.respond](const base::Result<registry::PutOutcome>& outcome) {
        if (!outcome) return respond(failure_response(outcome.error()));
        const bool is_new = outcome->kind != registry::PutOutcome::Kind::kUnchanged;
        self->respond_at(outcome->revision, empty_response(is_new ? 201 : 204), respond);
      });
}

}  // namespace flotilla::api
