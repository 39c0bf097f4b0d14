#include "init/property_text_forms.h"

#include <fmt/format.h>
#include <sys/capability.h>
#include <sys/mount.h>

#include <algorithm>
#include <climits>
#include <csignal>

#include "init/cgroup_settings.h"
#include "init/directives_values.h"
#include "init/exec_names.h"
#include "init/property_text_members.h"
#include "init/property_text_network.h"
#include "init/property_text_quote.h"
#include "sandbox/names.h"
#include "unit/base64.h"
#include "unit/signal_name.h"
#include "unit/time_span.h"

namespace flotilla::init {
namespace {

using bus::Value;
using Lines = WrittenLines;
using Written = std::optional<Lines>;

// --- Commands ---

std::string prefixes_of(const std::vector<Value>& flags) {
  const auto has = [&](std::string_view flag) {
    return std::any_of(flags.begin(), flags.end(), [&](const Value& value) {
      return value.as_string() != nullptr && *value.as_string() == flag;
    });
  };
  std::string text;
  if (has("ignore-failure")) text += "-";
  if (has("no-env-expand")) text += ":";
  if (has("privileged")) text += "+";
  if (has("no-setuid")) text += "!";
  if (has("ambient")) text += "!!";
  return text;
}

// The path, the words with the zeroth, and what the flags are.
Written commands(const Value& value, bool extended) {
  Lines lines{""};
  for (const Value& command : members_of(value)) {
    const std::string path = text_at(command, 0);
    const auto& members = members_of(command);
    const auto& words = members_of(members[1]);
    if (path.empty() || words.empty()) return std::nullopt;
    std::string line = extended ? prefixes_of(members_of(members[2])) : "";
    if (!extended && flag_at(command, 2)) line += "-";
    const bool is_renamed = text_at(members[1], 0) != path;
    if (is_renamed) line += "@";
    line += quote_for_file(path);
    for (size_t i = is_renamed ? 0 : 1; i < words.size(); ++i) {
      line += " " + quote_for_file(text_at(members[1], i));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}
Written plain_commands(const Value& value) { return commands(value, false); }
Written extended_commands(const Value& value) { return commands(value, true); }

// --- Numbers that stand for something ---

// A word for a number; nothing where there is none.
template <auto NameOf>
Written name_of(const Value& value) {
  const int64_t number = value.as_signed(-1);
  if (number < 0 || number > INT_MAX) return std::nullopt;
  const std::string_view name = NameOf(static_cast<int>(number));
  if (name.empty()) return std::nullopt;
  return Lines{std::string(name)};
}

Written octal(const Value& value) {
  const uint64_t mode = value.as_unsigned(UINT64_MAX);
  if (mode > 07777) return std::nullopt;
  return Lines{fmt::format("{:04o}", mode)};
}
Written signal(const Value& value) {
  const int64_t number = value.as_signed(0);
  if (number <= 0 || number > SIGRTMAX) return std::nullopt;
  return Lines{unit::signal_name(static_cast<int>(number))};
}
constexpr int64_t kLastFacility = 23;
// Some of these numbers have no name.
Written facility(const Value& value) {
  const int64_t number = value.as_signed(-1);
  if (number < 0 || number > kLastFacility) return std::nullopt;
  const std::string_view name = syslog_facility_name(static_cast<int>(number));
  return Lines{name.empty() ? std::to_string(number) : std::string(name)};
}

Written capabilities(const Value& value) {
  const uint64_t set = value.as_unsigned(0);
  std::string line;
  for (int i = 0; i < 64; ++i) {
    if ((set & (uint64_t{1} << i)) == 0) continue;
    char* name = cap_to_name(i);
    if (name == nullptr) continue;
    if (name[0] == 'c') line += (line.empty() ? "" : " ") + std::string(name);
    cap_free(name);
  }
  // Other than a line of their names, an empty one first leaves nothing of what was there.
  if (line.empty()) return Lines{""};
  return Lines{"", line};
}

// "50%" of one CPU, from microseconds in each second.
Written cpu_quota(const Value& value) {
  const uint64_t usec = value.as_unsigned(UINT64_MAX);
  if (usec == UINT64_MAX) return Lines{""};
  if (usec == 0 || usec > UINT64_MAX / 100) return std::nullopt;
  if (usec % 10000 == 0) return Lines{fmt::format("{}%", usec / 10000)};
  return Lines{fmt::format("{}.{:02}%", usec / 10000, usec % 10000 / 100)};
}
// A share of what there is, where 2^32 is all.
Written scale(const Value& value) {
  const uint64_t share = value.as_unsigned(0);
  if (share > UINT32_MAX) return std::nullopt;
  const uint64_t permyriad = (share * 10000 + UINT32_MAX / 2) / UINT32_MAX;
  return Lines{fmt::format("{}.{:02}%", permyriad / 100, permyriad % 100)};
}
Written tasks_scale(const Value& value) {
  const uint64_t share = value.as_unsigned(0);
  return share == 0 || share >= UINT32_MAX ? std::nullopt : scale(value);
}
Written quota_period(const Value& value) {
  const uint64_t usec = value.as_unsigned(UINT64_MAX);
  if (usec == UINT64_MAX) return Lines{""};
  const auto span = unit::TimeSpan(static_cast<int64_t>(std::min<uint64_t>(usec, INT64_MAX)));
  return Lines{unit::format_time_span(span)};
}
// Weights have a "not set".
Written weight(const Value& value) {
  const uint64_t number = value.as_unsigned(0);
  return number == UINT64_MAX ? Lines{""} : Lines{std::to_string(number)};
}

// A weight of 0 is for what runs when nothing else does.
Written cpu_weight(const Value& value) {
  return value.as_unsigned(1) == 0 ? Lines{"idle"} : weight(value);
}

Written cpu_set(const Value& value) {
  std::vector<uint8_t> bytes;
  for (const Value& byte : members_of(value)) {
    bytes.push_back(static_cast<uint8_t>(byte.as_unsigned(0)));
  }
  return Lines{"", format_cpu_set(cpu_set_of_bytes(bytes))};
}

// --- Lists ---

// Words that need no quotes, with blanks between.
Written plain_words(const Value& value) {
  std::string line;
  for (const Value& word : members_of(value)) {
    if (word.as_string() != nullptr) line += (line.empty() ? "" : " ") + *word.as_string();
  }
  return Lines{line};
}
// (bas): the names after a "~" if they are those that are not meant.
Written name_list(const Value& value) {
  const auto& members = members_of(value);
  const Written names = plain_words(members[1]);
  return Lines{(flag_at(value, 0) ? "" : "~") + names->front()};
}
Written quoted_words(const Value& value) {
  std::string line;
  for (const Value& word : members_of(value)) {
    if (word.as_string() == nullptr) return std::nullopt;
    line += (line.empty() ? "" : " ") + quote_for_file(*word.as_string());
  }
  return Lines{line};
}
// (sb): a path that may be missing where the flag says so.
Written optional_paths(const Value& value) {
  Lines lines;
  for (const Value& file : members_of(value)) {
    lines.push_back((flag_at(file, 1) ? "-" : "") + escape_specifiers(text_at(file, 0)));
  }
  return or_reset(std::move(lines));
}
// (ss): "first second".
Written pairs(const Value& value) {
  Lines lines;
  for (const Value& pair : members_of(value)) {
    lines.push_back(escape_specifiers(text_at(pair, 0)) + " " +
                    escape_specifiers(text_at(pair, 1)));
  }
  return or_reset(std::move(lines));
}
Written colon_pairs(const Value& value) {
  Lines lines;
  for (const Value& pair : members_of(value)) {
    const std::string second = text_at(pair, 1);
    lines.push_back(quote_for_file(text_at(pair, 0) + (second.empty() ? "" : ":" + second)));
  }
  return or_reset(std::move(lines));
}
Written spans(const Value& value) {
  Lines lines;
  for (const Value& pair : members_of(value)) {
    const auto span = static_cast<int64_t>(std::min<uint64_t>(number_at(pair, 1), INT64_MAX));
    lines.push_back(escape_specifiers(text_at(pair, 0)) + " " +
                    unit::format_time_span(unit::TimeSpan(span)));
  }
  return or_reset(std::move(lines));
}
Written numbered(const Value& value) {
  Lines lines;
  for (const Value& pair : members_of(value)) {
    const uint64_t number = number_at(pair, 1);
    lines.push_back(escape_specifiers(text_at(pair, 0)) + " " +
                    (number == UINT64_MAX ? std::string("infinity") : std::to_string(number)));
  }
  return or_reset(std::move(lines));
}
// (ssbt): source, destination, whether it may be missing, and MS_REC for what is below, too.
Written binds(const Value& value) {
  constexpr uint64_t kRecursive = 1U << 14;
  Lines lines;
  for (const Value& bind : members_of(value)) {
    lines.push_back(
        (flag_at(bind, 2) ? "-" : "") +
        quote_for_file(text_at(bind, 0) + ":" + text_at(bind, 1) +
                       ((number_at(bind, 3) & kRecursive) != 0 ? ":rbind" : ":norbind")));
  }
  return or_reset(std::move(lines));
}
// (say): an id and bytes.
Written credentials(const Value& value) {
  Lines lines;
  for (const Value& credential : members_of(value)) {
    std::string line = escape_specifiers(text_at(credential, 0)) + ":";
    const auto& members = members_of(credential);
    for (const Value& byte : members_of(members[1])) {
      const auto c = static_cast<unsigned char>(byte.as_unsigned(0));
      const bool is_plain = c > ' ' && c < 0x7f && c != '\\' && c != '%' && c != '"' && c != '\'';
      line += is_plain ? std::string(1, static_cast<char>(c)) : fmt::format("\\x{:02x}", c);
    }
    lines.push_back(std::move(line));
  }
  return or_reset(std::move(lines));
}
// (say): an id and bytes that no text can show.
Written encrypted_credentials(const Value& value) {
  Lines lines;
  for (const Value& credential : members_of(value)) {
    const auto& members = members_of(credential);
    std::string bytes;
    for (const Value& byte : members_of(members[1])) {
      bytes += static_cast<char>(byte.as_unsigned(0));
    }
    lines.push_back(escape_specifiers(text_at(credential, 0)) + ":" + unit::encode_base64(bytes));
  }
  return or_reset(std::move(lines));
}
// (bas): a list of what is allowed, or of what is not.
Written filter(const Value& value) {
  std::string line = flag_at(value, 0) ? "" : "~";
  const auto& members = members_of(value);
  for (const Value& word : members_of(members[1])) {
    if (word.as_string() != nullptr) line += (line.size() > 1 ? " " : "") + *word.as_string();
  }
  return Lines{"", line};
}
// The namespaces that may be made, out of all kinds.
Written namespaces(const Value& value) {
  const uint64_t flags = value.as_unsigned(0) & sandbox::kAllNamespaces;
  if (flags == 0) return Lines{"yes"};
  if (flags == sandbox::kAllNamespaces) return Lines{"no"};
  return Lines{"", sandbox::namespace_words(flags)};
}
Written mount_flags(const Value& value) {
  switch (value.as_unsigned(0)) {
    case 0:
      return Lines{""};
    case MS_SHARED:
      return Lines{"shared"};
    case MS_SLAVE:
      return Lines{"slave"};
    case MS_PRIVATE:
      return Lines{"private"};
    default:
      return std::nullopt;
  }
}
Written secure_bits(const Value& value) {
  return Lines{secure_bits_words(static_cast<uint64_t>(value.as_signed(0)))};
}
// Each an array of bytes: "NAME=value".
Written log_fields(const Value& value) {
  Lines lines;
  for (const Value& field : members_of(value)) {
    lines.push_back(escape_specifiers(bytes_of(field)));
  }
  return or_reset(std::move(lines));
}
// Paths with ":" between.
Written search_path(const Value& value) {
  std::string line;
  for (const Value& path : members_of(value)) {
    if (path.as_string() == nullptr) return std::nullopt;
    line += (line.empty() ? "" : ":") + escape_specifiers(*path.as_string());
  }
  return Lines{line};
}

// (aiai): exit statuses and signals.
Written exit_statuses(const Value& value) {
  Lines lines;
  const auto& members = members_of(value);
  for (const Value& status : members_of(members[0])) {
    const int64_t number = status.as_signed(-1);
    if (number < 0 || number > 255) return std::nullopt;
    lines.push_back(std::to_string(number));
  }
  for (const Value& number : members_of(members[1])) {
    const Written name = signal(number);
    if (!name) return std::nullopt;
    lines.push_back(name->front());
  }
  return or_reset(std::move(lines));
}

// (bs): a label, and whether it may be missing.
Written optional_label(const Value& value) {
  return Lines{(flag_at(value, 0) ? "-" : "") + escape_specifiers(text_at(value, 1))};
}
Written label(const Value& value) { return Lines{escape_specifiers(*value.as_string())}; }
// (ss): where a program is attached, and its path.
Written programs(const Value& value) {
  Lines lines;
  for (const Value& program : members_of(value)) {
    lines.push_back(escape_specifiers(text_at(program, 0) + ":" + text_at(program, 1)));
  }
  return or_reset(std::move(lines));
}
// (sst): what a directory's link is to, its name, and flags that are not used yet.
Written directory_links(const Value& value) {
  Lines lines;
  for (const Value& link : members_of(value)) {
    lines.push_back(quote_for_file(text_at(link, 0) + ":" + text_at(link, 1)));
  }
  return lines;
}
Written hexadecimal(const Value& value) {
  return Lines{fmt::format("0x{:x}", value.as_unsigned(0))};
}

Written input_data(const Value& value) { return Lines{"", unit::encode_base64(bytes_of(value))}; }

template <const char* Prefix>
Written prefixed(const Value& value) {
  const std::string* text = value.as_string();
  if (text == nullptr || text->empty()) return std::nullopt;
  return Lines{Prefix + escape_specifiers(*text)};
}
constexpr char kFile[] = "file:", kAppend[] = "append:", kTruncate[] = "truncate:", kFd[] = "fd:";

struct NamedForm {
  std::string_view name;
  PropertyForm form;
};

constexpr NamedForm kForms[] = {
    {"AllowedCPUs", {"ay", cpu_set, {}}},
    {"AllowedMemoryNodes", {"ay", cpu_set, {}}},
    {"AmbientCapabilities", {"t", capabilities, {}}},
    {"AppArmorProfile", {"(bs)", optional_label, {}}},
    {"BPFProgram", {"a(ss)", programs, {}}},
    {"BindPaths", {"a(ssbt)", binds, {}}},
    {"BindReadOnlyPaths", {"a(ssbt)", binds, {}}},
    {"BlockIODeviceWeight", {"a(st)", numbered, {}}},
    {"BlockIOReadBandwidth", {"a(st)", numbered, {}}},
    {"BlockIOWeight", {"t", weight, {}}},
    {"BlockIOWriteBandwidth", {"a(st)", numbered, {}}},
    {"CPUAffinity", {"ay", cpu_set, {}}},
    {"CPUQuotaPerSecUSec", {"t", cpu_quota, "CPUQuota"}},
    {"CPUQuotaPeriodUSec", {"t", quota_period, "CPUQuotaPeriodSec"}},
    {"CPUSchedulingPolicy", {"i", name_of<cpu_policy_name>, {}}},
    {"CPUShares", {"t", weight, {}}},
    {"CPUWeight", {"t", cpu_weight, {}}},
    {"CacheDirectory", {"as", quoted_words, {}}},
    {"CacheDirectoryMode", {"u", octal, {}}},
    {"CacheDirectorySymlink", {"a(sst)", directory_links, "CacheDirectory"}},
    {"CapabilityBoundingSet", {"t", capabilities, {}}},
    {"ConfigurationDirectory", {"as", quoted_words, {}}},
    {"ConfigurationDirectoryMode", {"u", octal, {}}},
    {"CoredumpFilter", {"t", hexadecimal, {}}},
    {"DefaultMemoryLowScale", {"u", scale, "DefaultMemoryLow"}},
    {"DefaultMemoryMinScale", {"u", scale, "DefaultMemoryMin"}},
    {"DelegateControllers", {"as", plain_words, "Delegate"}},
    {"DeviceAllow", {"a(ss)", pairs, {}}},
    {"DirectoryMode", {"u", octal, {}}},
    {"DisableControllers", {"as", plain_words, {}}},
    {"Environment", {"as", quoted_words, {}}},
    {"EnvironmentFiles", {"a(sb)", optional_paths, "EnvironmentFile"}},
    {"ExecCondition", {"a(sasb)", plain_commands, {}}},
    {"ExecConditionEx", {"a(sasas)", extended_commands, "ExecCondition"}},
    {"ExecReload", {"a(sasb)", plain_commands, {}}},
    {"ExecReloadEx", {"a(sasas)", extended_commands, "ExecReload"}},
    {"ExecSearchPath", {"as", search_path, {}}},
    {"ExecStart", {"a(sasb)", plain_commands, {}}},
    {"ExecStartEx", {"a(sasas)", extended_commands, "ExecStart"}},
    {"ExecStartPost", {"a(sasb)", plain_commands, {}}},
    {"ExecStartPostEx", {"a(sasas)", extended_commands, "ExecStartPost"}},
    {"ExecStartPre", {"a(sasb)", plain_commands, {}}},
    {"ExecStartPreEx", {"a(sasas)", extended_commands, "ExecStartPre"}},
    {"ExecStop", {"a(sasb)", plain_commands, {}}},
    {"ExecStopEx", {"a(sasas)", extended_commands, "ExecStop"}},
    {"ExecStopPost", {"a(sasb)", plain_commands, {}}},
    {"ExecStopPostEx", {"a(sasas)", extended_commands, "ExecStopPost"}},
    {"FinalKillSignal", {"i", signal, {}}},
    {"IODeviceLatencyTargetUSec", {"a(st)", spans, "IODeviceLatencyTargetSec"}},
    {"IODeviceWeight", {"a(st)", numbered, {}}},
    {"IOReadBandwidthMax", {"a(st)", numbered, {}}},
    {"IOReadIOPSMax", {"a(st)", numbered, {}}},
    {"IOSchedulingClass", {"i", name_of<io_class_name>, {}}},
    {"IOWeight", {"t", weight, {}}},
    {"IOWriteBandwidthMax", {"a(st)", numbered, {}}},
    {"IOWriteIOPSMax", {"a(st)", numbered, {}}},
    {"IPAddressAllow", {"a(iayu)", write_ip_prefixes, {}}},
    {"IPAddressDeny", {"a(iayu)", write_ip_prefixes, {}}},
    {"KillSignal", {"i", signal, {}}},
    {"LoadCredential", {"a(ss)", colon_pairs, {}}},
    {"LoadCredentialEncrypted", {"a(ss)", colon_pairs, {}}},
    {"LogExtraFields", {"aay", log_fields, {}}},
    {"LogLevelMax", {"i", name_of<syslog_level_name>, {}}},
    {"LogsDirectory", {"as", quoted_words, {}}},
    {"LogsDirectoryMode", {"u", octal, {}}},
    {"LogsDirectorySymlink", {"a(sst)", directory_links, "LogsDirectory"}},
    {"ManagedOOMMemoryPressureLimit", {"u", scale, {}}},
    {"MemoryHighScale", {"u", scale, "MemoryHigh"}},
    {"MemoryLimitScale", {"u", scale, "MemoryLimit"}},
    {"MemoryLowScale", {"u", scale, "MemoryLow"}},
    {"MemoryMaxScale", {"u", scale, "MemoryMax"}},
    {"MemoryMinScale", {"u", scale, "MemoryMin"}},
    {"MemorySwapMaxScale", {"u", scale, "MemorySwapMax"}},
    {"MountFlags", {"t", mount_flags, {}}},
    {"NUMAMask", {"ay", cpu_set, {}}},
    {"NUMAPolicy", {"i", name_of<numa_policy_name>, {}}},
    {"PassEnvironment", {"as", quoted_words, {}}},
    {"RestartForceExitStatus", {"(aiai)", exit_statuses, {}}},
    {"RestartKillSignal", {"i", signal, {}}},
    {"RestartPreventExitStatus", {"(aiai)", exit_statuses, {}}},
    {"RestrictAddressFamilies", {"(bas)", filter, {}}},
    {"RestrictFileSystems", {"(bas)", filter, {}}},
    {"RestrictNamespaces", {"t", namespaces, {}}},
    {"RestrictNetworkInterfaces", {"(bas)", name_list, {}}},
    {"RuntimeDirectory", {"as", quoted_words, {}}},
    {"RuntimeDirectoryMode", {"u", octal, {}}},
    {"RuntimeDirectorySymlink", {"a(sst)", directory_links, "RuntimeDirectory"}},
    {"SELinuxContext", {"s", label, {}}},
    {"SecureBits", {"i", secure_bits, {}}},
    {"SetCredential", {"a(say)", credentials, {}}},
    {"SetCredentialEncrypted", {"a(say)", encrypted_credentials, {}}},
    {"SmackProcessLabel", {"(bs)", optional_label, {}}},
    {"SocketBindAllow", {"a(iiqq)", write_bind_rules, {}}},
    {"SocketBindDeny", {"a(iiqq)", write_bind_rules, {}}},
    {"SocketMode", {"u", octal, {}}},
    {"StandardErrorFile", {"s", prefixed<kFile>, "StandardError"}},
    {"StandardErrorFileDescriptorName", {"s", prefixed<kFd>, "StandardError"}},
    {"StandardErrorFileToAppend", {"s", prefixed<kAppend>, "StandardError"}},
    {"StandardErrorFileToTruncate", {"s", prefixed<kTruncate>, "StandardError"}},
    {"StandardInputData", {"ay", input_data, {}}},
    {"StandardInputFile", {"s", prefixed<kFile>, "StandardInput"}},
    {"StandardInputFileDescriptorName", {"s", prefixed<kFd>, "StandardInput"}},
    {"StandardOutputFile", {"s", prefixed<kFile>, "StandardOutput"}},
    {"StandardOutputFileDescriptorName", {"s", prefixed<kFd>, "StandardOutput"}},
    {"StandardOutputFileToAppend", {"s", prefixed<kAppend>, "StandardOutput"}},
    {"StandardOutputFileToTruncate", {"s", prefixed<kTruncate>, "StandardOutput"}},
    {"StartupAllowedCPUs", {"ay", cpu_set, {}}},
    {"StartupAllowedMemoryNodes", {"ay", cpu_set, {}}},
    {"StartupCPUWeight", {"t", cpu_weight, {}}},
    {"StartupIOWeight", {"t", weight, {}}},
    {"StateDirectory", {"as", quoted_words, {}}},
    {"StateDirectoryMode", {"u", octal, {}}},
    {"StateDirectorySymlink", {"a(sst)", directory_links, "StateDirectory"}},
    {"SuccessExitStatus", {"(aiai)", exit_statuses, {}}},
    {"SyslogFacility", {"i", facility, {}}},
    {"SyslogLevel", {"i", name_of<syslog_level_name>, {}}},
    {"SystemCallArchitectures", {"as", quoted_words, {}}},
    {"SystemCallFilter", {"(bas)", filter, {}}},
    {"SystemCallLog", {"(bas)", filter, {}}},
    {"TasksMaxScale", {"u", tasks_scale, "TasksMax"}},
    {"TemporaryFileSystem", {"a(ss)", colon_pairs, {}}},
    {"UMask", {"u", octal, {}}},
    {"UnsetEnvironment", {"as", quoted_words, {}}},
    {"WatchdogSignal", {"i", signal, {}}},
};

constexpr bool is_sorted() {
  for (size_t i = 1; i < std::size(kForms); ++i) {
    if (!(kForms[i - 1].name < kForms[i].name)) return false;
  }
  return true;
}
static_assert(is_sorted(), "kForms must be sorted by name");

}  // namespace

const PropertyForm* find_property_form(std::string_view name) {
  const auto* const found =
      std::lower_bound(std::begin(kForms), std::end(kForms), name,
                       [](const NamedForm& form, std::string_view n) { return form.name < n; });
  return found != std::end(kForms) && found->name == name ? &found->form : nullptr;
}

}  // namespace flotilla::init
