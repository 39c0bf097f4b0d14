#include "init/manager_conf.h"

#include <fmt/format.h>

#include <map>
#include <string_view>

#include "init/directives.h"
#include "init/directives_values.h"
#include "unit/environment.h"
#include "unit/time_span.h"
#include "unit/unit_name.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

using unit::Setting;

// A key of [Manager] that is a default, and the setting of units that it is the default of.
struct Default {
  std::string_view key;
  std::string_view section;
  std::string_view of;
};
constexpr Default kDefaults[] = {
    {"DefaultTimeoutStartSec", "Service", "TimeoutStartSec"},
    {"DefaultTimeoutStopSec", "Service", "TimeoutStopSec"},
    {"DefaultTimeoutAbortSec", "Service", "TimeoutAbortSec"},
    {"DefaultRestartSec", "Service", "RestartSec"},
    {"DefaultStartLimitIntervalSec", "Unit", "StartLimitIntervalSec"},
    {"DefaultStartLimitInterval", "Unit", "StartLimitIntervalSec"},
    {"DefaultStartLimitBurst", "Unit", "StartLimitBurst"},
    {"DefaultStandardOutput", "Service", "StandardOutput"},
    {"DefaultStandardError", "Service", "StandardError"},
    {"DefaultOOMPolicy", "Service", "OOMPolicy"},
    {"DefaultOOMScoreAdjust", "Service", "OOMScoreAdjust"},
    {"DefaultTasksMax", "", "TasksMax"},
    {"DefaultCPUAccounting", "", "CPUAccounting"},
    {"DefaultIOAccounting", "", "IOAccounting"},
    {"DefaultBlockIOAccounting", "", "BlockIOAccounting"},
    {"DefaultMemoryAccounting", "", "MemoryAccounting"},
    {"DefaultTasksAccounting", "", "TasksAccounting"},
    {"DefaultIPAccounting", "", "IPAccounting"},
};

constexpr std::string_view kWithoutEffect[] = {
    "CPUAffinity",
    "CapabilityBoundingSet",
    "CrashChangeVT",
    "CrashChVT",
    "CrashReboot",
    "CrashShell",
    "DefaultSmackProcessLabel",
    "DumpCore",
    "JoinControllers",
    "KExecWatchdogSec",
    "LogColor",
    "LogLocation",
    "LogTarget",
    "LogTime",
    "NUMAMask",
    "NUMAPolicy",
    "NoNewPrivileges",
    "RuntimeWatchdogPreGovernor",
    "RuntimeWatchdogPreSec",
    "RuntimeWatchdogSec",
    "ShowStatus",
    "StatusUnitFormat",
    "SystemCallArchitectures",
    "TimerSlackNSec",
    "WatchdogDevice",
};

bool begins_with(std::string_view text, std::string_view begin) {
  return text.substr(0, begin.size()) == begin;
}

class Reader {
 public:
  Reader(const base::FileTree& tree, const unit::HostValues& host, ManagerConf& conf)
      : tree_(tree), host_(host), conf_(conf) {}

  void read(const std::string& path) {
    const auto bytes = tree_.read(path, unit::kMaxUnitFileSize);
    if (!bytes) return;
    const auto file = unit::parse_unit_file(*bytes, path);
    if (!file) return warn(path, 0, file.error().message);
    for (const unit::Diagnostic& problem : file->diagnostics) {
      conf_.warnings.push_back(to_string(problem));
    }
    for (const Setting& setting : file->settings) take(setting, path);
  }

 private:
  void warn(const std::string& path, unsigned line, std::string_view text) {
    conf_.warnings.push_back(fmt::format("{}:{}: {}", path, line, text));
  }

  void take(const Setting& setting, const std::string& path) {
    if (unit::is_foreign(setting.section) || unit::is_foreign(setting.key)) return;
    if (setting.section != "Manager") {
      return warn(path, setting.line,
                  fmt::format("Unknown section '{}'. Ignoring.", setting.section));
    }
    if (take_default(setting) || take_own(setting, path)) return;
    for (const std::string_view key : kWithoutEffect) {
      if (key != setting.key) continue;
      return warn(path, setting.line, fmt::format("{}= has no effect here.", setting.key));
    }
    warn(path, setting.line,
         fmt::format("Unknown key name '{}' in section 'Manager', ignoring.", setting.key));
  }

  bool take_default(const Setting& setting) {
    if (begins_with(setting.key, "DefaultLimit") &&
        find_directive("Service", setting.key.substr(7)) != nullptr) {
      conf_.unit_defaults.push_back(
          {"Service", setting.key.substr(7), setting.value, setting.line});
      return true;
    }
    for (const Default& known : kDefaults) {
      if (known.key != setting.key) continue;
      conf_.unit_defaults.push_back(
          {std::string(known.section), std::string(known.of), setting.value, setting.line});
      return true;
    }
    return false;
  }

  bool take_own(const Setting& setting, const std::string& path) {
    if (setting.key == "DefaultEnvironment") {
      assign(conf_.default_environment, setting, path);
    } else if (setting.key == "ManagerEnvironment") {
      assign(conf_.manager_environment, setting, path);
    } else if (setting.key == "LogLevel") {
      const auto level = parse_syslog_level(setting.value);
      if (!level) warn(path, setting.line, "LogLevel=: not a level: " + setting.value);
      if (level) conf_.log_level = *level;
    } else if (setting.key == "CtrlAltDelBurstAction") {
      const auto action = parse_emergency_action(setting.value);
      if (!action) warn(path, setting.line, "CtrlAltDelBurstAction=: no action: " + setting.value);
      if (action) conf_.shown.ctrl_alt_del_burst = *action;
    } else if (base::Micros* const span = find_span(setting.key)) {
      const auto value = unit::parse_time_span(setting.value);
      if (!value) warn(path, setting.line, setting.key + "=: no time span: " + setting.value);
      if (value) *span = *value;
    } else {
      return false;
    }
    return true;
  }

  base::Micros* find_span(std::string_view key) {
    if (key == "DefaultTimerAccuracySec") return &conf_.shown.timer_accuracy;
    if (key == "DefaultDeviceTimeoutSec") return &conf_.shown.device_timeout;
    const bool is_watchdog = key == "RebootWatchdogSec" || key == "ShutdownWatchdogSec";
    return is_watchdog ? &conf_.shown.reboot_watchdog : nullptr;
  }

  void assign(std::vector<std::string>& environment, const Setting& setting,
              const std::string& path) {
    if (setting.value.empty()) return environment.clear();
    static const unit::UnitName kNobody = *unit::UnitName::parse("system.conf.target");
    const unit::SpecifierContext specifiers{kNobody, &host_, {}, {}};
    const auto words = unit::split_words(setting.value);
    if (!words) return warn(path, setting.line, words.error().message);
    unit::Environment all(environment);
    for (const std::string& word : *words) {
      const auto assignment = unit::expand_specifiers(word, specifiers);
      if (!assignment || !unit::is_valid_assignment(*assignment)) {
        warn(path, setting.line, fmt::format("Invalid environment assignment, ignoring: {}", word));
        continue;
      }
      all.set_assignment(*assignment);
    }
    environment = all.assignments();
  }

  const base::FileTree& tree_;
  const unit::HostValues& host_;
  ManagerConf& conf_;
};

}  // namespace

ManagerConf read_manager_conf(const base::FileTree& tree, ManagerScope scope,
                              const unit::HostValues& host) {
  ManagerConf conf;
  Reader reader(tree, host, conf);
  const std::string name = scope == ManagerScope::kSystem ? "system.conf" : "user.conf";
  reader.read("/etc/systemd/" + name);
  // The first directory that has a file of a name wins; the names alone give the order.
  std::map<std::string, std::string> drop_ins;
  for (const char* place : {"/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"}) {
    const std::string directory = fmt::format("{}/systemd/{}.d", place, name);
    for (const base::DirectoryEntry& entry : tree.list(directory).value_or({})) {
      const std::string_view file = entry.name;
      if (file.size() <= 5 || file.substr(file.size() - 5) != ".conf" || file[0] == '.') continue;
      drop_ins.emplace(entry.name, directory + "/" + entry.name);
    }
  }
  for (const auto& [file, path] : drop_ins) reader.read(path);
  return conf;
}

bool is_default_for(const Setting& setting, unit::UnitType type) {
  using unit::UnitType;
  if (setting.section == "Unit") return true;
  // A mount has one time limit for whatever it does, and its default is that of a start.
  if (type == UnitType::kMount && setting.key == "TimeoutStartSec") return true;
  if (setting.section == "Service") return type == UnitType::kService;
  // Slices hold many: a number that is meant for one unit is none for them.
  if (type == UnitType::kSlice) return setting.key != "TasksMax";
  return type == UnitType::kService || type == UnitType::kScope;
}

}  // namespace flotilla::init
