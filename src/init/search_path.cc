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

constexpr size_t kMostUnused = 4096;  // bytes of names, or half of them

}  // namespace

void UnitIndex::rebuild() {
  parents_.clear();
  files_.clear();
  texts_.clear();
  unused_ = 0;
  alias_targets_.clear();
  subdirectories_.clear();
  aliases_.clear();
  mtimes_.assign(directories_.size(), -1);
  repeated_.assign(directories_.size(), false);
  std::vector<Found> found;
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
      if (auto file = read_entry(i, entry)) found.push_back(std::move(*file));
    }
  }
  // Of those of one name the first counts, as the first directory does.
  std::stable_sort(found.begin(), found.end(),
                   [](const Found& file, const Found& next) { return file.name < next.name; });
  const auto repeats =
      std::unique(found.begin(), found.end(),
                  [](const Found& file, const Found& next) { return file.name == next.name; });
  found.erase(repeats, found.end());
  size_t size = 0;
  for (const Found& file : found) size += file.name.size() + 1;
  texts_.reserve(size);
  files_.reserve(found.size());
  for (const Found& file : found) files_.push_back(remember(file));
  texts_.shrink_to_fit();
  files_.shrink_to_fit();
  parents_.clear();
}

UnitIndex::Entry UnitIndex::remember(const Found& found) {
  const auto at = static_cast<uint32_t>(texts_.size());
  texts_.append(found.name).push_back('\0');
  if (!found.alias_of.empty()) {
    aliases_[found.alias_of].push_back(found.name);
    alias_targets_[found.name] = found.alias_of;
  }
  return {at, found.directory, found.is_masked, !found.alias_of.empty()};
}

void UnitIndex::forget(size_t place) {
  const std::string name(name_of(files_[place]));
  if (files_[place].is_alias) {
    const auto target = alias_targets_.find(name);
    if (const auto names = aliases_.find(target->second); names != aliases_.end()) {
      names->second.erase(std::remove(names->second.begin(), names->second.end(), name),
                          names->second.end());
    }
    alias_targets_.erase(target);
  }
  files_.erase(files_.begin() + static_cast<ptrdiff_t>(place));
  unused_ += name.size() + 1;
  if (unused_ <= std::max(kMostUnused, texts_.size() / 2)) return;
  std::string used;
  used.reserve(texts_.size() - unused_);
  for (Entry& file : files_) {
    const std::string_view text = name_of(file);
    file.name = static_cast<uint32_t>(used.size());
    used.append(text).push_back('\0');
  }
  texts_ = std::move(used);
  unused_ = 0;
}

void UnitIndex::refresh_name(const std::string& name) {
  parents_.clear();
  const size_t place = place_of(name);
  if (place < files_.size() && name_of(files_[place]) == name) forget(place);
  subdirectories_.erase(name);
  std::optional<Found> now;
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
  if (!now) return;
  const Entry entry = remember(*now);
  files_.insert(files_.begin() + static_cast<ptrdiff_t>(place), entry);
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

std::optional<UnitIndex::Found> UnitIndex::read_entry(size_t index, const DirectoryEntry& entry) {
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
  Found file;
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
      file.alias_of = other->str();
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

size_t UnitIndex::place_of(std::string_view name) const {
  const auto is_before = [this](const Entry& file, std::string_view other) {
    return name_of(file) < other;
  };
  return static_cast<size_t>(std::lower_bound(files_.begin(), files_.end(), name, is_before) -
                             files_.begin());
}

const UnitIndex::Entry* UnitIndex::find_entry(std::string_view name) const {
  const size_t place = place_of(name);
  return place < files_.size() && name_of(files_[place]) == name ? &files_[place] : nullptr;
}

std::optional<UnitIndex::File> UnitIndex::find(std::string_view name) const {
  const Entry* entry = find_entry(name);
  if (entry == nullptr) return std::nullopt;
  const UnitDirectory& directory = directories_[entry->directory];
  File file{directory.path + "/", directory.tree, entry->is_masked, {}};
  file.path.append(name);
  if (entry->is_alias) file.alias_of = alias_targets_.find(name)->second;
  return file;
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
  for (const Entry& file : files_) names.emplace_back(name_of(file));
  return names;
}

}  // namespace flotilla::init
