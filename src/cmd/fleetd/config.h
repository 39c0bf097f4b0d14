// fleetd's configuration: an INI file as fleet has it, FLEET_* variables over it, flags over both.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cmd/fleetd/logging.h"
#include "registry/keys.h"
#include "store/etcd_options.h"
#include "tls/context.h"

namespace flotilla::fleetd {

struct Config {
  std::string file;          // that it was read from, or would be if it were there
  std::string registry;      // as open_store() takes it; empty: alone, in the state directory
  store::EtcdSettings etcd;  // how to speak to an etcd that `registry` names
  std::string key_prefix{registry::kDefaultPrefix};  // of all keys in that etcd
  std::vector<std::string> listen;                   // addresses, if no sockets are handed over
  std::string state_dir = "/var/lib/fleet";
  std::string units_directory = "/run/fleet/units";
  std::string log_directory = "/var/log/flotilla";
  std::string manager_socket = "/run/systemd/private";
  std::string machine_id;  // empty: /etc/machine-id, or one kept in the state directory
  tls::Files api_tls;      // of listen=https://, and for the APIs of other machines
  std::vector<std::string> api_admins;  // names in certificates; empty: all may change things
  std::string public_ip;                // empty: the default route's
  std::string api_address;              // where other machines reach the API; empty: nowhere
  std::map<std::string, std::string> metadata;
  std::chrono::seconds agent_ttl{30};  // of the machine's lease
  // At SIGTERM units that others can take go there first, for so long; 0: they stay.
  std::chrono::seconds drain_on_sigterm{0};
  uint16_t token_limit = 100;  // page size of the API
  bool disable_engine = false;
  bool systemd_user = false;  // the user's service manager, not the system's
  int verbosity = 0;          // above 0: debug messages
  LogFormat log_format = LogFormat::kText;
  // Sentences about what was passed over, for the log.
  std::vector<std::string> warnings;
  std::vector<std::string> errors;  // the same, of options that mattered once
};

struct IniOption {
  std::string key;
  std::string value;
  size_t line = 0;

  friend bool operator==(const IniOption&, const IniOption&) = default;
};

// Reads "key = value" lines: # and ; begin comments and end unquoted values, quotes take a value
// whole, a final backslash joins lines, keys are lower-cased, and what stands behind a [section] is
// left out. In the order of the text; a key may stand there more than once. Errors: kInvalid with
// `file` and the line.
base::Result<std::vector<IniOption>> parse_ini(std::string_view text, std::string_view file);

// One option into the configuration; `where` ("fleet.conf:3") begins what is said about it. Unknown
// ones, and values that do not parse, leave a warning and change nothing, as in fleet; but a time
// that is none, or an option that asks for what is not there, is an error.
base::Status apply_option(Config& config, std::string_view where, std::string_view key,
                          std::string_view value);

// The file (nullopt: /etc/fleet/fleet.conf if there is one), then `environment` ("NAME=value").
base::Result<Config> load_config(const std::optional<std::string>& file,
                                 const std::vector<std::string>& environment);

// Go's duration: "30s", "1m30s", "500ms" (rounded up to whole seconds).
base::Result<std::chrono::seconds> parse_go_duration(std::string_view text);

}  // namespace flotilla::fleetd
