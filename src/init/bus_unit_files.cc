#include "init/bus_unit_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "init/manager_impl.h"
#include "unit/unit_file.h"
#include "unit/unit_name.h"

namespace flotilla::init {

using base::Errc;
using base::Result;
using base::Status;

namespace {

std::string_view name_of_path(std::string_view path) { return path.substr(path.rfind('/') + 1); }
std::string_view parent_of(std::string_view path) { return path.substr(0, path.rfind('/')); }

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

void add_words(std::string_view value, std::vector<std::string>& words) {
  if (value.empty()) words.clear();
  while (!value.empty()) {
    const size_t begin = value.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return;
    const size_t end = std::min(value.find_first_of(" \t", begin), value.size());
    words.emplace_back(value.substr(begin, end - begin));
    value.remove_prefix(end);
  }
}

// Whether a link called `link` belongs to `name`: the unit itself, or an instance of a template.
bool belongs_to(std::string_view link, std::string_view name) {
  if (link == name) return true;
  const auto parsed = unit::UnitName::parse(link);
  return parsed && parsed->is_instance() && parsed->template_name().str() == name;
}

base::Unexpected no_such_file(std::string_view name) {
  return base::unexpected({Errc::kNotFound, fmt::format("Unit file {} does not exist.", name), 0,
                           "org.freedesktop.systemd1.NoSuchUnit"});
}

base::Unexpected bad_name(std::string_view name) {
  return base::invalid("\"{}\" is not a valid unit name.", name);
}

}  // namespace

UnitFileLinks::UnitFileLinks(base::FileTree& tree, Places places)
    : tree_(tree), places_(std::move(places)) {}

UnitFileLinks unit_file_links(Manager& manager) {
  const ManagerOptions& options = manager.impl().options;
  return UnitFileLinks(
      manager.impl().edges.tree,
      {options.unit_directories, options.runtime_unit_directory, options.config_directory});
}

Result<UnitFileLinks::Found> UnitFileLinks::find(std::string_view name) const {
  FLOTILLA_ASSIGN(const unit::UnitName parsed, unit::UnitName::parse(name));
  std::vector<std::string> candidates = {parsed.str()};
  if (parsed.is_instance()) candidates.push_back(parsed.template_name().str());
  for (const std::string& candidate : candidates) {
    for (const UnitDirectory& directory : places_.searched) {
      const std::string path = directory.path + "/" + candidate;
      const auto stat = directory.tree->lstat(path);
      if (!stat || stat->kind == base::FileKind::kDirectory) continue;
      Found found{candidate, path, directory.tree, {}};
      if (stat->kind == base::FileKind::kSymlink) {
        found.link = directory.tree->read_link(path).value_or("");
      }
      return found;
    }
  }
  return no_such_file(name);
}

Result<UnitFileLinks::Install> UnitFileLinks::read_install(const Found& found) const {
  FLOTILLA_ASSIGN(const std::string text, found.tree->read(found.path, unit::kMaxUnitFileSize));
  FLOTILLA_ASSIGN(const unit::UnitFile file, unit::parse_unit_file(text, found.path));
  Install install;
  for (const unit::Setting& setting : file.settings) {
    if (setting.section != "Install") continue;
    if (setting.value.find('%') != std::string::npos) {
      return base::unsupported("{}:{}: {}=: specifiers are not supported here, got \"{}\"",
                               found.path, setting.line, setting.key, setting.value);
    }
    if (setting.key == "WantedBy") add_words(setting.value, install.wanted_by);
    if (setting.key == "RequiredBy") add_words(setting.value, install.required_by);
    if (setting.key == "Alias") add_words(setting.value, install.aliases);
    if (setting.key == "Also") add_words(setting.value, install.also);
    if (setting.key == "DefaultInstance") install.default_instance = setting.value;
  }
  return install;
}

bool UnitFileLinks::is_searched(std::string_view path) const {
  return std::any_of(places_.searched.begin(), places_.searched.end(),
                     [&](const UnitDirectory& place) { return place.path == parent_of(path); });
}

Status UnitFileLinks::link(const std::string& target, const std::string& path, Force force,
                           std::vector<UnitFileChange>& changes) {
  const auto old = tree_.read_link(path);
  if (old && *old == target) return {};
  if (force == Force::kNo && tree_.lstat(path)) {
    return base::unexpected({Errc::kAlreadyExists, fmt::format("File {} already exists.", path), 0,
                             "org.freedesktop.systemd1.UnitExists"});
  }
  FLOTILLA_TRY(tree_.make_directories(parent_of(path), 0755));
  FLOTILLA_TRY(tree_.make_symlink(target, path));
  changes.push_back({"symlink", path, target});
  return {};
}

Status UnitFileLinks::enable_one(const std::string& name, const std::string& directory, Force force,
                                 std::set<std::string>& seen, Enabled& enabled) {
  if (!seen.insert(name).second) return {};
  FLOTILLA_ASSIGN(const Found found, find(name));
  if (found.link == "/dev/null") {
    return base::unexpected({Errc::kConflict, fmt::format("Unit file {} is masked.", found.path), 0,
                             "org.freedesktop.systemd1.UnitMasked"});
  }
  FLOTILLA_ASSIGN(const Install install, read_install(found));
  enabled.carries_install_info = enabled.carries_install_info || !install.is_empty();
  FLOTILLA_ASSIGN(unit::UnitName own, unit::UnitName::parse(name));
  if (own.is_template() && !(install.wanted_by.empty() && install.required_by.empty())) {
    if (install.default_instance.empty()) {
      return base::invalid("{} is a template: name the instance that is to be enabled", name);
    }
    FLOTILLA_ASSIGN(own, own.with_instance(install.default_instance));
  }
  const auto link_into = [&](const std::vector<std::string>& units, const char* suffix) -> Status {
    for (const std::string& unit : units) {
      if (!unit::UnitName::is_valid(unit)) return bad_name(unit);
      FLOTILLA_TRY(link(found.path, fmt::format("{}/{}{}/{}", directory, unit, suffix, own.str()),
                        force, enabled.changes));
    }
    return {};
  };
  FLOTILLA_TRY(link_into(install.wanted_by, ".wants"));
  FLOTILLA_TRY(link_into(install.required_by, ".requires"));
  for (const std::string& alias : install.aliases) {
    if (!unit::UnitName::is_valid(alias)) return bad_name(alias);
    if (alias == own.str()) continue;
    FLOTILLA_TRY(link(found.path, fmt::format("{}/{}", directory, alias), force, enabled.changes));
  }
  for (const std::string& other : install.also) {
    FLOTILLA_TRY(enable_one(other, directory, force, seen, enabled));
  }
  return {};
}

Result<UnitFileLinks::Enabled> UnitFileLinks::enable(const std::vector<std::string>& names,
                                                     Lifetime lifetime, Force force) {
  const std::string& directory = lifetime == Lifetime::kRuntime ? places_.runtime : places_.lasting;
  Enabled enabled;
  std::set<std::string> seen;
  for (const std::string& given : names) {
    const std::string name(name_of_path(given));
    if (!unit::UnitName::is_valid(name)) return bad_name(given);
    if (given.find('/') != std::string::npos) {
      if (given[0] != '/') return base::invalid("Unit file path {} is not absolute.", given);
      if (!tree_.stat(given)) return no_such_file(given);
      if (!is_searched(given)) {
        FLOTILLA_TRY(link(given, fmt::format("{}/{}", directory, name), force, enabled.changes));
      }
    }
    FLOTILLA_TRY(enable_one(name, directory, force, seen, enabled));
  }
  return enabled;
}

std::vector<std::string> UnitFileLinks::links_to(std::string_view name,
                                                 const std::string& directory) const {
  std::vector<std::string> links;
  for (const base::DirectoryEntry& entry : tree_.list(directory).value_or({})) {
    const std::string path = directory + "/" + entry.name;
    if (entry.kind == base::FileKind::kSymlink) {
      const std::string target = tree_.read_link(path).value_or("");
      if (entry.name != name && name_of_path(target) == name) links.push_back(path);
    } else if (entry.kind == base::FileKind::kDirectory &&
               (ends_with(entry.name, ".wants") || ends_with(entry.name, ".requires"))) {
      for (const base::DirectoryEntry& inside : tree_.list(path).value_or({})) {
        if (inside.kind == base::FileKind::kSymlink && belongs_to(inside.name, name)) {
          links.push_back(path + "/" + inside.name);
        }
      }
    }
  }
  return links;
}

Status UnitFileLinks::disable_one(const std::string& name, const std::string& directory,
                                  std::vector<UnitFileChange>& changes) {
  std::vector<std::string> links = links_to(name, directory);
  const std::string own = directory + "/" + name;
  const auto target = tree_.read_link(own);
  // A mask is no enabling: it stays.
  if (target && *target != "/dev/null") links.push_back(own);
  for (const std::string& link : links) {
    FLOTILLA_TRY(tree_.remove(link));
    changes.push_back({"unlink", link, ""});
    const std::string_view parent = parent_of(link);
    // Goes only if it is empty now.
    if (parent != directory) (void)tree_.remove(parent);
  }
  return {};
}

Result<std::vector<UnitFileChange>> UnitFileLinks::disable(const std::vector<std::string>& names,
                                                           Lifetime lifetime) {
  std::vector<UnitFileChange> changes;
  for (const std::string& name : names) {
    if (!unit::UnitName::is_valid(name)) return bad_name(name);
    const size_t before = changes.size();
    FLOTILLA_TRY(disable_one(
        name, lifetime == Lifetime::kRuntime ? places_.runtime : places_.lasting, changes));
    // Links of a file that is gone can be removed; without either, the name is wrong.
    if (changes.size() == before && !find(name)) return no_such_file(name);
  }
  return changes;
}

Result<std::string> UnitFileLinks::state_of(std::string_view name) const {
  Result<Found> found = find(name);
  if (!found) {
    return base::unexpected({found.error().code, "No such file or directory", 0,
                             "org.freedesktop.DBus.Error.FileNotFound"});
  }
  const bool is_runtime = parent_of(found->path) == places_.runtime;
  const std::string suffix = is_runtime ? "-runtime" : "";
  if (found->link == "/dev/null") return "masked" + suffix;
  if (ends_with(parent_of(found->path), "/transient")) return std::string("transient");
  if (!links_to(name, places_.lasting).empty()) return std::string("enabled");
  if (!links_to(name, places_.runtime).empty()) return std::string("enabled-runtime");
  if (!found->link.empty()) {
    const bool is_alias = name_of_path(found->link) != found->name &&
                          (found->link.find('/') == std::string::npos || is_searched(found->link));
    if (is_alias) return std::string("alias");
    if (found->link[0] == '/' && !is_searched(found->link)) return "linked" + suffix;
  }
  const Result<Install> install = read_install(*found);
  if (!install) return std::string("bad");
  if (!install->wanted_by.empty() || !install->required_by.empty() || !install->aliases.empty()) {
    return std::string("disabled");
  }
  return std::string(install->also.empty() ? "static" : "indirect");
}

std::vector<UnitFileState> UnitFileLinks::list() const {
  std::map<std::string, std::string> paths;
  for (const UnitDirectory& directory : places_.searched) {
    for (const base::DirectoryEntry& entry : directory.tree->list(directory.path).value_or({})) {
      if (entry.kind == base::FileKind::kDirectory || !unit::UnitName::is_valid(entry.name)) {
        continue;
      }
      paths.emplace(entry.name, directory.path + "/" + entry.name);
    }
  }
  std::vector<UnitFileState> files;
  for (const auto& [name, path] : paths) {
    Result<std::string> state = state_of(name);
    if (state) files.push_back({path, std::move(*state)});
  }
  return files;
}

}  // namespace flotilla::init
