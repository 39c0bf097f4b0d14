#include "init/search_path.h"

#include <algorithm>
#include <array>

namespace flotilla::init {
namespace {

using base::DirectoryEntry;
using base::FileKind;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

std::string_view base_name(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::vector<std::string> system_path() {
  return {"/etc/systemd/system.control", "/run/systemd/system.control",
          "/run/systemd/transient",      "/run/systemd/generator.early",
          "/etc/systemd/system",         "/etc/systemd/system.attached",
          "/run/systemd/system",         "/run/systemd/system.attached",
          "/run/systemd/generator",      "/usr/local/lib/systemd/system",
          "/lib/systemd/system",         "/usr/lib/systemd/system",
          "/run/systemd/generator.late"};
}

std::vector<std::string> user_path(const SearchPathVariables& variables) {
  const std::string home = variables.home.empty() ? "/root" : variables.home;
  const std::string config =
      variables.xdg_config_home.empty() ? home + "/.config" : variables.xdg_config_home;
  const std::string data =
      variables.xdg_data_home.empty() ? home + "/.local/share" : variables.xdg_data_home;
  std::vector<std::string> path{config + "/systemd/user.control"};
  const std::string& runtime = variables.xdg_runtime_dir;
  if (!runtime.empty()) {
    for (const char* name : {"user.control", "transient", "generator.early"}) {
      path.push_back(runtime + "/systemd/" + name);
    }
  }
  path.push_back(config + "/systemd/user");
  path.emplace_back("/etc/systemd/user");
  if (!runtime.empty()) path.push_back(runtime + "/systemd/user");
  path.emplace_back("/run/systemd/user");
  if (!runtime.empty()) path.push_back(runtime + "/systemd/generator");
  path.push_back(data + "/systemd/user");
  path.emplace_back("/usr/local/lib/systemd/user");
  path.emplace_back("/usr/lib/systemd/user");
  if (!runtime.empty()) path.push_back(runtime + "/systemd/generator.late");
  return path;
}

}  // namespace

bool may_alias(const unit::UnitName& alias, const unit::UnitName& unit) {
  using unit::UnitType;
  if (alias.type() != unit.type()) return false;
  const UnitType type = alias.type();
  if (type == UnitType::kMount || type == UnitType::kSwap || type == UnitType::kAutomount ||
      type == UnitType::kSlice || type == UnitType::kScope) {
    return false;
  }
  if (alias.is_plain() || unit.is_plain()) return alias.is_plain() && unit.is_plain();
  if (alias.is_template()) return unit.is_template();
  return unit.is_template() || unit.instance() == alias.instance();
}

std::vector<std::string> unit_search_path(ManagerScope scope,
                                          const SearchPathVariables& variables) {
  std::vector<std::string> usual =
      scope == ManagerScope::kSystem ? system_path() : user_path(variables);
  std::string_view given = variables.systemd_unit_path;
  if (given.empty()) return usual;
  const bool append_usual = given.back() == ':';
  std::vector<std::string> path;
  while (!given.empty()) {
    const std::string_view part = given.substr(0, given.find(':'));
    given.remove_prefix(std::min(given.size(), part.size() + 1));
    if (!part.empty() && part[0] == '/') path.emplace_back(part);
  }
  if (append_usual) path.insert(path.end(), usual.begin(), usual.end());
  return path;
}

namespace {

constexpr auto is_before = [](const auto& file, const auto& other) {
  return file.name < other.name;
};
constexpr auto is_before_name = [](const auto& file, std::string_view name) {
  return file.name < name;
};

}  // namespace

void UnitIndex::rebuild() {
  parents_.clear();
  files_.clear();
  subdirectories_.clear();
  aliases_.clear();
  mtimes_.assign(directories_.size(), -1);
  repeated_.assign(directories_.size(), false);
  std::vector<std::array<uint64_t, 2>> seen;  // /lib may be a link to /usr/lib
  for (size_t i = 0; i < directories_.size(); ++i) {
    const UnitDirectory& directory = directories_[i];
    const auto stat = directory.tree->stat(directory.path);
    if (!stat || stat->kind != FileKind::kDirectory) continue;
    mtimes_[i] = stat->mtime_usec;
    const std::array<uint64_t, 2> identity{stat->device, stat->inode};
    repeated_[i] = stat->inode != 0 && std::find(seen.begin(), seen.end(), identity) != seen.end();
    if (repeated_[i]) continue;
    seen.push_back(identity);
    const auto entries = directory.tree->list(directory.path);
    if (!entries) continue;
    for (const DirectoryEntry& entry : *entries) {
      if (auto file = read_entry(i, entry)) files_.push_back(std::move(*file));
    }
  }
  // Of those of one name the first counts, as the first directory does.
  std::stable_sort(files_.begin(), files_.end(), is_before);
  const auto repeats =
      std::unique(files_.begin(), files_.end(),
                  [](const auto& file, const auto& next) { return file.name == next.name; });
  files_.erase(repeats, files_.end());
  files_.shrink_to_fit();
  for (const Entry& file : files_) {
    if (file.alias_of.is_set()) aliases_[*file.alias_of].push_back(file.name);
  }
  parents_.clear();
}

void UnitIndex::refresh_name(const std::string& name) {
  parents_.clear();
  const auto place = std::lower_bound(files_.begin(), files_.end(), name, is_before_name);
  const bool was_there = place != files_.end() && place->name == name;
  if (was_there && place->alias_of.is_set()) {
    if (const auto names = aliases_.find(*place->alias_of); names != aliases_.end()) {
      names->second.erase(std::remove(names->second.begin(), names->second.end(), name),
                          names->second.end());
    }
  }
  subdirectories_.erase(name);
  std::optional<Entry> now;
  for (size_t i = 0; i < directories_.size(); ++i) {
    const UnitDirectory& directory = directories_[i];
    const auto itself = directory.tree->stat(directory.path);
    mtimes_[i] = itself && itself->kind == FileKind::kDirectory ? itself->mtime_usec : -1;
    if (repeated_[i] || mtimes_[i] < 0) continue;
    const auto stat = directory.tree->lstat(directory.path + "/" + name);
    if (!stat) continue;
    auto file = read_entry(i, {name, stat->kind});
    if (file && !now) now = std::move(file);
  }
  if (now && now->alias_of.is_set()) aliases_[*now->alias_of].push_back(name);
  if (now && was_there) {
    *place = std::move(*now);
  } else if (now) {
    files_.insert(place, std::move(*now));
  } else if (was_there) {
    files_.erase(place);
  }
}

// Whether a link in the directory leads to one of the search path.
bool UnitIndex::is_in_path(const UnitDirectory& directory, std::string_view target) {
  const size_t slash = target.rfind('/');
  if (slash == std::string_view::npos) return true;
  std::string parent(target.substr(0, slash));
  if (parent.empty() || parent[0] != '/') parent = directory.path + "/" + parent;
  const auto has = [&](const std::string& path) {
    return std::any_of(directories_.begin(), directories_.end(),
                       [&](const UnitDirectory& place) { return place.path == path; });
  };
  if (has(parent)) return true;
  const auto known = parents_.try_emplace({directory.tree, parent}, false);
  if (!known.second) return known.first->second;
  const auto real = directory.tree->canonical(parent);
  if (!real) return false;
  return known.first->second =
             has(*real) ||
             std::any_of(directories_.begin(), directories_.end(), [&](const UnitDirectory& place) {
               const auto other = place.tree->canonical(place.path);
               return other && *other == *real;
             });
}

std::optional<UnitIndex::Entry> UnitIndex::read_entry(size_t index, const DirectoryEntry& entry) {
  const UnitDirectory& directory = directories_[index];
  for (const std::string_view end : {".d", ".wants", ".requires", ".upholds"}) {
    if (!ends_with(entry.name, end)) continue;
    if (entry.kind == FileKind::kDirectory) {
      subdirectories_[entry.name].push_back({directory.path + "/" + entry.name, directory.tree});
    }
    return std::nullopt;
  }
  if (entry.kind != FileKind::kRegular && entry.kind != FileKind::kSymlink) return std::nullopt;
  const auto name = unit::UnitName::parse(entry.name);
  if (!name) return std::nullopt;
  Entry file;
  file.name = entry.name;
  file.directory = static_cast<uint16_t>(index);
  if (entry.kind == FileKind::kSymlink) {
    const auto target = directory.tree->read_link(directory.path + "/" + entry.name);
    if (!target) return std::nullopt;
    if (*target == "/dev/null") {
      file.is_masked = true;
    } else if (is_in_path(directory, *target)) {
      // What is no legal alias is as good as not there, and so is a name for itself or for the
      // template that it is an instance of: the file there has its own place in the path.
      const auto other = unit::UnitName::parse(base_name(*target));
      if (!other || *other == *name || !may_alias(*name, *other)) return std::nullopt;
      if (name->is_instance() && name->template_name() == *other) return std::nullopt;
      file.alias_of.edit() = other->str();
    }
  }
  return file;
}

bool UnitIndex::rebuild_if_changed() {
  bool changed = mtimes_.size() != directories_.size();
  for (size_t i = 0; i < directories_.size() && !changed; ++i) {
    const auto stat = directories_[i].tree->stat(directories_[i].path);
    const bool is_there = stat && stat->kind == FileKind::kDirectory;
    changed = mtimes_[i] != (is_there ? stat->mtime_usec : -1);
  }
  if (changed) rebuild();
  return changed;
}

const UnitIndex::Entry* UnitIndex::find_entry(std::string_view name) const {
  const auto found = std::lower_bound(files_.begin(), files_.end(), name, is_before_name);
  return found != files_.end() && found->name == name ? &*found : nullptr;
}

std::optional<UnitIndex::File> UnitIndex::find(std::string_view name) const {
  const Entry* entry = find_entry(name);
  if (entry == nullptr) return std::nullopt;
  const UnitDirectory& directory = directories_[entry->directory];
  return File{directory.path + "/" + entry->name, directory.tree, entry->is_masked,
              *entry->alias_of};
}

std::vector<std::string> UnitIndex::aliases_of(std::string_view name) const {
  const auto found = aliases_.find(name);
  return found == aliases_.end() ? std::vector<std::string>() : found->second;
}

std::vector<UnitDirectory> UnitIndex::find_directories(std::string_view name) const {
  const auto found = subdirectories_.find(name);
  return found == subdirectories_.end() ? std::vector<UnitDirectory>() : found->second;
}

std::vector<std::string> UnitIndex::names() const {
  std::vector<std::string> names;
  names.reserve(files_.size());
  for (const Entry& file : files_) names.push_back(file.name);
  return names;
}

}  // namespace flotilla::init
