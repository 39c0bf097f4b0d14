#include "registry/codec.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "registry/plain_records.h"

namespace flotilla::registry {

namespace json = boost::json;

namespace {

std::string to_std(const json::string& text) { return {text.data(), text.size()}; }
json::string_view to_view(std::string_view text) { return {text.data(), text.size()}; }

base::Result<json::object> parse_object(std::string_view text) {
  if (text.empty()) return base::invalid("the record is empty");
  boost::system::error_code error;
  json::value value = json::parse(to_view(text), error);
  if (error) return base::invalid("the record is no JSON: {}", error.message());
  if (!value.is_object()) return base::invalid("expected a JSON object");
  return std::move(value.get_object());
}

// Takes members out of a record one by one; what is left at the end is what we do not know.
class Reader {
 public:
  explicit Reader(json::object object) : object_(std::move(object)) {}

  // Requires a string; fails the record without one.
  std::string must_string(json::string_view name) {
    json::value* value = object_.if_contains(name);
    if (value == nullptr || !value->is_string()) {
      fail("expected a string in \"{}\"", name);
      return {};
    }
    return take_string(name, *value);
  }

  // A missing one, or one of another kind, is empty and stays among the unknown.
  std::string string(json::string_view name) {
    json::value* value = object_.if_contains(name);
    return value != nullptr && value->is_string() ? take_string(name, *value) : std::string();
  }

  uint64_t number(json::string_view name) {
    const json::value* value = object_.if_contains(name);
    if (value == nullptr) return 0;
    boost::system::error_code error;
    const auto number = value->to_number<uint64_t>(error);
    if (error) return 0;
    object_.erase(name);
    return number;
  }

  bool boolean(json::string_view name) {
    const json::value* value = object_.if_contains(name);
    const bool is_true = value != nullptr && value->is_bool() && value->get_bool();
    if (value != nullptr && value->is_bool()) object_.erase(name);
    return is_true;
  }

  TargetState must_target(json::string_view name) {
    const std::string word = must_string(name);
    if (failed()) return TargetState::kInactive;
    base::Result<TargetState> target = parse_target_state(word);
    if (!target) {
      fail("{}", target.error().message);
      return TargetState::kInactive;
    }
    return *target;
  }

  Metadata string_map(json::string_view name) {
    Metadata map;
    json::value* value = object_.if_contains(name);
    if (value == nullptr || !value->is_object()) return map;
    for (const auto& [key, item] : value->get_object()) {
      if (item.is_string()) map.emplace(std::string(key), to_std(item.get_string()));
    }
    object_.erase(name);
    return map;
  }

  json::array must_array(json::string_view name) {
    json::value* value = object_.if_contains(name);
    if (value == nullptr || !value->is_array()) {
      fail("expected an array in \"{}\"", name);
      return {};
    }
    json::array array = std::move(value->get_array());
    object_.erase(name);
    return array;
  }

  template <typename... Args>
  void fail(fmt::format_string<Args...> text, Args&&... args) {
    if (error_.empty()) error_ = fmt::format(text, std::forward<Args>(args)...);
  }
  bool failed() const { return !error_.empty(); }

  template <typename T>
  base::Result<T> finish(T object) {
    if (failed()) return base::invalid("{}", error_);
    if (!object_.empty()) object.extra = json::serialize(object_);
    return object;
  }

 private:
  std::string take_string(json::string_view name, json::value& value) {
    std::string text = to_std(value.get_string());
    object_.erase(name);
    return text;
  }

  json::object object_;
  std::string error_;
};

// Starts from the unknown members, so that known names win.
json::object start_from(const ExtraFields& extra) {
  if (extra.empty()) return {};
  boost::system::error_code error;
  json::value value = json::parse(extra.str(), error);
  return !error && value.is_object() ? std::move(value.get_object()) : json::object();
}

json::object to_object(const Metadata& map) {
  json::object object;
  for (const auto& [key, value] : map) object[key] = value;
  return object;
}

void put_target(json::object& object, std::string_view name, TargetState state) {
  object[to_view(name)] = to_view(to_string(state));
}

template <typename Entry>
std::string encode_entry(const Entry& entry) {
  json::object object = start_from(entry.extra);
  if constexpr (std::is_same_v<Entry, ScheduleEntry>) {
    if (entry.is_leaving) object["leaving"] = true;
    if (entry.is_finished) object["finished"] = true;
  }
  object["hash"] = entry.hash.str();
  object["text"] = entry.text.str();
  put_target(object, "target", entry.target);
  return json::serialize(object);
}

template <typename Entry>
base::Result<Entry> decode_entry(std::string_view text) {
  FLOTILLA_ASSIGN(json::object object, parse_object(text));
  Reader reader(std::move(object));
  Entry entry;
  entry.hash = reader.must_string("hash");
  entry.text = reader.must_string("text");
  entry.target = reader.must_target("target");
  if constexpr (std::is_same_v<Entry, ScheduleEntry>) {
    entry.is_leaving = reader.boolean("leaving");
    entry.is_finished = reader.boolean("finished");
  }
  return reader.finish(std::move(entry));
}

}  // namespace

std::string encode(const Unit& unit) {
  json::object object = start_from(unit.extra);
  json::array options;
  options.reserve(unit.options.size());
  for (const unit::UnitOption& option : unit.options) {
    options.push_back(
        json::object{{"section", option.section}, {"name", option.name}, {"value", option.value}});
  }
  object["options"] = std::move(options);
  object["hash"] = unit.hash.str();
  put_target(object, "desired", unit.desired);
  return json::serialize(object);
}

base::Result<Unit> decode_unit(std::string_view text) {
  if (std::optional<Unit> plain = read_plain_unit(text)) {
    plain->hash = unit::hash_hex(plain->options);
    return std::move(*plain);
  }
  FLOTILLA_ASSIGN(json::object object, parse_object(text));
  Reader reader(std::move(object));
  Unit unit;
  for (const json::value& item : reader.must_array("options")) {
    const json::object* fields = item.if_object();
    if (fields == nullptr) {
      reader.fail("expected objects in \"options\"");
      break;
    }
    const auto field = [&](json::string_view name) {
      const json::value* value = fields->if_contains(name);
      return value != nullptr && value->is_string() ? to_std(value->get_string()) : std::string();
    };
    unit.options.push_back({field("section"), field("name"), field("value")});
  }
  // The hash is what the options say, whatever a hand that edited the record left there.
  reader.string("hash");
  unit.hash = unit::hash_hex(unit.options);
  unit.desired = reader.must_target("desired");
  return reader.finish(std::move(unit));
}

std::string encode(const ScheduleEntry& entry) { return encode_entry(entry); }
std::string encode(const GlobalEntry& entry) { return encode_entry(entry); }
base::Result<ScheduleEntry> decode_schedule_entry(std::string_view text, EntryText wanted) {
  const bool with_text = wanted == EntryText::kRead;
  if (auto plain = read_plain_schedule_entry(text, with_text)) return std::move(*plain);
  base::Result<ScheduleEntry> entry = decode_entry<ScheduleEntry>(text);
  if (entry && !with_text) entry->text = {};
  return entry;
}
base::Result<GlobalEntry> decode_global_entry(std::string_view text) {
  return decode_entry<GlobalEntry>(text);
}

std::string encode(const Machine& machine) {
  json::object object = start_from(machine.extra);
  object["id"] = machine.id;
  object["public_ip"] = machine.public_ip;
  object["metadata"] = to_object(machine.metadata);
  object["version"] = machine.version;
  object["boot_id"] = machine.boot_id;
  object["state_id"] = machine.state_id;
  object["nonce"] = machine.nonce;
  object["api_address"] = machine.api_address;
  object["cpus"] = machine.cpus;
  object["memory_bytes"] = machine.memory_bytes;
  object["disk_bytes"] = machine.disk_bytes;
  object["ttl_seconds"] = machine.ttl_seconds;
  return json::serialize(object);
}

base::Result<Machine> decode_machine(std::string_view text) {
  FLOTILLA_ASSIGN(json::object object, parse_object(text));
  Reader reader(std::move(object));
  Machine machine;
  machine.id = reader.must_string("id");
  machine.public_ip = reader.string("public_ip");
  machine.metadata = reader.string_map("metadata");
  machine.version = reader.string("version");
  machine.boot_id = reader.string("boot_id");
  machine.state_id = reader.string("state_id");
  machine.nonce = reader.string("nonce");
  machine.api_address = reader.string("api_address");
  machine.cpus = static_cast<uint32_t>(reader.number("cpus"));
  machine.memory_bytes = reader.number("memory_bytes");
  machine.disk_bytes = reader.number("disk_bytes");
  machine.ttl_seconds = static_cast<uint32_t>(reader.number("ttl_seconds"));
  return reader.finish(std::move(machine));
}

std::string encode(const UnitState& state) {
  json::object object = start_from(state.extra);
  object["hash"] = state.hash.str();
  object["load"] = state.load_state.str();
  object["active"] = state.active_state.str();
  object["sub"] = state.sub_state.str();
  object["active_enter_usec"] = state.active_enter_usec;
  object["launched"] = state.launched;
  if (!state.problem.empty()) object["problem"] = state.problem;
  return json::serialize(object);
}

base::Result<UnitState> decode_unit_state(std::string_view text) {
  if (auto plain = read_plain_unit_state(text)) return std::move(*plain);
  FLOTILLA_ASSIGN(json::object object, parse_object(text));
  Reader reader(std::move(object));
  UnitState state;
  state.hash = reader.must_string("hash");
  state.load_state = reader.string("load");
  state.active_state = reader.string("active");
  state.sub_state = reader.string("sub");
  state.active_enter_usec = reader.number("active_enter_usec");
  state.launched = reader.boolean("launched");
  state.problem = reader.string("problem");
  return reader.finish(std::move(state));
}

std::string encode(const UnitHistory& history) {
  json::object object = start_from(history.extra);
  object["hash"] = history.hash;
  if (!history.finished_on.empty()) {
    object["finished_on"] = history.finished_on;
    object["finished_usec"] = history.finished_usec;
  }
  if (history.moves != 0) {
    object["moves"] = history.moves;
    object["moved_usec"] = history.moved_usec;
  }
  return json::serialize(object);
}

base::Result<UnitHistory> decode_history(std::string_view text) {
  FLOTILLA_ASSIGN(json::object object, parse_object(text));
  Reader reader(std::move(object));
  UnitHistory history;
  history.hash = reader.must_string("hash");
  history.finished_on = reader.string("finished_on");
  history.finished_usec = reader.number("finished_usec");
  // What nobody can have written counts as the most.
  history.moves = static_cast<uint32_t>(std::min<uint64_t>(reader.number("moves"), UINT32_MAX));
  history.moved_usec = reader.number("moved_usec");
  return reader.finish(std::move(history));
}

std::string encode(const Leader& leader) {
  return json::serialize(json::object{{"machine", leader.machine}, {"nonce", leader.nonce}});
}

base::Result<Leader> decode_leader(std::string_view text) {
  FLOTILLA_ASSIGN(json::object object, parse_object(text));
  Reader reader(std::move(object));
  Leader leader;
  leader.machine = reader.must_string("machine");
  leader.nonce = reader.must_string("nonce");
  if (reader.failed()) return base::invalid("expected \"machine\" and \"nonce\"");
  return leader;
}

std::string encode(const Metadata& edits) { return json::serialize(to_object(edits)); }

base::Result<Metadata> decode_metadata(std::string_view text) {
  FLOTILLA_ASSIGN(const json::object object, parse_object(text));
  Metadata edits;
  for (const auto& [key, value] : object) {
    if (!value.is_string()) return base::invalid("expected strings");
    edits.emplace(std::string(key), to_std(value.get_string()));
  }
  return edits;
}

std::string encode(const Format& format) {
  return json::serialize(json::object{{"major", format.major}, {"minor", format.minor}});
}

base::Result<Format> decode_format(std::string_view text) {
  FLOTILLA_ASSIGN(const json::object object, parse_object(text));
  const json::value* major = object.if_contains("major");
  const json::value* minor = object.if_contains("minor");
  if (major == nullptr || !major->is_int64()) return base::invalid("expected \"major\"");
  return Format{major->get_int64(), minor != nullptr && minor->is_int64() ? minor->get_int64() : 0};
}

base::Status check_format(const store::KeyValue& record) {
  const base::Result<Format> format = decode_format(record.value);
  if (!format) {
    return base::internal("{}: {}: this does not look like a Flotilla cluster's store", record.key,
                          format.error().message);
  }
  if (format->major > kFormatMajor) {
    return base::unsupported(
        "the store was written by a newer version (format {}.{}); this version knows {}.{}",
        format->major, format->minor, kFormatMajor, kFormatMinor);
  }
  return {};
}

}  // namespace flotilla::registry
