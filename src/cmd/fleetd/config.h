// fleetd's configuration: an INI file as fleet has it, FLEET_* variables over it, flags over both.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotilla::fleetd {

struct Config {
  std::string registry;             // "sqlite:PATH"; empty: alone, in the state directory
  std::vector<std::string> listen;  // addresses, if no sockets are handed over
  std::string state_dir = "/var/lib/fleet";
  std::string units_directory = "/run/fleet/units";
  std::string log_directory = "/var/log/flotilla";
  std::string manager_socket = "/run/systemd/private";
  std::string machine_id;  // empty: /etc/machine-id, or one kept in the state directory
  std::string public_ip;   // empty: the default route's
  std::map<std::string, std::string> metadata;
  std::chrono::seconds agent_ttl{30};  // of the machine's lease
  uint16_t token_limit = 100;          // page size of the API
  bool disable_engine = false;
  int verbosity = 0;  // above 0: debug messages
};

// Reads "key = value" lines: # and ; begin comments and end unquoted values, quotes take a value
// whole, a final backslash joins lines, keys are lower-cased, and what stands behind a [section] is
// left out. Errors: kInvalid with the line.
base::Result<std::map<std::string, std::string>> parse_ini(std::string_view text);

// One option into the configuration. Unknown ones, and values that do not parse, change nothing, as
// in fleet; but a time that is none, or an option that asks for what is not there, is kInvalid.
base::Status apply_option(Config& config, std::string_view key, std::string_view value);

// The file (nullopt: /etc/fleet/fleet.conf if there is one), then `environment` ("NAME=value").
base::Result<Config> load_config(const std::optional<std::string>& file,
                                 const std::vector<std::string>& environment);

// Go's duration: "30s", "1m30s", "500ms" (rounded up to whole seconds).
base::Result<std::chrono::seconds> parse_go_duration(std::string_view text);

}  // namespace flotilla::fleetd
