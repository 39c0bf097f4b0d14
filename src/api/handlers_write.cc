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

// Exactly one Content-Type, and that JSON; the message of a 415, or an empty text.
std::string refuse_content_type(const std::vector<std::string>& types) {
  if (types.size() != 1) return fmt::format("expected 1 Content-Type, got {}", types.size());
  const std::string_view type = std::string_view(types[0]).substr(0, types[0].find(';'));
  if (trimmed(type) != "application/json")
    return "only acceptable Content-Type is application/json";
  return {};
}

bool is_template(std::string_view name) {
  const auto parts = unit::split_fleet_name(name);
  return parts && parts->is_template();
}

}  // namespace

Response failure_response(const base::Error& error) {
  if (error.code == base::Errc::kUnavailable || error.code == base::Errc::kTimedOut) {
    return error_response(503, "fleet server unable to communicate with etcd");
  }
  if (error.code == base::Errc::kInternal) {
    // The client is told nothing, as fleet has it.
    SPDLOG_ERROR("Failed to answer a request of the API: {}", error.message);
    return error_response(500, "");
  }
  return error_response(base::names_of(error.code).http_status, error.message);
}

void Handlers::respond_at(store::Revision revision, Response response, Respond respond) {
  parts.view.when_at(revision, [response = std::move(response), respond = std::move(respond)] {
    respond(response);
  });
}

void Handlers::put_unit(const Request& request, std::string_view url_name, Respond respond) {
  if (const std::string why = refuse_content_type(request.content_types); !why.empty()) {
    return respond(error_response(415, why));
  }
  base::Result<UnitBody> decoded = decode_unit_body(request.body);
  if (!decoded)
    return respond(error_response(400, "unable to decode body: " + decoded.error().message));
  UnitBody body = std::move(*decoded);
  if (body.name.empty()) body.name = url_name;
  if (body.name != url_name) {
    return respond(error_response(
        400, fmt::format("name in URL \"{}\" differs from unit name in request body \"{}\"",
                         url_name, body.name)));
  }
  if (const base::Status valid = unit::validate_fleet_name(body.name); !valid) {
    return respond(error_response(400, valid.error().message));
  }
  registry::TargetState desired = registry::TargetState::kInactive;
  if (!body.desired_state.empty()) {
    const base::Result<registry::TargetState> parsed =
        registry::parse_target_state(body.desired_state);
    if (!parsed) return respond(error_response(400, parsed.error().message));
    desired = *parsed;
  }

  const auto existing = cluster().units.find(body.name);
  const bool exists = existing != cluster().units.end();
  if (!exists && body.options.empty()) {
    return respond(error_response(409, "unit does not exist and options field empty"));
  }
  const bool writes_options =
      !body.options.empty() && (!exists || unit::hash_hex(body.options) != existing->second.hash);
  if (writes_options) {
    // fleet let an overwrite pass unchecked; a unit that contradicts itself could then never be
    // scheduled.
    if (const base::Status valid = unit::validate_fleet_options(body.options); !valid) {
      return respond(error_response(400, valid.error().message));
    }
  } else if (body.desired_state.empty()) {
    return respond(error_response(409, "must provide DesiredState to update existing unit"));
  }
  if (is_template(body.name) && desired != registry::TargetState::kInactive) {
    return respond(error_response(400, fmt::format("cannot activate template \"{}\"", body.name)));
  }

  const auto answer = [self = shared_from_this(), respond](
                          int status, const base::Result<registry::PutOutcome>& outcome) {
    if (!outcome) {
      if (outcome.error().code == base::Errc::kNotFound) {
        return respond(error_response(409, "unit does not exist and options field empty"));
      }
      return respond(failure_response(outcome.error()));
    }
    self->respond_at(outcome->revision, empty_response(status), respond);
  };
  if (writes_options) {
    parts.registry.put_unit(
        body.name, std::move(body.options), desired,
        [answer](base::Result<registry::PutOutcome> outcome) { answer(201, outcome); });
  } else {
    parts.registry.set_desired(
        body.name, desired,
        [answer](base::Result<registry::PutOutcome> outcome) { answer(204, outcome); });
  }
}

void Handlers::delete_unit(std::string_view name, Respond respond) {
  parts.registry.delete_unit(
      std::string(name), [self = shared_from_this(), respond](base::Result<store::Revision> gone) {
        if (!gone) {
          if (gone.error().code == base::Errc::kNotFound) {
            return respond(error_response(404, "unit does not exist"));
          }
          return respond(failure_response(gone.error()));
        }
        self->respond_at(*gone, empty_response(204), respond);
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
  const size_t middle = edit.path.find(kMiddle);
  const std::string_view path = edit.path;
  const bool shaped = path.size() > 1 && path[0] == '/' && middle != std::string::npos &&
                      middle > 1 && path.substr(1, middle - 1).find('/') == std::string_view::npos;
  const std::string_view key = shaped ? path.substr(middle + kMiddle.size()) : std::string_view();
  if (key.empty() ||
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

void Handlers::patch_machines(const Request& request, Respond respond) {
  const base::Result<std::vector<MachineEdit>> edits = decode_machine_edits(request.body);
  if (!edits) return respond(error_response(400, edits.error().message));
  auto checked = std::make_shared<std::vector<CheckedEdit>>();
  for (const MachineEdit& edit : *edits) {
    base::Result<CheckedEdit> one = check_edit(edit);
    if (!one) return respond(error_response(400, one.error().message));
    checked->push_back(std::move(*one));
  }
  apply_edits(shared_from_this(), checked, 0, cluster().revision, respond);
}

}  // namespace flotilla::api
