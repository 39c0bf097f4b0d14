#include "fctl/flags.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <numeric>

namespace flotilla::fctl {
namespace {

using Kind = Flag::Kind;
using Scope = Flag::Scope;

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

bool is_number(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// As Go says it: digits that are too many are no wrong syntax.
std::string_view why_not(std::string_view value, Flag::Kind kind) {
  if (kind != Flag::Kind::kNumber) return "invalid syntax";
  if (!value.empty() && (value.front() == '+' || value.front() == '-')) value.remove_prefix(1);
  const bool is_number =
      !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
  return is_number ? "value out of range" : "invalid syntax";
}

// At most nine digits, and as many behind a point.
bool is_seconds(std::string_view text) {
  const std::string_view whole = text.substr(0, text.find('.'));
  const std::string_view part = whole.size() == text.size() ? "" : text.substr(whole.size() + 1);
  const auto digits = [](std::string_view some) {
    return some.size() <= 9 && some.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return digits(whole) && digits(part) && whole.size() + part.size() > 0;
}

std::string variable_name(std::string_view flag) {
  std::string name = "FLEETCTL_";
  for (const char c : flag) {
    name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return name;
}

base::Status store_flag(Flags& flags, const Flag& flag, std::string value) {
  std::string_view parser;
  switch (flag.kind) {
    case Kind::kBoolean: {
      const std::optional<bool> parsed = parse_bool(value);
      if (parsed) {
        value = *parsed ? "true" : "false";
      } else {
        parser = "ParseBool";
      }
      break;
    }
    case Kind::kNumber:
      if (!is_number(value)) parser = "ParseInt";
      break;
    case Kind::kSeconds:
      if (!is_seconds(value)) parser = "ParseFloat";
      break;
    case Kind::kText:
      break;
  }
  if (!parser.empty()) {
    return base::invalid(
        "invalid argument \"{}\" for \"--{}\" flag: strconv.{}: parsing \"{}\": {}", value,
        flag.name, parser, value, why_not(value, flag.kind));
  }
  flags.set(flag.name, std::move(value));
  return {};
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::vector<std::string> flags_like(std::string_view word) {
  std::vector<std::string> names;
  for (const Flag& flag : all_flags()) {
    if (flag.name.size() > 2 && edit_distance(flag.name, word) <= 2) {
      names.push_back("--" + std::string(flag.name));
    }
  }
  return names;
}

const std::vector<Flag>& all_flags() {
  static const std::vector<Flag> flags = {
      {"endpoint", Kind::kText, "unix:///var/run/fleet.sock",
       "Location of the fleet API; several with commas between are tried in turn", Scope::kGlobal},
      {"driver", Kind::kText, "API",
       "Adapter used to execute fleetctl commands: API, or etcd to use the registry itself",
       Scope::kGlobal},
      {"debug", Kind::kBoolean, "false", "Print out more debug information to stderr",
       Scope::kGlobal},
      {"request-timeout", Kind::kSeconds, "3",
       "Seconds within which etcd must answer; the API has no time limit", Scope::kGlobal},
      {"experimental-api", Kind::kBoolean, "true", "Accepted for compatibility", Scope::kGlobal},
      {"tunnel", Kind::kText, "",
       "Reach the API and the machines through an SSH server: host[:port]", Scope::kGlobal},
      {"etcd-key-prefix", Kind::kText, "/flotilla",
       "What the keys of the cluster in etcd begin with", Scope::kGlobal},
      {"etcd-username", Kind::kText, "", "User of etcd", Scope::kGlobal},
      {"etcd-password", Kind::kText, "", "The user's password", Scope::kGlobal},
      {"key-file", Kind::kText, "", "Key of the certificate", Scope::kGlobal},
      {"cert-file", Kind::kText, "", "Certificate to show to https:// servers", Scope::kGlobal},
      {"ca-file", Kind::kText, "",
       "Authority that the certificates of https:// servers must be from", Scope::kGlobal},
      {"etcd-keyfile", Kind::kText, "", "Deprecated: --key-file", Scope::kGlobal},
      {"etcd-certfile", Kind::kText, "", "Deprecated: --cert-file", Scope::kGlobal},
      {"etcd-cafile", Kind::kText, "", "Deprecated: --ca-file", Scope::kGlobal},
      {"ssh-username", Kind::kText, "core", "User of SSH connections", Scope::kGlobal},
      {"ssh-timeout", Kind::kSeconds, "10", "Seconds within which an SSH connection must stand",
       Scope::kGlobal},
      {"strict-host-key-checking", Kind::kBoolean, "true", "Check the host keys of SSH servers",
       Scope::kGlobal},
      {"known-hosts-file", Kind::kText, "~/.fleetctl/known_hosts",
       "Where the keys of SSH servers are kept", Scope::kGlobal},
      {"help", Kind::kBoolean, "false", "Print usage information", Scope::kGlobal},
      {"h", Kind::kBoolean, "false", "Print usage information", Scope::kGlobal},
      {"version", Kind::kBoolean, "false", "Print the version and exit", Scope::kGlobal},
      {"replace", Kind::kBoolean, "false", "Replace the old units in the cluster with new versions",
       Scope::kCommand},
      {"sign", Kind::kBoolean, "false", "Accepted for compatibility", Scope::kCommand},
      {"no-block", Kind::kBoolean, "false",
       "Do not wait until the units have reached the wanted state", Scope::kCommand},
      {"block-attempts", Kind::kNumber, "0",
       "Wait for at most N attempts of 2 seconds; 0 is without limit", Scope::kCommand},
      {"no-rollback", Kind::kBoolean, "false",
       "Keep the new file even if the unit does not come up with it", Scope::kCommand},
      {"dry-run", Kind::kBoolean, "false", "Say what would be done, and do nothing",
       Scope::kCommand},
      {"full", Kind::kBoolean, "false", "Do not ellipsize fields on output", Scope::kCommand},
      {"l", Kind::kBoolean, "false", "Shorthand for --full", Scope::kCommand},
      {"no-legend", Kind::kBoolean, "false", "Do not print a legend (column headers)",
       Scope::kCommand},
      {"fields", Kind::kText, "", "Columns to print, comma-separated", Scope::kCommand},
      {"watch", Kind::kBoolean, "false", "Print the list again whenever it changes",
       Scope::kCommand},
      {"lines", Kind::kNumber, "10", "Number of recent log lines to return", Scope::kCommand},
      {"follow", Kind::kBoolean, "false",
       "Continuously print new entries as they are appended to the journal", Scope::kCommand},
      {"f", Kind::kBoolean, "false", "Shorthand for --follow", Scope::kCommand},
      {"sudo", Kind::kBoolean, "false", "Run journalctl with sudo where it is run over SSH",
       Scope::kCommand},
      {"output", Kind::kText, "",
       "-o: form of a list (json, yaml, wide or name), or of a journal (as journalctl has them)",
       Scope::kCommand},
      {"machine", Kind::kText, "", "The machine, by the beginning of its id", Scope::kCommand},
      {"unit", Kind::kText, "", "Open the connection to the machine that runs this unit",
       Scope::kCommand},
      {"forward-agent", Kind::kBoolean, "false", "Forward the SSH agent to the machine",
       Scope::kCommand},
      {"A", Kind::kBoolean, "false", "Shorthand for --forward-agent", Scope::kCommand},
      {"ssh-port", Kind::kNumber, "22", "Port of the machines' SSH servers", Scope::kCommand},
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

int Flags::number(std::string_view name) const {
  std::string_view value = text(name);
  if (!value.empty() && value.front() == '+') value.remove_prefix(1);
  int result = 0;
  std::from_chars(value.data(), value.data() + value.size(), result);
  return result;
}

double Flags::seconds(std::string_view name) const {
  return std::strtod(text(name).c_str(), nullptr);
}

void Flags::set(std::string_view name, std::string value) {
  given_.insert_or_assign(std::string(name), std::move(value));
}

namespace {

// Reads the flag in words[at] and moves `at` to its last word.
base::Status read_flag(const std::vector<std::string>& words, size_t& at, CommandLine& line) {
  const std::string& word = words[at];
  std::string_view name = word;
  std::optional<std::string> value;
  if (word[1] != '-') {
    if (word == "-h") {
      line.flags.set("help", "true");
      return {};
    }
    if (word[1] != 'o') return base::invalid("unknown shorthand flag: '{}' in {}", word[1], word);
    name = "output";
    if (word.size() > 2) value = word.substr(word[2] == '=' ? 3 : 2);
  } else {
    const size_t equals = word.find('=');
    name = name.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (equals != std::string::npos) value = word.substr(equals + 1);
  }
  const Flag* flag = find_flag(name);
  if (flag == nullptr) return base::invalid("unknown flag: --{}", name);
  line.flags_in_words.emplace_back(name);
  if (!value && flag->kind == Kind::kBoolean) value = "true";
  if (!value && at + 1 < words.size()) value = words[++at];
  if (!value) return base::invalid("flag needs an argument: {}", word);
  return store_flag(line.flags, *flag, std::move(*value));
}

}  // namespace

base::Status parse_command_line(
    const std::vector<std::string>& words,
    const std::function<std::optional<std::string>(const std::string&)>& environment,
    CommandLine& line) {
  for (const Flag& flag : all_flags()) {
    if (flag.scope != Scope::kGlobal) continue;
    const std::string variable = variable_name(flag.name);
    const std::optional<std::string> value = environment(variable);
    if (!value || value->empty() || store_flag(line.flags, flag, *value)) continue;
    // Something else may well be called FLEETCTL_VERSION.
    if (flag.name != "version" && flag.name != "help" && flag.name != "h") {
      line.warnings.push_back(fmt::format("{}: \"{}\" means nothing", variable, *value));
    }
  }

  bool flags_ended = false;
  bool has_command = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!flags_ended && word == "--") {
      flags_ended = true;
    } else if (!flags_ended && word.size() >= 2 && word[0] == '-') {
      FLOTILLA_TRY(read_flag(words, i, line));
    } else if (has_command) {
      line.arguments.push_back(word);
    } else {
      line.command = word;
      has_command = true;
    }
  }
  return {};
}

}  // namespace flotilla::fctl
