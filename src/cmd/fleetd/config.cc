#include "cmd/fleetd/config.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>

#include "api/listener.h"
#include "cmd/fleetd/config_api.h"
#include "store/open_store.h"

namespace flotilla::fleetd {

namespace {

constexpr const char* kDefaultFile = "/etc/fleet/fleet.conf";
constexpr size_t kMaxFileBytes = size_t{1024} * 1024;
constexpr std::string_view kEnvironmentPrefix = "FLEET_";
constexpr std::string_view kBlanks = " \t\r";

std::string_view trim(std::string_view text) {
  const size_t from = text.find_first_not_of(kBlanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlanks) - from + 1);
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

std::string_view value_of(std::string_view text) {
  text = trim(text);
  if (!text.empty() && (text.front() == '"' || text.front() == '\'')) {
    // Quotes count around the whole value; those of a list's items are the list's.
    const size_t end = text.find(text.front(), 1);
    const bool is_whole =
        end != std::string_view::npos &&
        trim(text.substr(end + 1, text.find_first_of("#;", end) - end - 1)).empty();
    if (is_whole) return text.substr(1, end - 1);
  }
  return trim(text.substr(0, text.find_first_of("#;")));
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

template <typename T>
bool set_number(T& target, std::string_view text, T least) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least) return false;
  target = number;
  return true;
}

bool set_bool(bool& target, std::string_view text) {
  const std::string word = to_lower(text);
  const bool is_true = word == "true" || word == "1" || word == "t";
  if (!is_true && word != "false" && word != "0" && word != "f") return false;
  target = is_true;
  return true;
}

std::map<std::string, std::string> parse_metadata(std::string_view text) {
  std::map<std::string, std::string> metadata;
  for (const std::string_view pair : split(text, ',')) {
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    metadata[std::string(trim(pair.substr(0, equals)))] = trim(pair.substr(equals + 1));
  }
  return metadata;
}

base::Status set_listen(std::vector<std::string>& target, std::string_view text,
                        std::string_view where) {
  target.clear();
  for (const std::string_view part : split(text, ',')) {
    const std::string_view address = trim(part);
    if (address.empty()) continue;
    auto parsed = api::parse_listen_address(address);
    if (!parsed) return base::in_context(std::move(parsed).error(), "{}", where);
    target.emplace_back(address);
  }
  return {};
}

// Options of fleet's that have nothing to set here: its files work as they are.
bool is_known_to_fleet(std::string_view key) {
  constexpr std::array<std::string_view, 3> kKeys{"disable_watches", "enable_grpc",
                                                  "engine_reconcile_interval"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

// What fleet calls etcd's things. registry= beats etcd_servers=.
base::Status apply_etcd_option(Config& config, std::string_view where, std::string_view key,
                               std::string_view value) {
  if (key == "etcd_servers") {
    if (value.empty() || !config.registry.empty()) return {};
    std::string address = fmt::format("etcd:{}", value);
    if (auto known = store::check_store_address(address); !known) {
      return base::in_context(std::move(known).error(), "{}: etcd_servers=", where);
    }
    config.registry = std::move(address);
  } else if (key == "etcd_key_prefix") {
    base::Result<std::string> prefix = registry::parse_key_prefix(value);
    if (!prefix) {
      return base::in_context(std::move(prefix).error(), "{}: etcd_key_prefix=", where);
    }
    config.key_prefix = std::move(*prefix);
  } else if (key == "etcd_cafile") {
    config.etcd.ca_file = value;
  } else if (key == "etcd_certfile") {
    config.etcd.cert_file = value;
  } else if (key == "etcd_keyfile") {
    config.etcd.key_file = value;
  } else if (key == "etcd_username") {
    config.etcd.username = value;
  } else if (key == "etcd_password") {
    config.etcd.password = value;
  } else if (key == "etcd_request_timeout") {
    double seconds = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (error == std::errc() && end == value.data() + value.size() && seconds >= 0.1 &&
        seconds <= 3600) {
      config.etcd.request_timeout = base::Micros(static_cast<int64_t>(seconds * 1e6));
    } else {
      config.warnings.push_back(
          fmt::format("{}: {}=: expected seconds from 0.1 to 3600, got \"{}\"; left as it is",
                      where, key, value));
    }
  } else {
    config.warnings.push_back(fmt::format("{}: {}=: no such option; ignored", where, key));
  }
  return {};
}

base::Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return base::system_error(errno, "Unable to use config file {}", path);
  std::ostringstream text;
  text << in.rdbuf();
  if (text.str().size() > kMaxFileBytes) {
    return base::too_large("Unable to use config file {}: more than {} bytes", path, kMaxFileBytes);
  }
  return text.str();
}

}  // namespace

base::Result<std::chrono::seconds> parse_go_duration(std::string_view text) {
  struct UnitOfTime {
    std::string_view name;
    double seconds;
  };
  constexpr std::array<UnitOfTime, 6> kUnits{
      {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}}};
  const std::string_view whole = text;
  double seconds = 0;
  bool is_good = !text.empty();
  while (is_good && !text.empty()) {
    const size_t digits = text.find_first_not_of("0123456789.");
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    is_good = digits != 0 && digits != std::string_view::npos && error == std::errc() &&
              end == text.data() + digits;
    if (!is_good) break;
    text.remove_prefix(digits);
    const std::string_view name = text.substr(0, text.find_first_of("0123456789."));
    const auto found = std::find_if(kUnits.begin(), kUnits.end(),
                                    [&](const UnitOfTime& unit) { return unit.name == name; });
    is_good = found != kUnits.end();
    if (!is_good) break;
    seconds += number * found->seconds;
    text.remove_prefix(name.size());
  }
  if (!is_good || !(seconds >= 0) || seconds > 365.0 * 24 * 3600) {
    return base::invalid("expected a duration like 30s or 1m30s, got \"{}\"", whole);
  }
  return std::chrono::seconds(static_cast<int64_t>(std::ceil(seconds)));
}

base::Result<std::vector<IniOption>> parse_ini(std::string_view text, std::string_view file) {
  std::vector<IniOption> options;
  const std::vector<std::string_view> lines = split(text, '\n');
  bool in_section = false;
  for (size_t i = 0; i < lines.size(); ++i) {
    const size_t first = i;
    std::string line(trim(lines[i]));
    while (!line.empty() && line.back() == '\\' && i + 1 < lines.size()) {
      line.pop_back();
      line += trim(lines[++i]);
    }
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    const std::string_view view = line;
    const size_t equals = view.find('=');
    const std::string_view key = trim(view.substr(0, std::min(equals, view.size())));
    const bool is_section = view.front() == '[' && view.find(']') != std::string_view::npos;
    const bool is_option = equals != std::string_view::npos && !key.empty() &&
                           key.find_first_of(kBlanks) == std::string_view::npos;
    if (!is_section && !is_option) {
      return base::invalid("iniparser: syntax error at '{}:{}'.", file, first + 1);
    }
    in_section |= is_section;
    if (in_section) continue;  // what stands there means nothing
    options.push_back({to_lower(key), std::string(value_of(view.substr(equals + 1))), first + 1});
  }
  return options;
}

base::Status apply_option(Config& config, std::string_view where, std::string_view key,
                          std::string_view value) {
  const auto expect = [&](bool is_good, std::string_view what) {
    if (is_good) return;
    config.warnings.push_back(
        fmt::format("{}: {}=: expected {}, got \"{}\"; left as it is", where, key, what, value));
  };
  if (key == "registry") {
    if (auto known = store::check_store_address(value); !known && !value.empty()) {
      return base::in_context(std::move(known).error(), "{}: registry=", where);
    }
    // One that is empty leaves it to etcd_servers=.
    if (!value.empty()) config.registry = value;
  } else if (key.starts_with("etcd_")) {
    return apply_etcd_option(config, where, key, value);
  } else if (key == "listen") {
    FLOTILLA_TRY(set_listen(config.listen, value, where));
  } else if (key == "state_dir") {
    config.state_dir = value;
  } else if (key == "units_directory") {
    config.units_directory = value;
  } else if (key == "log_directory") {
    config.log_directory = value;
  } else if (key == "manager_socket") {
    config.manager_socket = value;
  } else if (key == "machine_id") {
    config.machine_id = value;
  } else if (key == "public_ip") {
    config.public_ip = value;
  } else if (key.starts_with("api_")) {
    return apply_api_option(config, where, key, value);
  } else if (key == "metadata") {
    config.metadata = parse_metadata(value);
  } else if (key == "token_limit") {
    expect(set_number(config.token_limit, value, uint16_t{1}), "a number from 1 to 65535");
  } else if (key == "disable_engine") {
    expect(set_bool(config.disable_engine, value), "true or false");
  } else if (key == "systemd_user") {
    expect(set_bool(config.systemd_user, value), "true or false");
  } else if (key == "verbosity") {
    expect(set_number(config.verbosity, value, 0), "a number");
  } else if (key == "log_format") {
    expect(value == "text" || value == "json", "text or json");
    if (value == "json") config.log_format = LogFormat::kJson;
    if (value == "text") config.log_format = LogFormat::kText;
  } else if (key == "drain_on_sigterm") {
    base::Result<std::chrono::seconds> limit = parse_go_duration(value);
    if (!limit) {
      return base::in_context(std::move(limit).error(), "{}: drain_on_sigterm=", where);
    }
    config.drain_on_sigterm = *limit;
  } else if (key == "agent_ttl") {
    base::Result<std::chrono::seconds> ttl = parse_go_duration(value);
    if (!ttl) return base::in_context(std::move(ttl).error(), "{}: agent_ttl=", where);
    if (*ttl < std::chrono::seconds(2)) {
      return base::invalid("{}: agent_ttl=: at least 2s are needed, got \"{}\"", where, value);
    }
    config.agent_ttl = *ttl;
  } else if (key == "verify_units" || key == "authorized_keys_file") {
    bool verifies = false;
    const bool is_set =
        key == "verify_units" ? set_bool(verifies, value) && verifies : !value.empty();
    if (is_set) {
      config.errors.push_back(
          fmt::format("Config option {} is no longer supported - ignoring", key));
    }
  } else if (!is_known_to_fleet(key)) {
    config.warnings.push_back(fmt::format("{}: {}=: no such option; ignored", where, key));
  }
  return {};
}

namespace {

// The user's manager listens below the user's run-time directory, reads unit files and keeps logs
// there.
base::Status use_user_manager(Config& config, std::string_view where,
                              const std::vector<std::string>& environment) {
  constexpr std::string_view kVariable = "XDG_RUNTIME_DIR=";
  const auto found =
      std::find_if(environment.begin(), environment.end(), [&](const std::string& variable) {
        return variable.compare(0, kVariable.size(), kVariable) == 0;
      });
  const std::string directory =
      found != environment.end() ? found->substr(kVariable.size()) : std::string();
  if (directory.empty() || directory.front() != '/') {
    return base::invalid(
        "{}: systemd_user=: the user's service manager is found by XDG_RUNTIME_DIR, which is not "
        "set",
        where);
  }
  const Config defaults;
  if (config.manager_socket == defaults.manager_socket) {
    config.manager_socket = directory + "/systemd/private";
  }
  if (config.units_directory == defaults.units_directory) {
    config.units_directory = directory + "/fleet/units";
  }
  if (config.log_directory == defaults.log_directory) {
    config.log_directory = directory + "/flotilla/log";
  }
  return {};
}

}  // namespace

base::Result<Config> load_config(const std::optional<std::string>& file,
                                 const std::vector<std::string>& environment) {
  const std::string path = file.value_or(kDefaultFile);
  struct Given {
    std::string value;
    std::string where;
  };
  std::map<std::string, Given> options;
  struct stat st {};
  const bool exists = ::stat(path.c_str(), &st) == 0;
  if (exists && S_ISDIR(st.st_mode)) {
    return base::invalid("Provided config {} is a directory, not a file", path);
  }
  if (exists || file) {
    FLOTILLA_ASSIGN(const std::string text, read_file(path));
    FLOTILLA_ASSIGN(std::vector<IniOption> lines, parse_ini(text, path));
    for (IniOption& option : lines) {
      options[option.key] = {std::move(option.value), fmt::format("{}:{}", path, option.line)};
    }
  }
  for (const std::string& variable : environment) {
    const size_t equals = variable.find('=');
    if (variable.compare(0, kEnvironmentPrefix.size(), kEnvironmentPrefix) != 0 ||
        equals == std::string::npos) {
      continue;
    }
    const size_t skip = kEnvironmentPrefix.size();
    options[to_lower(variable.substr(skip, equals - skip))] = {
        variable.substr(equals + 1), fmt::format("${}", variable.substr(0, equals))};
  }
  Config config;
  config.file = path;
  // First what others are judged by.
  if (const auto registry = options.find("registry"); registry != options.end()) {
    config.registry = registry->second.value;
  }
  for (const auto& [key, given] : options) {
    FLOTILLA_TRY(apply_option(config, given.where, key, given.value));
  }
  if (config.systemd_user) {
    FLOTILLA_TRY(use_user_manager(config, options["systemd_user"].where, environment));
  }
  const auto where_of = [&](const std::string& key) {
    const auto given = options.find(key);
    return given == options.end() ? path : given->second.where;
  };
  FLOTILLA_TRY(check_api_options(config, where_of));
  return config;
}

}  // namespace flotilla::fleetd
