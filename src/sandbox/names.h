// The words of sandboxing settings and the kernel's numbers for them. Constant data, pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/settings.h"

namespace flotilla::sandbox {

std::optional<ProtectSystem> parse_protect_system(std::string_view text);
std::optional<ProtectHome> parse_protect_home(std::string_view text);
std::optional<ProtectProc> parse_protect_proc(std::string_view text);
std::optional<ProcSubset> parse_proc_subset(std::string_view text);
std::string_view to_string(ProtectSystem value);
std::string_view to_string(ProtectHome value);
std::string_view to_string(ProtectProc value);
std::string_view to_string(ProcSubset value);

// "AF_INET"
std::optional<int> parse_address_family(std::string_view name);
std::string address_family_name(int family);

// "net", "user", ... to CLONE_NEW*
std::optional<uint64_t> parse_namespace_type(std::string_view name);
std::string namespace_words(uint64_t flags);  // the names of those in it, with blanks between
inline constexpr uint64_t kAllNamespaces = 0x7e020000;

// The architectures of SystemCallArchitectures=
bool is_architecture(std::string_view name);

}  // namespace flotilla::sandbox
