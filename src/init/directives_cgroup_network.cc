// Parsers of the directives of man systemd.resource-control that say whom the processes of a unit
// may talk to, shared by services, slices and scopes.
#include <netinet/in.h>

#include <algorithm>

#include "init/directives_cgroup.h"
#include "init/directives_parsers.h"
#include "init/directives_values.h"
#include "unit/scalar.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

using Settings = CgroupSettings;

template <std::vector<IpPrefix> Settings::*Member>
void parse_addresses(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  Settings& settings = edit_cgroup(unit, context);
  auto& list = settings.*Member;
  if (value.empty()) return list.clear();
  const auto words = unit::split_words(value);
  if (!words) return context.warn_bad_value(value);
  for (const std::string& word : *words) {
    const auto text = context.expand(word);
    const auto prefixes = text ? parse_ip_prefixes(*text) : std::nullopt;
    if (!prefixes) {
      context.reporter.warn("Address prefix is invalid, ignoring assignment: {}", word);
      continue;
    }
    for (const IpPrefix& prefix : *prefixes) {
      if (std::find(list.begin(), list.end(), prefix) == list.end()) list.push_back(prefix);
    }
  }
}

template <std::vector<std::string> Settings::*Member>
void parse_filter_path(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  Settings& settings = edit_cgroup(unit, context);
  if (value.empty()) return (settings.*Member).clear();
  const auto text = context.expand(value);
  const auto path = text ? parse_absolute_path(*text) : std::nullopt;
  if (!path) return context.warn_bad_value(value);
  (settings.*Member).push_back(*path);
}

// Where a program can be attached to a cgroup.
constexpr std::string_view kBpfHooks[] = {
    "ingress",  "egress",   "sock_create", "sock_ops",   "device",     "bind4",
    "bind6",    "connect4", "connect6",    "post_bind4", "post_bind6", "sendmsg4",
    "sendmsg6", "sysctl",   "recvmsg4",    "recvmsg6",   "getsockopt", "setsockopt"};

void parse_bpf_program(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  Settings& settings = edit_cgroup(unit, context);
  if (value.empty()) return settings.bpf_programs.clear();
  const size_t colon = value.find(':');
  const bool is_hook = std::find(std::begin(kBpfHooks), std::end(kBpfHooks),
                                 value.substr(0, colon)) != std::end(kBpfHooks);
  const auto path = colon == std::string_view::npos || !is_hook
                        ? std::nullopt
                        : parse_absolute_path(value.substr(colon + 1));
  if (!path) return context.warn_bad_value(value);
  settings.bpf_programs.emplace_back(std::string(value.substr(0, colon)), *path);
}

bool read_ports(std::string_view text, SocketBindRule& rule) {
  if (text == "any") return true;
  const size_t dash = text.find('-');
  const auto first = unit::parse_unsigned(text.substr(0, dash), UINT16_MAX);
  const auto last = dash == std::string_view::npos
                        ? first
                        : unit::parse_unsigned(text.substr(dash + 1), UINT16_MAX);
  if (!first || !last || *first == 0 || *last < *first) return false;
  rule.first_port = static_cast<uint16_t>(*first);
  rule.port_count = static_cast<uint16_t>(*last - *first + 1);
  return true;
}

std::optional<SocketBindRule> read_bind_rule(std::string_view text) {
  SocketBindRule rule;
  const auto take = [&](std::string_view word) {
    const bool is_all = text == word;
    const bool is_prefix =
        text.substr(0, word.size()) == word && text.substr(word.size(), 1) == ":";
    if (is_all) {
      text = "any";
    } else if (is_prefix) {
      text.remove_prefix(word.size() + 1);
    }
    return is_all || is_prefix;
  };
  if (take("ipv4")) {
    rule.family = AF_INET;
  } else if (take("ipv6")) {
    rule.family = AF_INET6;
  }
  if (take("tcp")) {
    rule.protocol = IPPROTO_TCP;
  } else if (take("udp")) {
    rule.protocol = IPPROTO_UDP;
  }
  return read_ports(text, rule) ? std::optional(rule) : std::nullopt;
}

template <std::vector<SocketBindRule> Settings::*Member>
void parse_socket_bind(UnitSettings& unit, const SettingContext& context, std::string_view value) {
  Settings& settings = edit_cgroup(unit, context);
  if (value.empty()) return (settings.*Member).clear();
  const auto rule = read_bind_rule(value);
  if (!rule) return context.warn_bad_value(value);
  (settings.*Member).push_back(*rule);
}

bool is_interface_name(std::string_view name) {
  constexpr size_t kMostBytes = 15;
  if (name.empty() || name.size() > kMostBytes || name == "." || name == ".." || name == "all" ||
      name == "default") {
    return false;
  }
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < 127 && c != ':' && c != '/' && c != '%';
  });
  return is_plain && name.find_first_not_of("0123456789") != std::string_view::npos;
}

void parse_network_interfaces(UnitSettings& unit, const SettingContext& context,
                              std::string_view value) {
  Settings& settings = edit_cgroup(unit, context);
  if (value.empty()) return settings.network_interfaces.clear();
  const bool is_allowed = value[0] != '~';
  if (!is_allowed) value.remove_prefix(1);
  auto& list = settings.network_interfaces;
  if (list.empty()) settings.network_interfaces_are_allowed = is_allowed;
  unit::WordRules rules;
  rules.escapes = unit::WordRules::Escapes::kDrop;
  auto words = unit::split_words(value, rules);
  if (!words) return context.warn_bad_value(value);
  for (std::string& word : *words) {
    if (!is_interface_name(word)) {
      context.reporter.warn("Invalid interface name, ignoring: {}", word);
      continue;
    }
    const auto found = std::find(list.begin(), list.end(), word);
    // A list of the other kind takes names out.
    if (settings.network_interfaces_are_allowed != is_allowed) {
      if (found != list.end()) list.erase(found);
    } else if (found == list.end()) {
      list.push_back(std::move(word));
    }
  }
}

constexpr NamedParser kParsers[] = {
    {"BPFProgram", parse_bpf_program},
    {"IPAddressAllow", parse_addresses<&Settings::ip_allow>},
    {"IPAddressDeny", parse_addresses<&Settings::ip_deny>},
    {"IPEgressFilterPath", parse_filter_path<&Settings::ip_egress_filters>},
    {"IPIngressFilterPath", parse_filter_path<&Settings::ip_ingress_filters>},
    {"RestrictNetworkInterfaces", parse_network_interfaces},
    {"SocketBindAllow", parse_socket_bind<&Settings::socket_bind_allow>},
    {"SocketBindDeny", parse_socket_bind<&Settings::socket_bind_deny>},
};

}  // namespace

std::span<const NamedParser> cgroup_network_parsers() noexcept { return kParsers; }

}  // namespace flotilla::init
