// The words of scheduling and privilege settings and the kernel's numbers behind them: each parse
// function returns nothing where the text is no such value, each to_string the word as the bus
// shows it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "init/exec_extras.h"

namespace flotilla::init {

std::optional<int> parse_cpu_policy(std::string_view text);   // "fifo", or a SCHED_* number
std::optional<int> parse_io_class(std::string_view text);     // "idle", or a number
std::optional<int> parse_numa_policy(std::string_view text);  // an MPOL_* number, of "bind"
std::optional<int> parse_syslog_facility(std::string_view text);
std::optional<int> parse_secure_bits(std::string_view words);
std::optional<unsigned long> parse_personality(std::string_view text);
std::optional<KeyringMode> parse_keyring_mode(std::string_view text);
std::optional<UtmpMode> parse_utmp_mode(std::string_view text);
std::optional<DirectoryPreserve> parse_directory_preserve(std::string_view text);
// Unknown names are left out, as systemd does.
std::optional<uint64_t> parse_capabilities(std::string_view words);
// "default private-dax 0x3": the bits of /proc/PID/coredump_filter.
std::optional<uint64_t> parse_coredump_filter(std::string_view words);
// "0 2-3,5": a bit for each, the lowest in the first byte, in whole words of the kernel.
std::optional<std::vector<uint8_t>> parse_number_set(std::string_view text);
// Nanoseconds; a number without a unit is one of them.
std::optional<uint64_t> parse_nanoseconds(std::string_view text);

// Empty where the number stands for nothing that has a name.
std::string_view cpu_policy_name(int policy);
std::string_view io_class_name(int io_class);
std::string_view numa_policy_name(int policy);
std::string_view syslog_facility_name(int facility);
// The names of the bits that are set, with blanks between.
std::string secure_bits_words(uint64_t bits);
std::string_view to_string(KeyringMode mode);
std::string_view to_string(UtmpMode mode);
std::string_view to_string(DirectoryPreserve preserve);
std::string_view personality_name(unsigned long personality);

// "RuntimeDirectory" and so on.
std::string_view directory_key(DirectoryKind kind);
// "RUNTIME_DIRECTORY" and so on.
std::string_view directory_variable(DirectoryKind kind);
// "runtime" and so on, as `systemctl clean --what=` has it.
std::string_view directory_word(DirectoryKind kind);

}  // namespace flotilla::init
