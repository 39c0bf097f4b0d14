#include "unit/environment.h"

#include <algorithm>

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

std::vector<std::string>::iterator Environment::locate(std::string_view name) noexcept {
  return std::find_if(assignments_.begin(), assignments_.end(), [name](const std::string& entry) {
    return entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name);
  });
}

void Environment::set(std::string_view name, std::string_view value) {
  std::string assignment = std::string(name) + "=" + std::string(value);
  const auto it = locate(name);
  if (it != assignments_.end()) {
    *it = std::move(assignment);
  } else {
    assignments_.push_back(std::move(assignment));
  }
}

void Environment::set_assignment(std::string_view assignment) {
  const std::size_t equals = std::min(assignment.find('='), assignment.size());
  set(assignment.substr(0, equals),
      equals < assignment.size() ? assignment.substr(equals + 1) : std::string_view());
}

void Environment::unset(std::string_view name) {
  const auto it = locate(name);
  if (it != assignments_.end()) assignments_.erase(it);
}

void Environment::merge(const Environment& other) {
  for (const std::string& assignment : other.assignments_) set_assignment(assignment);
}

std::optional<std::string_view> Environment::find(std::string_view name) const noexcept {
  for (const std::string& entry : assignments_) {
    if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name)) {
      return std::string_view(entry).substr(name.size() + 1);
    }
  }
  return std::nullopt;
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

std::vector<std::string> read_variable_names(std::string_view value,
                                             const SpecifierContext& context,
                                             const Reporter& reporter) {
  std::vector<std::string> names;
  while (true) {
    auto word = take_word(value);
    if (!word) {
      reporter.warn("variable names: {}, the rest of the line is ignored", word.error().message);
      return names;
    }
    if (!*word) return names;
    auto name = expand_specifiers(**word, context);
    if (!name) {
      reporter.warn("variable names: {}, the word is ignored", name.error().message);
    } else if (!is_valid_variable_name(*name) && !is_valid_assignment(*name)) {
      reporter.warn("expected the name of a variable, got \"{}\", it is ignored", printable(*name));
    } else {
      names.push_back(std::move(*name));
    }
  }
}

}  // namespace flotilla::unit
