#include "init/conditions.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "init/conditions_system.h"
#include "unit/scalar.h"
#include "unit/size.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

using base::FileKind;

std::string read_trimmed(const base::FileTree& tree, std::string_view path) {
  auto text = tree.read(path, 65536);
  return text ? std::string(unit::trim(*text)) : std::string();
}

bool matches(const std::string& pattern, const std::string& text) {
  return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

// Reads "/a/*/b" against the tree, one part after the other.
bool glob_exists(const base::FileTree& tree, const std::string& prefix, std::string_view rest) {
  if (rest.empty()) return tree.stat(prefix.empty() ? "/" : prefix).has_value();
  const std::string part(rest.substr(0, rest.find('/')));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  if (part.empty()) return glob_exists(tree, prefix, rest);
  if (part.find_first_of("*?[") == std::string::npos) {
    return glob_exists(tree, prefix + "/" + part, rest);
  }
  const auto entries = tree.list(prefix.empty() ? "/" : prefix);
  if (!entries) return false;
  return std::any_of(entries->begin(), entries->end(), [&](const base::DirectoryEntry& entry) {
    if (fnmatch(part.c_str(), entry.name.c_str(), FNM_PERIOD) != 0) return false;
    return glob_exists(tree, prefix + "/" + entry.name, rest);
  });
}

bool is_mount_point(const ConditionWorld& world, const std::string& path) {
  if (path == "/") return true;
  // The kernel knows; overlays show several devices where nothing is mounted.
  struct statx status {};
  const std::string place = world.tree.host_path(path);
  if (statx(AT_FDCWD, place.c_str(), AT_NO_AUTOMOUNT, STATX_TYPE, &status) == 0 &&
      (status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0) {
    return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  }
  const auto own = world.tree.stat(path);
  const auto above = world.tree.stat(path.substr(0, std::max<size_t>(path.rfind('/'), 1)));
  return own && above && own->device != above->device;
}

// "< 4", ">=5.10", "=3", "!=3", "1": an operator (">=" without one) and a number.
// Nothing where the text is no number.
template <typename Number>
std::optional<bool> compare_number(std::string_view text, Number actual,
                                   base::Result<Number> (*parse)(std::string_view)) {
  static constexpr std::string_view kOperators[] = {"<=", ">=", "!=", "<", ">", "="};
  std::string_view op = ">=";
  for (const std::string_view candidate : kOperators) {
    if (text.substr(0, candidate.size()) == candidate) {
      op = candidate;
      text.remove_prefix(candidate.size());
      break;
    }
  }
  const auto wanted = parse(unit::trim(text));
  if (!wanted) return std::nullopt;
  if (op == "<") return actual < *wanted;
  if (op == "<=") return actual <= *wanted;
  if (op == ">") return actual > *wanted;
  if (op == "=") return actual == *wanted;
  if (op == "!=") return actual != *wanted;
  return actual >= *wanted;
}

base::Result<uint64_t> parse_bytes(std::string_view text) { return unit::parse_size(text); }
base::Result<uint64_t> parse_count(std::string_view text) { return unit::parse_unsigned(text); }

std::optional<bool> compare_version(const std::string& op, const std::string& version,
                                    const std::string& release) {
  if (op.empty() || op == "=$" || op == "$=") return matches(version, release);
  if (op == "!=$" || op == "!$=") return !matches(version, release);
  const int order = strverscmp(release.c_str(), version.c_str());
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  if (op == ">") return order > 0;
  if (op == ">=") return order >= 0;
  if (op == "=" || op == "==") return order == 0;
  if (op == "!=" || op == "<>") return order != 0;
  return std::nullopt;
}

// Words of glob patterns and comparisons, all of which must hold: "5.10*", ">=5.4 <6". An operator
// may stand apart from its version at the very beginning only; elsewhere there is no answer.
std::optional<bool> kernel_version_holds(const std::string& parameter, const std::string& release) {
  std::string_view rest = parameter;
  bool holds = true;
  for (bool is_first = true; holds; is_first = false) {
    auto word = unit::take_word(rest);
    if (!word) return std::nullopt;
    if (!*word) break;
    const std::string text(unit::trim(**word));
    const size_t begin = text.find_first_not_of("<>=!$");
    const std::string op = text.substr(0, begin);
    std::string version = begin == std::string::npos ? "" : text.substr(begin);
    if (!op.empty()) version = std::string(unit::trim(version));
    if (!op.empty() && version.empty()) {
      if (!is_first) return std::nullopt;
      auto next = unit::take_word(rest);
      if (!next || !*next) return std::nullopt;
      version = **next;
    }
    const auto answer = compare_version(op, version, release);
    if (!answer) return std::nullopt;
    holds = *answer;
  }
  return holds;
}

bool command_line_has(const ConditionWorld& world, const std::string& wanted) {
  const auto words = unit::split_words(world.kernel_command_line);
  if (!words) return false;
  const bool has_value = wanted.find('=') != std::string::npos;
  return std::any_of(words->begin(), words->end(), [&](const std::string& word) {
    return has_value ? word == wanted : word.substr(0, word.find('=')) == wanted;
  });
}

bool environment_has(const ConditionWorld& world, const std::string& wanted) {
  const bool has_value = wanted.find('=') != std::string::npos;
  return std::any_of(world.environment.begin(), world.environment.end(),
                     [&](const std::string& assignment) {
                       return has_value ? assignment == wanted
                                        : assignment.substr(0, assignment.find('=')) == wanted;
                     });
}

bool is_one_of(const std::vector<std::string>& names, uint32_t id, const std::string& wanted) {
  if (std::find(names.begin(), names.end(), wanted) != names.end()) return true;
  const auto number = unit::parse_unsigned(wanted, UINT32_MAX);
  return number && *number == id;
}

bool virtualization_holds(const ConditionWorld& world, const std::string& wanted) {
  if (const auto flag = unit::parse_boolean(wanted)) {
    return *flag == (world.virtualization != "none");
  }
  if (wanted == "container") return world.is_container;
  if (wanted == "vm") return !world.is_container && world.virtualization != "none";
  return wanted == world.virtualization;
}

// It is about the file system, not about who may write: /proc/sys/net is open to writing, though
// not even root may make a file there.
bool is_on_writable_system(const std::string& path) {
  struct statvfs system {};
  if (statvfs(path.c_str(), &system) != 0) return errno != ENOENT;
  if ((system.f_flag & ST_RDONLY) != 0) return false;
  return access(path.c_str(), W_OK) == 0 || errno != EROFS;
}

bool file_holds(const Condition& condition, const ConditionWorld& world) {
  const std::string& path = condition.parameter;
  const std::string& kind = condition.kind;
  if (kind == "PathExistsGlob") return glob_exists(world.tree, "", path);
  if (kind == "PathIsSymbolicLink") {
    const auto stat = world.tree.lstat(path);
    return stat && stat->kind == FileKind::kSymlink;
  }
  if (kind == "PathIsMountPoint") return is_mount_point(world, path);
  if (kind == "PathIsReadWrite") return is_on_writable_system(world.tree.host_path(path));
  if (kind == "DirectoryNotEmpty") {
    const auto entries = world.tree.list(path);
    return entries && std::any_of(entries->begin(), entries->end(),
                                  [](const auto& entry) { return entry.name[0] != '.'; });
  }
  const auto stat = world.tree.stat(path);
  if (!stat) return false;
  if (kind == "PathExists") return true;
  if (kind == "PathIsDirectory") return stat->kind == FileKind::kDirectory;
  if (kind == "FileNotEmpty") return stat->kind == FileKind::kRegular && stat->size > 0;
  if (kind == "FileIsExecutable") {
    return stat->kind == FileKind::kRegular && (stat->mode & 0111) != 0;
  }
  return false;
}

bool has_word(std::string_view text, std::string_view word) {
  const auto words = unit::split_words(text);
  return words && std::find(words->begin(), words->end(), word) != words->end();
}

// Whether any process here could have it: what counts is the bounding set.
std::optional<bool> has_capability(const std::string& name) {
  cap_value_t value = 0;
  if (cap_from_name(name.c_str(), &value) != 0) return std::nullopt;
  return cap_get_bound(value) == 1;
}

bool has_security(const ConditionWorld& world, const std::string& name) {
  std::string modules = read_trimmed(world.tree, "/sys/kernel/security/lsm");
  std::replace(modules.begin(), modules.end(), ',', ' ');
  if (has_word(modules, name)) return true;
  if (name == "uefi-secureboot") return false;
  return name == "tpm2" && world.tree.stat("/sys/class/tpmrm/tpmrm0").has_value();
}

bool has_controllers(const ConditionWorld& world, const std::string& wanted) {
  const auto controllers = world.tree.read("/sys/fs/cgroup/cgroup.controllers", 4096);
  if (wanted == "v2") return controllers.has_value();
  if (wanted == "v1") return !controllers.has_value();
  const auto words = unit::split_words(wanted);
  if (!controllers || !words) return false;
  // What is no controller is asked of nobody.
  static constexpr std::string_view kKnown[] = {"cpu",   "cpuacct", "cpuset",  "io",
                                                "blkio", "memory",  "devices", "pids"};
  return std::all_of(words->begin(), words->end(), [&](const std::string& word) {
    return std::find(std::begin(kKnown), std::end(kKnown), word) == std::end(kKnown) ||
           has_word(*controllers, word);
  });
}

bool has_cpu_feature(const ConditionWorld& world, const std::string& name) {
  const auto info = world.tree.read("/proc/cpuinfo", size_t{4} << 20);
  if (!info) return false;
  const size_t flags = info->find("\nflags");
  if (flags == std::string::npos) return false;
  const std::string_view line =
      std::string_view(*info).substr(flags + 1, info->find('\n', flags + 1) - flags - 1);
  return has_word(line.substr(line.find(':') + 1), name);
}

// Without negation; nothing where it cannot be told.
std::optional<bool> plain_answer(const Condition& condition, const ConditionWorld& world) {
  const std::string& kind = condition.kind;
  const std::string& parameter = condition.parameter;
  if (kind == "Host") {
    return matches(parameter, world.host_name) || parameter == world.machine_id;
  }
  if (kind == "Architecture") return parameter == world.architecture || parameter == "native";
  if (kind == "KernelCommandLine") return command_line_has(world, parameter);
  if (kind == "KernelVersion") return kernel_version_holds(parameter, world.kernel_release);
  if (kind == "Environment") return environment_has(world, parameter);
  if (kind == "Virtualization") return virtualization_holds(world, parameter);
  if (kind == "Memory") return compare_number<uint64_t>(parameter, world.memory_bytes, parse_bytes);
  if (kind == "CPUs") return compare_number<uint64_t>(parameter, world.cpus, parse_count);
  if (kind == "User") {
    if (parameter == "@system") return world.uid < 1000;
    return is_one_of(world.user_names, world.uid, parameter);
  }
  if (kind == "Group") return is_one_of(world.group_names, world.gid, parameter);
  if (kind == "Capability") return has_capability(parameter);
  if (kind == "Security") return has_security(world, parameter);
  if (kind == "ControlGroupController") return has_controllers(world, parameter);
  if (kind == "CPUFeature") return has_cpu_feature(world, parameter);
  if (kind == "FirstBoot") {
    const auto flag = unit::parse_boolean(parameter);
    if (!flag) return std::nullopt;
    return *flag == world.first_boot;
  }
  if (const auto answer = system_condition_holds(kind, parameter, world)) return *answer;
  return file_holds(condition, world);
}

}  // namespace

bool holds(const Condition& condition, const ConditionWorld& world) {
  const std::optional<bool> answer = plain_answer(condition, world);
  return answer && *answer != condition.negate;
}

bool all_hold(std::vector<Condition>& conditions, const ConditionWorld& world,
              const Condition** failed) {
  bool any_trigger = false, triggered = false;
  const Condition* first_trigger = nullptr;
  for (Condition& condition : conditions) condition.result = 0;
  for (auto last = conditions.rbegin(); last != conditions.rend(); ++last) {
    Condition& condition = *last;
    const bool ok = holds(condition, world);
    condition.result = ok ? 1 : -1;
    if (condition.trigger) {
      if (!any_trigger) first_trigger = &condition;
      any_trigger = true;
      triggered |= ok;
    } else if (!ok) {
      if (failed != nullptr) *failed = &condition;
      return false;
    }
  }
  if (!any_trigger || triggered) return true;
  if (failed != nullptr) *failed = first_trigger;
  return false;
}

ConditionWorld ConditionWorld::of_machine(const base::FileTree& tree) {
  ConditionWorld world(tree);
  utsname name{};
  if (uname(&name) == 0) {
    world.host_name = name.nodename;
    world.kernel_release = name.release;
    world.architecture = architecture_name(name.machine);
  }
  world.machine_id = read_trimmed(tree, "/etc/machine-id");
  world.uid = geteuid();
  world.gid = getegid();
  struct sysinfo info {};
  if (sysinfo(&info) == 0) world.memory_bytes = uint64_t{info.totalram} * info.mem_unit;
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  world.cpus = cpus > 0 ? static_cast<unsigned>(cpus) : 1;
  world.virtualization = detect_virtual_machine();
  const char* container = getenv("container");
  if (container != nullptr && *container != '\0') {
    world.is_container = true;
    static constexpr std::string_view kKnown[] = {
        "lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl", "proot", "pouch"};
    const bool is_known =
        std::find(std::begin(kKnown), std::end(kKnown), container) != std::end(kKnown);
    world.virtualization = is_known ? container : "container-other";
  } else if (tree.stat("/.dockerenv")) {
    world.is_container = true;
    world.virtualization = "docker";
  }
  // The kernel of a container is not its own: what its first process was given stands for that.
  world.kernel_command_line =
      read_trimmed(tree, world.is_container ? "/proc/1/cmdline" : "/proc/cmdline");
  std::replace(world.kernel_command_line.begin(), world.kernel_command_line.end(), '\0', ' ');
  return world;
}

}  // namespace flotilla::init
