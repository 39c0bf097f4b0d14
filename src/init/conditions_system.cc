#include "init/conditions_system.h"

#include <fnmatch.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "unit/environment.h"
#include "unit/scalar.h"
#include "unit/size.h"
#include "unit/time_span.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

std::string read_line(const ConditionWorld& world, const std::string& path) {
  const auto text = world.tree.read(path, 65536);
  return text ? std::string(unit::trim(*text)) : std::string();
}

// Without a battery that is in use, a machine is on mains.
bool is_on_mains(const ConditionWorld& world) {
  const std::string root = "/sys/class/power_supply";
  bool mains_off = false, has_battery = false;
  for (const base::DirectoryEntry& supply : world.tree.list(root).value_or({})) {
    const std::string path = root + "/" + supply.name;
    const std::string type = read_line(world, path + "/type");
    if (type == "Mains" || type == "USB") {
      if (read_line(world, path + "/online") == "1") return true;
      mains_off = mains_off || type == "Mains";
    }
    if (type == "Battery" && read_line(world, path + "/scope") != "Device") {
      has_battery = has_battery || read_line(world, path + "/status") == "Discharging";
    }
  }
  return !mains_off && !has_battery;
}

// "12.5%" as a number of hundredths of a percent.
std::optional<uint64_t> parse_percentage(std::string_view text) {
  const auto permyriad = unit::parse_permyriad(text);
  if (!permyriad) return std::nullopt;
  return static_cast<uint64_t>(*permyriad);
}

// The average of a line "some avg10=0.12 avg60=... avg300=..." in hundredths.
std::optional<uint64_t> pressure_of(std::string_view text, std::string_view window) {
  const size_t line = text.find("some ");
  const size_t found = line == std::string_view::npos ? line : text.find(window, line);
  if (found == std::string_view::npos) return std::nullopt;
  const std::string number(text.substr(found + window.size(), 16));
  return static_cast<uint64_t>(std::strtod(number.c_str(), nullptr) * 100.0);
}

// "[SLICE:]PERCENT%[/WINDOW]": whether no more time is lost than that.
bool is_pressure_below(const std::string& resource, const std::string& parameter,
                       const ConditionWorld& world) {
  std::string_view rest = parameter;
  std::string path = "/proc/pressure/" + resource;
  if (const size_t colon = rest.rfind(':'); colon != std::string_view::npos) {
    std::string slice(unit::trim(rest.substr(0, colon)));
    rest.remove_prefix(colon + 1);
    if (slice.size() > 6 && slice.substr(slice.size() - 6) == ".slice") {
      std::string directory = "/sys/fs/cgroup";
      const std::string stem = slice.substr(0, slice.size() - 6);
      for (size_t dash = stem.find('-'); stem != "-" && dash != std::string::npos;
           dash = stem.find('-', dash + 1)) {
        directory += "/" + stem.substr(0, dash) + ".slice";
      }
      path = directory + (stem == "-" ? "" : "/" + slice) + "/" + resource + ".pressure";
    }
  }
  std::string_view window = "avg300=";
  if (const size_t slash = rest.find('/'); slash != std::string_view::npos) {
    const auto span = unit::parse_time_span(unit::trim(rest.substr(slash + 1)));
    if (!span) return false;
    const int64_t seconds = span->count() / 1'000'000;
    if (seconds != 10 && seconds != 60 && seconds != 300) return false;
    window = seconds == 10 ? "avg10=" : seconds == 60 ? "avg60=" : "avg300=";
    rest = rest.substr(0, slash);
  }
  const auto limit = parse_percentage(unit::trim(rest));
  if (!limit) return false;
  const auto text = world.tree.read(path, 4096);
  // A kernel that does not measure it is not under it.
  const auto actual = text ? pressure_of(*text, window) : std::nullopt;
  return !actual || *actual <= *limit;
}

bool has_credential(const std::string& name) {
  const char* directory = getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr || name.empty() || name.find('/') != std::string::npos) return false;
  struct stat file {};
  return stat((std::string(directory) + "/" + name).c_str(), &file) == 0;
}

bool compare_versions(std::string_view op, const std::string& actual, const std::string& wanted) {
  const int order = strverscmp(actual.c_str(), wanted.c_str());
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  if (op == ">") return order > 0;
  if (op == ">=") return order >= 0;
  return op == "==" ? order == 0 : order != 0;
}

// Splits "KEY<=value" at its operator, the longest that fits.
bool split_comparison(const std::string& text, std::string& key, std::string_view& op,
                      std::string& value) {
  static constexpr std::array<std::string_view, 11> kOperators{
      "!=$", "=$", "<=", ">=", "<>", "==", "!=", "<", ">", "=", "$="};
  const size_t at = text.find_first_of("<>=!$");
  if (at == std::string::npos || at == 0) return false;
  for (const std::string_view candidate : kOperators) {
    if (text.compare(at, candidate.size(), candidate) != 0) continue;
    key = text.substr(0, at);
    op = candidate;
    value = text.substr(at + candidate.size());
    return true;
  }
  return false;
}

bool compare(std::string_view op, const std::string& actual, const std::string& wanted) {
  if (op == "=") return actual == wanted;
  if (op == "!=") return actual != wanted;
  if (op == "=$") return fnmatch(wanted.c_str(), actual.c_str(), 0) == 0;
  if (op == "!=$") return fnmatch(wanted.c_str(), actual.c_str(), 0) != 0;
  return compare_versions(op, actual, wanted);
}

// Words such as "ID=debian" "VERSION_ID>=12", all of which must hold.
bool release_holds(const std::string& parameter, const ConditionWorld& world) {
  auto text = world.tree.read("/etc/os-release", 65536);
  if (!text) text = world.tree.read("/usr/lib/os-release", 65536);
  const auto words = unit::split_words(parameter);
  if (!text || !words) return false;
  const auto release = unit::parse_environment_file(*text, "os-release");
  if (!release) return false;
  return std::all_of(words->begin(), words->end(), [&](const std::string& word) {
    std::string key, value;
    std::string_view op;
    if (!split_comparison(word, key, op, value)) return false;
    const auto found = release->find(key);
    return compare(op, found ? std::string(*found) : std::string(), value);
  });
}

// Whether /usr is newer than what says when the directory was last brought up to it.
bool needs_update(const std::string& directory, const ConditionWorld& world) {
  // What cannot be written cannot be brought up to date either; all other doubts are for doing it.
  const bool is_writable = access(world.tree.host_path(directory).c_str(), W_OK) == 0;
  if (!is_writable && errno == EROFS) return false;
  const auto updated = world.tree.stat(directory + "/.updated");
  const auto usr = world.tree.stat("/usr");
  if (!updated || !usr) return true;
  return usr->mtime_usec > updated->mtime_usec;
}

// Whether the block device, or one below it, is of dm-crypt.
bool is_encrypted_device(const ConditionWorld& world, const std::string& device, int depth) {
  if (depth > 8) return false;
  if (read_line(world, device + "/dm/uuid").substr(0, 6) == "CRYPT-") return true;
  const auto slaves = world.tree.list(device + "/slaves").value_or({});
  // Each part must be: one in the clear gives it away.
  return !slaves.empty() &&
         std::all_of(slaves.begin(), slaves.end(), [&](const base::DirectoryEntry& slave) {
           return is_encrypted_device(world, device + "/slaves/" + slave.name, depth + 1);
         });
}

bool is_encrypted(const std::string& path, const ConditionWorld& world) {
  const auto stat = world.tree.stat(path);
  if (!stat) return false;
  const std::string device = "/sys/dev/block/" + std::to_string(major(stat->device)) + ":" +
                             std::to_string(minor(stat->device));
  return is_encrypted_device(world, device, 0);
}

// "uefi", "device-tree", "device-tree-compatible(x)", "smbios-field(name=value)".
bool firmware_holds(const std::string& parameter, const ConditionWorld& world) {
  if (parameter == "uefi") return world.tree.stat("/sys/firmware/efi").has_value();
  if (parameter == "device-tree") {
    return world.tree.stat("/sys/firmware/devicetree").has_value();
  }
  const size_t open = parameter.find('(');
  if (open == std::string::npos || parameter.back() != ')') return false;
  const std::string kind = parameter.substr(0, open);
  const std::string inside = parameter.substr(open + 1, parameter.size() - open - 2);
  if (kind == "device-tree-compatible") {
    const auto list = world.tree.read("/sys/firmware/devicetree/base/compatible", 65536);
    if (!list) return false;
    return ("\n" + *list).find(inside) != std::string::npos;
  }
  std::string field, value;
  std::string_view op;
  if (kind != "smbios-field" || !split_comparison(inside, field, op, value)) return false;
  field = std::string(unit::trim(field));
  if (field.empty() || field.find('/') != std::string::npos) return false;
  const auto actual = world.tree.read("/sys/class/dmi/id/" + field, 4096);
  return actual && compare(op, std::string(unit::trim(*actual)), std::string(unit::trim(value)));
}

}  // namespace

std::optional<std::optional<bool>> system_condition_holds(const std::string& kind,
                                                          const std::string& parameter,
                                                          const ConditionWorld& world) {
  if (kind == "ACPower") {
    const auto wanted = unit::parse_boolean(parameter);
    if (!wanted) return std::optional<bool>();
    return *wanted == is_on_mains(world);
  }
  if (kind == "CPUPressure") return is_pressure_below("cpu", parameter, world);
  if (kind == "MemoryPressure") return is_pressure_below("memory", parameter, world);
  if (kind == "IOPressure") return is_pressure_below("io", parameter, world);
  if (kind == "Credential") return has_credential(parameter);
  if (kind == "Firmware") return firmware_holds(parameter, world);
  if (kind == "NeedsUpdate") return needs_update(parameter, world);
  if (kind == "OSRelease") return release_holds(parameter, world);
  if (kind == "PathIsEncrypted") return is_encrypted(parameter, world);
  return std::nullopt;
}

std::string detect_virtual_machine() {
#if defined(__x86_64__) || defined(__i386__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & (1U << 31)) == 0) return "none";
  __cpuid(0x40000000U, a, b, c, d);
  std::array<char, 13> text{};
  std::memcpy(text.data(), &b, 4);
  std::memcpy(text.data() + 4, &c, 4);
  std::memcpy(text.data() + 8, &d, 4);
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"KVMKVMKVM", "kvm"},          {"Linux KVM Hv", "kvm"},   {"VMwareVMware", "vmware"},
      {"Microsoft Hv", "microsoft"}, {"bhyve bhyve ", "bhyve"}, {"QNXQVMBSQG", "qnx"},
      {"ACRNACRNACRN", "acrn"},      {"TCGTCGTCGTCG", "qemu"},  {"XenVMMXenVMM", "xen"},
      {"SRESRESRESRE", "sre"}};
  const std::string_view signature(text.data());
  for (const auto& [known, name] : kNames) {
    if (signature == known) return std::string(name);
  }
  return "vm-other";
#else
  return "none";
#endif
}

std::string architecture_name(std::string_view machine) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"x86_64", "x86-64"},
      {"i686", "x86"},
      {"i586", "x86"},
      {"i486", "x86"},
      {"i386", "x86"},
      {"aarch64", "arm64"},
      {"aarch64_be", "arm64-be"},
      {"armv6l", "arm"},
      {"armv7l", "arm"},
      {"armv8l", "arm"},
      {"ppc64le", "ppc64-le"},
      {"ppcle", "ppc-le"},
      {"mips64", "mips64"},
      {"s390", "s390"},
      {"riscv32", "riscv32"},
      {"loongarch64", "loongarch64"}};
  for (const auto& [from, to] : kNames) {
    if (machine == from) return std::string(to);
  }
  return std::string(machine);
}

}  // namespace flotilla::init
