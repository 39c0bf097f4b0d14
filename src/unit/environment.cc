#include "unit/environment.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

#include "unit/escape.h"
#include "unit/utf8.h"
#include "unit/words.h"

namespace flotilla::unit {

bool is_valid_variable_name(std::string_view name) noexcept {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  });
}

bool is_valid_assignment(std::string_view assignment) noexcept {
  const std::size_t equals = assignment.find('=');
  return equals != std::string_view::npos && is_valid_variable_name(assignment.substr(0, equals)) &&
         assignment.find('\0') == std::string_view::npos &&
         is_valid_utf8(assignment.substr(equals + 1));
}

Environment::Environment(const std::vector<std::string>& assignments) {
  for (const std::string& assignment : assignments) set_assignment(assignment);
}

std::size_t Environment::locate(std::string_view name) const noexcept {
  const auto is_it = [&](const std::string& entry) {
    return entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name);
  };
  if (!slots_.empty()) {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t slot = std::hash<std::string_view>()(name) & mask; slots_[slot] != 0;
         slot = (slot + 1) & mask) {
      const std::size_t place = slots_[slot] - 1;
      if (place < assignments_.size() && is_it(assignments_[place])) return place;
    }
  }
  const auto rest =
      assignments_.begin() + static_cast<std::ptrdiff_t>(std::min(indexed_, assignments_.size()));
  const auto found = std::find_if(rest, assignments_.end(), is_it);
  return found == assignments_.end() ? kNowhere
                                     : static_cast<std::size_t>(found - assignments_.begin());
}

void Environment::put_in_slot(std::size_t place) noexcept {
  const std::string_view entry = assignments_[place];
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = std::hash<std::string_view>()(entry.substr(0, entry.find('='))) & mask;
  while (slots_[slot] != 0) slot = (slot + 1) & mask;
  slots_[slot] = static_cast<uint32_t>(place + 1);
}

void Environment::index() {
  constexpr std::size_t kFew = 32;  // are found as fast without
  if (assignments_.size() < indexed_) forget_index();
  if (assignments_.size() - indexed_ <= kFew) return;
  if (slots_.size() < assignments_.size() * 2) {
    slots_.assign(std::bit_ceil(assignments_.size() * 4), 0);
    indexed_ = 0;
  }
  while (indexed_ < assignments_.size()) put_in_slot(indexed_++);
}

void Environment::set(std::string_view name, std::string_view value) {
  std::string assignment;
  assignment.reserve(name.size() + 1 + value.size());
  assignment.append(name).append(1, '=').append(value);
  const std::size_t place = locate(name);
  if (place != kNowhere) {
    assignments_[place] = std::move(assignment);
    return;
  }
  assignments_.push_back(std::move(assignment));
  index();
}

void Environment::set_assignment(std::string_view assignment) {
  const std::size_t equals = std::min(assignment.find('='), assignment.size());
  set(assignment.substr(0, equals),
      equals < assignment.size() ? assignment.substr(equals + 1) : std::string_view());
}

void Environment::unset(std::string_view name) {
  const std::size_t place = locate(name);
  if (place == kNowhere) return;
  assignments_.erase(assignments_.begin() + static_cast<std::ptrdiff_t>(place));
  forget_index();
  index();
}

void Environment::unset_all(const std::vector<std::string>& words) {
  std::vector<bool> goes(assignments_.size(), false);
  bool any = false;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    const std::size_t place = locate(std::string_view(word).substr(0, equals));
    if (place == kNowhere) continue;
    if (equals != std::string::npos && assignments_[place] != word) continue;
    goes[place] = any = true;
  }
  if (!any) return;
  std::size_t kept = 0;
  for (std::size_t place = 0; place < assignments_.size(); ++place) {
    if (goes[place]) continue;
    if (kept != place) assignments_[kept] = std::move(assignments_[place]);
    ++kept;
  }
  assignments_.resize(kept);
  forget_index();
  index();
}

void Environment::clear() noexcept {
  assignments_.clear();
  forget_index();
}

void Environment::forget_index() noexcept {
  slots_.clear();
  indexed_ = 0;
}

void Environment::adopt(std::vector<std::string> assignments) {
  assignments_ = std::move(assignments);
  index();
}

std::vector<std::string> Environment::release() { return std::exchange(assignments_, {}); }

void Environment::merge(const Environment& other) {
  for (const std::string& assignment : other.assignments_) set_assignment(assignment);
}

std::optional<std::string_view> Environment::find(std::string_view name) const noexcept {
  const std::size_t place = locate(name);
  if (place == kNowhere) return std::nullopt;
  return std::string_view(assignments_[place]).substr(name.size() + 1);
}

void read_environment_setting(std::string_view value, const SpecifierContext& context,
                              const Reporter& reporter, Environment& environment) {
  if (trim(value).empty()) {
    environment.clear();
    return;
  }
  while (true) {
    auto word = take_word(value);
    if (!word) {
      reporter.warn("Environment=: {}, the rest of the line is ignored", word.error().message);
      return;
    }
    if (!*word) return;
    if (environment.assignments().size() >= Environment::kMaxVariables) {
      reporter.warn("Environment=: more than {} variables, the rest of the line is ignored",
                    Environment::kMaxVariables);
      return;
    }
    auto assignment = expand_specifiers(**word, context);
    if (!assignment) {
      reporter.warn("Environment=: {}, the assignment is ignored", assignment.error().message);
    } else if (!is_valid_assignment(*assignment)) {
      reporter.warn("Environment=: expected NAME=VALUE, got \"{}\", it is ignored",
                    printable(*assignment));
    } else {
      environment.set_assignment(*assignment);
    }
  }
}

std::vector<std::string> read_variable_names(std::string_view value, VariableWords words,
                                             const SpecifierContext& context,
                                             const Reporter& reporter) {
  std::vector<std::string> names;
  // Names alone have nothing that could be escaped.
  WordRules rules;
  if (words == VariableWords::kNames) rules.escapes = WordRules::Escapes::kDrop;
  while (true) {
    auto word = take_word(value, rules);
    if (!word) {
      reporter.warn("variable names: {}, the rest of the line is ignored", word.error().message);
      return names;
    }
    if (!*word) return names;
    auto name = expand_specifiers(**word, context);
    if (!name) {
      reporter.warn("variable names: {}, the word is ignored", name.error().message);
    } else if (!is_valid_variable_name(*name) &&
               (words == VariableWords::kNames || !is_valid_assignment(*name))) {
      reporter.warn("expected the name of a variable, got \"{}\", it is ignored", printable(*name));
    } else {
      names.push_back(std::move(*name));
    }
  }
}

}  // namespace flotilla::unit
