#include "fctl/flags.h"

#include <charconv>

namespace flotilla::fctl {
namespace {

const Flag* find_flag(std::string_view name) {
  for (const Flag& flag : all_flags()) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

std::optional<bool> parse_bool(std::string_view text) {
  for (const std::string_view yes : {"true", "1", "t", "T", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "0", "f", "F", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::string variable_name(std::string_view flag) {
  std::string name = "FLEETCTL_";
  for (const char c : flag) {
    name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return name;
}

base::Status store_flag(Flags& flags, const Flag& flag, std::string value) {
  if (!flag.takes_value) {
    const std::optional<bool> parsed = parse_bool(value);
    if (!parsed) {
      return base::invalid(
          "invalid argument \"{}\" for \"--{}\" flag: strconv.ParseBool: parsing \"{}\": invalid "
          "syntax",
          value, flag.name, value);
    }
    value = *parsed ? "true" : "false";
  }
  flags.set(flag.name, std::move(value));
  return {};
}

}  // namespace

const std::vector<Flag>& all_flags() {
  static const std::vector<Flag> flags = {
      {"endpoint", true, "unix:///var/run/fleet.sock", "Location of the fleet API", true},
      {"driver", true, "API", "Adapter used to execute fleetctl commands; only API is built in",
       true},
      {"debug", false, "false", "Print out more debug information to stderr", true},
      {"request-timeout", true, "3", "Accepted for compatibility; the API has no time limit", true},
      {"experimental-api", false, "true", "Accepted for compatibility", true},
      {"tunnel", true, "", "Not built in: use ssh -L and --endpoint", true},
      {"etcd-key-prefix", true, "/_coreos.com/fleet/", "Accepted for compatibility", true},
      {"key-file", true, "", "Accepted for compatibility", true},
      {"cert-file", true, "", "Accepted for compatibility", true},
      {"ca-file", true, "", "Accepted for compatibility", true},
      {"ssh-username", true, "core", "Accepted for compatibility; no SSH is needed", true},
      {"ssh-timeout", true, "10", "Accepted for compatibility; no SSH is needed", true},
      {"strict-host-key-checking", false, "true", "Accepted for compatibility; no SSH is needed",
       true},
      {"known-hosts-file", true, "~/.fleetctl/known_hosts",
       "Accepted for compatibility; no SSH is needed", true},
      {"help", false, "false", "Print usage information", true},
      {"h", false, "false", "Print usage information", true},
      {"version", false, "false", "Print the version and exit", true},
      {"replace", false, "false", "Replace the old units in the cluster with new versions", false},
      {"sign", false, "false", "Accepted for compatibility", false},
      {"no-block", false, "false", "Do not wait until the units have reached the wanted state",
       false},
      {"block-attempts", true, "0",
       "Wait until the units have reached the wanted state, for at most N attempts of 2 seconds; 0 "
       "is "
       "without limit",
       false},
      {"full", false, "false", "Do not ellipsize fields on output", false},
      {"l", false, "false", "Shorthand for --full", false},
      {"no-legend", false, "false", "Do not print a legend (column headers)", false},
      {"fields", true, "", "Columns to print, comma-separated", false},
      {"lines", true, "10", "Number of recent log lines to return", false},
      {"follow", false, "false",
       "Continuously print new entries as they are appended to the journal", false},
      {"f", false, "false", "Shorthand for --follow", false},
      {"sudo", false, "false", "Accepted for compatibility; the log comes from the API", false},
      {"output", true, "short", "Output mode; only short is built in", false},
      {"ssh-port", true, "22", "Accepted for compatibility; no SSH is needed", false},
  };
  return flags;
}

const std::string& Flags::text(std::string_view name) const {
  if (const auto found = given_.find(name); found != given_.end()) return found->second;
  static const std::map<std::string, std::string, std::less<>> initial = [] {
    std::map<std::string, std::string, std::less<>> values;
    for (const Flag& flag : all_flags()) values.emplace(flag.name, flag.initial);
    return values;
  }();
  return initial.find(name)->second;
}

bool Flags::is_set(std::string_view name) const { return text(name) == "true"; }

base::Result<int> Flags::number(std::string_view name) const {
  const std::string& value = text(name);
  int result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc() || end != value.data() + value.size()) {
    return base::invalid("invalid argument \"{}\" for \"--{}\" flag: expected a whole number",
                         value, name);
  }
  return result;
}

void Flags::set(std::string_view name, std::string value) {
  given_.insert_or_assign(std::string(name), std::move(value));
}

base::Result<CommandLine> parse_command_line(
    const std::vector<std::string>& words,
    const std::function<std::optional<std::string>(const std::string&)>& environment) {
  CommandLine line;
  for (const Flag& flag : all_flags()) {
    if (!flag.global) continue;
    const std::optional<std::string> value = environment(variable_name(flag.name));
    if (value && !value->empty()) FLOTILLA_TRY(store_flag(line.flags, flag, *value));
  }

  bool flags_ended = false;
  bool has_command = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!flags_ended && word == "--") {
      flags_ended = true;
      continue;
    }
    if (flags_ended || word.size() < 2 || word[0] != '-') {
      if (!has_command) {
        line.command = word;
        has_command = true;
      } else {
        line.arguments.push_back(word);
      }
      continue;
    }
    if (word[1] != '-') {
      if (word == "-h") {
        line.flags.set("help", "true");
        continue;
      }
      return base::invalid("unknown shorthand flag: '{}' in {}", word[1], word);
    }
    const size_t equals = word.find('=');
    const std::string_view name =
        std::string_view(word).substr(2, equals == std::string::npos ? equals : equals - 2);
    const Flag* flag = find_flag(name);
    if (flag == nullptr) return base::invalid("unknown flag: --{}", name);
    if (equals != std::string::npos) {
      FLOTILLA_TRY(store_flag(line.flags, *flag, word.substr(equals + 1)));
    } else if (!flag->takes_value) {
      line.flags.set(name, "true");
    } else if (i + 1 < words.size()) {
      FLOTILLA_TRY(store_flag(line.flags, *flag, words[++i]));
    } else {
      return base::invalid("flag needs an argument: --{}", name);
    }
  }
  return line;
}

}  // namespace flotilla::fctl
