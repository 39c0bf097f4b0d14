#include "init/unit_loader.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <numeric>
#include <set>
#include <utility>

#include "init/directives_values.h"
#include "init/standard_units.h"
#include "init/unit_file_search.h"
#include "init/unit_loader_load.h"
#include "unit/escape.h"

namespace flotilla::init {
namespace {

using base::Errc;
using unit::Diagnostic;
using unit::Severity;
using unit::UnitName;
using unit::UnitType;

constexpr int kMaxAliasDepth = 8;
constexpr size_t kMaxAliases = 1000;  // of one unit
// They stay with the unit, and each is a line of the log: a file of nothing but mistakes must not
// fill either.
constexpr size_t kMaxWarnings = 1000;

// Without a word of what it listens to, waits for or mounts a unit of these types is none.
bool needs_own_settings(UnitType type) {
  switch (type) {
    case UnitType::kSocket:
    case UnitType::kTimer:
    case UnitType::kPath:
    case UnitType::kMount:
    case UnitType::kSwap:
    case UnitType::kAutomount:
      return true;
    default:
      return false;
  }
}

// Each dash begins a part of the path of slices; no part is empty.
bool is_slice_name(std::string_view stem) {
  if (stem == "-") return true;
  return stem.front() != '-' && stem.back() != '-' && stem.find("--") == std::string_view::npos;
}

void add_once(std::vector<UnitName>& list, const UnitName& name) {
  if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
}

// A name counts where it stands first. Done once for a unit, since to look for each name among
// those before it would take the square of their number.
void drop_repeats(std::vector<UnitName>& list) {
  if (list.size() < 2) return;
  std::vector<uint32_t> order(list.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int compared = list[a].str().compare(list[b].str());
    return compared != 0 ? compared < 0 : a < b;
  });
  std::vector<bool> repeats(list.size(), false);
  for (size_t i = 1; i < order.size(); ++i) {
    if (list[order[i]] == list[order[i - 1]]) repeats[order[i]] = true;
  }
  size_t kept = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    if (repeats[i]) continue;
    if (kept != i) list[kept] = std::move(list[i]);
    ++kept;
  }
  list.erase(list.begin() + static_cast<std::ptrdiff_t>(kept), list.end());
}

void drop_repeated_dependencies(UnitSettings& settings) {
  for (size_t kind = 0; kind < settings.dependencies.size(); ++kind) {
    if (std::as_const(settings.dependencies)[kind].size() < 2) continue;
    drop_repeats(settings.dependencies[kind]);
  }
}

// "Slice /a/b" of a-b.slice.
std::string slice_description(const UnitName& slice) {
  std::string text = "Slice ";
  for (const char c : slice.stem()) {
    if (text.size() == 6) text += '/';
    text += c == '-' ? '/' : c;
  }
  return text;
}

// The units that links in these directories name. The first directory that has a name decides, and
// may say with a link to /dev/null that the unit is not meant; what is no link says nothing.
std::vector<UnitName> linked_names(const std::vector<UnitDirectory>& directories) {
  std::vector<UnitName> names;
  std::set<std::string> hidden;
  for (const UnitDirectory& directory : directories) {
    const auto entries = directory.tree->list(directory.path);
    if (!entries) continue;
    for (const base::DirectoryEntry& entry : *entries) {
      auto name = UnitName::parse(entry.name);
      if (!name || hidden.count(entry.name) != 0) continue;
      const auto target = entry.kind == base::FileKind::kSymlink
                              ? directory.tree->read_link(directory.path + "/" + entry.name)
                              : base::Result<std::string>(std::string("/dev/null"));
      if (target && *target != "/dev/null") {
        names.push_back(*name);
      } else if (directories.size() > 1) {
        hidden.insert(entry.name);
      }
    }
  }
  return names;
}

}  // namespace

std::string_view unit_section_of(UnitType type) {
  switch (type) {
    case UnitType::kService:
      return "Service";
    case UnitType::kMount:
      return "Mount";
    case UnitType::kSwap:
      return "Swap";
    case UnitType::kSocket:
      return "Socket";
    case UnitType::kAutomount:
      return "Automount";
    case UnitType::kTimer:
      return "Timer";
    case UnitType::kPath:
      return "Path";
    case UnitType::kSlice:
      return "Slice";
    case UnitType::kScope:
      return "Scope";
    case UnitType::kTarget:
    case UnitType::kDevice:
      break;
  }
  return {};
}

UnitLoader::UnitLoader(UnitLoaderOptions options)
    : options_(std::move(options)), index_(options_.directories) {
  index_.rebuild();
}

void UnitLoader::refresh() {
  index_.rebuild();
  looked_for_changes_ = true;
}

void UnitLoader::settle(bool is_settled) {
  is_settled_ = is_settled;
  looked_for_changes_ = is_settled;
}

// The unit itself where the way over the links does not end at a file.
UnitName UnitLoader::resolve_alias(const UnitName& name) const {
  UnitName at = name;
  for (int depth = 0; depth < kMaxAliasDepth; ++depth) {
    std::string target;
    bool has_file = true;
    auto file = index_.find(at.str());
    if (!file && at.is_instance()) file = index_.find(at.template_name().str());
    if (file) {
      target = file->alias_of;
    } else if (const StandardUnit* standard = find_standard_unit(at.str())) {
      target = std::string(standard->alias_of);
    } else {
      has_file = false;
    }
    if (target.empty()) return has_file ? at : name;
    const auto other = UnitName::parse(target);
    if (!other) return name;
    at = *other;
    if (other->is_template() && name.is_instance()) {
      const auto instance = other->with_instance(name.instance());
      if (!instance) return name;
      at = *instance;
    }
  }
  return name;
}

// Every name that leads to the unit, over other names too.
std::vector<UnitName> UnitLoader::aliases_of(const UnitName& id) const {
  std::vector<UnitName> names{id};
  for (size_t i = 0; i < names.size() && i < kMaxAliases; ++i) {
    const UnitName at = names[i];
    const auto add = [&](const std::string& alias) {
      const auto other = UnitName::parse(alias);
      if (!other) return;
      if (!other->is_template()) {
        const bool fits = !other->is_instance() || other->instance() == at.instance();
        if (fits) add_once(names, *other);
      } else if (at.is_instance()) {
        const auto instance = other->with_instance(at.instance());
        if (instance && !index_.has(instance->str())) add_once(names, *instance);
      }
    };
    for (const std::string& alias : index_.aliases_of(at.str())) add(alias);
    if (!at.is_instance()) continue;
    for (const std::string& alias : index_.aliases_of(at.template_name().str())) add(alias);
  }
  names.erase(names.begin());
  for (const StandardUnit* unit = standard_units_begin(); unit != standard_units_end(); ++unit) {
    if (unit->alias_of == id.str() && !index_.has(unit->name)) {
      add_once(names, *UnitName::parse(unit->name));
    }
  }
  return names;
}

// All instances of a template share a slice of their own.
SharedText UnitLoader::default_slice_of(const UnitName& id) const {
  if (!id.is_instance()) return options_.default_slice;
  const std::string_view parent = options_.default_slice;
  return std::string(parent.substr(0, parent.size() - 6)) + "-" + unit::escape_name(id.prefix()) +
         ".slice";
}

UnitSettings UnitLoader::load(const UnitName& name) {
  if (!is_settled_) looked_for_changes_ = false;
  return load_more(name);
}

UnitSettings UnitLoader::load_more(const UnitName& name) {
  if (!looked_for_changes_) {
    looked_for_changes_ = true;
    index_.rebuild_if_changed();
  }
  const UnitName id = resolve_alias(name);
  Load load{UnitSettings{id}, {}, {id, &options_.host, {}, {}}, {}, false};
  if (options_.host.runtime_directory) {
    load.specifiers.credentials_directory =
        *options_.host.runtime_directory + "/credentials/" + id.str();
  }
  UnitSettings& settings = load.settings;
  settings.slice = default_slice_of(id);
  // What is there for others to live in stays when everything else goes.
  settings.ignore_on_isolate = id.type() == UnitType::kSlice || id.type() == UnitType::kScope ||
                               id.type() == UnitType::kMount;
  if (auto aliases = aliases_of(id); !aliases.empty()) {
    settings.extras.edit().aliases = std::move(aliases);
  }
  if (!(name == id)) add_once(settings.extras.edit().aliases, name);

  if (!defaults_.empty()) apply_defaults(load);
  // The file is read under the name that was asked for, what is beside it under the unit's own.
  load.specifiers.name = name;
  load_fragment(load);
  load.specifiers.name = id;
  if (!load.marks.fatal.empty()) refuse_fragment(load);
  if (settings.load_state == LoadState::kMasked) settings.slice.clear();
  if (settings.load_state == LoadState::kLoaded || settings.load_state == LoadState::kMasked) {
    load_drop_ins(load);
  }
  if (settings.load_state == LoadState::kLoaded || settings.load_state == LoadState::kMasked ||
      settings.load_state == LoadState::kNotFound) {
    load_dependency_links(load);
    drop_repeated_dependencies(settings);
  }
  if (settings.load_state == LoadState::kNotFound) {
    // Defaults are for units that are there.
    settings.slice.clear();
    if (id.type() != UnitType::kMount) {
      settings.exec.edit().standard_output = {StreamSetting::Kind::kInherit, {}};
    }
  }
  if (settings.load_state == LoadState::kLoaded && !load.has_own_settings &&
      needs_own_settings(id.type()) && id.type() != UnitType::kMount) {
    settings.load_state = LoadState::kBadSetting;
    settings.extras.edit().load_error_bus_name = "org.freedesktop.systemd1.BadUnitSetting";
    settings.extras.edit().load_error = "Unit " + id.str() + " has a bad unit file setting.";
  }
  if (settings.load_state == LoadState::kLoaded) {
    if (id.type() == UnitType::kSlice && settings.description.empty()) {
      settings.description = slice_description(id);
    }
    if (const std::string& source = settings.extras->source_path; !source.empty()) {
      const auto stat = tree_of(source).stat(source);
      if (stat) settings.files_mtime_usec = std::max(settings.files_mtime_usec, stat->mtime_usec);
    }
    require_exec_mounts(settings, options_.host);
    if (id.type() == UnitType::kMount) finish_mount(settings, options_.scope, mounts_);
    finish_settings(settings, load.marks, options_.scope);
  }
  for (const Diagnostic& diagnostic : load.diagnostics) {
    if (settings.extras->warnings.size() == kMaxWarnings) {
      settings.extras.edit().warnings.push_back(
          fmt::format("{}: {} further problems are not listed.", id.str(),
                      load.diagnostics.size() - kMaxWarnings));
      break;
    }
    settings.extras.edit().warnings.push_back(to_string(diagnostic));
  }
  unify(settings);
  return std::move(load.settings);
}

void UnitLoader::unify(UnitSettings& settings) {
  limits_.unify(settings.limits);
  services_.unify(settings.service);
}

SharedText UnitLoader::share_directory(std::string_view path) {
  const auto known = std::find(fragment_directories_.begin(), fragment_directories_.end(), path);
  if (known != fragment_directories_.end()) return *known;
  return fragment_directories_.emplace_back(path);
}

void UnitLoader::load_fragment(Load& load) {
  UnitSettings& settings = load.settings;
  const std::string& id = settings.name.str();
  auto file = index_.find(id);
  if (!file && settings.name.is_instance()) {
    file = index_.find(settings.name.template_name().str());
  }
  const auto fail = [&](LoadState state, std::string_view bus_name, std::string text) {
    settings.load_state = state;
    settings.extras.edit().load_error_bus_name = bus_name;
    settings.extras.edit().load_error = std::move(text);
  };
  const auto mask = [&] {
    fail(LoadState::kMasked, "org.freedesktop.systemd1.UnitMasked", "Unit " + id + " is masked.");
  };
  if (settings.name.type() == UnitType::kSlice && !is_slice_name(settings.name.stem())) {
    return fail_to_load(settings, base::Error{base::Errc::kInvalid, {}, EINVAL});
  }
  // Scopes are made of processes that are there already, never of a file that somebody wrote.
  if (settings.name.type() == UnitType::kScope && file &&
      !is_transient_directory(parent_of(file->path))) {
    file.reset();
  }
  // A name of something that is not there is the name of nothing.
  if (file && !file->alias_of.empty()) file.reset();
  if (!file) {
    const StandardUnit* standard = find_standard_unit(id);
    if (standard == nullptr && settings.name.type() == UnitType::kSlice) {
      // A slice needs no file: its name says all there is.
      settings.load_state = LoadState::kLoaded;
      return;
    }
    if (settings.name.type() == UnitType::kMount && load_without_file(settings, mounts_)) return;
    if (standard == nullptr || settings.name.is_template()) {
      return fail(LoadState::kNotFound, "org.freedesktop.systemd1.NoSuchUnit",
                  "Unit " + id + " not found.");
    }
    settings.load_state = LoadState::kLoaded;
    apply(load, standard->text, "(standard) " + id);
    return;
  }
  settings.set_fragment(share_directory(parent_of(file->path)), file_name_of(file->path));
  load.specifiers.fragment_path = file->path;
  if (file->is_masked) return mask();
  base::FileStat stat;
  const auto bytes = file->tree->read(file->path, unit::kMaxUnitFileSize, stat);
  if (!bytes) {
    // A link that leads nowhere is no file, and neither is a circle of them.
    if (bytes.error().code == Errc::kNotFound || bytes.error().error_number == ELOOP) {
      settings.fragment_directory.clear();
      return fail(LoadState::kNotFound, "org.freedesktop.systemd1.NoSuchUnit",
                  "Unit " + id + " not found.");
    }
    load.diagnostics.push_back({file->path, 0, Severity::kError, bytes.error().message});
    return fail_to_load(settings, bytes.error());
  }
  settings.files_mtime_usec = stat.mtime_usec;
  if (bytes->empty()) return mask();
  settings.load_state = LoadState::kLoaded;
  apply(load, *bytes, file->path);
}

void UnitLoader::load_drop_ins(Load& load) {
  for (const UnitIndex::File& file : find_drop_ins(load.settings)) {
    load.settings.extras.edit().drop_in_paths.push_back(file.path);
    if (file.is_masked) continue;
    base::FileStat stat;
    const auto bytes = file.tree->read(file.path, unit::kMaxUnitFileSize, stat);
    if (!bytes) {
      load.diagnostics.push_back({file.path, 0, Severity::kWarning, bytes.error().message});
      continue;
    }
    // One that is broken off is only left out from there on, and is read again when asked to.
    if (apply(load, *bytes, file.path)) {
      load.settings.files_mtime_usec = std::max(load.settings.files_mtime_usec, stat.mtime_usec);
    }
    load.marks.fatal.clear();
    load.marks.is_load_error = false;
  }
}

void UnitLoader::load_dependency_links(Load& load) {
  UnitSettings& settings = load.settings;
  static constexpr std::pair<std::string_view, Dependency> kKinds[] = {
      {".wants", Dependency::kWants},
      {".requires", Dependency::kRequires},
      {".upholds", Dependency::kUpholds}};
  std::vector<std::string> names = names_with_directories(settings.name, settings.extras->aliases);
  names.emplace_back(to_string(settings.name.type()));
  for (const auto& [suffix, kind] : kKinds) {
    std::vector<UnitDirectory> directories;
    for (const std::string& name : names) {
      for (UnitDirectory& place : index_.find_directories(name + std::string(suffix))) {
        directories.push_back(std::move(place));
      }
    }
    if (directories.empty()) continue;
    for (const UnitName& named : linked_names(directories)) {
      UnitName other = name_beside(named, settings.name);
      if (other == settings.name) continue;
      settings.dependencies[static_cast<size_t>(kind)].push_back(std::move(other));
    }
  }
}

}  // namespace flotilla::init
