#include "registry/plain_records.h"

#include <algorithm>
#include <string>
#include <utility>

#include "registry/plain_json.h"

namespace flotilla::registry {

namespace {

// Which members an object has had: a second one of a name is for the whole parser.
class Seen {
 public:
  bool first(uint32_t member) {
    const bool is_first = (seen_ & member) == 0;
    seen_ |= member;
    return is_first;
  }
  bool all(uint32_t members) const { return (seen_ & members) == members; }

 private:
  uint32_t seen_ = 0;
};

bool take_target(PlainJson& json, TargetState& target) {
  std::string_view word;
  if (!json.word(word)) return false;
  const base::Result<TargetState> read = parse_target_state(word);
  if (read) target = *read;
  return read.has_value();
}

bool take_shared(PlainJson& json, SharedText& text) {
  std::string own;
  if (!json.text(own)) return false;
  text = std::move(own);
  return true;
}

bool take_options(PlainJson& json, std::vector<unit::UnitOption>& options) {
  if (!json.take('[')) return false;
  if (json.take(']')) return true;
  do {
    unit::UnitOption& option = options.emplace_back();
    const bool is_option = json.take("{\"section\":") && json.text(option.section) &&
                           json.take(",\"name\":") && json.text(option.name) &&
                           json.take(",\"value\":") && json.text(option.value) && json.take('}');
    if (!is_option) return false;
  } while (json.take(','));
  return json.take(']');
}

}  // namespace

std::optional<Unit> read_plain_unit(std::string_view record) {
  PlainJson json(record);
  Unit unit;
  Seen seen;
  const bool is_read = json.whole_object([&](std::string_view name) {
    if (name == "options") return seen.first(1) && take_options(json, unit.options);
    if (name == "desired") return seen.first(2) && take_target(json, unit.desired);
    return name == "hash" && seen.first(4) && json.skip_text();
  });
  if (!is_read || !seen.all(1 | 2)) return std::nullopt;
  return unit;
}

std::optional<ScheduleEntry> read_plain_schedule_entry(std::string_view record, bool with_text) {
  PlainJson json(record);
  ScheduleEntry entry;
  Seen seen;
  const bool is_read = json.whole_object([&](std::string_view name) {
    if (name == "hash") return seen.first(1) && take_shared(json, entry.hash);
    if (name == "text") {
      return seen.first(2) && (with_text ? take_shared(json, entry.text) : json.skip_text());
    }
    if (name == "target") return seen.first(4) && take_target(json, entry.target);
    if (name == "leaving") return seen.first(8) && json.boolean(entry.is_leaving);
    return name == "finished" && seen.first(16) && json.boolean(entry.is_finished);
  });
  if (!is_read || !seen.all(1 | 2 | 4)) return std::nullopt;
  return entry;
}

std::optional<UnitState> read_plain_unit_state(std::string_view record) {
  PlainJson json(record);
  UnitState state;
  Seen seen;
  const bool is_read = json.whole_object([&](std::string_view name) {
    if (name == "hash") return seen.first(1) && take_shared(json, state.hash);
    if (name == "load") return seen.first(2) && take_shared(json, state.load_state);
    if (name == "active") return seen.first(4) && take_shared(json, state.active_state);
    if (name == "sub") return seen.first(8) && take_shared(json, state.sub_state);
    if (name == "active_enter_usec") return seen.first(16) && json.number(state.active_enter_usec);
    if (name == "launched") return seen.first(32) && json.boolean(state.launched);
    return name == "problem" && seen.first(64) && json.text(state.problem);
  });
  if (!is_read || !seen.all(1)) return std::nullopt;
  return state;
}

}  // namespace flotilla::registry
