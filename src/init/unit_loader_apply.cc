// From the lines of a file to the settings of a unit: a fragment, a drop-in, the defaults.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "init/directives.h"
#include "init/directives_values.h"
#include "init/manager_conf.h"
#include "init/unit_loader_load.h"

namespace flotilla::init {

using unit::Diagnostic;
using unit::Severity;
using unit::UnitName;
using unit::UnitType;

// The file is there, and cannot be used as a whole. Where the kernel or the grammar refuse it the
// reason is systemd's words for an errno; a limit of our own has none, and tells itself.
void UnitLoader::fail_to_load(UnitSettings& settings, const base::Error& error) {
  const int error_number = error.error_number;
  settings.load_state = LoadState::kError;
  settings.extras.edit().load_error_bus_name =
      error_number == EINVAL    ? "org.freedesktop.DBus.Error.InvalidArgs"
      : error_number == EBADMSG ? "org.freedesktop.DBus.Error.InconsistentMessage"
      : error_number == ENOBUFS ? "org.freedesktop.DBus.Error.NoMemory"
      : error_number == EACCES  ? "org.freedesktop.DBus.Error.AccessDenied"
                                : "org.freedesktop.DBus.Error.Failed";
  settings.extras.edit().load_error = fmt::format(
      "Unit {} failed to load properly, please adjust/correct and reload service manager: {}",
      settings.name.str(), error_number == 0 ? error.message : base::describe_errno(error_number));
}

bool UnitLoader::apply(Load& load, std::string_view bytes, const std::string& path) {
  auto file = unit::parse_unit_file(bytes, path);
  UnitSettings& settings = load.settings;
  if (!file) {
    load.diagnostics.push_back({path, 0, Severity::kError, file.error().message});
    // A drop-in that cannot be read is only left out.
    if (path == settings.fragment_path()) fail_to_load(settings, file.error());
    return false;
  }
  for (Diagnostic& diagnostic : file->diagnostics) {
    load.diagnostics.push_back(std::move(diagnostic));
  }
  const std::string_view own_section = unit_section_of(settings.name.type());
  for (const std::string& section : file->sections) {
    if (section == "Install") settings.has_install_section = true;
    if (section == "Unit" || section == "Install" || section == own_section) continue;
    if (unit::is_foreign(section)) continue;
    load.diagnostics.push_back(
        {path, 0, Severity::kWarning, fmt::format("Unknown section '{}'. Ignoring.", section)});
  }
  for (const unit::Setting& setting : file->settings) {
    if (setting.section == "Unit" || setting.section == own_section) {
      if (setting.section == own_section) load.has_own_settings = true;
      apply_setting(load, setting, path);
      if (!load.marks.fatal.empty()) break;
    } else if (setting.section == "Install" && find_directive("Install", setting.key) == nullptr &&
               !unit::is_foreign(setting.key)) {
      load.diagnostics.push_back(
          {path, setting.line, Severity::kWarning,
           fmt::format("Unknown key name '{}' in section 'Install', ignoring.", setting.key)});
    }
  }
  return load.marks.fatal.empty();
}

void UnitLoader::refuse_fragment(Load& load) const {
  UnitSettings& settings = load.settings;
  if (load.marks.is_load_error) {
    fail_to_load(settings, base::Error{base::Errc::kInvalid, {}, EINVAL});
  } else {
    refuse(settings, {});
  }
  // What follows from the other settings is not for a unit whose file could not be read.
  if (settings.slice.view() == default_slice_of(settings.name).view()) settings.slice.clear();
  if (!load.marks.standard_output && settings.name.type() == UnitType::kService) {
    settings.exec.edit().standard_output = {StreamSetting::Kind::kInherit, {}};
  }
}

void UnitLoader::set_defaults(std::vector<unit::Setting> defaults) {
  if (defaults == defaults_) return;
  defaults_ = std::move(defaults);
  remembered_.clear();
}

void UnitLoader::apply_defaults(Load& load) const {
  const UnitType type = load.settings.name.type();
  for (const unit::Setting& setting : defaults_) {
    if (!is_default_for(setting, type)) continue;
    unit::Setting written = setting;
    if (written.section.empty()) written.section = unit_section_of(type);
    if (type == UnitType::kMount && written.key == "TimeoutStartSec") {
      written.section = "Mount";
      written.key = "TimeoutSec";
    }
    apply_setting(load, written, "system.conf");
  }
  // Nobody has said these things of this very unit.
  load.marks = {};
}

UnitSettings UnitLoader::default_service() const {
  const UnitName name = *UnitName::parse("default.service");
  Load load{UnitSettings{name}, {}, {name, &options_.host, {}, {}}, {}, false};
  apply_defaults(load);
  return std::move(load.settings);
}

void UnitLoader::apply_setting(Load& load, const unit::Setting& setting,
                               const std::string& path) const {
  if (unit::is_foreign(setting.key)) return;
  const unit::Reporter reporter(path, setting.line, load.diagnostics);
  const Directive* directive = find_directive(setting.section, setting.key);
  if (directive == nullptr) {
    return reporter.warn("Unknown key name '{}' in section '{}', ignoring.", setting.key,
                         setting.section);
  }
  if (directive->status == DirectiveStatus::kAccepted) return;
  const DirectiveParser parser = find_parser(setting.section, setting.key);
  if (directive->status != DirectiveStatus::kImplemented && !setting.value.empty()) {
    auto& ignored = load.settings.extras.edit().ignored_directives;
    std::string name = setting.section + "." + setting.key;
    if (std::find(ignored.begin(), ignored.end(), name) == ignored.end()) {
      reporter.warn("{}= is not implemented yet and has no effect.", setting.key);
      ignored.push_back(std::move(name));
    }
  }
  if (parser == nullptr) return;
  const SettingContext context{load.specifiers, reporter, setting.key, load.marks,
                               options_.scope == ManagerScope::kUser};
  parser(load.settings, context, setting.value);
}

UnitSettings UnitLoader::with_drop_in(const UnitSettings& settings, std::string_view text,
                                      const std::string& path, bool was_outdated) {
  Load load{settings, {}, {settings.name, &options_.host, settings.fragment_path(), {}}, {}, false};
  const bool is_whole = apply(load, text, path);
  auto& paths = load.settings.extras.edit().drop_in_paths;
  if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
  if (const auto stat = tree_of(path).stat(path); stat && is_whole && !was_outdated) {
    load.settings.files_mtime_usec = std::max(load.settings.files_mtime_usec, stat->mtime_usec);
  }
  forget(settings.name.str());
  unify(load.settings);
  return std::move(load.settings);
}

}  // namespace flotilla::init
