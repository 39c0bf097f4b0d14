#include "unit/fleet_requirements.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "unit/fleet_glob.h"
#include "unit/fleet_name.h"
#include "unit/white_space.h"

namespace flotilla::unit {
namespace {

constexpr std::size_t kShortIdLength = 8;
constexpr std::size_t kMaxComparison = 100'000'000;

constexpr std::array<std::string_view, 11> kKnownKeys = {"MachineID",
                                                         "X-ConditionMachineID",
                                                         "X-ConditionMachineBootID",
                                                         "X-ConditionMachineOf",
                                                         "MachineOf",
                                                         "X-Conflicts",
                                                         "Conflicts",
                                                         "X-ConditionMachineMetadata",
                                                         "MachineMetadata",
                                                         "Global",
                                                         "Replaces"};

// `"a=1" "b=2"` is two values, if the line begins and ends with a quote; any other line is one.
std::vector<std::string> split_values(std::string_view line) {
  if (!line.starts_with('"') || !line.ends_with('"')) return {std::string(line)};
  std::vector<std::string> values(1);
  bool quoted = false;
  for (char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      values.emplace_back();
    } else {
      values.back() += c;
    }
  }
  return values;
}

std::vector<std::string> split_at_space(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  while (!text.empty()) {
    if (const std::size_t space = leading_space(text); space != 0) {
      in_word = false;
      text.remove_prefix(space);
      continue;
    }
    if (!std::exchange(in_word, true)) words.emplace_back();
    words.back() += text.front();
    text.remove_prefix(1);
  }
  return words;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  if (text.find(what) == std::string::npos) return;
  std::string out;
  std::size_t begin = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, begin)) {
    out.append(text, begin, at - begin).append(by);
    begin = at + what.size();
  }
  text = std::move(out.append(text, begin));
}

// One after the other over the whole value, as fleet does; there is no "%%".
void expand_fleet_specifiers(std::string& value, const std::optional<FleetName>& name) {
  if (!name) return;
  replace_all(value, "%n", name->full);
  replace_all(value, "%N", name->stem);
  replace_all(value, "%p", name->prefix);
  replace_all(value, "%i", name->instance);
}

class Section {
 public:
  Section(const std::vector<UnitOption>& options, std::string_view unit_name) {
    const auto name = split_fleet_name(unit_name);
    for (const UnitOption& option : options) {
      if (option.section != "X-Fleet") continue;
      std::vector<std::string>& values = find_or_add(option.name);
      for (std::string& value : split_values(option.value)) {
        expand_fleet_specifiers(value, name);
        values.push_back(std::move(value));
      }
    }
  }

  // Of all keys, in the order of the keys given here.
  std::vector<std::string> values(std::initializer_list<std::string_view> keys) const {
    std::vector<std::string> out;
    for (std::string_view key : keys) {
      const auto it = index_.find(std::string(key));
      if (it == index_.end()) continue;
      const std::vector<std::string>& list = entries_[it->second].second;
      out.insert(out.end(), list.begin(), list.end());
    }
    return out;
  }

  // What cannot be read is left out; the first error is returned.
  base::Status read_wishes(PlacementWishes& wishes) const {
    base::Status first;
    for (const auto& [key, values] : entries_) {
      if (!is_placement_wish(key)) continue;
      for (const std::string& value : values) {
        base::Status status = read_placement_wish(key, value, wishes);
        if (!status && first) first = std::move(status);
      }
    }
    return first;
  }

  std::vector<std::string> unknown() const {
    std::vector<std::string> out;
    for (const auto& [name, values] : entries_) {
      const bool is_known =
          std::find(kKnownKeys.begin(), kKnownKeys.end(), name) != kKnownKeys.end() ||
          is_placement_wish(name);
      if (!is_known) out.push_back(name);
    }
    return out;
  }

 private:
  std::vector<std::string>& find_or_add(const std::string& key) {
    const auto [it, is_new] = index_.emplace(key, entries_.size());
    if (is_new) entries_.emplace_back(key, std::vector<std::string>());
    return entries_[it->second].second;
  }

  std::vector<std::pair<std::string, std::vector<std::string>>> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

bool is_true(std::string value) {
  std::transform(value.begin(), value.end(), value.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return value == "true" || value == "yes" || value == "1" || value == "on" || value == "t";
}

void add_metadata(std::string_view value, FleetRequirements& out) {
  // What validate_fleet_options() refuses does nothing in units from before.
  auto term = parse_metadata_term(value);
  if (!term || !*term) return;
  MetadataRule& rule = (*term)->rule;
  if (rule.op == MetadataRule::Op::kEqual) {
    out.metadata[(*term)->key].insert(std::move(rule.value));
  } else {
    out.metadata_rules[(*term)->key].push_back(std::move(rule));
  }
}

bool any_matches(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [name](const std::string& pattern) { return glob_matches(pattern, name); });
}

std::size_t total_length(const std::vector<std::string>& values) {
  std::size_t sum = values.size();
  for (const std::string& value : values) sum += value.size();
  return sum;
}

base::Status check_contradictions(const FleetRequirements& wants) {
  const bool peers = !wants.peers.empty();
  const bool conflicts = !wants.conflicts.empty();
  const bool replaces = !wants.replaces.empty();
  if (wants.machine_id) {
    if (peers) return base::invalid("MachineID cannot be used with Peers");
    if (conflicts) return base::invalid("MachineID cannot be used with Conflicts");
    if (wants.global) return base::invalid("MachineID cannot be used with Global");
    if (replaces) return base::invalid("MachineID cannot be used with Replaces");
  }
  if (wants.global && replaces) return base::invalid("Global cannot be used with Replaces");
  if (conflicts && replaces) return base::invalid("Conflicts cannot be used with Replaces");
  return {};
}

}  // namespace

bool FleetRequirements::allows_machine(std::string_view id) const {
  return !machine_id || *machine_id == id || *machine_id == id.substr(0, kShortIdLength);
}

bool FleetRequirements::allows_metadata(const std::map<std::string, std::string>& machine) const {
  const bool has_values =
      std::all_of(metadata.begin(), metadata.end(), [&machine](const auto& wanted) {
        const auto it = machine.find(wanted.first);
        return it != machine.end() && wanted.second.count(it->second) != 0;
      });
  return has_values &&
         std::all_of(metadata_rules.begin(), metadata_rules.end(), [&machine](const auto& wanted) {
           const auto it = machine.find(wanted.first);
           return it != machine.end() &&
                  std::all_of(wanted.second.begin(), wanted.second.end(),
                              [&](const MetadataRule& rule) { return rule.holds_for(it->second); });
         });
}

std::optional<std::string> FleetRequirements::why_not_metadata(
    const std::map<std::string, std::string>& machine) const {
  const auto wrong = [&](const std::string& key, const std::string& wanted) {
    const auto it = machine.find(key);
    return it == machine.end()
               ? fmt::format("wants {}, the machine has no {}", wanted, key)
               : fmt::format("wants {}, the machine has {}={}", wanted, key, it->second);
  };
  for (const auto& [key, values] : metadata) {
    const auto it = machine.find(key);
    if (it != machine.end() && values.count(it->second) != 0) continue;
    std::string wanted;
    for (const std::string& value : values) {
      wanted += fmt::format("{}{}={}", wanted.empty() ? "" : " or ", key, value);
    }
    return wrong(key, wanted);
  }
  for (const auto& [key, rules] : metadata_rules) {
    const auto it = machine.find(key);
    for (const MetadataRule& rule : rules) {
      if (it != machine.end() && rule.holds_for(it->second)) continue;
      return wrong(key, fmt::format("{}{}{}", key, to_string(rule.op), rule.value));
    }
  }
  return std::nullopt;
}

bool FleetRequirements::conflicts_with(std::string_view unit_name) const {
  return any_matches(conflicts, unit_name);
}

bool FleetRequirements::wants_to_replace(std::string_view unit_name) const {
  return any_matches(replaces, unit_name);
}

FleetRequirements extract_requirements(const std::vector<UnitOption>& options,
                                       std::string_view unit_name) {
  const Section section(options, unit_name);
  FleetRequirements out;
  // The first value of the first form that is there.
  const auto ids =
      section.values({"MachineID", "X-ConditionMachineID", "X-ConditionMachineBootID"});
  if (!ids.empty()) out.machine_id = ids.front();
  out.peers = section.values({"X-ConditionMachineOf", "MachineOf"});
  for (const std::string& value : section.values({"X-Conflicts", "Conflicts"})) {
    for (std::string& word : split_at_space(value)) out.conflicts.push_back(std::move(word));
  }
  out.replaces = section.values({"Replaces"});
  for (const std::string& value :
       section.values({"X-ConditionMachineMetadata", "MachineMetadata"})) {
    add_metadata(value, out);
  }
  const auto globals = section.values({"Global"});
  out.global = !globals.empty() && is_true(globals.back());
  // What validate_fleet_options() refuses does nothing in units from before.
  static_cast<void>(section.read_wishes(out.wishes));
  out.unknown = section.unknown();
  return out;
}

base::Status validate_fleet_options(const std::vector<UnitOption>& options) {
  FLOTILLA_TRY(parse_fleet_file(serialize(options)));
  const FleetRequirements wants = extract_requirements(options, "");
  // Every peer is held against every pattern: what this takes is bounded by the product.
  const std::size_t patterns = total_length(wants.conflicts) + total_length(wants.replaces);
  if (total_length(wants.peers) > kMaxComparison / (patterns + 1)) {
    return base::too_large("[X-Fleet] has too many peers and patterns to compare them all");
  }
  for (const std::string& peer : wants.peers) {
    for (const std::string& pattern : wants.conflicts) {
      if (!glob_matches(pattern, peer)) continue;
      return base::invalid("unresolvable requirements: peer {} matches conflict {}", quote_go(peer),
                           quote_go(pattern));
    }
    for (const std::string& pattern : wants.replaces) {
      if (!glob_matches(pattern, peer)) continue;
      return base::invalid("unresolvable requirements: peer {} matches replace {}", quote_go(peer),
                           quote_go(pattern));
    }
  }
  FLOTILLA_TRY(check_contradictions(wants));
  // Beyond fleet, which has no operators but "=".
  for (const std::string& value :
       Section(options, "").values({"X-ConditionMachineMetadata", "MachineMetadata"})) {
    FLOTILLA_TRY(parse_metadata_term(value));
  }
  PlacementWishes wishes;
  return Section(options, "").read_wishes(wishes);
}

}  // namespace flotilla::unit
