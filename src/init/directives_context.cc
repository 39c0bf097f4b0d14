#include "init/directives_context.h"

#include <fmt/format.h>

#include <utility>

#include "unit/scalar.h"

namespace flotilla::init {

void SettingContext::warn_bad_value(std::string_view value) const {
  reporter.warn("Failed to parse {}= value, ignoring: {}", key, value);
}

void SettingContext::end_file(std::string why) const {
  reporter.fail("{}", why);
  marks.fatal = std::move(why);
}

std::optional<bool> SettingContext::read_flag(std::string_view value) const {
  const auto flag = unit::parse_boolean(value);
  if (flag) return *flag;
  reporter.warn("Failed to parse boolean value, ignoring: {}", value);
  return std::nullopt;
}

std::optional<std::string> SettingContext::expand(std::string_view value) const {
  auto text = unit::expand_specifiers(value, specifiers);
  if (text) return std::move(*text);
  reporter.warn("Failed to resolve unit specifiers in '{}', ignoring: {}", value,
                text.error().message);
  return std::nullopt;
}

std::optional<std::string> SettingContext::expand_or_end_file(std::string_view value) const {
  auto text = unit::expand_specifiers(value, specifiers);
  if (text) return std::move(*text);
  end_file(
      fmt::format("Failed to resolve unit specifiers in '{}': {}", value, text.error().message));
  return std::nullopt;
}

}  // namespace flotilla::init
