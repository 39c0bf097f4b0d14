#include "init/unit_file_state.h"

#include <algorithm>
#include <cerrno>

#include "init/bus_unit_files.h"
#include "unit/unit_name.h"

namespace flotilla::init {

using base::FileKind;
using base::Result;
using unit::UnitName;

namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

bool is_dependency_directory(std::string_view name) {
  return ends_with(name, ".wants") || ends_with(name, ".requires") || ends_with(name, ".upholds");
}

// Whether enabling the unit could make a link of this name.
bool is_installed_name(const FoundUnit& unit, const std::string& name) {
  if (name == unit.name) return true;
  const auto& aliases = unit.install.aliases;
  if (std::find(aliases.begin(), aliases.end(), name) != aliases.end()) return true;
  const auto parsed = UnitName::parse(unit.name);
  if (!parsed || !parsed->is_template() || unit.install.default_instance.empty()) return false;
  const auto instance = parsed->with_instance(unit.install.default_instance);
  return instance && instance->str() == name;
}

}  // namespace

UnitFileStates::UnitFileStates(const base::FileTree& tree, const UnitFilePlaces& places)
    : tree_(tree), places_(places) {
  for (size_t place = 0; place < places_.searched.size(); ++place) look_into(place);
}

void UnitFileStates::look_into(size_t place) {
  const UnitDirectory& directory = places_.searched[place];
  for (const base::DirectoryEntry& entry : directory.tree->list(directory.path).value_or({})) {
    const std::string path = directory.path + "/" + entry.name;
    if (entry.kind == FileKind::kSymlink && UnitName::is_valid(entry.name)) {
      const std::string target = directory.tree->read_link(path).value_or("");
      add({place, true, entry.name, std::string(file_name_of(target))});
    } else if (entry.kind == FileKind::kDirectory && is_dependency_directory(entry.name)) {
      for (const base::DirectoryEntry& inside : directory.tree->list(path).value_or({})) {
        if (inside.kind != FileKind::kSymlink) continue;
        add({place, false, inside.name, {}});
      }
    }
  }
}

void UnitFileStates::add(Link link) {
  const size_t number = links_.size();
  by_name_.emplace(link.name, number);
  const auto name = UnitName::parse(link.name);
  std::string generic = name && name->is_instance() ? name->template_name().str() : std::string();
  if (!link.target.empty() && link.target != link.name && link.target != generic) {
    by_name_.emplace(link.target, number);
  }
  if (!generic.empty()) by_name_.emplace(std::move(generic), number);
  links_.push_back(std::move(link));
}

// In order of the search path, those in .wants directories first.
std::vector<const UnitFileStates::Link*> UnitFileStates::links_about(const FoundUnit& unit) const {
  std::vector<const Link*> links;
  const auto [begin, end] = by_name_.equal_range(unit.name);
  for (auto found = begin; found != end; ++found) links.push_back(&links_[found->second]);
  std::sort(links.begin(), links.end(), [](const Link* a, const Link* b) {
    if (a->place != b->place) return a->place < b->place;
    return a->is_top != b->is_top ? b->is_top : a < b;
  });
  return links;
}

std::string UnitFileStates::find_links(const FoundUnit& unit, Match match) const {
  const auto name = UnitName::parse(unit.name);
  const std::string_view own_directory = parent_of(unit.path);
  size_t own_place = places_.searched.size();
  for (size_t i = 0; i < places_.searched.size(); ++i) {
    if (places_.searched[i].path == own_directory) own_place = std::min(own_place, i);
  }
  bool in_runtime = false, anywhere = false, linked = false, linked_runtime = false;
  for (const Link* link : links_about(unit)) {
    const std::string& directory = places_.searched[link->place].path;
    const bool is_lasting = directory == places_.lasting;
    const bool is_runtime = directory == places_.runtime || is_generator_directory(directory) ||
                            is_transient_directory(directory);
    // A name below the unit's own file is another file that this one hides.
    const bool is_named = link->name == unit.name && (!link->is_top || link->place <= own_place);
    const bool leads_here = link->is_top ? link->target == unit.name : link->name != unit.name;
    if (is_named && link->is_top && leads_here) {
      linked = linked || is_lasting;
      linked_runtime = linked_runtime || is_runtime;
      continue;
    }
    if (!is_named && !leads_here) continue;
    if (match == Match::kInstalled && !is_installed_name(unit, link->name)) continue;
    if (is_lasting) return "enabled";
    (is_runtime ? in_runtime : anywhere) = true;
  }
  if (in_runtime) return "enabled-runtime";
  // Elsewhere only an instance is meant to be there by itself: other links are mere names.
  if (anywhere && name && name->is_instance()) return "static";
  if (linked) return "linked";
  return linked_runtime ? "linked-runtime" : "";
}

Result<std::string> UnitFileStates::state_of(const std::string& name) const {
  UnitFileSearch search(tree_, places_);
  FLOTILLA_ASSIGN(FoundUnit * asked, search.add(name));
  FLOTILLA_ASSIGN(const FoundUnit* unit,
                  search.resolve(*asked, UnitFileSearch::Follow::kConfigLinks));
  const std::string_view directory = parent_of(unit->path);
  if (unit->kind == UnitFileKind::kMasked) {
    return std::string(directory == places_.runtime ? "masked-runtime" : "masked");
  }
  const auto parsed = UnitName::parse(unit->name);
  if (file_name_of(unit->path) != name && parsed && !parsed->is_instance()) {
    return std::string("alias");
  }
  if (is_generator_directory(directory)) return std::string("generated");
  if (is_transient_directory(directory)) return std::string("transient");
  if (std::string state = find_links(*unit, Match::kInstalled); !state.empty()) return state;
  if (!find_links(*unit, Match::kAny).empty()) return std::string("indirect");
  if (unit->install.has_rules()) return std::string("disabled");
  return std::string(unit->install.also.empty() ? "static" : "indirect");
}

// --- The part of UnitFileLinks that only looks ---

Result<std::string> UnitFileLinks::state_of(std::string_view name) const {
  if (!UnitName::is_valid(name)) {
    return base::unexpected({base::Errc::kInvalid, "Invalid argument", EINVAL});
  }
  auto state = UnitFileStates(tree_, places_).state_of(std::string(name));
  if (state) return state;
  base::Error error = std::move(state).error();
  error.message = base::describe_errno(error.error_number == 0 ? EIO : error.error_number);
  if (error.error_number == ENOENT) error.bus_name = "org.freedesktop.DBus.Error.FileNotFound";
  if (error.error_number == ELOOP) error.bus_name = "org.freedesktop.DBus.Error.Failed";
  return base::unexpected(std::move(error));
}

std::vector<UnitFileState> UnitFileLinks::list(
    const std::function<bool(const std::string&)>& wanted) const {
  const UnitFileStates states(tree_, places_);
  std::vector<std::pair<std::string, std::string>> paths;  // by name
  for (const UnitDirectory& directory : places_.searched) {
    for (base::DirectoryEntry& entry : directory.tree->list(directory.path).value_or({})) {
      const bool is_file = entry.kind == FileKind::kRegular || entry.kind == FileKind::kSymlink;
      if (!is_file || !UnitName::is_valid(entry.name)) continue;
      if (wanted && !wanted(entry.name)) continue;
      paths.emplace_back(entry.name, directory.path + "/" + entry.name);
    }
  }
  // The first directory of the search path wins.
  std::stable_sort(paths.begin(), paths.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<UnitFileState> files;
  for (auto& [name, path] : paths) {
    if (!files.empty() && file_name_of(files.back().path) == name) continue;
    files.push_back({std::move(path), states.state_of(name).value_or("bad")});
  }
  return files;
}

std::string_view UnitFileLinks::preset_of(std::string_view name) const {
  return PresetRules::read(tree_, places_.presets).find(name).enable ? "enabled" : "disabled";
}

}  // namespace flotilla::init
