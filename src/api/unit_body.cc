#include "api/unit_body.h"

#include "api/go_json.h"

namespace flotilla::api {
namespace {

// More than any body of use has: each edit of a machine costs a write.
constexpr size_t kMaxEdits = 10'000;

// A text or null, which changes nothing.
base::Status read_text(GoJson& json, std::string_view field, std::string_view owner,
                       std::string& out) {
  if (json.kind() == GoJson::Kind::kString) {
    out = json.text();
    return {};
  }
  if (json.kind() != GoJson::Kind::kNull) {
    return base::invalid("json: cannot unmarshal {} into Go struct field {}.{} of type string",
                         json.kind_name(), owner, field);
  }
  json.skip();
  return {};
}

base::Status read_option(GoJson& json, unit::UnitOption& option) {
  if (json.kind() != GoJson::Kind::kObject) {
    return base::invalid("json: cannot unmarshal {} into Go value of type schema.UnitOption",
                         json.kind_name());
  }
  return json.each_member([&](const std::string& key) -> base::Status {
    if (is_field(key, "name")) return read_text(json, "name", "UnitOption", option.name);
    if (is_field(key, "section")) return read_text(json, "section", "UnitOption", option.section);
    if (is_field(key, "value")) return read_text(json, "value", "UnitOption", option.value);
    json.skip();
    return {};
  });
}

// A second list goes over the first, item by item, as Go's decoder has it.
base::Status read_options(GoJson& json, std::vector<unit::UnitOption>& options) {
  if (json.kind() == GoJson::Kind::kNull) {
    options.clear();
    json.skip();
    return {};
  }
  if (json.kind() != GoJson::Kind::kArray) {
    return base::invalid(
        "json: cannot unmarshal {} into Go struct field Unit.options of type []*schema.UnitOption",
        json.kind_name());
  }
  size_t count = 0;
  FLOTILLA_TRY(json.each_item([&]() -> base::Status {
    if (count == unit::kMaxFleetOptions) {
      return base::too_large("a unit has at most {} options", unit::kMaxFleetOptions);
    }
    if (count == options.size()) options.emplace_back();
    return read_option(json, options[count++]);
  }));
  options.resize(count);
  return {};
}

// fleet's code asks for {"value":"x"}; its documentation promised a plain text. Both are taken.
base::Status read_edit_value(GoJson& json, std::string& out) {
  if (json.kind() == GoJson::Kind::kNull || json.kind() == GoJson::Kind::kString) {
    return read_text(json, "value", "machineMetadataOp", out);
  }
  if (json.kind() != GoJson::Kind::kObject) {
    return base::invalid("json: cannot unmarshal {} into Go struct field machineMetadataOp.value",
                         json.kind_name());
  }
  return json.each_member([&](const std::string& key) -> base::Status {
    if (is_field(key, "value")) return read_text(json, "value", "machineMetadataOp", out);
    json.skip();
    return {};
  });
}

base::Result<MachineEdit> read_edit(GoJson& json) {
  MachineEdit edit;
  if (json.kind() == GoJson::Kind::kNull) {
    json.skip();
    return edit;
  }
  if (json.kind() != GoJson::Kind::kObject) {
    return base::invalid("json: cannot unmarshal {} into Go value of type api.machineMetadataOp",
                         json.kind_name());
  }
  FLOTILLA_TRY(json.each_member([&](const std::string& key) -> base::Status {
    if (is_field(key, "op")) return read_text(json, "op", "machineMetadataOp", edit.op);
    if (is_field(key, "path")) return read_text(json, "path", "machineMetadataOp", edit.path);
    if (is_field(key, "value")) return read_edit_value(json, edit.value);
    json.skip();
    return {};
  }));
  return edit;
}

}  // namespace

base::Result<UnitBody> decode_unit_body(std::string_view body) {
  FLOTILLA_ASSIGN(GoJson json, GoJson::begin(body));
  UnitBody unit;
  if (json.kind() == GoJson::Kind::kNull) return unit;
  if (json.kind() != GoJson::Kind::kObject) {
    return base::invalid("json: cannot unmarshal {} into Go value of type schema.Unit",
                         json.kind_name());
  }
  std::string unused;
  FLOTILLA_TRY(json.each_member([&](const std::string& key) -> base::Status {
    if (is_field(key, "name")) return read_text(json, "name", "Unit", unit.name);
    if (is_field(key, "desiredState")) {
      return read_text(json, "desiredState", "Unit", unit.desired_state);
    }
    if (is_field(key, "options")) return read_options(json, unit.options);
    for (const std::string_view field : {"currentState", "machineID"}) {
      if (is_field(key, field)) return read_text(json, field, "Unit", unused);
    }
    json.skip();
    return {};
  }));
  return unit;
}

base::Result<std::vector<MachineEdit>> decode_machine_edits(std::string_view body) {
  FLOTILLA_ASSIGN(GoJson json, GoJson::begin(body));
  std::vector<MachineEdit> edits;
  if (json.kind() == GoJson::Kind::kNull) return edits;
  if (json.kind() != GoJson::Kind::kArray) {
    return base::invalid("json: cannot unmarshal {} into Go value of type []api.machineMetadataOp",
                         json.kind_name());
  }
  FLOTILLA_TRY(json.each_item([&]() -> base::Status {
    if (edits.size() == kMaxEdits) {
      return base::too_large("a request makes at most {} edits", kMaxEdits);
    }
    FLOTILLA_ASSIGN(MachineEdit edit, read_edit(json));
    edits.push_back(std::move(edit));
    return {};
  }));
  return edits;
}

}  // namespace flotilla::api
