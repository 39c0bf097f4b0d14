#include "agent/unit_marks.h"

#include <spdlog/spdlog.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace flotilla::agent {

namespace json = boost::json;

namespace {

constexpr std::string_view kKeyPrefix = "agent/unit/";

std::string key_of(const std::string& unit) { return std::string(kKeyPrefix) + unit; }

struct StoredMark {
  std::string identity;
  UnitMark mark;
};

std::string encode(const StoredMark& stored) {
  json::object object{{"manager", stored.identity},
                      {"hash", stored.mark.hash},
                      {"reached", json::string_view(to_string(stored.mark.reached))},
                      {"confirmed", stored.mark.is_confirmed}};
  if (stored.mark.claimed_lease != 0) object["lease"] = stored.mark.claimed_lease;
  if (stored.mark.has_ended_well) object["ended_well"] = true;
  return json::serialize(object);
}

std::string string_in(const json::object& object, json::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

base::Result<StoredMark> decode(const std::string& text) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  const json::object* object = error ? nullptr : value.if_object();
  if (object == nullptr) return base::invalid("expected an object");
  StoredMark stored;
  stored.identity = string_in(*object, "manager");
  stored.mark.hash = string_in(*object, "hash");
  FLOTILLA_ASSIGN(stored.mark.reached, registry::parse_target_state(string_in(*object, "reached")));
  const json::value* confirmed = object->if_contains("confirmed");
  const json::value* lease = object->if_contains("lease");
  if (lease != nullptr && lease->is_int64()) stored.mark.claimed_lease = lease->get_int64();
  const json::value* ended = object->if_contains("ended_well");
  stored.mark.has_ended_well = ended != nullptr && ended->is_bool() && ended->get_bool();
  stored.mark.is_confirmed = confirmed != nullptr && confirmed->is_bool() && confirmed->get_bool();
  return stored;
}

void commit(overlord::State& state, const overlord::StateTxn& txn) {
  if (txn.is_empty()) return;
  const base::Status status = state.commit(txn);
  if (!status) SPDLOG_ERROR("Failed to remember unit states: {}", status.error().message);
}

}  // namespace

void UnitMarks::use_identity(std::string identity) {
  identity_ = std::move(identity);
  marks_.clear();
  overlord::StateTxn outdated;
  for (const auto& [key, text] : state_.all(overlord::kDataKind)) {
    if (key.compare(0, kKeyPrefix.size(), kKeyPrefix) != 0) continue;
    base::Result<StoredMark> stored = decode(text);
    if (stored && stored->identity == identity_) {
      marks_.emplace(key.substr(kKeyPrefix.size()), std::move(stored->mark));
    } else {
      outdated.erase(overlord::kDataKind, key);
    }
  }
  commit(state_, outdated);
}

const UnitMark* UnitMarks::find(const std::string& unit) const {
  const auto found = marks_.find(unit);
  return found == marks_.end() ? nullptr : &found->second;
}

void UnitMarks::set(const std::string& unit, const UnitMark& mark) {
  marks_[unit] = mark;
  overlord::StateTxn txn;
  txn.put(overlord::kDataKind, key_of(unit), encode({identity_, mark}));
  commit(state_, txn);
}

void UnitMarks::erase(const std::string& unit) {
  if (marks_.erase(unit) == 0) return;
  overlord::StateTxn txn;
  txn.erase(overlord::kDataKind, key_of(unit));
  commit(state_, txn);
}

}  // namespace flotilla::agent
