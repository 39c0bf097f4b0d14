// How systemd writes a unit's name into a D-Bus object path: letters and digits stand for
// themselves, everything else (and a leading digit) is _hh. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flotilla::bus {

inline constexpr std::string_view kSystemd1Service = "org.freedesktop.systemd1";
inline constexpr std::string_view kSystemd1Path = "/org/freedesktop/systemd1";
inline constexpr std::string_view kManagerInterface = "org.freedesktop.systemd1.Manager";
inline constexpr std::string_view kUnitInterface = "org.freedesktop.systemd1.Unit";
inline constexpr std::string_view kJobInterface = "org.freedesktop.systemd1.Job";
inline constexpr std::string_view kPropertiesInterface = "org.freedesktop.DBus.Properties";

// One element of a path; "" gives "_".
std::string escape_path_element(std::string_view text);
// A "_" that no two hex digits follow stands for itself. Nothing for what is no element of a path.
std::optional<std::string> unescape_path_element(std::string_view element);

// "/org/freedesktop/systemd1/unit/foo_2eservice" and back.
std::string unit_path(std::string_view unit);
std::optional<std::string> unit_of_path(std::string_view path);
// "/org/freedesktop/systemd1/job/12" and back.
std::string job_path(uint32_t id);
std::optional<uint32_t> job_of_path(std::string_view path);

}  // namespace flotilla::bus
