// Masks, links, reverting, presets and the default target: see bus_unit_files.h.
#include <fmt/format.h>

#include <cerrno>

#include "init/bus_unit_files.h"
#include "unit/unit_name.h"

namespace flotilla::init {

using base::Result;
using base::Status;
using unit::UnitName;
using Follow = UnitFileSearch::Follow;

namespace {

constexpr int kMaxTreeDepth = 8;

base::Unexpected invalid_argument() {
  return base::unexpected({base::Errc::kInvalid, "Invalid argument", EINVAL});
}

bool is_vendor_directory(std::string_view directory) {
  return directory.substr(0, 5) == "/usr/" || directory.substr(0, 5) == "/lib/" ||
         is_generator_directory(directory);
}

bool is_control_directory(std::string_view directory) {
  constexpr std::string_view kEnd = ".control";
  return directory.size() > kEnd.size() && directory.substr(directory.size() - kEnd.size()) == kEnd;
}

bool is_empty_file(const base::FileTree& tree, const std::string& path) {
  if (tree.read_link(path).value_or("") == "/dev/null") return true;
  const auto stat = tree.stat(path);
  return stat && stat->kind == base::FileKind::kRegular && stat->size == 0;
}

}  // namespace

Result<UnitFileLinks::Changes> UnitFileLinks::mask(const Names& names, Lifetime lifetime,
                                                   Force force) {
  Changes changes;
  Status first;
  for (const std::string& name : names) {
    if (!UnitName::is_valid(name)) return invalid_argument();
    const Status made = link_to("/dev/null", directory_of(lifetime) + "/" + name, force, changes);
    if (!made && first) first = made;
  }
  if (!first) return base::unexpected(std::move(first).error());
  return changes;
}

Result<UnitFileLinks::Changes> UnitFileLinks::unmask(const Names& names, Lifetime lifetime) {
  const std::string& directory = directory_of(lifetime);
  Changes changes;
  Marks marks;
  for (const std::string& name : names) {
    if (!UnitName::is_valid(name)) return invalid_argument();
    const std::string path = fmt::format("{}/{}", directory, name);
    if (!tree_.lstat(path) || !is_empty_file(tree_, path)) continue;
    FLOTILLA_TRY(tree_.remove(path));
    changes.push_back({"unlink", path, ""});
    marks.insert(path);
  }
  remove_marked(std::move(marks), directory, changes);
  return changes;
}

Result<UnitFileLinks::Changes> UnitFileLinks::link(const Names& paths, Lifetime lifetime,
                                                   Force force) {
  const UnitFileSearch search(tree_, places_);
  std::vector<std::string> files;
  for (const std::string& given : paths) {
    const std::string path = inside(given);
    if (path.empty() || path[0] != '/') return install_error(EINVAL, given);
    if (!UnitName::is_valid(file_name_of(path))) return install_error(EUCLEAN, given);
    const auto stat = tree_.lstat(path);
    if (!stat) return install_error(ENOENT, given);
    if (stat->kind == base::FileKind::kSymlink) return install_error(ELOOP, given);
    if (stat->kind == base::FileKind::kDirectory) return install_error(EISDIR, given);
    if (stat->kind != base::FileKind::kRegular) return install_error(EBADFD, given);
    if (!search.is_searched(parent_of(path))) files.push_back(path);
  }
  Changes changes;
  Status first;
  for (const std::string& path : files) {
    const std::string place = directory_of(lifetime) + "/" + std::string(file_name_of(path));
    const Status made = link_to(path, place, force, changes);
    if (!made && first) first = made;
  }
  if (!first) return base::unexpected(std::move(first).error());
  return changes;
}

// --- Reverting ---

void UnitFileLinks::remove_tree(const std::string& path, Changes& changes, int depth) {
  const auto stat = tree_.lstat(path);
  if (!stat || depth > kMaxTreeDepth) return;
  if (stat->kind == base::FileKind::kDirectory) {
    for (const base::DirectoryEntry& entry : tree_.list(path).value_or({})) {
      remove_tree(path + "/" + entry.name, changes, depth + 1);
    }
  }
  if (tree_.remove(path)) changes.push_back({"unlink", path, ""});
}

Result<UnitFileLinks::Changes> UnitFileLinks::revert(const Names& names) {
  const UnitFileSearch search(tree_, places_);
  std::vector<std::string> drop_ins, files;
  for (const std::string& name : names) {
    if (!UnitName::is_valid(name)) return invalid_argument();
    bool has_vendor = false;
    std::vector<std::string> own;
    for (const UnitDirectory& place : places_.searched) {
      const std::string path = place.path + "/" + name;
      const bool is_own = search.is_config(place.path);
      const auto stat = place.tree->lstat(path);
      if (stat && stat->kind != base::FileKind::kDirectory) {
        if (is_own) own.push_back(path);
        has_vendor = has_vendor || is_vendor_directory(place.path);
      }
      const auto directory = place.tree->lstat(path + ".d");
      const bool may_go =
          is_own || is_control_directory(place.path) || is_transient_directory(place.path);
      if (may_go && directory && directory->kind == base::FileKind::kDirectory) {
        drop_ins.push_back(path + ".d");
      }
    }
    // With a version of its vendor there is something to go back to.
    if (has_vendor) files.insert(files.end(), own.begin(), own.end());
  }
  Changes changes;
  for (const std::string& path : drop_ins) remove_tree(path, changes, 0);
  Marks marks;
  for (const std::string& path : files) {
    remove_tree(path, changes, 0);
    marks.insert(path);
  }
  remove_marked(marks, places_.runtime, changes);
  remove_marked(std::move(marks), places_.lasting, changes);
  return changes;
}

// --- Presets ---

namespace {

bool is_masked(UnitFileSearch probe, const std::string& name) {
  const auto added = probe.add(name);
  return added && probe.resolve(**added, Follow::kConfigLinks) &&
         (*added)->kind == UnitFileKind::kMasked;
}

}  // namespace

struct UnitFileLinks::Presets {
  UnitFileSearch plus, minus;
};

Status UnitFileLinks::sort_by_preset(const std::string& name, const PresetRules& rules,
                                     Presets& presets) {
  UnitFileSearch probe(tree_, places_, UnitFileSearch::Reading::kNothing);
  FLOTILLA_ASSIGN(const FoundUnit* unit, probe.discover(name, Follow::kConfigLinks));
  // Aliases have no will of their own.
  if (unit->name != name) return {};
  const PresetRules::Answer answer = rules.find(name);
  if (!answer.enable) {
    FLOTILLA_TRY(presets.minus.discover(name, Follow::kConfigLinks));
    return {};
  }
  for (const std::string& instance : answer.instances) {
    FLOTILLA_TRY(presets.plus.discover(instance, Follow::kConfigLinks));
  }
  if (answer.instances.empty()) {
    FLOTILLA_TRY(presets.plus.discover(name, Follow::kConfigLinks));
  }
  return {};
}

Result<size_t> UnitFileLinks::apply_presets(Presets& presets, const std::string& directory,
                                            PresetMode mode, Force force, Changes& changes) {
  if (mode != PresetMode::kEnableOnly) {
    Marks marks;
    mark_for_removal(presets.minus, marks, changes);
    remove_marked(std::move(marks), directory, changes);
  }
  if (mode == PresetMode::kDisableOnly) return size_t{0};
  return apply(presets.plus, Follow::kNo, directory, force, changes);
}

Result<UnitFileLinks::Enabled> UnitFileLinks::preset(const Names& names, Lifetime lifetime,
                                                     PresetMode mode, Force force) {
  const PresetRules rules = PresetRules::read(tree_, places_.presets);
  Presets presets{{tree_, places_}, {tree_, places_, UnitFileSearch::Reading::kNothing}};
  for (const std::string& name : names) {
    // To disable what is masked is nothing to do; to enable it is wrong.
    const bool is_left = UnitName::is_valid(name) && !rules.find(name).enable &&
                         is_masked({tree_, places_, UnitFileSearch::Reading::kNothing}, name);
    if (is_left) {
      FLOTILLA_TRY(presets.minus.add(name));
    } else {
      FLOTILLA_TRY(sort_by_preset(name, rules, presets));
    }
  }
  Enabled enabled;
  FLOTILLA_ASSIGN(const size_t count,
                  apply_presets(presets, directory_of(lifetime), mode, force, enabled.changes));
  enabled.carries_install_info = count > 0;
  return enabled;
}

Result<UnitFileLinks::Changes> UnitFileLinks::preset_all(Lifetime lifetime, PresetMode mode,
                                                         Force force) {
  const PresetRules rules = PresetRules::read(tree_, places_.presets);
  Presets presets{{tree_, places_}, {tree_, places_, UnitFileSearch::Reading::kNothing}};
  Changes changes;
  Marks names;
  for (const UnitDirectory& place : places_.searched) {
    for (const base::DirectoryEntry& entry : place.tree->list(place.path).value_or({})) {
      const bool is_file =
          entry.kind == base::FileKind::kRegular || entry.kind == base::FileKind::kSymlink;
      if (is_file && UnitName::is_valid(entry.name)) names.insert(entry.name);
    }
  }
  for (const std::string& name : names) {
    if (is_masked({tree_, places_, UnitFileSearch::Reading::kNothing}, name)) {
      FLOTILLA_TRY((rules.find(name).enable ? presets.plus : presets.minus).add(name));
      continue;
    }
    const Status sorted = sort_by_preset(name, rules, presets);
    if (sorted) continue;
    switch (sorted.error().error_number) {
      case ERFKILL:
      case ENOENT:
      case EADDRNOTAVAIL:
      case ELOOP:
        continue;
      default:
        return base::unexpected(sorted.error());
    }
  }
  FLOTILLA_TRY(apply_presets(presets, directory_of(lifetime), mode, force, changes));
  return changes;
}

// --- The default target ---

Result<UnitFileLinks::Changes> UnitFileLinks::set_default_target(const std::string& name,
                                                                 Force force) {
  const auto parsed = UnitName::parse(name);
  if (!parsed || parsed->type() != unit::UnitType::kTarget || name == "default.target") {
    return invalid_argument();
  }
  UnitFileSearch search(tree_, places_, UnitFileSearch::Reading::kNothing);
  FLOTILLA_ASSIGN(const FoundUnit* unit, search.discover(name, Follow::kNo));
  Changes changes;
  FLOTILLA_TRY(link_to(unit->path, places_.lasting + "/default.target", force, changes));
  return changes;
}

Result<std::string> UnitFileLinks::default_target() const {
  UnitFileSearch search(tree_, places_, UnitFileSearch::Reading::kNothing);
  const auto unit = search.discover("default.target", Follow::kConfigLinks);
  if (unit) return (*unit)->name;
  if (unit.error().error_number == ENOENT) {
    return base::unexpected({base::Errc::kNotFound, "No such file or directory", ENOENT,
                             "org.freedesktop.DBus.Error.FileNotFound"});
  }
  return base::unexpected(unit.error());
}

}  // namespace flotilla::init
