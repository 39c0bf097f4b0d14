// From sandboxing settings to the mounts that make them true: a list of entries in the order they
// are made, each a path below the new root and what is to be there. Pure: mount_namespace.h looks
// at the real tree and acts.
//
// How it is used: plan_mounts() says what is wanted, the caller resolves the links in the paths,
// normalize_mounts() puts them in order and drops those that others make pointless. Then every
// entry is mounted in turn, and after that made read-only, not executable and so on, each without
// the entries that stand below it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/settings.h"

namespace flotilla::sandbox {

// Of two entries for one path the one that stands first here wins, as systemd decides it.
enum class MountMode : uint8_t {
  kInaccessible,
  kBind,
  kBindRecursive,
  kPrivateTmp,
  kPrivateDevices,
  kBindDevices,  // the host's /dev
  kEmptyDirectory,
  kSysfs,
  kProcfs,
  kReadOnly,
  kReadWrite,
  kNoExec,
  kExec,
  kTmpfs,
  kRun,  // a tmpfs, unless something is mounted there
  kMessageQueues,
  kReadWriteImplicit,
};

struct MountEntry {
  std::string path;  // absolute; below the root of the new tree
  MountMode mode = MountMode::kReadOnly;
  std::string source;   // of binds, on the host
  std::string options;  // of file systems
  uint64_t flags = 0;   // MS_* of file systems
  bool ignore_missing = false;
  bool read_only = false;  // also where the mode does not say so
  bool no_suid = false, no_exec = false, exec = false;
  friend bool operator==(const MountEntry&, const MountEntry&) = default;

  bool makes_read_only() const {
    return read_only || mode == MountMode::kReadOnly || mode == MountMode::kInaccessible ||
           mode == MountMode::kEmptyDirectory;
  }
  bool makes_no_exec() const {
    return no_exec || mode == MountMode::kNoExec || mode == MountMode::kInaccessible;
  }
  bool makes_exec() const { return exec || mode == MountMode::kExec; }
};

// What stands outside of the sandboxing settings and changes the plan.
struct MountFacts {
  std::string root_directory;                    // empty or "/": none
  std::string tmp_directory, var_tmp_directory;  // PrivateTmp='s, on the host; empty: none
  std::string runtime_directory = "/run";
  std::vector<std::string> writable_directories;  // StateDirectory= and its kin
  std::vector<std::string> empty_directories;
  std::vector<BindMount> directory_binds;  // of DynamicUser='s directories
  std::string credentials_directory;       // empty: the unit has none
  std::string notify_socket;

  bool has_root() const { return !root_directory.empty() && root_directory != "/"; }
};

// Whether there is anything to be mounted at all: without, a process shares the manager's tree.
bool needs_mount_namespace(const Settings& settings, const MountFacts& facts);

// Whether the settings would show the process another tree, not only a more restricted one. Such
// must not be left out where the kernel refuses namespaces.
bool insists_on_mounts(const Settings& settings, const MountFacts& facts);

bool effective_mount_api_vfs(const Settings& settings, const MountFacts& facts);

// What is left of the settings for a command that runs with full privileges ("+"): the tree is the
// same, the restrictions are not.
Settings without_restrictions(const Settings& settings);

// In no order, links not resolved.
std::vector<MountEntry> plan_mounts(const Settings& settings, const MountFacts& facts);

// Sorts parents before children and drops what has no effect.
void normalize_mounts(std::vector<MountEntry>& entries);

// Whether `path` is `prefix` or lies below it, by whole components.
bool is_path_below(std::string_view path, std::string_view prefix) noexcept;

}  // namespace flotilla::sandbox
