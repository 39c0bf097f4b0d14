#include "direct/version_warning.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace flotilla::direct {
namespace {

using Version = std::array<uint32_t, 3>;

// "1.2.3", with anything behind a "-" or "+".
std::optional<Version> parse_version(std::string_view text) {
  text = text.substr(0, text.find_first_of("-+"));
  Version version{};
  for (size_t i = 0; i < version.size(); ++i) {
    const size_t end = i + 1 < version.size() ? text.find('.') : text.size();
    if (end == std::string_view::npos) return std::nullopt;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + end, version[i]);
    if (error != std::errc() || stop != text.data() + end) return std::nullopt;
    if (end < text.size()) text.remove_prefix(end + 1);
  }
  return version;
}

}  // namespace

std::optional<std::string> version_warning(const std::vector<registry::Machine>& machines,
                                           std::string_view own) {
  std::optional<Version> newest = parse_version(own);
  if (!newest) return std::nullopt;
  std::string_view shown;
  for (const registry::Machine& machine : machines) {
    const std::optional<Version> version = parse_version(machine.version);
    if (!version || *version <= *newest) continue;
    newest = version;
    shown = machine.version;
  }
  if (shown.empty()) return std::nullopt;
  const std::string rule(68, '#');
  return fmt::format(
      "{}\nWARNING: fleetctl ({}) is older than the latest registered\nversion of fleet found in "
      "the "
      "cluster ({}). You are strongly\nrecommended to upgrade fleetctl to prevent incompatibility "
      "issues.\n{}\n",
      rule, own, shown, rule);
}

}  // namespace flotilla::direct
