#include "sandbox/order.h"

#include <cstring>
#include <type_traits>

namespace flotilla::sandbox {
namespace {

// The form: a magic word with a version, then every field in the order of fields() below. Numbers
// in the machine's own byte order, each with its size; texts and lists with a 32-bit length in
// front; a flag or enum as a byte. One description serves both directions, so they cannot part.
constexpr std::string_view kMagic = "flotilla-exec order 1\n";
constexpr uint32_t kMaxElements = 1U << 20;

class Writer {
 public:
  template <typename T>
  void number(const T& value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out_.append(bytes, sizeof(T));
  }
  void text(const std::string& value) {
    number(static_cast<uint32_t>(value.size()));
    out_ += value;
  }
  template <typename T, typename Each>
  void list(const std::vector<T>& values, Each&& each) {
    number(static_cast<uint32_t>(values.size()));
    for (const T& value : values) each(value);
  }
  bool is_good() const { return true; }
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  template <typename T>
  void number(T& value) {
    if (in_.size() < sizeof(T)) return fail();
    std::memcpy(&value, in_.data(), sizeof(T));
    in_.remove_prefix(sizeof(T));
  }
  void text(std::string& value) {
    uint32_t size = 0;
    number(size);
    if (size > in_.size()) return fail();
    value.assign(in_.substr(0, size));
    in_.remove_prefix(size);
  }
  template <typename T, typename Each>
  void list(std::vector<T>& values, Each&& each) {
    uint32_t count = 0;
    number(count);
    // Each element takes a byte at least: a count cannot ask for more room than there are bytes.
    if (count > kMaxElements || count > in_.size()) return fail();
    for (uint32_t i = 0; i < count && good_; ++i) each(values.emplace_back());
  }
  bool is_good() const { return good_; }
  bool is_at_end() const { return in_.empty(); }
  void fail() {
    good_ = false;
    in_ = {};
  }

 private:
  std::string_view in_;
  bool good_ = true;
};

template <typename Archive, typename T>
void put(Archive& archive, T& value);

template <typename Archive, typename... Fields>
void put_all(Archive& archive, Fields&... values) {
  (put(archive, values), ...);
}

template <typename T>
inline constexpr bool kIsVector = false;
template <typename T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

template <typename Archive, typename T>
void fields(Archive& a, T& v) {
  using Type = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Type, BindMount>) {
    put_all(a, v.source, v.destination, v.read_only, v.recursive, v.ignore_missing);
  } else if constexpr (std::is_same_v<Type, TemporaryFileSystem>) {
    put_all(a, v.path, v.options);
  } else if constexpr (std::is_same_v<Type, Credential>) {
    put_all(a, v.id, v.value, v.is_encrypted);
  } else if constexpr (std::is_same_v<Type, AddressFamilies>) {
    put_all(a, v.is_set, v.is_allow_list, v.families);
  } else if constexpr (std::is_same_v<Type, Limit>) {
    put_all(a, v.resource, v.soft, v.hard);
  } else if constexpr (std::is_same_v<Type, UtmpFiles>) {
    put_all(a, v.utmp, v.wtmp);
  } else if constexpr (std::is_same_v<Type, UtmpStart>) {
    put_all(a, v.id, v.line, v.user, v.kind);
  } else if constexpr (std::is_same_v<Type, MountFacts>) {
    put_all(a, v.root_directory, v.tmp_directory, v.var_tmp_directory, v.runtime_directory,
            v.writable_directories, v.empty_directories, v.directory_binds, v.credentials_directory,
            v.notify_socket);
  } else if constexpr (std::is_same_v<Type, Settings>) {
    put_all(a, v.read_write_paths, v.read_only_paths, v.inaccessible_paths, v.exec_paths,
            v.no_exec_paths, v.bind_mounts, v.temporary_file_systems, v.protect_system,
            v.protect_home, v.protect_proc, v.proc_subset, v.mount_api_vfs, v.mount_flags);
    put_all(a, v.private_tmp, v.private_devices, v.private_network, v.private_ipc, v.private_users,
            v.private_mounts, v.protect_hostname, v.protect_kernel_tunables,
            v.protect_kernel_modules, v.protect_kernel_logs, v.protect_control_groups,
            v.protect_clock, v.network_namespace_path, v.ipc_namespace_path, v.dynamic_user,
            v.remove_ipc, v.pam_name, v.set_credentials, v.load_credentials);
    put_all(a, v.restrict_suid_sgid, v.restrict_realtime, v.memory_deny_write_execute,
            v.lock_personality, v.allowed_namespaces, v.address_families, v.syscall_filter,
            v.syscall_log, v.syscall_error, v.syscall_architectures, v.root_directory_start_only);
  } else {
    static_assert(std::is_same_v<Type, Order>);
    put_all(a, v.unit, v.program, v.arguments, v.environment, v.pid_variables, v.user, v.group,
            v.supplementary_groups, v.applies_user, v.uid, v.gid, v.set_groups, v.groups, v.limits,
            v.umask, v.working_directory, v.working_directory_missing_ok, v.no_new_privileges,
            v.ignore_sigpipe, v.bounding_set, v.ambient_set, v.secure_bits, v.personality);
    put_all(a, v.applies_sandbox, v.settings, v.mounts, v.staging_directory,
            v.inaccessible_directory, v.credential_stores, v.writes_credentials, v.passed_fds,
            v.network_store, v.ipc_store, v.utmp_files, v.utmp);
  }
}

template <typename Archive, typename T>
void put(Archive& archive, T& value) {
  using Type = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Type, bool>) {
    auto byte = static_cast<uint8_t>(value);
    archive.number(byte);
    if constexpr (!std::is_const_v<T>) value = byte != 0;
  } else if constexpr (std::is_arithmetic_v<Type> || std::is_enum_v<Type>) {
    archive.number(value);
  } else if constexpr (std::is_same_v<Type, std::string>) {
    archive.text(value);
  } else if constexpr (kIsVector<Type>) {
    archive.list(value, [&](auto& element) { put(archive, element); });
  } else if constexpr (kIsOptional<Type>) {
    bool has_value = value.has_value();
    put(archive, has_value);
    if constexpr (std::is_const_v<T>) {
      if (has_value) put(archive, *value);
    } else if (has_value) {
      put(archive, value.emplace());
    }
  } else {
    fields(archive, value);
  }
}

}  // namespace

std::string encode_order(const Order& order) {
  Writer writer;
  writer.out_ = kMagic;
  put(writer, order);
  return std::move(writer.out_);
}

base::Result<Order> decode_order(std::string_view bytes) {
  if (bytes.substr(0, kMagic.size()) != kMagic) {
    return base::invalid("the order is of another version than this flotilla-exec");
  }
  Reader reader(bytes.substr(kMagic.size()));
  Order order;
  put(reader, order);
  if (!reader.is_good() || !reader.is_at_end()) {
    return base::invalid("the order is damaged: it does not end where it should");
  }
  const auto is_enum_good = [](auto value, auto last) { return value <= last; };
  if (!is_enum_good(order.settings.protect_system, ProtectSystem::kStrict) ||
      !is_enum_good(order.settings.protect_home, ProtectHome::kTmpfs) ||
      !is_enum_good(order.settings.protect_proc, ProtectProc::kPtraceable) ||
      !is_enum_good(order.settings.proc_subset, ProcSubset::kPid) ||
      !is_enum_good(order.utmp.kind, UtmpKind::kUser)) {
    return base::invalid("the order is damaged: a setting has a value that does not exist");
  }
  if (order.program.empty() || order.arguments.empty()) {
    return base::invalid("the order names no program");
  }
  return order;
}

std::string encode_report(const Report& report) {
  Writer writer;
  const std::string message = report.message.substr(0, kMaxReport - 16);
  writer.number(report.kind);
  writer.number(report.exit_code);
  writer.number(report.error);
  writer.text(message);
  return std::move(writer.out_);
}

base::Result<Report> take_report(std::string_view& bytes) {
  Reader reader(bytes);
  Report report;
  reader.number(report.kind);
  reader.number(report.exit_code);
  reader.number(report.error);
  reader.text(report.message);
  if (!reader.is_good() || report.kind > Report::Kind::kAboutToExec) {
    return base::invalid("a report that is not whole");
  }
  bytes.remove_prefix(13 + report.message.size());
  return report;
}

}  // namespace flotilla::sandbox
