// The routes that change something: PUT and DELETE of a unit, PATCH of the machines' metadata.
#include <spdlog/spdlog.h>

#include "api/handlers.h"
#include "api/unit_body.h"
#include "unit/fleet_file.h"
#include "unit/fleet_name.h"
#include "unit/fleet_requirements.h"

namespace flotilla::api {
namespace {

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_template(std::string_view name) {
  const auto parts = unit::split_fleet_name(name);
  return parts && parts->is_template();
}

}  // namespace

std::string refuse_content_type(const std::vector<std::string>& types) {
  if (types.size() != 1) return fmt::format("expected 1 Content-Type, got {}", types.size());
  const std::string_view type = std::string_view(types[0]).substr(0, types[0].find(';'));
  if (trimmed(type) != "application/json") {
    return "only acceptable Content-Type is application/json";
  }
  return {};
}

Response failure_response(const base::Error& error) {
  if (error.code == base::Errc::kUnavailable || error.code == base::Errc::kTimedOut) {
    return error_response(503, "fleet server unable to communicate with etcd");
  }
  if (error.code == base::Errc::kInternal) {
    SPDLOG_ERROR("Failed to answer a request of the API: {}", error.message);
    // The client is told nothing, as fleet has it; but of a full store it must hear.
    return error_response(500, error.error_number == ENOSPC ? error.message : "");
  }
  return error_response(base::names_of(error.code).http_status, error.message);
}

void Handlers::respond_at(store::Revision revision, Response response, Respond respond) {
  // Held until then, however long the store is away.
  parts.view.when_at(revision, [response = std::move(response), respond = std::move(respond),
                                hold = std::shared_ptr(parts.view.hold())] { respond(response); });
}

base::Result<UnitBody> read_unit_body(const Call& call) {
  base::Result<UnitBody> body = decode_unit_body(call.request.body);
  if (!body) return base::invalid("unable to decode body: {}", body.error().message);
  if (body->name.empty()) body->name = call.unit;
  if (body->name != call.unit) {
    return base::invalid("name in URL {} differs from unit name in request body {}",
                         unit::quote_go(call.unit), unit::quote_go(body->name));
  }
  FLOTILLA_TRY(unit::validate_fleet_name(body->name));
  // A unit is what its text says: a value may hold a line end, and with it another option. What is
  // no text of a unit stays as it is and is refused later.
  auto read_back = unit::parse_fleet_file(unit::serialize(body->options));
  if (read_back) body->options = std::move(*read_back);
  return body;
}

base::Result<registry::TargetState> desired_state_of(const UnitBody& body) {
  if (body.desired_state.empty()) return registry::TargetState::kInactive;
  FLOTILLA_ASSIGN(const auto desired, registry::parse_target_state(body.desired_state));
  if (is_template(body.name) && desired != registry::TargetState::kInactive) {
    return base::invalid("cannot activate template {}", unit::quote_go(body.name));
  }
  return desired;
}

void Handlers::put_unit(Call& call) {
  if (const std::string why = refuse_content_type(call.request.content_types); !why.empty()) {
    return call.respond(error_response(415, why));
  }
  base::Result<UnitBody> body = read_unit_body(call);
  if (!body) return call.respond(error_response(400, body.error().message));
  const auto existing = cluster().units.find(body->name);
  const bool exists = existing != cluster().units.end();
  if (!exists && body->options.empty()) {
    return call.respond(error_response(409, "unit does not exist and options field empty"));
  }
  const bool writes_options =
      !body->options.empty() && (!exists || unit::hash_hex(body->options) != existing->second.hash);
  if (writes_options) {
    // fleet let an overwrite pass unchecked; a unit that contradicts itself could then never be
    // scheduled.
    if (const base::Status valid = unit::validate_fleet_options(body->options); !valid) {
      return call.respond(error_response(400, valid.error().message));
    }
  } else if (body->desired_state.empty()) {
    return call.respond(error_response(409, "must provide DesiredState to update existing unit"));
  }
  const base::Result<registry::TargetState> desired = desired_state_of(*body);
  if (!desired) return call.respond(error_response(400, desired.error().message));

  const int status = writes_options ? 201 : 204;
  const auto done = [self = shared_from_this(), respond = call.respond,
                     status](const base::Result<registry::PutOutcome>& outcome) {
    if (outcome) return self->respond_at(outcome->revision, empty_response(status), respond);
    if (outcome.error().code == base::Errc::kNotFound) {
      return respond(error_response(409, "unit does not exist and options field empty"));
    }
    respond(failure_response(outcome.error()));
  };
  if (writes_options) return parts.registry.put_unit(body->name, body->options, *desired, done);
  parts.registry.set_desired(body->name, *desired, done);
}

// Beyond fleet, whose overwrite was a destroy and a create: one step, and the unit goes on as it is
// meant to.
void Handlers::put_contents(Call& call) {
  if (const std::string why = refuse_content_type(call.request.content_types); !why.empty()) {
    return call.respond(error_response(415, why));
  }
  base::Result<UnitBody> body = read_unit_body(call);
  if (!body) return call.respond(error_response(400, body.error().message));
  if (cluster().units.find(body->name) == cluster().units.end()) {
    return call.respond(error_response(404, "unit does not exist"));
  }
  if (body->options.empty()) return call.respond(error_response(409, "options field empty"));
  if (const base::Status valid = unit::validate_fleet_options(body->options); !valid) {
    return call.respond(error_response(400, valid.error().message));
  }
  parts.registry.put_contents(
      body->name, std::move(body->options),
      [self = shared_from_this(),
       respond = call.respond](const base::Result<registry::PutOutcome>& outcome) {
        if (outcome) return self->respond_at(outcome->revision, empty_response(204), respond);
        if (outcome.error().code == base::Errc::kNotFound) {
          return respond(error_response(404, "unit does not exist"));
        }
        respond(failure_response(outcome.error()));
      });
}

void Handlers::delete_unit(Call& call) {
  parts.registry.delete_unit(
      std::string(call.unit),
      [self = shared_from_this(), respond = call.respond](base::Result<store::Revision> gone) {
        if (gone) return self->respond_at(*gone, empty_response(204), respond);
        if (gone.error().code == base::Errc::kNotFound) {
          return respond(error_response(404, "unit does not exist"));
        }
        respond(failure_response(gone.error()));
      });
}

namespace {

struct CheckedEdit {
  std::string machine;
  std::string key;
  std::string value;  // empty: hides the machine's own value
};

base::Result<CheckedEdit> check_edit(const MachineEdit& edit) {
  if (edit.op != "add" && edit.op != "remove" && edit.op != "replace") {
    return base::invalid("invalid op: expect add, remove, or replace");
  }
  // ^/([^/]+)/metadata/([A-Za-z0-9_.-]+)$
  static constexpr std::string_view kMiddle = "/metadata/";
  const std::string_view path = edit.path;
  const size_t middle = path.find('/', 1);
  const bool shaped = middle != std::string_view::npos && middle > 1 && path[0] == '/' &&
                      path.substr(middle, kMiddle.size()) == kMiddle;
  const std::string_view key = shaped ? path.substr(middle + kMiddle.size()) : std::string_view();
  if (key.empty() || middle - 1 > registry::kMaxMachineIdBytes ||
      key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") !=
          std::string_view::npos) {
    return base::invalid("machine metadata path invalid");
  }
  if (edit.op != "remove" && edit.value.empty()) {
    return base::invalid("invalid value: add and replace require a value");
  }
  return CheckedEdit{std::string(path.substr(1, middle - 1)), std::string(key),
                     edit.op == "remove" ? std::string() : edit.value};
}

// Applies the edits one after the other; the first failure ends it and what came before stays.
void apply_edits(const std::shared_ptr<Handlers>& handlers,
                 const std::shared_ptr<std::vector<CheckedEdit>>& edits, size_t next,
                 store::Revision reached, const Respond& respond) {
  if (next == edits->size()) {
    Response response = empty_response(204);
    response.headers.emplace_back("Content-Type", "application/json");
    handlers->respond_at(reached, std::move(response), respond);
    return;
  }
  const CheckedEdit& edit = (*edits)[next];
  handlers->parts.registry.edit_metadata(
      edit.machine, edit.key, edit.value, [=](base::Result<store::Revision> revision) {
        if (!revision) return respond(error_response(500, revision.error().message));
        apply_edits(handlers, edits, next + 1, *revision, respond);
      });
}

}  // namespace

void Handlers::patch_machines(Call& call) {
  const base::Result<std::vector<MachineEdit>> edits = decode_machine_edits(call.request.body);
  if (!edits) return call.respond(error_response(400, edits.error().message));
  auto checked = std::make_shared<std::vector<CheckedEdit>>();
  for (const MachineEdit& edit : *edits) {
    base::Result<CheckedEdit> one = check_edit(edit);
    if (!one) return call.respond(error_response(400, one.error().message));
    checked->push_back(std::move(*one));
  }
  apply_edits(shared_from_this(), checked, 0, cluster().revision, call.respond);
}

}  // namespace flotilla::api
