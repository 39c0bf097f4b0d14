// Which drop-ins belong to a unit, and in which order they are read.
#include <map>
#include <utility>

#include "init/unit_file_search.h"
#include "init/unit_loader_load.h"

namespace flotilla::init {
namespace {

using unit::UnitName;

// "a-b-c.service" is also governed by "a-b-.service.d" and "a-.service.d", an instance as well by
// those of the shorter templates and of their instances.
std::vector<std::string> drop_in_names(const UnitName& name) {
  std::vector<std::string> names{name.str()};
  if (name.is_instance()) names.push_back(name.template_name().str());
  std::string_view stem = name.is_plain() ? name.stem() : name.prefix();
  if (!stem.empty() && stem.back() == '-') stem.remove_suffix(1);
  for (size_t dash = stem.rfind('-'); dash != std::string_view::npos && dash > 0;
       dash = stem.rfind('-', dash - 1)) {
    const std::string part(stem.substr(0, dash + 1));
    const std::string suffix(name.suffix());
    names.push_back(part + suffix);
    if (!name.is_plain()) names.push_back(part + "@" + suffix);
    if (name.is_instance()) names.push_back(part + "@" + std::string(name.instance()) + suffix);
    if (dash == 0) break;
  }
  return names;
}

}  // namespace

std::vector<std::string> names_with_directories(const UnitName& name,
                                                const std::vector<UnitName>& aliases) {
  std::vector<std::string> names = drop_in_names(name);
  for (const UnitName& alias : aliases) {
    for (std::string& other : drop_in_names(alias)) names.push_back(std::move(other));
  }
  return names;
}

std::vector<UnitIndex::File> UnitLoader::find_drop_ins(const UnitSettings& settings) const {
  // The first directory that has a file of a name wins; the names alone give the order.
  std::map<std::string, UnitIndex::File> found;
  const auto take = [&](const UnitDirectory& directory) {
    const auto entries = directory.tree->list(directory.path);
    if (!entries) return;
    // They are known by the place they really are at, unlike the unit's own file.
    const std::string real_path =
        directory.tree->canonical(directory.path).value_or(directory.path);
    for (const base::DirectoryEntry& entry : *entries) {
      const std::string_view name = entry.name;
      if (name.size() <= 5 || name.substr(name.size() - 5) != ".conf" || name[0] == '.') continue;
      if (entry.kind != base::FileKind::kRegular && entry.kind != base::FileKind::kSymlink) {
        continue;
      }
      UnitIndex::File file{real_path + "/" + entry.name, directory.tree, false, {}};
      if (entry.kind == base::FileKind::kSymlink) {
        const auto target = directory.tree->read_link(file.path);
        file.is_masked = target && *target == "/dev/null";
      }
      found.emplace(entry.name, std::move(file));
    }
  };
  std::vector<UnitDirectory> candidates;  // in order of names, to be taken in order of places
  for (const std::string& name : names_with_directories(settings.name, settings.extras->aliases)) {
    for (UnitDirectory& directory : index_.find_directories(name + ".d")) {
      candidates.push_back(std::move(directory));
    }
  }
  for (const UnitDirectory& place : index_.directories()) {
    for (const UnitDirectory& directory : candidates) {
      if (parent_of(directory.path) == place.path) take(directory);
    }
  }
  const std::string for_type = std::string(to_string(settings.name.type())) + ".d";
  for (const UnitDirectory& directory : index_.find_directories(for_type)) take(directory);
  std::vector<UnitIndex::File> files;
  files.reserve(found.size());
  for (auto& [name, file] : found) {
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace flotilla::init
