// Parsers of the sandboxing directives of man systemd.exec: what a process may see and touch.
#include <sys/mount.h>

#include <algorithm>

#include "init/directives_context.h"
#include "init/directives_parsers.h"
#include "init/directives_values.h"
#include "sandbox/credentials.h"
#include "sandbox/names.h"
#include "sandbox/syscall_filter.h"
#include "sandbox/syscall_groups.h"
#include "unit/base64.h"
#include "unit/scalar.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

using sandbox::Settings;

// The words of a list; "" in quotes and escapes are as in command lines. Nothing after a warning.
constexpr unit::WordRules kKeepEscapes{.escapes = unit::WordRules::Escapes::kKeep};

std::vector<std::string> take_words(const SettingContext& context, std::string_view value) {
  auto words = unit::split_words(value, kKeepEscapes);
  if (words) return std::move(*words);
  context.reporter.warn("Failed to extract words from {}=, ignoring: {}", context.key, value);
  return {};
}

std::optional<std::string> absolute_path(const SettingContext& context, std::string_view text) {
  auto path = parse_absolute_path(text);
  if (path) return path;
  if (text.empty() || text[0] != '/') {
    context.reporter.warn("{}= path is not absolute, ignoring: {}", context.key, text);
  } else {
    context.reporter.warn("{}= path is not normalized, ignoring: {}", context.key, text);
  }
  return std::nullopt;
}

// Most units have no sandbox: one is not made to hold what is so anyway.
template <typename Value>
void assign(UnitSettings& settings, Value Settings::*member, Value value) {
  if (!settings.exec->sandbox.is_set() && settings.exec->sandbox.get().*member == value) return;
  settings.exec.edit().sandbox.edit().*member = std::move(value);
}

template <bool Settings::*Member>
void parse_flag(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (const auto flag = context.read_flag(value)) assign(settings, Member, *flag);
}

// Who cannot tell whether the user is the unit's own does not run it as another.
void parse_dynamic_user(UnitSettings& settings, const SettingContext& context,
                        std::string_view value) {
  const auto flag = unit::parse_boolean(value);
  if (flag) return assign(settings, &Settings::dynamic_user, *flag);
  context.end_file("DynamicUser= is neither yes nor no");
}

template <typename Value, Value Settings::*Member, std::optional<Value> (*Parse)(std::string_view)>
void parse_choice(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  const auto choice = Parse(value);
  if (!choice) return context.warn_bad_value(value);
  assign(settings, Member, *choice);
}

template <std::vector<std::string> Settings::*Member>
void parse_paths(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (value.empty()) return assign(settings, Member, {});
  for (std::string_view word : take_words(context, value)) {
    std::string prefix;
    if (!word.empty() && word[0] == '-') prefix += '-', word.remove_prefix(1);
    if (!word.empty() && word[0] == '+') prefix += '+', word.remove_prefix(1);
    const auto text = context.expand(word);
    if (!text) continue;
    const auto path = absolute_path(context, *text);
    if (path) (settings.exec.edit().sandbox.edit().*Member).push_back(prefix + *path);
  }
}

template <std::string Settings::*Member>
void parse_path(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (value.empty()) return assign(settings, Member, {});
  const auto text = context.expand(value);
  const auto path = text ? absolute_path(context, *text) : std::nullopt;
  if (path) assign(settings, Member, *path);
}

void parse_root_directory(UnitSettings& settings, const SettingContext& context,
                          std::string_view value) {
  if (value.empty()) return settings.exec.edit().root_directory.clear();
  // In another root than the one that is meant it must not run.
  const auto text = context.expand_or_end_file(value);
  if (!text) return;
  const auto path = absolute_path(context, *text);
  if (!path) return context.end_file("RootDirectory= cannot be used: " + std::string(value));
  settings.exec.edit().root_directory = *path;
}

// SOURCE[:DESTINATION[:OPTIONS]], "\:" for a colon in a path.
std::vector<std::string> split_fields(std::string_view word, size_t most) {
  std::vector<std::string> fields(1);
  for (size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '\\' && i + 1 < word.size() && (word[i + 1] == ':' || word[i + 1] == '\\')) {
      fields.back() += word[++i];
    } else if (word[i] == ':' && fields.size() < most) {
      fields.emplace_back();
    } else {
      fields.back() += word[i];
    }
  }
  return fields;
}

void parse_binds(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (value.empty()) return assign(settings, &Settings::bind_mounts, {});
  for (std::string_view word : take_words(context, value)) {
    sandbox::BindMount bind;
    bind.read_only = context.key == "BindReadOnlyPaths";
    if (!word.empty() && word[0] == '-') {
      bind.ignore_missing = true;
      word.remove_prefix(1);
    }
    const auto text = context.expand(word);
    if (!text) continue;
    std::vector<std::string> fields = split_fields(*text, 3);
    const auto source = absolute_path(context, fields[0]);
    if (!source) continue;
    const auto destination =
        fields.size() > 1 && !fields[1].empty() ? absolute_path(context, fields[1]) : source;
    if (!destination) continue;
    if (fields.size() > 2 && !fields[2].empty()) {
      if (fields[2] != "rbind" && fields[2] != "norbind") {
        context.reporter.warn("Invalid option string, ignoring setting: {}", fields[2]);
        continue;
      }
      bind.recursive = fields[2] == "rbind";
    }
    bind.source = *source;
    bind.destination = *destination;
    settings.exec.edit().sandbox.edit().bind_mounts.push_back(std::move(bind));
  }
}

void parse_temporary(UnitSettings& settings, const SettingContext& context,
                     std::string_view value) {
  if (value.empty()) return assign(settings, &Settings::temporary_file_systems, {});
  for (const std::string& word : take_words(context, value)) {
    const std::vector<std::string> fields = split_fields(word, 2);
    const auto text = context.expand(fields[0]);
    const auto path = text ? absolute_path(context, *text) : std::nullopt;
    if (!path) continue;
    const auto options = context.expand(fields.size() > 1 ? fields[1] : std::string());
    if (!options) continue;
    settings.exec.edit().sandbox.edit().temporary_file_systems.push_back({*path, *options});
  }
}

void parse_mount_api_vfs(UnitSettings& settings, const SettingContext& context,
                         std::string_view value) {
  if (value.empty()) return assign(settings, &Settings::mount_api_vfs, std::optional<bool>());
  if (const auto flag = context.read_flag(value))
    settings.exec.edit().sandbox.edit().mount_api_vfs = *flag;
}

void parse_mount_flags(UnitSettings& settings, const SettingContext& context,
                       std::string_view value) {
  uint64_t flags = 0;
  if (value == "shared") {
    flags = MS_SHARED;
  } else if (value == "slave") {
    flags = MS_SLAVE;
  } else if (value == "private") {
    flags = MS_PRIVATE;
  } else if (!value.empty()) {
    return context.reporter.warn("Failed to parse mount flag {}, ignoring.", value);
  }
  assign(settings, &Settings::mount_flags, flags);
}

void parse_pam_name(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (const auto text = context.expand(value)) assign(settings, &Settings::pam_name, *text);
}

void put_credential(std::vector<sandbox::Credential>& list, sandbox::Credential credential) {
  const auto same = std::find_if(list.begin(), list.end(), [&](const sandbox::Credential& one) {
    return one.id == credential.id;
  });
  if (same != list.end()) {
    *same = std::move(credential);
  } else {
    list.push_back(std::move(credential));
  }
}

// "ID" before the colon, checked, with what stands behind the colon; nothing after a warning.
std::optional<std::string> take_credential_id(const SettingContext& context, std::string_view value,
                                              std::string_view& rest) {
  const size_t colon = value.find(':');
  rest = colon == std::string_view::npos ? std::string_view() : value.substr(colon + 1);
  auto id = context.expand(value.substr(0, colon));
  if (!id) return std::nullopt;
  if (sandbox::is_credential_name(*id)) return id;
  context.reporter.warn("Credential name \"{}\" not valid, ignoring.", *id);
  return std::nullopt;
}

// The bytes that SetCredential= means; nothing where an escape is wrong.
std::optional<std::string> unescape_credential(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const char first = text[0];
    text.remove_prefix(1);
    if (first != '\\') {
      bytes += first;
      continue;
    }
    // The one escape that other texts must not have.
    if (text.substr(0, 3) == "x00" || text.substr(0, 3) == "000") {
      text.remove_prefix(3);
      bytes += '\0';
      continue;
    }
    const auto decoded = unit::take_escape(text);
    if (!decoded) return std::nullopt;
    bytes += *decoded;
  }
  return bytes;
}

template <bool IsEncrypted>
void parse_set_credential(UnitSettings& settings, const SettingContext& context,
                          std::string_view value) {
  if (value.empty()) return assign(settings, &Settings::set_credentials, {});
  std::string_view rest;
  const auto id = take_credential_id(context, value, rest);
  if (!id) return;
  if (rest.empty()) return context.reporter.warn("Invalid syntax, ignoring: {}", value);
  auto bytes = IsEncrypted ? unit::decode_base64(rest) : unescape_credential(rest);
  if (!bytes) {
    return IsEncrypted
               ? context.reporter.warn("Encrypted credential data not valid Base64 data, ignoring.")
               : context.reporter.warn("Can't unescape \"{}\", ignoring.", value);
  }
  put_credential(settings.exec.edit().sandbox.edit().set_credentials,
                 {*id, std::move(*bytes), IsEncrypted});
}

template <bool IsEncrypted>
void parse_load_credential(UnitSettings& settings, const SettingContext& context,
                           std::string_view value) {
  if (value.empty()) return assign(settings, &Settings::load_credentials, {});
  std::string_view rest;
  const auto id = take_credential_id(context, value, rest);
  if (!id) return;
  auto path = rest.empty() ? *id : context.expand(rest);
  if (!path) return;
  const bool is_good =
      (*path)[0] == '/' ? parse_absolute_path(*path) == *path : sandbox::is_credential_name(*path);
  if (!is_good)
    return context.reporter.warn("Credential source \"{}\" not valid, ignoring.", *path);
  put_credential(settings.exec.edit().sandbox.edit().load_credentials, {*id, *path, IsEncrypted});
}

void parse_namespaces(UnitSettings& settings, const SettingContext& context,
                      std::string_view value) {
  using Allowed = std::optional<uint64_t>;
  if (value.empty()) return assign(settings, &Settings::allowed_namespaces, Allowed());
  if (const auto flag = unit::parse_boolean(value)) {
    return assign(settings, &Settings::allowed_namespaces,
                  *flag ? Allowed(0) : Allowed(sandbox::kAllNamespaces));
  }
  const bool is_inverted = value[0] == '~';
  if (is_inverted) value.remove_prefix(1);
  uint64_t named = 0;
  const auto words = unit::split_words(value, kKeepEscapes);
  if (!words) return context.warn_bad_value(value);
  for (const std::string& word : *words) {
    const auto type = sandbox::parse_namespace_type(word);
    if (!type) {
      return context.reporter.warn("Failed to parse namespace type string, ignoring: {}", value);
    }
    named |= *type;
  }
  Allowed& allowed = settings.exec.edit().sandbox.edit().allowed_namespaces;
  if (!allowed) {
    allowed = is_inverted ? sandbox::kAllNamespaces & ~named : named;
  } else {
    *allowed = is_inverted ? *allowed & ~named : *allowed | named;
  }
}

void parse_families(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (value.empty()) {
    if (settings.exec->sandbox.is_set()) settings.exec.edit().sandbox.edit().address_families = {};
    return;
  }
  sandbox::AddressFamilies& list = settings.exec.edit().sandbox.edit().address_families;
  if (value == "none") {
    list = {true, true, {}};
    return;
  }
  const bool is_inverted = value[0] == '~';
  if (is_inverted) value.remove_prefix(1);
  if (!list.is_set) list = {true, !is_inverted, {}};
  for (const std::string& word : take_words(context, value)) {
    const auto family = sandbox::parse_address_family(word);
    if (!family) {
      context.reporter.warn("Failed to parse address family, ignoring: {}", word);
      continue;
    }
    auto& families = list.families;
    families.erase(std::remove(families.begin(), families.end(), *family), families.end());
    if (is_inverted != list.is_allow_list) families.push_back(*family);
  }
}

template <std::vector<std::string> Settings::*Member>
void parse_calls(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (value.empty()) return assign(settings, Member, {});
  const bool is_inverted = value[0] == '~';
  if (is_inverted) value.remove_prefix(1);
  const std::string prefix = is_inverted ? "~" : "";
  std::vector<std::string>& list = settings.exec.edit().sandbox.edit().*Member;
  for (const std::string& text : take_words(context, value)) {
    const auto word = sandbox::parse_syscall_word(text);
    if (!word) {
      context.reporter.warn("Failed to parse syscall:errno, ignoring: {}", text);
      continue;
    }
    if (!is_inverted && word->error) {
      context.reporter.warn("Allow-listed system calls cannot take error number, ignoring: {}",
                            text);
      continue;
    }
    if (word->name[0] == '@' && !sandbox::is_syscall_group(word->name)) {
      context.reporter.warn("Unknown system call group, ignoring: {}", word->name);
      continue;
    }
    if (word->name[0] != '@' && !sandbox::is_known_syscall(word->name)) {
      context.reporter.warn("Failed to parse system call, ignoring: {}", word->name);
      continue;
    }
    list.push_back(prefix + text);
  }
  // A list of nothing is a list: it allows, or refuses, nothing of its own.
  const bool is_log = Member == &Settings::syscall_log;
  if (list.empty() && (is_inverted || !is_log)) list.push_back(is_inverted ? "~" : "@default");
}

void parse_call_error(UnitSettings& settings, const SettingContext& context,
                      std::string_view value) {
  if (value.empty()) return assign(settings, &Settings::syscall_error, sandbox::kKillProcess);
  const auto error = sandbox::parse_errno_or_kill(value);
  if (!error || *error == 0) {
    return context.reporter.warn("Failed to parse error number, ignoring: {}", value);
  }
  assign(settings, &Settings::syscall_error, *error);
}

void parse_architectures(UnitSettings& settings, const SettingContext& context,
                         std::string_view value) {
  if (value.empty()) return assign(settings, &Settings::syscall_architectures, {});
  for (const std::string& word : take_words(context, value)) {
    if (!sandbox::is_architecture(word)) {
      context.reporter.warn("Failed to parse system call architecture \"{}\", ignoring", word);
      continue;
    }
    auto& list = settings.exec.edit().sandbox.edit().syscall_architectures;
    if (std::find(list.begin(), list.end(), word) == list.end()) list.push_back(word);
  }
}

constexpr NamedParser kParsers[] = {
    {"BindPaths", parse_binds},
    {"BindReadOnlyPaths", parse_binds},
    {"DynamicUser", parse_dynamic_user},
    {"ExecPaths", parse_paths<&Settings::exec_paths>},
    {"IPCNamespacePath", parse_path<&Settings::ipc_namespace_path>},
    {"InaccessibleDirectories", parse_paths<&Settings::inaccessible_paths>},
    {"InaccessiblePaths", parse_paths<&Settings::inaccessible_paths>},
    {"LoadCredential", parse_load_credential<false>},
    {"LoadCredentialEncrypted", parse_load_credential<true>},
    {"LockPersonality", parse_flag<&Settings::lock_personality>},
    {"MemoryDenyWriteExecute", parse_flag<&Settings::memory_deny_write_execute>},
    {"MountAPIVFS", parse_mount_api_vfs},
    {"MountFlags", parse_mount_flags},
    {"NetworkNamespacePath", parse_path<&Settings::network_namespace_path>},
    {"NoExecPaths", parse_paths<&Settings::no_exec_paths>},
    {"PAMName", parse_pam_name},
    {"PrivateDevices", parse_flag<&Settings::private_devices>},
    {"PrivateIPC", parse_flag<&Settings::private_ipc>},
    {"PrivateMounts", parse_flag<&Settings::private_mounts>},
    {"PrivateNetwork", parse_flag<&Settings::private_network>},
    {"PrivateTmp", parse_flag<&Settings::private_tmp>},
    {"PrivateUsers", parse_flag<&Settings::private_users>},
    {"ProcSubset",
     parse_choice<sandbox::ProcSubset, &Settings::proc_subset, sandbox::parse_proc_subset>},
    {"ProtectClock", parse_flag<&Settings::protect_clock>},
    {"ProtectControlGroups", parse_flag<&Settings::protect_control_groups>},
    {"ProtectHome",
     parse_choice<sandbox::ProtectHome, &Settings::protect_home, sandbox::parse_protect_home>},
    {"ProtectHostname", parse_flag<&Settings::protect_hostname>},
    {"ProtectKernelLogs", parse_flag<&Settings::protect_kernel_logs>},
    {"ProtectKernelModules", parse_flag<&Settings::protect_kernel_modules>},
    {"ProtectKernelTunables", parse_flag<&Settings::protect_kernel_tunables>},
    {"ProtectProc",
     parse_choice<sandbox::ProtectProc, &Settings::protect_proc, sandbox::parse_protect_proc>},
    {"ProtectSystem", parse_choice<sandbox::ProtectSystem, &Settings::protect_system,
                                   sandbox::parse_protect_system>},
    {"ReadOnlyDirectories", parse_paths<&Settings::read_only_paths>},
    {"ReadOnlyPaths", parse_paths<&Settings::read_only_paths>},
    {"ReadWriteDirectories", parse_paths<&Settings::read_write_paths>},
    {"ReadWritePaths", parse_paths<&Settings::read_write_paths>},
    {"RemoveIPC", parse_flag<&Settings::remove_ipc>},
    {"RestrictAddressFamilies", parse_families},
    {"RestrictNamespaces", parse_namespaces},
    {"RestrictRealtime", parse_flag<&Settings::restrict_realtime>},
    {"RestrictSUIDSGID", parse_flag<&Settings::restrict_suid_sgid>},
    {"RootDirectory", parse_root_directory},
    {"RootDirectoryStartOnly", parse_flag<&Settings::root_directory_start_only>},
    {"SetCredential", parse_set_credential<false>},
    {"SetCredentialEncrypted", parse_set_credential<true>},
    {"SystemCallArchitectures", parse_architectures},
    {"SystemCallErrorNumber", parse_call_error},
    {"SystemCallFilter", parse_calls<&Settings::syscall_filter>},
    {"SystemCallLog", parse_calls<&Settings::syscall_log>},
    {"TemporaryFileSystem", parse_temporary},
};

}  // namespace

std::span<const NamedParser> sandbox_parsers() noexcept { return kParsers; }

}  // namespace flotilla::init
