#include "init/unit_file_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "init/standard_units.h"
#include "unit/unit_file.h"
#include "unit/unit_name.h"
#include "unit/words.h"

namespace flotilla::init {

using base::Errc;
using base::FileKind;
using base::FileTree;
using base::Result;
using base::Status;
using unit::UnitName;

namespace {

constexpr int kMaxLinks = 64;
constexpr size_t kMaxUnits = 10'000;  // that one request may lead to by Also=

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

base::Unexpected refuse(int error_number, std::string_view bus_name, std::string text) {
  const Errc code = error_number == ENOENT   ? Errc::kNotFound
                    : error_number == EEXIST ? Errc::kAlreadyExists
                    : error_number == EINVAL ? Errc::kInvalid
                                             : Errc::kConflict;
  return base::unexpected({code, std::move(text), error_number,
                           bus_name[0] == 'o'
                               ? std::string(bus_name)
                               : "org.freedesktop.systemd1." + std::string(bus_name)});
}

Result<std::vector<std::string>> words_of(std::string_view value) {
  unit::WordRules rules;
  rules.escapes = unit::WordRules::Escapes::kKeep;
  return unit::split_words(value, rules);
}

}  // namespace

base::Unexpected install_error(int error_number, std::string_view name, std::string_view source) {
  switch (error_number) {
    case EEXIST:
      if (!source.empty()) {
        return refuse(EEXIST, "UnitExists",
                      fmt::format("File {} already exists and is a symlink to {}.", name, source));
      }
      return refuse(EEXIST, "UnitExists", fmt::format("File {} already exists.", name));
    case ERFKILL:
      return refuse(ERFKILL, "UnitMasked", fmt::format("Unit file {} is masked.", name));
    case EADDRNOTAVAIL:
      return refuse(EADDRNOTAVAIL, "UnitGenerated",
                    fmt::format("Unit {} is transient or generated.", name));
    case ELOOP:
      return refuse(ELOOP, "UnitLinked",
                    fmt::format("Refusing to operate on alias name or linked unit file: {}", name));
    case ENOENT:
      return refuse(ENOENT, "NoSuchUnit", fmt::format("Unit file {} does not exist.", name));
    case EXDEV:
      if (source.empty()) {
        return refuse(EXDEV, "BadUnitSetting", fmt::format("Invalid unit reference {}.", name));
      }
      return refuse(EXDEV, "BadUnitSetting", fmt::format("Cannot alias {} as {}.", source, name));
    case EIDRM:
      return refuse(EIDRM, "BadUnitSetting",
                    fmt::format("Destination unit {} is a non-template unit.", name));
    case EUCLEAN:
      return refuse(EUCLEAN, "BadUnitSetting",
                    fmt::format("\"{}\" is not a valid unit name.", name));
    case ELIBBAD:
      return refuse(ELIBBAD, "BadUnitSetting", fmt::format("Invalid specifier in {}.", name));
    case EBADR:
      return refuse(EBADR, "BadUnitSetting", fmt::format("Invalid unit reference {}.", name));
    default:
      break;
  }
  const std::string_view bus_name =
      error_number == EBADMSG  ? "org.freedesktop.DBus.Error.InconsistentMessage"
      : error_number == EINVAL ? "org.freedesktop.DBus.Error.InvalidArgs"
      : error_number == EACCES ? "org.freedesktop.DBus.Error.AccessDenied"
                               : "org.freedesktop.DBus.Error.Failed";
  return refuse(error_number, bus_name,
                fmt::format("File {}: {}", name, base::describe_errno(error_number)));
}

std::string_view file_name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string_view parent_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string absolute_path(std::string_view path, std::string_view base) {
  std::string text;
  if (path.empty() || path[0] != '/') text.append(base).append("/");
  text.append(path);
  std::string result;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      result.resize(result.empty() ? 0 : result.rfind('/'));
      continue;
    }
    result.append("/").append(part);
  }
  return result.empty() ? "/" : result;
}

bool is_generator_directory(std::string_view directory) {
  return ends_with(directory, "/generator") || ends_with(directory, "/generator.early") ||
         ends_with(directory, "/generator.late");
}

bool is_transient_directory(std::string_view directory) {
  return ends_with(directory, "/transient");
}

bool UnitFileSearch::is_searched(std::string_view directory) const {
  const auto known = searched_.find(directory);
  if (known != searched_.end()) return known->second;
  return searched_.emplace(directory, leads_to_searched(directory)).first->second;
}

bool UnitFileSearch::leads_to_searched(std::string_view directory) const {
  const auto has = [&](std::string_view wanted) {
    return std::any_of(places_.searched.begin(), places_.searched.end(),
                       [&](const UnitDirectory& place) { return place.path == wanted; });
  };
  if (has(directory)) return true;
  // /lib may be a link to /usr/lib, or the other way round.
  const auto real = tree_.canonical(directory);
  if (!real) return false;
  return has(*real) || std::any_of(places_.searched.begin(), places_.searched.end(),
                                   [&](const UnitDirectory& place) {
                                     const auto other = place.tree->canonical(place.path);
                                     return other && *other == *real;
                                   });
}

bool UnitFileSearch::is_config(std::string_view directory) const {
  return directory == places_.lasting || directory == places_.runtime;
}

Result<FoundUnit*> UnitFileSearch::add(std::string_view name_or_path, bool is_auxiliary) {
  const std::string_view name = file_name_of(name_or_path);
  const bool is_path = name.size() != name_or_path.size();
  if (!UnitName::is_valid(name) || (is_path && name_or_path[0] != '/')) {
    return install_error(EINVAL, name_or_path);
  }
  for (const auto& unit : units_) {
    if (unit->name != name) continue;
    // Somebody asks for it by itself now.
    if (!is_auxiliary) unit->is_auxiliary = false;
    return unit.get();
  }
  if (units_.size() >= kMaxUnits) return base::too_large("too many units are named by Also=");
  auto unit = std::make_unique<FoundUnit>();
  unit->name = std::string(name);
  unit->is_auxiliary = is_auxiliary;
  if (is_path) unit->path = std::string(name_or_path);
  units_.push_back(std::move(unit));
  return units_.back().get();
}

// Reads the file at `path`, or where it is a link remembers what it leads to.
Status UnitFileSearch::load(FoundUnit& unit, const std::string& path, const FileTree& tree) {
  const auto stat = tree.lstat(path);
  if (!stat) return install_error(ENOENT, unit.name);
  if (stat->kind == FileKind::kDirectory) return install_error(EISDIR, unit.name);
  unit.path = path;
  unit.tree = &tree;
  if (stat->kind == FileKind::kSymlink) {
    const auto link = tree.read_link(path);
    if (!link) return install_error(EIO, unit.name);
    unit.target = absolute_path(*link, parent_of(path));
    const auto behind = tree.stat(path);
    const bool is_empty = behind && behind->kind == FileKind::kRegular && behind->size == 0;
    unit.kind = unit.target == "/dev/null" || is_empty ? UnitFileKind::kMasked
                : is_searched(parent_of(unit.target))  ? UnitFileKind::kAlias
                                                       : UnitFileKind::kLinked;
    return {};
  }
  if (stat->kind != FileKind::kRegular) {
    unit.kind = UnitFileKind::kMasked;
    return {};
  }
  if (reading_ == Reading::kNothing) {
    unit.kind = stat->size == 0 ? UnitFileKind::kMasked : UnitFileKind::kRegular;
    return {};
  }
  const auto bytes = tree.read(path, unit::kMaxUnitFileSize);
  if (!bytes) {
    const int number = bytes.error().error_number;
    return install_error(number == 0 ? EIO : number, unit.name);
  }
  unit.kind = bytes->empty() ? UnitFileKind::kMasked : UnitFileKind::kRegular;
  return read_install(unit, *bytes, path);
}

Status UnitFileSearch::read_install(FoundUnit& unit, std::string_view bytes,
                                    const std::string& path) {
  const auto file = unit::parse_unit_file(bytes, path);
  if (!file) {
    const int number = file.error().error_number;
    return install_error(number == 0 ? EBADMSG : number, unit.name);
  }
  FLOTILLA_ASSIGN(const UnitName name, UnitName::parse(unit.name));
  const unit::SpecifierContext specifiers{name, places_.host, path, {}};
  InstallSection& install = unit.install;
  const std::pair<std::string_view, std::vector<std::string>*> lists[] = {
      {"WantedBy", &install.wanted_by},
      {"RequiredBy", &install.required_by},
      {"UpheldBy", &install.upheld_by},
      {"Alias", &install.aliases}};
  for (const unit::Setting& setting : file->settings) {
    if (setting.section != "Install") continue;
    if (setting.key == "DefaultInstance") {
      // An instance has its own.
      if (name.is_instance()) continue;
      const auto instance = unit::expand_specifiers(setting.value, specifiers);
      if (!instance ||
          (!instance->empty() && name.is_template() && !name.with_instance(*instance))) {
        return install_error(EINVAL, unit.name);
      }
      install.default_instance = *instance;
      continue;
    }
    const auto words = words_of(setting.value);
    if (!words) continue;
    for (const auto& [key, list] : lists) {
      if (key != setting.key) continue;
      if (setting.value.empty()) list->clear();
      list->insert(list->end(), words->begin(), words->end());
    }
    if (setting.key != "Also") continue;
    for (const std::string& word : *words) {
      const auto other = unit::expand_specifiers(word, specifiers);
      if (!other) return install_error(EINVAL, unit.name);
      if (!UnitName::is_valid(*other)) return install_error(EINVAL, unit.name);
      FLOTILLA_TRY(add(*other, true));
      install.also.push_back(*other);
    }
  }
  return {};
}

// The first directory that has a file of a name wins, and the names give the order.
Status UnitFileSearch::load_drop_ins(FoundUnit& unit) {
  if (reading_ == Reading::kNothing) return {};
  FLOTILLA_ASSIGN(const UnitName name, UnitName::parse(unit.name));
  std::map<std::string, std::pair<std::string, const FileTree*>> files;
  std::vector<std::string> names{unit.name};
  if (name.is_instance()) names.push_back(name.template_name().str());
  for (const std::string& stem : names) {
    for (const UnitDirectory& place : places_.searched) {
      const std::string directory = place.path + "/" + stem + ".d";
      for (const base::DirectoryEntry& entry : place.tree->list(directory).value_or({})) {
        if (!ends_with(entry.name, ".conf") || entry.kind == FileKind::kDirectory) continue;
        files.emplace(entry.name, std::pair(directory + "/" + entry.name, place.tree));
      }
    }
  }
  for (const auto& [file, where] : files) {
    const auto bytes = where.second->read(where.first, unit::kMaxUnitFileSize);
    if (bytes) FLOTILLA_TRY(read_install(unit, *bytes, where.first));
  }
  return {};
}

Status UnitFileSearch::look_up(FoundUnit& unit) {
  unit.is_found = true;
  if (!unit.path.empty()) {
    const std::string path = unit.path;
    FLOTILLA_TRY(load(unit, path, tree_));
    return load_drop_ins(unit);
  }
  FLOTILLA_ASSIGN(const UnitName name, UnitName::parse(unit.name));
  std::vector<std::string> candidates{unit.name};
  if (name.is_instance()) candidates.push_back(name.template_name().str());
  for (const std::string& candidate : candidates) {
    for (const UnitDirectory& place : places_.searched) {
      const std::string path = place.path + "/" + candidate;
      const Status loaded = load(unit, path, *place.tree);
      if (loaded) return load_drop_ins(unit);
      if (loaded.error().error_number != ENOENT && loaded.error().error_number != EISDIR) {
        return loaded;
      }
    }
  }
  if (const StandardUnit* standard = find_standard_unit(unit.name); standard != nullptr) {
    // Where its file would stand if there were one.
    unit.path = "/lib/systemd/system/" + unit.name;
    unit.tree = &tree_;
    unit.kind = UnitFileKind::kRegular;
    if (!standard->alias_of.empty()) {
      unit.kind = UnitFileKind::kAlias;
      unit.target = "/lib/systemd/system/" + std::string(standard->alias_of);
    }
    return load_drop_ins(unit);
  }
  return install_error(ENOENT, unit.name);
}

Result<FoundUnit*> UnitFileSearch::resolve(FoundUnit& first, Follow follow) {
  FoundUnit* unit = &first;
  if (!unit->is_found) FLOTILLA_TRY(look_up(*unit));
  for (int links = 0; unit->kind == UnitFileKind::kAlias || unit->kind == UnitFileKind::kLinked;
       ++links) {
    const bool is_ours = is_config(parent_of(unit->path));
    if (links >= kMaxLinks || (follow == Follow::kNo && is_ours)) {
      return install_error(ELOOP, unit->name);
    }
    std::string other(file_name_of(unit->target));
    const auto name = UnitName::parse(unit->name);
    const auto behind = UnitName::parse(other);
    if (name && behind && name->is_instance() && behind->is_template()) {
      FLOTILLA_ASSIGN(const UnitName instance, behind->with_instance(name->instance()));
      other = instance.str();
    }
    if (unit->kind == UnitFileKind::kAlias) {
      if (!name || !behind || !may_alias(*name, *behind)) return install_error(EXDEV, unit->name);
      // A name for itself leads nowhere.
      if (*name == *behind) return install_error(ELOOP, unit->name);
    }
    if (unit->kind == UnitFileKind::kLinked || other == unit->name) {
      // Its own file, only elsewhere.
      const std::string target = unit->target;
      const Status loaded = load(*unit, target, *unit->tree);
      if (loaded) continue;
      unit->is_dangling = true;
      return base::unexpected(loaded.error());
    }
    FoundUnit* const link = unit;
    FLOTILLA_ASSIGN(unit, add(other));
    if (unit->is_found) continue;
    if (const Status found = look_up(*unit); !found) {
      link->is_dangling = found.error().error_number == ENOENT;
      if (link->is_dangling) return install_error(ENOLINK, link->name);
      return base::unexpected(found.error());
    }
  }
  return unit;
}

Result<FoundUnit*> UnitFileSearch::discover(std::string_view name_or_path, Follow follow) {
  FLOTILLA_ASSIGN(FoundUnit * added, add(name_or_path));
  const Result<FoundUnit*> unit = resolve(*added, follow);
  if (!unit) {
    // The error speaks of what was asked for.
    return install_error(unit.error().error_number == 0 ? EIO : unit.error().error_number,
                         name_or_path);
  }
  if ((*unit)->kind == UnitFileKind::kMasked) return install_error(ERFKILL, (*unit)->path);
  const std::string_view directory = parent_of((*unit)->path);
  if (is_generator_directory(directory) || is_transient_directory(directory)) {
    return install_error(EADDRNOTAVAIL, (*unit)->path);
  }
  return unit;
}

}  // namespace flotilla::init
