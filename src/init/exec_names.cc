#include "init/exec_names.h"

#include <linux/securebits.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/personality.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/name_table.h"
#include "unit/scalar.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

using base::find_by_name;
using base::find_name;
using base::NameTable;

template <size_t N>
std::optional<int> name_or_number(const NameTable<int, N>& names, std::string_view text, int max) {
  if (const auto number = unit::parse_integer(text, 0, max)) return static_cast<int>(*number);
  return find_by_name(names, text);
}

constexpr NameTable<int, 5> kCpuPolicies{{{"other", SCHED_OTHER},
                                          {"batch", SCHED_BATCH},
                                          {"idle", SCHED_IDLE},
                                          {"fifo", SCHED_FIFO},
                                          {"rr", SCHED_RR}}};
// Of linux/ioprio.h, which older kernels' headers lack.
constexpr NameTable<int, 4> kIoClasses{
    {{"none", 0}, {"realtime", 1}, {"best-effort", 2}, {"idle", 3}}};
// Of linux/mempolicy.h.
constexpr NameTable<int, 5> kNumaPolicies{
    {{"default", 0}, {"preferred", 1}, {"bind", 2}, {"interleave", 3}, {"local", 4}}};
constexpr NameTable<int, 20> kFacilities{
    {{"kern", 0},      {"user", 1},    {"mail", 2},    {"daemon", 3},  {"auth", 4},
     {"syslog", 5},    {"lpr", 6},     {"news", 7},    {"uucp", 8},    {"cron", 9},
     {"authpriv", 10}, {"ftp", 11},    {"local0", 16}, {"local1", 17}, {"local2", 18},
     {"local3", 19},   {"local4", 20}, {"local5", 21}, {"local6", 22}, {"local7", 23}}};
constexpr NameTable<int, 6> kSecureBits{
    {{"keep-caps", 1 << SECURE_KEEP_CAPS},
     {"keep-caps-locked", 1 << SECURE_KEEP_CAPS_LOCKED},
     {"no-setuid-fixup", 1 << SECURE_NO_SETUID_FIXUP},
     {"no-setuid-fixup-locked", 1 << SECURE_NO_SETUID_FIXUP_LOCKED},
     {"noroot", 1 << SECURE_NOROOT},
     {"noroot-locked", 1 << SECURE_NOROOT_LOCKED}}};
constexpr NameTable<KeyringMode, 3> kKeyringModes{{{"inherit", KeyringMode::kInherit},
                                                   {"private", KeyringMode::kPrivate},
                                                   {"shared", KeyringMode::kShared}}};
constexpr NameTable<UtmpMode, 3> kUtmpModes{
    {{"init", UtmpMode::kInit}, {"login", UtmpMode::kLogin}, {"user", UtmpMode::kUser}}};
constexpr NameTable<DirectoryPreserve, 3> kPreserves{{{"no", DirectoryPreserve::kNo},
                                                      {"yes", DirectoryPreserve::kYes},
                                                      {"restart", DirectoryPreserve::kRestart}}};
constexpr uint64_t kDefaultCoredumpFilter = 0x33;
constexpr NameTable<uint64_t, 11> kCoredumpBits{{{"private-anonymous", 1 << 0},
                                                 {"shared-anonymous", 1 << 1},
                                                 {"private-file-backed", 1 << 2},
                                                 {"shared-file-backed", 1 << 3},
                                                 {"elf-headers", 1 << 4},
                                                 {"private-huge", 1 << 5},
                                                 {"shared-huge", 1 << 6},
                                                 {"private-dax", 1 << 7},
                                                 {"shared-dax", 1 << 8},
                                                 {"default", kDefaultCoredumpFilter},
                                                 {"all", UINT32_MAX}}};
#if defined(__x86_64__)
constexpr NameTable<unsigned long, 2> kPersonalities{{{"x86", PER_LINUX32}, {"x86-64", PER_LINUX}}};
#elif defined(__aarch64__)
constexpr NameTable<unsigned long, 2> kPersonalities{{{"arm", PER_LINUX32}, {"arm64", PER_LINUX}}};
#endif

struct DirectoryNames {
  std::string_view key, variable, word;
};
constexpr std::array<DirectoryNames, kDirectoryKinds> kDirectories{
    {{"RuntimeDirectory", "RUNTIME_DIRECTORY", "runtime"},
     {"StateDirectory", "STATE_DIRECTORY", "state"},
     {"CacheDirectory", "CACHE_DIRECTORY", "cache"},
     {"LogsDirectory", "LOGS_DIRECTORY", "logs"},
     {"ConfigurationDirectory", "CONFIGURATION_DIRECTORY", "configuration"}}};

constexpr unsigned kMaxSetNumber = 8191;  // more than any kernel's CPUs

std::optional<unsigned> parse_set_number(std::string_view text) {
  const auto number = unit::parse_unsigned(text, kMaxSetNumber);
  return number ? std::optional(static_cast<unsigned>(*number)) : std::nullopt;
}

}  // namespace

std::optional<int> parse_cpu_policy(std::string_view text) {
  return name_or_number(kCpuPolicies, text, INT32_MAX);
}
std::optional<int> parse_io_class(std::string_view text) {
  return name_or_number(kIoClasses, text, 7);
}
std::optional<int> parse_numa_policy(std::string_view text) {
  return find_by_name(kNumaPolicies, text);
}
std::optional<int> parse_syslog_facility(std::string_view text) {
  return name_or_number(kFacilities, text, 127);
}

std::optional<int> parse_secure_bits(std::string_view words) {
  const auto list = unit::split_words(words);
  if (!list) return std::nullopt;
  int bits = 0;
  for (const std::string& word : *list) bits |= find_by_name(kSecureBits, word).value_or(0);
  return bits;
}

std::optional<unsigned long> parse_personality(std::string_view text) {
  return find_by_name(kPersonalities, text);
}
std::optional<KeyringMode> parse_keyring_mode(std::string_view text) {
  return find_by_name(kKeyringModes, text);
}
std::optional<UtmpMode> parse_utmp_mode(std::string_view text) {
  return find_by_name(kUtmpModes, text);
}
std::optional<DirectoryPreserve> parse_directory_preserve(std::string_view text) {
  if (const auto named = find_by_name(kPreserves, text)) return named;
  const auto flag = unit::parse_boolean(text);
  if (!flag) return std::nullopt;
  return *flag ? DirectoryPreserve::kYes : DirectoryPreserve::kNo;
}

std::optional<uint64_t> parse_capabilities(std::string_view words) {
  const auto list = unit::split_words(words);
  if (!list) return std::nullopt;
  uint64_t set = 0;
  for (const std::string& word : *list) {
    cap_value_t value = -1;
    if (const auto number = unit::parse_integer(word, 0, 63)) {
      value = static_cast<cap_value_t>(*number);
    } else if (word.empty() || (word[0] >= '0' && word[0] <= '9') ||
               cap_from_name(word.c_str(), &value) != 0) {
      continue;  // the library would take a number at the front
    }
    set |= uint64_t{1} << static_cast<unsigned>(value);
  }
  return set;
}

std::optional<uint64_t> parse_coredump_filter(std::string_view words) {
  unit::WordRules rules;
  rules.quotes = unit::WordRules::Quotes::kLiteral;
  rules.escapes = unit::WordRules::Escapes::kDrop;
  const auto list = unit::split_words(words, rules);
  if (!list) return std::nullopt;
  uint64_t set = 0;
  for (const std::string& word : *list) {
    if (const auto named = find_by_name(kCoredumpBits, word)) {
      set |= *named;
      continue;
    }
    std::string_view digits = word;
    if (digits.substr(0, 2) == "0x" || digits.substr(0, 2) == "0X") digits.remove_prefix(2);
    uint64_t number = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    set |= number;
  }
  return set;
}

std::optional<std::vector<uint8_t>> parse_number_set(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), ',', ' ');
  const auto list = unit::split_words(spaced);
  if (!list) return std::nullopt;
  std::vector<uint8_t> set;
  for (const std::string& word : *list) {
    const std::string_view range = word;
    const size_t dash = range.find('-');
    const auto first = parse_set_number(range.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : parse_set_number(range.substr(dash + 1));
    if (!first || !last) return std::nullopt;
    if (*first > *last) {
      // No number at all, which is not the same as nothing said.
      if (set.empty()) set.resize(8);
      continue;
    }
    const size_t size = (*last / 64 + 1) * 8;
    if (set.size() < size) set.resize(size);
    for (unsigned number = *first; number <= *last; ++number) {
      set[number / 8] = static_cast<uint8_t>(set[number / 8] | (1U << (number % 8)));
    }
  }
  return set;
}

std::optional<uint64_t> parse_nanoseconds(std::string_view text) {
  struct Unit {
    std::string_view name;
    uint64_t factor;
  };
  static constexpr std::array<Unit, 29> kUnits{{{"", 1},
                                                {"ns", 1},
                                                {"nsec", 1},
                                                {"us", 1000},
                                                {"usec", 1000},
                                                {"µs", 1000},
                                                {"ms", 1'000'000},
                                                {"msec", 1'000'000},
                                                {"s", 1'000'000'000},
                                                {"sec", 1'000'000'000},
                                                {"second", 1'000'000'000},
                                                {"seconds", 1'000'000'000},
                                                {"m", 60'000'000'000},
                                                {"min", 60'000'000'000},
                                                {"minute", 60'000'000'000},
                                                {"minutes", 60'000'000'000},
                                                {"h", 3'600'000'000'000},
                                                {"hr", 3'600'000'000'000},
                                                {"hour", 3'600'000'000'000},
                                                {"hours", 3'600'000'000'000},
                                                {"d", 86'400'000'000'000},
                                                {"day", 86'400'000'000'000},
                                                {"days", 86'400'000'000'000},
                                                {"w", 604'800'000'000'000},
                                                {"week", 604'800'000'000'000},
                                                {"weeks", 604'800'000'000'000},
                                                {"y", 31'557'600'000'000'000},
                                                {"year", 31'557'600'000'000'000},
                                                {"years", 31'557'600'000'000'000}}};
  text = unit::trim(text);
  if (text == "infinity") return UINT64_MAX;
  if (text.empty()) return std::nullopt;
  uint64_t sum = 0;
  while (!text.empty()) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    text.remove_prefix(std::min(text.find_first_not_of(unit::kBlanks), text.size()));
    const std::string_view name = text.substr(0, text.find_first_of(" \t0123456789"));
    const auto found = std::find_if(kUnits.begin(), kUnits.end(),
                                    [&](const Unit& unit) { return unit.name == name; });
    if (found == kUnits.end() || number > (UINT64_MAX - sum) / found->factor) return std::nullopt;
    sum += number * found->factor;
    text = unit::trim(text.substr(name.size()));
  }
  return sum;
}

std::string_view cpu_policy_name(int policy) { return find_name(kCpuPolicies, policy); }
std::string_view io_class_name(int io_class) { return find_name(kIoClasses, io_class); }
std::string_view numa_policy_name(int policy) { return find_name(kNumaPolicies, policy); }
std::string_view syslog_facility_name(int facility) { return find_name(kFacilities, facility); }
std::string secure_bits_words(uint64_t bits) { return base::names_of_bits(kSecureBits, bits); }
std::string_view to_string(KeyringMode mode) { return find_name(kKeyringModes, mode); }
std::string_view to_string(UtmpMode mode) { return find_name(kUtmpModes, mode); }
std::string_view to_string(DirectoryPreserve preserve) { return find_name(kPreserves, preserve); }
std::string_view personality_name(unsigned long personality) {
  return find_name(kPersonalities, personality);
}
std::string_view directory_key(DirectoryKind kind) {
  return kDirectories[static_cast<size_t>(kind)].key;
}
std::string_view directory_variable(DirectoryKind kind) {
  return kDirectories[static_cast<size_t>(kind)].variable;
}
std::string_view directory_word(DirectoryKind kind) {
  return kDirectories[static_cast<size_t>(kind)].word;
}

}  // namespace flotilla::init
