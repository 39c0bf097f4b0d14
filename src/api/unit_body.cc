#include "api/unit_body.h"

#include <boost/json.hpp>

#include "unit/utf8.h"

namespace flotilla::api {
namespace {

namespace json = boost::json;

// Deeper nesting than any of our bodies has is refused by the parser.
constexpr size_t kMaxDepth = 32;

base::Result<json::value> parse_first_value(std::string_view body) {
  const size_t begin = body.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return base::invalid("EOF");
  json::parse_options options;
  options.max_depth = kMaxDepth;
  options.allow_invalid_utf8 = true;  // replaced by valid_text()
  json::stream_parser parser({}, options);
  boost::system::error_code error;
  parser.write_some(body.data(), body.size(), error);
  if (!error && !parser.done()) parser.finish(error);
  if (error == json::error::incomplete) return base::invalid("unexpected EOF");
  if (error) return base::invalid("{}", error.message());
  return parser.release();
}

std::string_view kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::array:
      return "array";
    case json::kind::object:
      return "object";
    case json::kind::string:
      return "string";
    case json::kind::bool_:
      return "bool";
    default:
      return "number";
  }
}

bool same_word(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// The last member of that name that is not null; null if there is none.
const json::value* member(const json::object& object, std::string_view name) {
  const json::value* found = nullptr;
  for (const auto& [key, value] : object) {
    if (same_word({key.data(), key.size()}, name) && !value.is_null()) found = &value;
  }
  return found;
}

// As Go's decoder does: each byte that is no UTF-8 becomes U+FFFD.
std::string valid_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = unit::utf8_sequence_length(text);
    if (length == 0) {
      out += "\uFFFD";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

base::Status read_text(const json::object& object, std::string_view field, std::string_view owner,
                       std::string& out) {
  const json::value* value = member(object, field);
  if (value == nullptr) return {};
  if (!value->is_string()) {
    return base::invalid("json: cannot unmarshal {} into Go struct field {}.{} of type string",
                         kind_of(*value), owner, field);
  }
  out = valid_text({value->get_string().data(), value->get_string().size()});
  return {};
}

}  // namespace

base::Result<UnitBody> decode_unit_body(std::string_view body) {
  FLOTILLA_ASSIGN(const json::value value, parse_first_value(body));
  UnitBody unit;
  if (value.is_null()) return unit;
  if (!value.is_object()) {
    return base::invalid("json: cannot unmarshal {} into Go value of type schema.Unit",
                         kind_of(value));
  }
  const json::object& object = value.get_object();
  FLOTILLA_TRY(read_text(object, "name", "Unit", unit.name));
  FLOTILLA_TRY(read_text(object, "desiredState", "Unit", unit.desired_state));
  const json::value* options = member(object, "options");
  if (options == nullptr) return unit;
  if (!options->is_array()) {
    return base::invalid(
        "json: cannot unmarshal {} into Go struct field Unit.options of type []*schema.UnitOption",
        kind_of(*options));
  }
  for (const json::value& item : options->get_array()) {
    if (!item.is_object()) {
      return base::invalid("json: cannot unmarshal {} into Go value of type schema.UnitOption",
                           item.is_null() ? std::string_view("null") : kind_of(item));
    }
    unit::UnitOption option;
    FLOTILLA_TRY(read_text(item.get_object(), "section", "UnitOption", option.section));
    FLOTILLA_TRY(read_text(item.get_object(), "name", "UnitOption", option.name));
    FLOTILLA_TRY(read_text(item.get_object(), "value", "UnitOption", option.value));
    unit.options.push_back(std::move(option));
  }
  return unit;
}

base::Result<std::vector<MachineEdit>> decode_machine_edits(std::string_view body) {
  FLOTILLA_ASSIGN(const json::value value, parse_first_value(body));
  std::vector<MachineEdit> edits;
  if (value.is_null()) return edits;
  if (!value.is_array()) {
    return base::invalid("json: cannot unmarshal {} into Go value of type []api.machineMetadataOp",
                         kind_of(value));
  }
  for (const json::value& item : value.get_array()) {
    if (!item.is_object()) {
      return base::invalid("json: cannot unmarshal {} into Go value of type api.machineMetadataOp",
                           item.is_null() ? std::string_view("null") : kind_of(item));
    }
    MachineEdit edit;
    FLOTILLA_TRY(read_text(item.get_object(), "op", "machineMetadataOp", edit.op));
    FLOTILLA_TRY(read_text(item.get_object(), "path", "machineMetadataOp", edit.path));
    if (const json::value* nested = member(item.get_object(), "value"); nested != nullptr) {
      // fleet's code asks for {"value":"x"}; its documentation promised a plain text. Both are
      // taken.
      if (nested->is_string()) {
        edit.value = valid_text({nested->get_string().data(), nested->get_string().size()});
      } else if (nested->is_object()) {
        FLOTILLA_TRY(read_text(nested->get_object(), "value", "machineMetadataOp", edit.value));
      } else {
        return base::invalid(
            "json: cannot unmarshal {} into Go struct field machineMetadataOp.value",
            kind_of(*nested));
      }
    }
    edits.push_back(std::move(edit));
  }
  return edits;
}

}  // namespace flotilla::api
