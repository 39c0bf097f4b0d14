// The parsers of directives by section, for directives.cc alone: name and function, sorted by name.
#pragma once

#include <span>
#include <string_view>

#include "init/directives.h"

namespace flotilla::init {

struct NamedParser {
  std::string_view name;
  DirectiveParser parse;
};

std::span<const NamedParser> unit_section_parsers() noexcept;     // directives_unit.cc
std::span<const NamedParser> action_parsers() noexcept;           // directives_actions.cc
std::span<const NamedParser> service_section_parsers() noexcept;  // directives_service.cc
std::span<const NamedParser> exec_parsers() noexcept;             // directives_exec.cc
std::span<const NamedParser> cgroup_parsers() noexcept;           // directives_cgroup.cc
std::span<const NamedParser> cgroup_network_parsers() noexcept;   // directives_cgroup_network.cc
std::span<const NamedParser> sandbox_parsers() noexcept;          // directives_sandbox.cc
std::span<const NamedParser> mount_parsers() noexcept;            // directives_mount.cc
std::span<const NamedParser> socket_parsers() noexcept;           // directives_socket.cc
std::span<const NamedParser> exec_extras_parsers() noexcept;      // directives_exec_extras.cc

}  // namespace flotilla::init
