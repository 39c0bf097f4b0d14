// What a unit's files say about the world its processes may see and touch: the sandboxing half of
// man systemd.exec, typed. Plain values, no meaning of their own: mount_plan.h and seccomp.h give
// it to them. Made by the loader, read by the bus, carried to flotilla-exec in an Order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace flotilla::sandbox {

enum class ProtectSystem : uint8_t { kNo, kYes, kFull, kStrict };
enum class ProtectHome : uint8_t { kNo, kYes, kReadOnly, kTmpfs };
enum class ProtectProc : uint8_t { kDefault, kNoAccess, kInvisible, kPtraceable };
enum class ProcSubset : uint8_t { kAll, kPid };

struct BindMount {
  std::string source, destination;
  bool read_only = false;
  bool recursive = true;
  bool ignore_missing = false;
  friend bool operator==(const BindMount&, const BindMount&) = default;
};

struct TemporaryFileSystem {
  std::string path, options;
  friend bool operator==(const TemporaryFileSystem&, const TemporaryFileSystem&) = default;
};

// SetCredential= has the bytes themselves in `value`, LoadCredential= a path or a credential's
// name. One that is encrypted is nothing that we could read: its unit does not start.
struct Credential {
  std::string id, value;
  bool is_encrypted = false;
  friend bool operator==(const Credential&, const Credential&) = default;
};

// Names of which all others are refused (an allow list), or which are refused themselves.
struct AddressFamilies {
  bool is_set = false;
  bool is_allow_list = false;
  std::vector<int> families;  // AF_*, without repeats
};

inline constexpr int kKillProcess = -1;  // in place of an errno

struct Settings {
  // Paths as written, "-" (may be missing) and "+" (below RootDirectory=) in front.
  std::vector<std::string> read_write_paths, read_only_paths, inaccessible_paths;
  std::vector<std::string> exec_paths, no_exec_paths;
  std::vector<BindMount> bind_mounts;
  std::vector<TemporaryFileSystem> temporary_file_systems;
  ProtectSystem protect_system = ProtectSystem::kNo;
  ProtectHome protect_home = ProtectHome::kNo;
  ProtectProc protect_proc = ProtectProc::kDefault;
  ProcSubset proc_subset = ProcSubset::kAll;
  std::optional<bool> mount_api_vfs;
  uint64_t mount_flags = 0;  // MS_SHARED, MS_SLAVE, MS_PRIVATE; 0: not set

  bool private_tmp = false, private_devices = false, private_network = false;
  bool private_ipc = false, private_users = false, private_mounts = false;
  bool protect_hostname = false, protect_kernel_tunables = false;
  bool protect_kernel_modules = false, protect_kernel_logs = false;
  bool protect_control_groups = false, protect_clock = false;
  bool root_directory_start_only = false;
  std::string network_namespace_path, ipc_namespace_path;

  bool dynamic_user = false;
  bool remove_ipc = false;
  std::string pam_name;

  std::vector<Credential> set_credentials, load_credentials;

  bool restrict_suid_sgid = false, restrict_realtime = false;
  bool memory_deny_write_execute = false, lock_personality = false;
  // CLONE_NEW* flags a process may use; unset: all.
  std::optional<uint64_t> allowed_namespaces;

  AddressFamilies address_families;
  // Words as written, "~" in front of each of a line that began with it; syscall_filter.h expands
  // them: a set such as @system-service has hundreds of members.
  std::vector<std::string> syscall_filter, syscall_log;
  int syscall_error = kKillProcess;                // SystemCallErrorNumber=
  std::vector<std::string> syscall_architectures;  // "native", "x86-64", ...; empty: any

  bool has_credentials() const { return !set_credentials.empty() || !load_credentials.empty(); }
};

}  // namespace flotilla::sandbox
