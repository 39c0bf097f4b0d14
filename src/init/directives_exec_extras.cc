// Parsers of the directives of man systemd.exec that few units use: scheduling, privileges,
// directories, terminals, marks of log lines. They fill ExecExtras.
#include <sched.h>

#include <algorithm>

#include "init/directives_context.h"
#include "init/directives_parsers.h"
#include "init/directives_values.h"
#include "init/exec_names.h"
#include "unit/base64.h"
#include "unit/scalar.h"
#include "unit/time_span.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

// Reads the value with a function that gives nothing for a bad one; an empty value brings back what
// the setting begins with.
template <auto Member, auto Parse>
void parse_value(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  ExecExtras& extras = settings.exec.edit().extras.edit();
  if (value.empty()) {
    extras.*Member = ExecExtras{}.*Member;
    return;
  }
  auto parsed = Parse(value);
  if (!parsed) return context.warn_bad_value(value);
  extras.*Member = std::move(*parsed);
}

// One of some words. Nothing is none of them: it changes nothing.
template <auto Member, auto Parse>
void parse_word(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  auto parsed = Parse(value);
  if (!parsed) return context.warn_bad_value(value);
  settings.exec.edit().extras.edit().*Member = std::move(*parsed);
}

template <bool ExecExtras::*Member>
void parse_flag(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (const auto flag = context.read_flag(value))
    settings.exec.edit().extras.edit().*Member = *flag;
}

// --- Scheduling ---

void parse_cpu_policy_setting(UnitSettings& settings, const SettingContext& context,
                              std::string_view value) {
  ExecExtras& extras = settings.exec.edit().extras.edit();
  if (value.empty()) {
    extras.cpu_policy.reset();
    extras.cpu_priority = 0;
    extras.cpu_reset_on_fork = false;
    return;
  }
  const auto policy = parse_cpu_policy(value);
  if (!policy) return context.warn_bad_value(value);
  extras.cpu_policy = *policy;
  // A real-time policy has no priority 0, and the others no other.
  const int least = sched_get_priority_min(*policy), most = sched_get_priority_max(*policy);
  if (least >= 0 && most >= least) {
    extras.cpu_priority = std::clamp(extras.cpu_priority, least, most);
  }
}

void parse_cpu_priority(UnitSettings& settings, const SettingContext& context,
                        std::string_view value) {
  const auto number = unit::parse_integer(value, INT32_MIN, INT32_MAX);
  if (!number) return context.warn_bad_value(value);
  // The policy may be named later, so only what fits none is refused here.
  constexpr int kMostPriority = 99;
  if (*number < 0 || *number > kMostPriority) {
    return context.reporter.warn("CPU scheduling priority is out of range, ignoring: {}", value);
  }
  ExecExtras& extras = settings.exec.edit().extras.edit();
  extras.cpu_priority = static_cast<int>(*number);
  extras.cpu_policy = extras.cpu_policy.value_or(SCHED_OTHER);
}

void parse_reset_on_fork(UnitSettings& settings, const SettingContext& context,
                         std::string_view value) {
  const auto flag = unit::parse_boolean(value);
  if (!flag) return context.warn_bad_value(value);
  ExecExtras& extras = settings.exec.edit().extras.edit();
  extras.cpu_reset_on_fork = *flag;
  extras.cpu_policy = extras.cpu_policy.value_or(SCHED_OTHER);
}

void merge_set(std::vector<uint8_t>& set, const std::vector<uint8_t>& more) {
  if (set.size() < more.size()) set.resize(more.size());
  for (size_t i = 0; i < more.size(); ++i) set[i] = static_cast<uint8_t>(set[i] | more[i]);
}

void parse_cpu_affinity(UnitSettings& settings, const SettingContext& context,
                        std::string_view value) {
  ExecExtras& extras = settings.exec.edit().extras.edit();
  if (value.empty()) {
    extras.cpu_affinity.clear();
    extras.cpu_affinity_from_numa = false;
    return;
  }
  const auto text = context.expand(value);
  if (!text) return;
  if (*text == "numa") {
    extras.cpu_affinity_from_numa = true;
    return;
  }
  const auto set = parse_number_set(*text);
  if (!set) return context.warn_bad_value(value);
  merge_set(extras.cpu_affinity, *set);
}

void parse_numa_mask(UnitSettings& settings, const SettingContext& context,
                     std::string_view value) {
  ExecExtras& extras = settings.exec.edit().extras.edit();
  if (value.empty()) return extras.numa_mask.clear();
  if (value == "all") {
    extras.numa_mask.assign(8, 0xff);
    return;
  }
  const auto set = parse_number_set(value);
  if (!set) return context.warn_bad_value(value);
  merge_set(extras.numa_mask, *set);
}

void parse_io_class_setting(UnitSettings& settings, const SettingContext& context,
                            std::string_view value) {
  ExecExtras& extras = settings.exec.edit().extras.edit();
  if (value.empty()) {
    extras.io_class.reset();
    extras.io_priority.reset();
    return;
  }
  const auto io_class = parse_io_class(value);
  if (!io_class) return context.warn_bad_value(value);
  // "none" is what the kernel makes of it: best effort in the middle.
  if (*io_class == 0) {
    extras.io_class = 2;
    extras.io_priority = 4;
    return;
  }
  extras.io_class = *io_class;
}

std::optional<int> parse_io_priority(std::string_view text) {
  const auto number = unit::parse_integer(text, 0, 7);
  if (!number) return std::nullopt;
  return static_cast<int>(*number);
}

void parse_coredump_setting(UnitSettings& settings, const SettingContext& context,
                            std::string_view value) {
  auto& filter = settings.exec.edit().extras.edit().coredump_filter;
  if (value.empty()) return filter.reset();
  const auto bits = parse_coredump_filter(value);
  if (!bits) return context.warn_bad_value(value);
  filter = filter.value_or(0) | *bits;
}

void parse_timer_slack(UnitSettings& settings, const SettingContext& context,
                       std::string_view value) {
  const auto slack = parse_nanoseconds(value);
  if (!slack) return context.warn_bad_value(value);
  auto& own = settings.exec.edit().extras.edit().timer_slack_nsec;
  // Without end is no slack of its own.
  if (*slack == UINT64_MAX) return own.reset();
  own = *slack;
}

// --- Privileges ---

template <uint64_t ExecExtras::*Member>
void parse_capability_set(UnitSettings& settings, const SettingContext& context,
                          std::string_view value) {
  const bool is_inverted = !value.empty() && value[0] == '~';
  if (is_inverted) value.remove_prefix(1);
  const auto set = parse_capabilities(value);
  if (!set) return context.warn_bad_value(value);
  uint64_t& own = settings.exec.edit().extras.edit().*Member;
  if (*set == 0 || own == ExecExtras{}.*Member) {
    own = is_inverted ? ~*set : *set;
  } else if (is_inverted) {
    own &= ~*set;
  } else {
    own |= *set;
  }
}

// --- Where programs are looked for ---

void parse_search_path(UnitSettings& settings, const SettingContext& context,
                       std::string_view value) {
  auto& list = settings.exec.edit().extras.edit().exec_search_path;
  if (value.empty()) return list.clear();
  while (!value.empty()) {
    const std::string_view part = value.substr(0, value.find(':'));
    value.remove_prefix(std::min(part.size() + 1, value.size()));
    if (part.empty()) continue;
    const auto text = context.expand(part);
    if (!text) continue;
    const auto path = parse_absolute_path(*text);
    if (!path) {
      context.reporter.warn("ExecSearchPath= path is not absolute, ignoring: {}", *text);
    } else if (std::find(list.begin(), list.end(), *path) == list.end()) {
      list.push_back(*path);
    }
  }
}

// --- Directories ---

// "a/b", without "." and ".." and doubled slashes; nothing for what leaves its base.
std::optional<std::string> parse_relative_path(std::string_view text) {
  if (text.empty() || text[0] == '/') return std::nullopt;
  const auto path = parse_absolute_path("/" + std::string(text));
  if (!path || path->size() <= 1) return std::nullopt;
  return path->substr(1);
}

DirectorySetting::Item& find_item(DirectorySetting& setting, std::string path) {
  const auto place = std::lower_bound(
      setting.items.begin(), setting.items.end(), path,
      [](const DirectorySetting::Item& item, const std::string& key) { return item.path < key; });
  if (place != setting.items.end() && place->path == path) return *place;
  return *setting.items.insert(place, {std::move(path), {}});
}

void parse_directory_word(DirectorySetting& setting, DirectoryKind kind,
                          const SettingContext& context, const std::string& word) {
  const size_t colon = word.find(':');
  const auto source = context.expand(std::string_view(word).substr(0, colon));
  if (!source) return;
  const auto path = parse_relative_path(*source);
  if (!path) {
    return context.reporter.warn("{}= path is not a normalized relative path, ignoring: {}",
                                 context.key, *source);
  }
  // Where the private parts of directories are.
  if (*path == "private" || path->substr(0, 8) == "private/") {
    return context.reporter.warn("{}= path can't be 'private', ignoring assignment: {}",
                                 context.key, word);
  }
  if (colon == std::string::npos) {
    find_item(setting, *path);
    return;
  }
  if (kind == DirectoryKind::kConfiguration) {
    return context.reporter.warn("Destination parameter is not supported for {}, ignoring: {}",
                                 context.key, word);
  }
  const std::string_view rest = std::string_view(word).substr(colon + 1);
  const auto target = context.expand(rest.substr(0, rest.find(':')));
  if (!target) return;
  const auto link = parse_relative_path(*target);
  if (!link || *link == "private" || link->substr(0, 8) == "private/") {
    return context.reporter.warn("{}= destination path is not usable, ignoring: {}", context.key,
                                 word);
  }
  auto& links = find_item(setting, *path).links;
  if (std::find(links.begin(), links.end(), *link) == links.end()) links.push_back(*link);
}

template <DirectoryKind Kind>
void parse_directories(UnitSettings& settings, const SettingContext& context,
                       std::string_view value) {
  DirectorySetting& setting =
      settings.exec.edit().extras.edit().directories[static_cast<size_t>(Kind)];
  if (value.empty()) return setting.items.clear();
  const auto words = unit::split_words(value, {unit::WordRules::Escapes::kDecodeLenient});
  if (!words) return context.warn_bad_value(value);
  for (const std::string& word : *words) parse_directory_word(setting, Kind, context, word);
}

template <DirectoryKind Kind>
void parse_directory_mode(UnitSettings& settings, const SettingContext& context,
                          std::string_view value) {
  const auto mode = unit::parse_mode(value);
  if (!mode) return context.warn_bad_value(value);
  settings.exec.edit().extras.edit().directories[static_cast<size_t>(Kind)].mode = *mode;
}

void parse_timeout_clean(UnitSettings& settings, const SettingContext& context,
                         std::string_view value) {
  const auto span = unit::parse_time_span(value);
  if (!span) return context.warn_bad_value(value);
  settings.exec.edit().extras.edit().timeout_clean = *span;
}

// --- Streams and terminals ---

// Decodes the C escapes of a text; nothing where one is none.
std::optional<std::string> decode_escapes(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '\\') {
      decoded += c;
      continue;
    }
    const auto character = unit::take_escape(text);
    if (!character) return std::nullopt;
    decoded += *character;
  }
  return decoded;
}

void parse_input_text(UnitSettings& settings, const SettingContext& context,
                      std::string_view value) {
  std::string& data = settings.exec.edit().extras.edit().standard_input_data;
  if (value.empty()) return data.clear();
  auto text = decode_escapes(value);
  if (!text) return context.warn_bad_value(value);
  const auto expanded = context.expand(*text);
  if (!expanded) return;
  if (data.size() + expanded->size() + 1 > kMaxInputData) {
    return context.reporter.warn(
        "Standard input data too large, maximum of {} permitted, ignoring.", kMaxInputData);
  }
  data += *expanded;
  data += '\n';
}

void parse_input_data(UnitSettings& settings, const SettingContext& context,
                      std::string_view value) {
  std::string& data = settings.exec.edit().extras.edit().standard_input_data;
  if (value.empty()) return data.clear();
  const auto bytes = unit::decode_base64(value);
  if (!bytes) {
    return context.reporter.warn("Failed to decode base64 data, ignoring: {}", value);
  }
  if (data.size() + bytes->size() > kMaxInputData) {
    return context.reporter.warn(
        "Standard input data too large, maximum of {} permitted, ignoring.", kMaxInputData);
  }
  data += *bytes;
}

void parse_tty_path(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  std::string& path = settings.exec.edit().extras.edit().tty_path;
  if (value.empty()) return path.clear();
  const auto text = context.expand(value);
  if (!text) return;
  const auto absolute = parse_absolute_path(*text);
  if (!absolute) {
    return context.reporter.warn("{}= path is not absolute, ignoring: {}", context.key, value);
  }
  path = *absolute;
}

template <std::optional<uint32_t> ExecExtras::*Member>
void parse_tty_size(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  auto& size = settings.exec.edit().extras.edit().*Member;
  if (value.empty()) return size.reset();
  const auto text = context.expand(value);
  if (!text) return;
  const auto number = unit::parse_unsigned(*text, UINT16_MAX);
  if (!number) return context.warn_bad_value(value);
  size = static_cast<uint32_t>(*number);
}

void parse_utmp_identifier(UnitSettings& settings, const SettingContext& context,
                           std::string_view value) {
  std::string& identifier = settings.exec.edit().extras.edit().utmp_identifier;
  if (value.empty()) return identifier.clear();
  if (const auto text = context.expand(value)) identifier = *text;
}

// --- Marks of log lines ---

void parse_level_max(UnitSettings& settings, const SettingContext& context,
                     std::string_view value) {
  const auto parsed = parse_syslog_level(value);
  if (!parsed) return context.warn_bad_value(value);
  settings.exec.edit().extras.edit().log_level_max = *parsed;
}

constexpr size_t kMaxLogNamespace = 64;

// A field of the journal: capital letters, digits and "_", not beginning with either of the latter.
bool is_journal_field(std::string_view name) {
  if (name.empty() || name.size() > 64 || name[0] < 'A' || name[0] > 'Z') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

void parse_log_extra_fields(UnitSettings& settings, const SettingContext& context,
                            std::string_view value) {
  auto& fields = settings.exec.edit().extras.edit().log_extra_fields;
  if (value.empty()) return fields.clear();
  const auto words = unit::split_words(value);
  if (!words) return context.warn_bad_value(value);
  for (const std::string& word : *words) {
    const auto field = context.expand(word);
    if (!field) continue;
    const size_t equals = field->find('=');
    if (equals == std::string::npos) {
      context.reporter.warn("Log field lacks '=' character, ignoring: {}", *field);
    } else if (!is_journal_field(std::string_view(*field).substr(0, equals))) {
      context.reporter.warn("Log field name is invalid, ignoring: {}", *field);
    } else {
      fields.push_back(*field);
    }
  }
}

// Part of a directory's name, and of an instance's.
void parse_log_namespace(UnitSettings& settings, const SettingContext& context,
                         std::string_view value) {
  std::string& name = settings.exec.edit().extras.edit().log_namespace;
  if (value.empty()) return name.clear();
  const auto text = context.expand(value);
  if (!text) return;
  static constexpr std::string_view kMarks = ":-_.@";
  const bool is_good = !text->empty() && text->size() <= kMaxLogNamespace && *text != "." &&
                       *text != ".." && std::all_of(text->begin(), text->end(), [](char c) {
                         return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                                (c >= '0' && c <= '9') || kMarks.find(c) != std::string_view::npos;
                       });
  if (!is_good) {
    return context.reporter.warn("Specified log namespace name is not valid, ignoring: {}", *text);
  }
  name = *text;
}

void parse_rate_interval(UnitSettings& settings, const SettingContext& context,
                         std::string_view value) {
  const auto span = unit::parse_time_span(value);
  if (!span) return context.warn_bad_value(value);
  settings.exec.edit().extras.edit().log_rate_limit_interval = *span;
}

void parse_rate_burst(UnitSettings& settings, const SettingContext& context,
                      std::string_view value) {
  const auto number = unit::parse_unsigned(value, UINT32_MAX);
  if (!number) return context.warn_bad_value(value);
  settings.exec.edit().extras.edit().log_rate_limit_burst = static_cast<uint32_t>(*number);
}

using Kind = DirectoryKind;
constexpr NamedParser kParsers[] = {
    {"AmbientCapabilities", parse_capability_set<&ExecExtras::ambient_capabilities>},
    {"CPUAffinity", parse_cpu_affinity},
    {"CPUSchedulingPolicy", parse_cpu_policy_setting},
    {"CPUSchedulingPriority", parse_cpu_priority},
    {"CPUSchedulingResetOnFork", parse_reset_on_fork},
    {"CacheDirectory", parse_directories<Kind::kCache>},
    {"CacheDirectoryMode", parse_directory_mode<Kind::kCache>},
    {"CapabilityBoundingSet", parse_capability_set<&ExecExtras::capability_bounding_set>},
    {"ConfigurationDirectory", parse_directories<Kind::kConfiguration>},
    {"ConfigurationDirectoryMode", parse_directory_mode<Kind::kConfiguration>},
    {"CoredumpFilter", parse_coredump_setting},
    {"ExecSearchPath", parse_search_path},
    {"IOSchedulingClass", parse_io_class_setting},
    {"IOSchedulingPriority", parse_value<&ExecExtras::io_priority, parse_io_priority>},
    {"KeyringMode", parse_word<&ExecExtras::keyring_mode, parse_keyring_mode>},
    {"LogExtraFields", parse_log_extra_fields},
    {"LogLevelMax", parse_level_max},
    {"LogNamespace", parse_log_namespace},
    {"LogRateLimitBurst", parse_rate_burst},
    {"LogRateLimitIntervalSec", parse_rate_interval},
    {"LogsDirectory", parse_directories<Kind::kLogs>},
    {"LogsDirectoryMode", parse_directory_mode<Kind::kLogs>},
    {"NUMAMask", parse_numa_mask},
    {"NUMAPolicy", parse_value<&ExecExtras::numa_policy, parse_numa_policy>},
    {"Personality", parse_value<&ExecExtras::personality, parse_personality>},
    {"RuntimeDirectory", parse_directories<Kind::kRuntime>},
    {"RuntimeDirectoryMode", parse_directory_mode<Kind::kRuntime>},
    {"RuntimeDirectoryPreserve",
     parse_word<&ExecExtras::runtime_directory_preserve, parse_directory_preserve>},
    {"SecureBits", parse_value<&ExecExtras::secure_bits, parse_secure_bits>},
    {"StandardInputData", parse_input_data},
    {"StandardInputText", parse_input_text},
    {"StateDirectory", parse_directories<Kind::kState>},
    {"StateDirectoryMode", parse_directory_mode<Kind::kState>},
    {"SyslogFacility", parse_word<&ExecExtras::syslog_facility, parse_syslog_facility>},
    {"TTYColumns", parse_tty_size<&ExecExtras::tty_columns>},
    {"TTYPath", parse_tty_path},
    {"TTYReset", parse_flag<&ExecExtras::tty_reset>},
    {"TTYRows", parse_tty_size<&ExecExtras::tty_rows>},
    {"TTYVHangup", parse_flag<&ExecExtras::tty_vhangup>},
    {"TTYVTDisallocate", parse_flag<&ExecExtras::tty_vt_disallocate>},
    {"TimeoutCleanSec", parse_timeout_clean},
    {"TimerSlackNSec", parse_timer_slack},
    {"UtmpIdentifier", parse_utmp_identifier},
    {"UtmpMode", parse_word<&ExecExtras::utmp_mode, parse_utmp_mode>},
};

}  // namespace

std::span<const NamedParser> exec_extras_parsers() noexcept { return kParsers; }

}  // namespace flotilla::init
