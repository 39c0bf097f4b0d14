// What a .mount unit's files say in [Mount], and what follows from it alone: its options, the
// commands that mount(8) and umount(8) are run with, what it is ordered by. Pure.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "unit/unit_name.h"

namespace flotilla::init {

struct UnitSettings;

struct MountSettings {
  std::string where;  // simplified; from the unit's name where the files do not say
  std::string what, type, options;
  bool sloppy_options = false, lazy_unmount = false, force_unmount = false;
  bool read_write_only = false;
  mode_t directory_mode = 0755;
};

// In a list of mount options: "nofail" in "ro,nofail".
bool has_mount_option(std::string_view options, std::string_view name);
// A bind mount, and one whose source is a file or directory that another mount may bring.
bool is_bind_mount(std::string_view options, std::string_view type);
bool needs_source_path(std::string_view options, std::string_view type);
bool is_network_mount(std::string_view options, std::string_view type);

// The kernel's own file systems are nobody's to mount by a unit, and are no units.
bool is_api_mount(std::string_view where);
// What stays as long as the system does: it has no place in the shutdown, nor in a slice.
bool is_extrinsic_mount(std::string_view where, std::string_view options);

// The path, and every path above it, "/" last.
std::vector<std::string> paths_above(std::string_view path);
// The mount unit that a path is of; the path of a mount unit. Empty: there is none.
std::string mount_unit_of(std::string_view path);
std::string path_of_mount_unit(const unit::UnitName& name);

// The command lines stand as the unit's start, stop and reload commands: of a unit that has no file
// only the stop.
void set_mount_commands(UnitSettings& settings);

}  // namespace flotilla::init
