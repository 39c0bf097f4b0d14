#include "init/mount_settings.h"

#include <algorithm>
#include <array>

#include "init/unit_settings.h"
#include "unit/escape.h"

namespace flotilla::init {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::array kNetworkTypes = {
    "9p"sv,    "acfs"sv,      "afs"sv,  "ceph"sv,  "cifs"sv,  "davfs"sv,   "fuse.sshfs"sv,
    "gfs"sv,   "glusterfs"sv, "gfs2"sv, "ncp"sv,   "ncpfs"sv, "nfs"sv,     "nfs4"sv,
    "ocfs2"sv, "pvfs2"sv,     "smb3"sv, "smbfs"sv, "sshfs"sv, "virtiofs"sv};

constexpr std::array kApiMounts = {"/proc"sv,
                                   "/sys"sv,
                                   "/dev"sv,
                                   "/dev/shm"sv,
                                   "/dev/pts"sv,
                                   "/dev/console"sv,
                                   "/run"sv,
                                   "/run/lock"sv,
                                   "/proc/sys"sv,
                                   "/proc/kmsg"sv,
                                   "/proc/sys/kernel/random/boot_id"sv,
                                   "/sys/kernel/security"sv,
                                   "/sys/fs/smackfs"sv,
                                   "/sys/fs/selinux"sv,
                                   "/sys/fs/cgroup"sv,
                                   "/sys/fs/pstore"sv,
                                   "/sys/fs/bpf"sv,
                                   "/sys/firmware/efi/efivars"sv};

template <typename Visit>
void for_each_option(std::string_view options, Visit visit) {
  while (!options.empty()) {
    const size_t comma = options.find(',');
    const std::string_view option = options.substr(0, comma);
    if (!option.empty()) visit(option);
    options.remove_prefix(comma == std::string_view::npos ? options.size() : comma + 1);
  }
}

bool is_at_or_below(std::string_view path, std::string_view top) {
  return path.substr(0, top.size()) == top &&
         (path.size() == top.size() || path[top.size()] == '/');
}

// Those that say when it is mounted are not mount(8)'s.
std::string without_boot_options(std::string_view options) {
  std::string kept;
  for_each_option(options, [&](std::string_view option) {
    if (option == "nofail" || option == "noauto" || option == "auto") return;
    if (!kept.empty()) kept += ',';
    kept += option;
  });
  return kept;
}

void set_command(UnitSettings& settings, ServiceCommand which,
                 const std::vector<std::string>& argv) {
  unit::PackedWords words;
  for (const std::string& argument : argv) words.push_back(argument);
  unit::Command command(argv[0], std::move(words));
  command.expand_variables = false;
  settings.commands.clear(which);
  settings.commands.add(which, std::move(command));
}

}  // namespace

bool has_mount_option(std::string_view options, std::string_view name) {
  bool found = false;
  for_each_option(options, [&](std::string_view option) {
    found = found || option.substr(0, option.find('=')) == name;
  });
  return found;
}

bool is_bind_mount(std::string_view options, std::string_view type) {
  return type == "bind" || has_mount_option(options, "bind") || has_mount_option(options, "rbind");
}

bool needs_source_path(std::string_view options, std::string_view type) {
  return is_bind_mount(options, type) || has_mount_option(options, "loop");
}

bool is_network_mount(std::string_view options, std::string_view type) {
  if (has_mount_option(options, "_netdev")) return true;
  return std::find(kNetworkTypes.begin(), kNetworkTypes.end(), type) != kNetworkTypes.end();
}

bool is_api_mount(std::string_view where) {
  if (std::find(kApiMounts.begin(), kApiMounts.end(), where) != kApiMounts.end()) return true;
  return is_at_or_below(where, "/sys/fs/cgroup") || is_at_or_below(where, "/run/host");
}

bool is_extrinsic_mount(std::string_view where, std::string_view options) {
  if (where == "/" || where == "/usr" || where == "/etc") return true;
  for (const std::string_view top :
       {"/run/initramfs"sv, "/run/nextroot"sv, "/proc"sv, "/sys"sv, "/dev"sv}) {
    if (is_at_or_below(where, top)) return true;
  }
  return has_mount_option(options, "x-initrd.mount");
}

std::vector<std::string> paths_above(std::string_view path) {
  std::vector<std::string> paths;
  for (size_t end = path.size(); end > 1; end = path.rfind('/', end - 1)) {
    if (end == std::string_view::npos || end == 0) break;
    paths.emplace_back(path.substr(0, end));
  }
  paths.emplace_back("/");
  return paths;
}

std::string mount_unit_of(std::string_view path) {
  const auto name = unit::UnitName::from_path(path, unit::UnitType::kMount);
  return name ? name->str() : std::string();
}

std::string path_of_mount_unit(const unit::UnitName& name) {
  return unit::unescape_path(name.stem()).value_or("");
}

void set_mount_commands(UnitSettings& settings) {
  const MountSettings& mount = *settings.extras->mount;
  std::vector<std::string> unmount{"/bin/umount", mount.where, "-c"};
  if (mount.lazy_unmount) unmount.emplace_back("-l");
  if (mount.force_unmount) unmount.emplace_back("-f");
  set_command(settings, ServiceCommand::kStop, unmount);
  if (mount.what.empty()) return;

  const auto add_flags = [&](std::vector<std::string>& argv) {
    if (mount.sloppy_options) argv.emplace_back("-s");
    if (mount.read_write_only) argv.emplace_back("-w");
    if (mount.type.empty()) return;
    argv.emplace_back("-t");
    argv.push_back(mount.type);
  };
  std::vector<std::string> start{"/bin/mount", mount.what, mount.where};
  add_flags(start);
  if (std::string options = without_boot_options(mount.options); !options.empty()) {
    start.emplace_back("-o");
    start.push_back(std::move(options));
  }
  set_command(settings, ServiceCommand::kStart, start);
  std::vector<std::string> remount{"/bin/mount", mount.what, mount.where, "-o",
                                   mount.options.empty() ? "remount" : "remount," + mount.options};
  add_flags(remount);
  set_command(settings, ServiceCommand::kReload, remount);
}

}  // namespace flotilla::init
