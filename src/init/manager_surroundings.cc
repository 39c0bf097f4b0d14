#include "init/manager_surroundings.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "init/conditions_system.h"
#include "init/user_db.h"
#include "unit/command_line.h"
#include "unit/environment.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

// What services of a machine get: few, so that programs that use select() live, and the right to
// many.
constexpr rlim_t kUsualDescriptors = 1024;
constexpr rlim_t kSystemDescriptors = 524'288;

std::string absolute(const std::string& path) {
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) != nullptr ? std::string(resolved) : path;
}

// Where this program is, up to the last slash; empty where it cannot be known.
const std::string& own_directory() {
  static const std::string directory = [] {
    char self[PATH_MAX];
    const ssize_t size = readlink("/proc/self/exe", self, sizeof self);
    const std::string_view path(self, size > 0 ? static_cast<size_t>(size) : 0);
    return std::string(path.substr(0, path.rfind('/') + 1));
  }();
  return directory;
}

std::string read_line(const base::FileTree& tree, std::string_view path) {
  const auto text = tree.read(path, 4096);
  return text ? std::string(unit::trim(*text)) : std::string();
}

// "NAME=value" lines of os-release.
void read_os_release(const base::FileTree& tree, unit::HostValues& values) {
  auto text = tree.read("/etc/os-release", 65536);
  if (!text) text = tree.read("/usr/lib/os-release", 65536);
  if (!text) return;
  const auto parsed = unit::parse_environment_file(*text, "os-release");
  if (!parsed) return;
  const auto set = [&](std::string_view name, std::optional<std::string>& value) {
    if (const auto found = parsed->find(name)) value = std::string(*found);
  };
  set("ID", values.os_id);
  set("VERSION_ID", values.version_id);
  set("VARIANT_ID", values.variant_id);
  set("BUILD_ID", values.build_id);
  set("IMAGE_ID", values.image_id);
  set("IMAGE_VERSION", values.image_version);
}

}  // namespace

std::string from_environment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

void mount_basics() {
  struct Mount {
    const char *type, *place, *options;
    unsigned long flags;
  };
  static constexpr Mount kMounts[] = {
      {"proc", "/proc", nullptr, MS_NOSUID | MS_NOEXEC | MS_NODEV},
      {"sysfs", "/sys", nullptr, MS_NOSUID | MS_NOEXEC | MS_NODEV},
      {"devtmpfs", "/dev", "mode=755", MS_NOSUID | MS_STRICTATIME},
      {"tmpfs", "/run", "mode=755", MS_NOSUID | MS_NODEV | MS_STRICTATIME},
  };
  struct stat above {};
  if (stat("/", &above) != 0) return;
  for (const Mount& mount_point : kMounts) {
    struct stat here {};
    if (stat(mount_point.place, &here) != 0 && mkdir(mount_point.place, 0755) != 0) continue;
    if (stat(mount_point.place, &here) == 0 && here.st_dev != above.st_dev) continue;
    static_cast<void>(mount(mount_point.type, mount_point.place, mount_point.type,
                            mount_point.flags, mount_point.options));
  }
}

rlimit raise_descriptor_limit(bool is_pid1) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit raised = before;
  raised.rlim_cur = raised.rlim_max;
  if (is_pid1) {
    rlimit system = raised;
    system.rlim_max = std::max(system.rlim_max, kSystemDescriptors);
    system.rlim_cur = system.rlim_max;
    // Refused where the kernel's own limit is lower.
    if (setrlimit(RLIMIT_NOFILE, &system) == 0) raised = system;
    before = {kUsualDescriptors, std::max(before.rlim_max, kSystemDescriptors)};
  }
  setrlimit(RLIMIT_NOFILE, &raised);
  return before;
}

std::string find_log_program(const ProgramOptions& options) {
  if (!options.log_program.empty()) return absolute(options.log_program);
  return find_own_program("flotilla-logd");
}

std::string find_own_program(std::string_view name) {
  if (!own_directory().empty()) {
    std::string path = own_directory() + std::string(name);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  for (const std::string_view directory : unit::kProgramSearchPath) {
    std::string path = std::string(directory).append("/").append(name);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

std::vector<UnitDirectory> unit_directories(const ProgramOptions& options,
                                            const base::FileTree& tree,
                                            const base::FileTree& host) {
  SearchPathVariables variables;
  variables.systemd_unit_path = from_environment("SYSTEMD_UNIT_PATH");
  variables.xdg_config_home = from_environment("XDG_CONFIG_HOME");
  variables.xdg_data_home = from_environment("XDG_DATA_HOME");
  variables.xdg_runtime_dir = from_environment("XDG_RUNTIME_DIR");
  variables.home = from_environment("HOME");
  std::vector<UnitDirectory> directories;
  if (!options.units.empty()) directories.push_back({absolute(options.units), &host});
  for (std::string& path : unit_search_path(options.scope, variables)) {
    directories.push_back({std::move(path), &tree});
  }
  return directories;
}

unit::HostValues host_values(const ProgramOptions& options, const base::FileTree& tree,
                             const base::FileTree& host, const std::string& boot_id) {
  unit::HostValues values = unit::HostValues::of_system_manager();
  utsname name{};
  if (uname(&name) == 0) {
    values.architecture = architecture_name(name.machine);
    values.host_name = name.nodename;
    values.pretty_host_name = name.nodename;
    values.kernel_release = name.release;
  }
  values.boot_id = boot_id;
  if (std::string id = read_line(host, "/etc/machine-id"); !id.empty()) values.machine_id = id;
  read_os_release(host, values);
  if (const auto info = host.read("/etc/machine-info", 65536)) {
    const auto parsed = unit::parse_environment_file(*info, "machine-info");
    const auto pretty = parsed ? parsed->find("PRETTY_HOSTNAME") : std::nullopt;
    if (pretty && !pretty->empty()) values.pretty_host_name = std::string(*pretty);
  }
  // What services keep belongs under the root that their units come from.
  const auto below = [&](const char* path) { return tree.host_path(path); };
  if (options.root != "/") {
    values.runtime_directory = below("/run");
    values.state_directory = below("/var/lib");
    values.cache_directory = below("/var/cache");
    values.log_directory = below("/var/log");
    values.configuration_directory = below("/etc");
  }
  if (options.scope == ManagerScope::kUser) {
    const std::string home = from_environment("HOME");
    const auto or_home = [&](const char* variable, const char* otherwise) {
      std::string value = from_environment(variable);
      return value.empty() ? home + otherwise : value;
    };
    values.runtime_directory = from_environment("XDG_RUNTIME_DIR");
    values.configuration_directory = or_home("XDG_CONFIG_HOME", "/.config");
    values.state_directory = or_home("XDG_CONFIG_HOME", "/.config");
    values.cache_directory = or_home("XDG_CACHE_HOME", "/.cache");
    values.log_directory = *values.state_directory + "/log";
  }
  if (geteuid() != 0) {
    UserDb users(host);
    values.uid = std::to_string(geteuid());
    values.gid = std::to_string(getegid());
    if (const auto user = users.find_user(*values.uid)) {
      if (!(*user)->name.empty()) values.user = (*user)->name;
      values.home = (*user)->home;
      values.shell = (*user)->shell;
    }
  }
  return values;
}

std::vector<std::string> service_environment(const ProgramOptions& options, bool is_pid1) {
  std::vector<std::string> environment;
  if (options.scope == ManagerScope::kUser) {
    for (char** variable = environ; *variable != nullptr; ++variable) {
      if (unit::is_valid_assignment(*variable)) environment.emplace_back(*variable);
    }
    return environment;
  }
  const std::string path = from_environment("PATH");
  environment.push_back("PATH=" +
                        (is_pid1 || path.empty()
                             ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                             : path));
  std::vector<const char*> passed{"LANG"};
  if (geteuid() != 0) passed = {"LANG", "HOME", "USER", "LOGNAME", "SHELL"};
  for (const char* name : passed) {
    if (const std::string value = from_environment(name); !value.empty()) {
      environment.push_back(std::string(name) + "=" + value);
    }
  }
  return environment;
}

}  // namespace flotilla::init
