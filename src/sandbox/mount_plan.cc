#include "sandbox/mount_plan.h"

#include <sys/mount.h>

#include <algorithm>

namespace flotilla::sandbox {
namespace {

enum class Missing : uint8_t { kFails, kIgnored };

struct Row {
  const char* path;
  MountMode mode;
  Missing missing;
};

constexpr Row kTunables[] = {
    {"/proc/acpi", MountMode::kReadOnly, Missing::kIgnored},
    {"/proc/apm", MountMode::kReadOnly, Missing::kIgnored},
    {"/proc/asound", MountMode::kReadOnly, Missing::kIgnored},
    {"/proc/bus", MountMode::kReadOnly, Missing::kIgnored},
    {"/proc/fs", MountMode::kReadOnly, Missing::kIgnored},
    {"/proc/irq", MountMode::kReadOnly, Missing::kIgnored},
    {"/proc/kallsyms", MountMode::kInaccessible, Missing::kIgnored},
    {"/proc/kcore", MountMode::kInaccessible, Missing::kIgnored},
    {"/proc/latency_stats", MountMode::kReadOnly, Missing::kIgnored},
    {"/proc/mtrr", MountMode::kReadOnly, Missing::kIgnored},
    {"/proc/scsi", MountMode::kReadOnly, Missing::kIgnored},
    {"/proc/sys", MountMode::kReadOnly, Missing::kIgnored},
    {"/proc/sysrq-trigger", MountMode::kReadOnly, Missing::kIgnored},
    {"/proc/timer_stats", MountMode::kReadOnly, Missing::kIgnored},
    {"/sys", MountMode::kReadOnly, Missing::kFails},
    {"/sys/fs/bpf", MountMode::kReadOnly, Missing::kIgnored},
    {"/sys/fs/cgroup", MountMode::kReadWriteImplicit, Missing::kFails},
    {"/sys/fs/selinux", MountMode::kReadWriteImplicit, Missing::kIgnored},
    {"/sys/kernel/debug", MountMode::kReadOnly, Missing::kIgnored},
    {"/sys/kernel/tracing", MountMode::kReadOnly, Missing::kIgnored},
};
constexpr Row kModules[] = {
    {"/lib/modules", MountMode::kInaccessible, Missing::kIgnored},
    {"/usr/lib/modules", MountMode::kInaccessible, Missing::kIgnored},
};
constexpr Row kLogs[] = {
    {"/proc/kmsg", MountMode::kInaccessible, Missing::kIgnored},
    {"/dev/kmsg", MountMode::kInaccessible, Missing::kIgnored},
};
constexpr Row kSystem[] = {
    {"/usr", MountMode::kReadOnly, Missing::kFails},
    {"/boot", MountMode::kReadOnly, Missing::kIgnored},
    {"/efi", MountMode::kReadOnly, Missing::kIgnored},
    {"/lib", MountMode::kReadOnly, Missing::kIgnored},
    {"/lib64", MountMode::kReadOnly, Missing::kIgnored},
    {"/bin", MountMode::kReadOnly, Missing::kIgnored},
    {"/sbin", MountMode::kReadOnly, Missing::kIgnored},
};
// ProtectHome= rules over the last three.
constexpr Row kStrict[] = {
    {"/", MountMode::kReadOnly, Missing::kFails},
    {"/proc", MountMode::kReadWriteImplicit, Missing::kFails},
    {"/sys", MountMode::kReadWriteImplicit, Missing::kFails},
    {"/dev", MountMode::kReadWriteImplicit, Missing::kFails},
    {"/home", MountMode::kReadWriteImplicit, Missing::kIgnored},
    {"/run/user", MountMode::kReadWriteImplicit, Missing::kIgnored},
    {"/root", MountMode::kReadWriteImplicit, Missing::kIgnored},
};
constexpr const char* kHomes[] = {"/home", "/run/user", "/root"};
constexpr const char* kTmpfsOptions = "mode=0755,size=10%,nr_inodes=400k";
constexpr const char* kEmptyTmpfsOptions = "mode=0755,size=4m,nr_inodes=1k";
constexpr uint64_t kTmpfsFlags = MS_NODEV | MS_STRICTATIME;

class Planner {
 public:
  Planner(const Settings& settings, const MountFacts& facts) : settings_(settings), facts_(facts) {}

  std::vector<MountEntry> plan() && {
    add_paths();
    add_binds_and_tmpfs();
    add_private();
    add_kernel();
    add_homes();
    add_system();
    add_api_vfs();
    add_run();
    return std::move(entries_);
  }

 private:
  MountEntry& add(std::string path, MountMode mode, Missing missing = Missing::kFails) {
    MountEntry& entry = entries_.emplace_back();
    entry.path = std::move(path);
    entry.mode = mode;
    entry.ignore_missing = missing == Missing::kIgnored;
    return entry;
  }
  template <size_t N>
  void add_rows(const Row (&rows)[N], bool ignore_all = false) {
    for (const Row& row : rows) {
      add(row.path, row.mode, ignore_all ? Missing::kIgnored : row.missing);
    }
  }
  MountEntry& add_bind(const BindMount& bind) {
    MountEntry& entry =
        add(bind.destination, bind.recursive ? MountMode::kBindRecursive : MountMode::kBind,
            bind.ignore_missing ? Missing::kIgnored : Missing::kFails);
    entry.source = bind.source;
    entry.read_only = bind.read_only;
    return entry;
  }
  MountEntry& add_tmpfs(std::string path, Missing missing, std::string options) {
    MountEntry& entry = add(std::move(path), MountMode::kTmpfs, missing);
    entry.options = std::move(options);
    entry.flags = kTmpfsFlags;
    return entry;
  }

  void add_list(const std::vector<std::string>& paths, MountMode mode) {
    for (std::string_view path : paths) {
      Missing missing = Missing::kFails;
      if (!path.empty() && path[0] == '-') {
        missing = Missing::kIgnored;
        path.remove_prefix(1);
      }
      if (!path.empty() && path[0] == '+') {
        add(std::string(path.substr(1)), mode, missing);
      } else if (const auto inside = below_root(path)) {
        add(*inside, mode, missing);
      }
    }
  }
  // A path of the host as it is called in the new tree; nothing where it is not in there.
  std::optional<std::string> below_root(std::string_view path) const {
    if (!facts_.has_root()) return std::string(path);
    if (!is_path_below(path, facts_.root_directory)) return std::nullopt;
    path.remove_prefix(facts_.root_directory.size());
    return path.empty() ? "/" : std::string(path);
  }
  void add_paths() {
    add_list(settings_.read_write_paths, MountMode::kReadWrite);
    add_list(settings_.read_only_paths, MountMode::kReadOnly);
    add_list(settings_.inaccessible_paths, MountMode::kInaccessible);
    add_list(settings_.exec_paths, MountMode::kExec);
    add_list(settings_.no_exec_paths, MountMode::kNoExec);
    add_list(facts_.writable_directories, MountMode::kReadWrite);
    for (const std::string& path : facts_.empty_directories) add(path, MountMode::kEmptyDirectory);
  }
  void add_binds_and_tmpfs() {
    for (const BindMount& bind : settings_.bind_mounts) add_bind(bind);
    for (const BindMount& bind : facts_.directory_binds) add_bind(bind);
    for (const TemporaryFileSystem& one : settings_.temporary_file_systems) {
      MountEntry& entry = add_tmpfs(one.path, Missing::kFails, kTmpfsOptions);
      take_options(one.options, entry);
    }
  }
  // "ro,size=1M": words that are flags of mount(2), and the rest for the file system.
  static void take_options(std::string_view words, MountEntry& entry) {
    while (!words.empty()) {
      const std::string_view word = words.substr(0, words.find(','));
      words.remove_prefix(std::min(words.size(), word.size() + 1));
      if (word == "ro") {
        entry.read_only = true;
      } else if (word == "rw") {
        entry.read_only = false;
      } else if (word == "nosuid") {
        entry.flags |= MS_NOSUID;
      } else if (word == "noexec") {
        entry.flags |= MS_NOEXEC;
      } else if (word == "exec") {
        entry.flags &= ~static_cast<uint64_t>(MS_NOEXEC);
      } else if (word == "nodev") {
        entry.flags |= MS_NODEV;
      } else if (word == "dev") {
        entry.flags &= ~static_cast<uint64_t>(MS_NODEV);
      } else if (word == "noatime") {
        entry.flags = (entry.flags & ~static_cast<uint64_t>(MS_STRICTATIME)) | MS_NOATIME;
      } else if (!word.empty()) {
        entry.options.append(",").append(word);
      }
    }
  }

  void add_private() {
    if (!facts_.tmp_directory.empty()) {
      add("/tmp", MountMode::kPrivateTmp).source = facts_.tmp_directory;
    }
    if (!facts_.var_tmp_directory.empty()) {
      add("/var/tmp", MountMode::kPrivateTmp).source = facts_.var_tmp_directory;
    }
    if (settings_.private_devices) add("/dev", MountMode::kPrivateDevices);
    if (settings_.private_ipc || !settings_.ipc_namespace_path.empty()) {
      add("/dev/mqueue", MountMode::kMessageQueues).flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    }
  }
  // Where /proc shows less, what is to be locked in it may not be there.
  bool has_own_proc() const {
    return settings_.protect_proc != ProtectProc::kDefault ||
           settings_.proc_subset != ProcSubset::kAll;
  }
  void add_kernel() {
    if (settings_.protect_kernel_tunables) add_rows(kTunables);
    if (settings_.protect_kernel_modules) add_rows(kModules);
    if (settings_.protect_kernel_logs) add_rows(kLogs);
    if (settings_.protect_control_groups) add("/sys/fs/cgroup", MountMode::kReadOnly);
    if (settings_.protect_hostname) {
      add("/proc/sys/kernel/hostname", MountMode::kReadOnly, Missing::kIgnored);
      add("/proc/sys/kernel/domainname", MountMode::kReadOnly, Missing::kIgnored);
    }
  }
  void add_homes() {
    if (settings_.protect_home == ProtectHome::kNo) return;
    for (const char* home : kHomes) {
      if (settings_.protect_home == ProtectHome::kTmpfs) {
        // Open to all, as the user the service runs as may be anybody.
        add(home, MountMode::kTmpfs, Missing::kIgnored);
      } else {
        add(home,
            settings_.protect_home == ProtectHome::kYes ? MountMode::kInaccessible
                                                        : MountMode::kReadOnly,
            Missing::kIgnored);
      }
    }
  }
  void add_system() {
    switch (settings_.protect_system) {
      case ProtectSystem::kNo:
        return;
      case ProtectSystem::kStrict:
        return add_rows(kStrict);
      case ProtectSystem::kFull:
        add("/etc", MountMode::kReadOnly);
        [[fallthrough]];
      case ProtectSystem::kYes:
        return add_rows(kSystem);
    }
  }
  void add_api_vfs() {
    if (effective_mount_api_vfs(settings_, facts_)) {
      add_proc();
      add("/dev", MountMode::kBindDevices);
      add("/sys", MountMode::kSysfs).flags = MS_NOSUID | MS_NOEXEC | MS_NODEV;
      MountEntry& run = add("/run", MountMode::kRun);
      run.options = "mode=0755,size=20%,nr_inodes=800k";
      run.flags = MS_NOSUID | MS_NODEV | MS_STRICTATIME;
    } else if (has_own_proc()) {
      add_proc();
    }
    // Without it READY=1 would have no way out of another root.
    if (facts_.has_root() && !facts_.notify_socket.empty() && facts_.notify_socket[0] == '/') {
      MountEntry& entry = add(facts_.notify_socket, MountMode::kBind, Missing::kIgnored);
      entry.source = facts_.notify_socket;
      entry.read_only = true;
    }
  }
  void add_proc() {
    MountEntry& entry = add("/proc", MountMode::kProcfs);
    entry.flags = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    switch (settings_.protect_proc) {
      case ProtectProc::kDefault:
        break;
      case ProtectProc::kNoAccess:
        entry.options = "hidepid=noaccess";
        break;
      case ProtectProc::kInvisible:
        entry.options = "hidepid=invisible";
        break;
      case ProtectProc::kPtraceable:
        entry.options = "hidepid=ptraceable";
        break;
    }
    if (settings_.proc_subset == ProcSubset::kPid) {
      entry.options += entry.options.empty() ? "subset=pid" : ",subset=pid";
    }
  }
  // Other units' credentials are nobody's business, and one's own are not to be changed.
  void add_run() {
    const std::string all = facts_.runtime_directory + "/credentials";
    if (facts_.credentials_directory.empty()) {
      add(all, MountMode::kInaccessible, Missing::kIgnored);
      return;
    }
    add_tmpfs(all, Missing::kFails, kEmptyTmpfsOptions).read_only = true;
    MountEntry& own = add(facts_.credentials_directory, MountMode::kBind);
    own.source = facts_.credentials_directory;
    own.read_only = own.no_suid = own.no_exec = true;
  }

  const Settings& settings_;
  const MountFacts& facts_;
  std::vector<MountEntry> entries_;
};

bool is_access(MountMode mode) {
  return mode == MountMode::kReadOnly || mode == MountMode::kReadWrite ||
         mode == MountMode::kReadWriteImplicit;
}

// The mode that stands first wins, but takes over the restrictions of the others.
void drop_duplicates(std::vector<MountEntry>& entries) {
  std::vector<MountEntry> kept;
  for (MountEntry& entry : entries) {
    MountEntry* const last = kept.empty() ? nullptr : &kept.back();
    if (last == nullptr || last->path != entry.path) {
      kept.push_back(std::move(entry));
      continue;
    }
    last->read_only = last->read_only || entry.makes_read_only();
    last->no_exec = last->no_exec || entry.makes_no_exec();
    last->exec = last->exec || entry.makes_exec();
  }
  entries = std::move(kept);
}

// What nobody can get at needs nothing below it.
void drop_hidden(std::vector<MountEntry>& entries) {
  std::string hidden;
  entries.erase(std::remove_if(entries.begin(), entries.end(),
                               [&](const MountEntry& entry) {
                                 if (!hidden.empty() && is_path_below(entry.path, hidden)) {
                                   return true;
                                 }
                                 if (entry.mode == MountMode::kInaccessible) hidden = entry.path;
                                 return false;
                               }),
                entries.end());
}

// What says the same of a path as of the nearest one above it.
void drop_repeated(std::vector<MountEntry>& entries) {
  std::vector<MountEntry> kept;
  for (MountEntry& entry : entries) {
    const auto parent = std::find_if(kept.rbegin(), kept.rend(), [&](const MountEntry& above) {
      return is_path_below(entry.path, above.path);
    });
    if (parent != kept.rend() && is_access(entry.mode) && parent->mode == entry.mode) continue;
    kept.push_back(std::move(entry));
  }
  entries = std::move(kept);
}

}  // namespace

bool is_path_below(std::string_view path, std::string_view prefix) noexcept {
  if (prefix == "/") return !path.empty() && path[0] == '/';
  if (path.substr(0, prefix.size()) != prefix) return false;
  return path.size() == prefix.size() || path[prefix.size()] == '/';
}

bool effective_mount_api_vfs(const Settings& settings, const MountFacts& facts) {
  return settings.mount_api_vfs.value_or(facts.has_root());
}

bool needs_mount_namespace(const Settings& s, const MountFacts& facts) {
  constexpr uint64_t kShared = MS_SHARED;
  if (!s.read_write_paths.empty() || !s.read_only_paths.empty() || !s.inaccessible_paths.empty() ||
      !s.exec_paths.empty() || !s.no_exec_paths.empty() || !s.bind_mounts.empty() ||
      !s.temporary_file_systems.empty() || !facts.directory_binds.empty() ||
      !facts.empty_directories.empty()) {
    return true;
  }
  if (s.mount_flags != 0 && s.mount_flags != kShared) return true;
  if (!facts.tmp_directory.empty() || !facts.var_tmp_directory.empty()) return true;
  if (s.private_devices || s.private_mounts || s.private_ipc || !s.ipc_namespace_path.empty() ||
      s.protect_system != ProtectSystem::kNo || s.protect_home != ProtectHome::kNo ||
      s.protect_kernel_tunables || s.protect_kernel_modules || s.protect_kernel_logs ||
      s.protect_control_groups || s.protect_proc != ProtectProc::kDefault ||
      s.proc_subset != ProcSubset::kAll) {
    return true;
  }
  return facts.has_root() &&
         (effective_mount_api_vfs(s, facts) || !facts.writable_directories.empty());
}

bool insists_on_mounts(const Settings& settings, const MountFacts& facts) {
  // A bind mount of a path onto itself shows what is there anyway.
  const bool shows_another =
      std::any_of(settings.bind_mounts.begin(), settings.bind_mounts.end(),
                  [](const BindMount& bind) { return bind.source != bind.destination; });
  return facts.has_root() || shows_another || !settings.temporary_file_systems.empty() ||
         !facts.directory_binds.empty();
}

Settings without_restrictions(const Settings& settings) {
  Settings left;
  left.read_write_paths = settings.read_write_paths;
  left.bind_mounts = settings.bind_mounts;
  left.temporary_file_systems = settings.temporary_file_systems;
  left.mount_api_vfs = settings.mount_api_vfs;
  left.mount_flags = settings.mount_flags;
  return left;
}

std::vector<MountEntry> plan_mounts(const Settings& settings, const MountFacts& facts) {
  return Planner(settings, facts).plan();
}

void normalize_mounts(std::vector<MountEntry>& entries) {
  // By components, so that "/a/b" stands before "/a-b": '/' sorts as the lowest character.
  const auto key_less = [](const std::string& a, const std::string& b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
      const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c) + 1; };
      return rank(x) < rank(y);
    });
  };
  std::stable_sort(entries.begin(), entries.end(), [&](const MountEntry& a, const MountEntry& b) {
    if (a.path == b.path) return a.mode < b.mode;
    if (a.path == "/" || b.path == "/") return a.path == "/";
    return key_less(a.path, b.path);
  });
  drop_duplicates(entries);
  drop_hidden(entries);
  drop_repeated(entries);
}

}  // namespace flotilla::sandbox
