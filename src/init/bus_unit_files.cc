#include "init/bus_unit_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "init/manager_impl.h"
#include "unit/unit_name.h"

namespace flotilla::init {

using base::Result;
using base::Status;
using unit::UnitName;
using Follow = UnitFileSearch::Follow;

namespace {

// How deep links may stand below the configuration directory.
constexpr int kMaxDepth = 8;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

int errno_of(const base::Error& error) {
  return error.error_number == 0 ? EIO : error.error_number;
}

// Counts what was done and keeps the first error: the rest is still tried.
class Tally {
 public:
  void add(const Result<size_t>& result) {
    if (result) {
      count_ += *result;
    } else if (!error_) {
      error_ = result.error();
    }
  }
  Result<size_t> result() && {
    if (error_) return base::unexpected(std::move(*error_));
    return count_;
  }

 private:
  size_t count_ = 0;
  std::optional<base::Error> error_;
};

// "x.target.wants/a.service" as an alias: a way to write WantedBy=x.target.
Status check_alias_path(const std::string& alias, const std::string& unit) {
  const std::string_view directory = parent_of(alias);
  const size_t dot = directory.rfind('.');
  const bool is_known = ends_with(directory, ".wants") || ends_with(directory, ".requires");
  if (!is_known || !UnitName::is_valid(directory.substr(0, dot))) {
    return install_error(EBADR, alias);
  }
  if (file_name_of(alias) != unit) return install_error(EXDEV, alias, unit);
  return {};
}

// Without an instance of its own, a template is enabled for the one it names.
Result<UnitName> with_default_instance(const FoundUnit& unit, const UnitName& name) {
  if (!name.is_template() || unit.install.default_instance.empty()) return name;
  return name.with_instance(unit.install.default_instance);
}

}  // namespace

UnitFileLinks::UnitFileLinks(base::FileTree& tree, Places places)
    : tree_(tree), places_(std::move(places)) {}

UnitFileLinks unit_file_links(Manager& manager) { return unit_file_links(manager.impl()); }

UnitFileLinks unit_file_links(Manager::Impl& impl) {
  const ManagerOptions& options = impl.options;
  UnitFilePlaces places;
  places.searched = options.unit_directories;
  places.runtime = options.runtime_unit_directory;
  places.lasting = options.config_directory;
  places.host = &options.host_values;
  const std::string_view kind = options.scope == ManagerScope::kUser ? "user" : "system";
  if (options.scope == ManagerScope::kUser) {
    places.presets.push_back(std::string(parent_of(options.config_directory)) + "/user-preset");
  }
  for (const char* root : {"/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"}) {
    places.presets.push_back(fmt::format("{}/systemd/{}-preset", root, kind));
  }
  return UnitFileLinks(impl.edges.tree, std::move(places));
}

const std::string& UnitFileLinks::directory_of(Lifetime lifetime) const {
  return lifetime == Lifetime::kRuntime ? places_.runtime : places_.lasting;
}

// A path as the caller sees it may begin with the root that the tree hangs from.
std::string UnitFileLinks::inside(const std::string& path) const {
  std::string root = tree_.host_path("/");
  while (!root.empty() && root.back() == '/') root.pop_back();
  if (!root.empty() && path.compare(0, root.size() + 1, root + "/") == 0) {
    return absolute_path(path.substr(root.size()), "/");
  }
  return path.substr(0, 1) == "/" ? absolute_path(path, "/") : path;
}

Status UnitFileLinks::link_to(const std::string& target, const std::string& path, Force force,
                              Changes& changes) {
  const auto old = tree_.read_link(path);
  if (old) {
    if (absolute_path(*old, parent_of(path)) == target) return {};
    if (force == Force::kNo) return install_error(EEXIST, path, *old);
    FLOTILLA_TRY(tree_.make_symlink(target, path));
    changes.push_back({"unlink", path, ""});
  } else {
    if (tree_.lstat(path)) return install_error(EEXIST, path);
    FLOTILLA_TRY(tree_.make_directories(parent_of(path), 0755));
    FLOTILLA_TRY(tree_.make_symlink(target, path));
  }
  changes.push_back({"symlink", path, target});
  return {};
}

// --- Making links ---

Result<size_t> UnitFileLinks::apply_aliases(const FoundUnit& unit, const std::string& directory,
                                            Force force, Changes& changes) {
  Tally tally;
  FLOTILLA_ASSIGN(const UnitName name, UnitName::parse(unit.name));
  FLOTILLA_ASSIGN(const UnitName named, with_default_instance(unit, name));
  const unit::SpecifierContext specifiers{named, places_.host, unit.path, {}};
  const auto make = [&](const std::string& written) -> Result<size_t> {
    auto alias = unit::expand_specifiers(written, specifiers);
    if (!alias) return install_error(ELIBBAD, written);
    if (alias->find('/') != std::string::npos) {
      FLOTILLA_TRY(check_alias_path(*alias, unit.name));
    } else {
      auto parsed = UnitName::parse(*alias);
      if (!parsed) return install_error(EXDEV, *alias, unit.name);
      if (parsed->is_template() && name.is_instance()) {
        FLOTILLA_ASSIGN(parsed, parsed->with_instance(name.instance()));
      }
      if (*parsed == name) return size_t{0};
      if (!may_alias(*parsed, name)) return install_error(EXDEV, *alias, unit.name);
      *alias = parsed->str();
    }
    const std::string path = directory + "/" + *alias;
    // A link that leads nowhere is in nobody's way.
    const bool is_broken = tree_.lstat(path) && !tree_.stat(path);
    FLOTILLA_TRY(link_to(unit.path, path, is_broken ? Force::kYes : force, changes));
    return size_t{1};
  };
  for (const std::string& alias : unit.install.aliases) tally.add(make(alias));
  return std::move(tally).result();
}

bool UnitFileLinks::is_there(const std::string& name) const {
  UnitFileSearch search(tree_, places_, UnitFileSearch::Reading::kNothing);
  const auto unit = search.add(name);
  if (!unit) return false;
  const auto found = search.resolve(**unit, Follow::kConfigLinks);
  return found || found.error().error_number != ENOENT;
}

Result<size_t> UnitFileLinks::apply_wants(const FoundUnit& unit,
                                          const std::vector<std::string>& units,
                                          std::string_view suffix, const std::string& directory,
                                          Changes& changes) {
  if (units.empty()) return size_t{0};
  FLOTILLA_ASSIGN(UnitName name, UnitName::parse(unit.name));
  FLOTILLA_ASSIGN(name, with_default_instance(unit, name));
  const unit::SpecifierContext specifiers{name, places_.host, unit.path, {}};
  Tally tally;
  const auto make = [&](const std::string& written) -> Result<size_t> {
    const auto other = unit::expand_specifiers(written, specifiers);
    if (!other) return install_error(ELIBBAD, written);
    const auto parsed = UnitName::parse(*other);
    if (!parsed) return install_error(EUCLEAN, *other);
    if (name.is_template() && !parsed->is_template()) return install_error(EIDRM, *other);
    FLOTILLA_TRY(link_to(unit.path,
                         fmt::format("{}/{}{}/{}", directory, *other, suffix, name.str()),
                         Force::kYes, changes));
    if (!is_there(*other)) changes.push_back({"destination not present", *other, unit.path});
    return size_t{1};
  };
  for (const std::string& written : units) tally.add(make(written));
  return std::move(tally).result();
}

Result<size_t> UnitFileLinks::apply_unit(const FoundUnit& unit, const std::string& directory,
                                         Force force, Changes& changes) {
  const UnitFileSearch search(tree_, places_);
  if (!search.is_searched(parent_of(unit.path))) {
    FLOTILLA_TRY(link_to(unit.path, directory + "/" + unit.name, force, changes));
  }
  // Once one kind of links is made, what is wrong with the next is no error any more.
  Result<size_t> result = apply_aliases(unit, directory, force, changes);
  const std::pair<const std::vector<std::string>&, std::string_view> kinds[] = {
      {unit.install.wanted_by, ".wants"},
      {unit.install.required_by, ".requires"},
      {unit.install.upheld_by, ".upholds"}};
  for (const auto& [units, suffix] : kinds) {
    Result<size_t> more = apply_wants(unit, units, suffix, directory, changes);
    if (result && *result == 0) result = std::move(more);
  }
  return result;
}

Result<size_t> UnitFileLinks::apply(UnitFileSearch& search, Follow follow,
                                    const std::string& directory, Force force, Changes& changes) {
  Tally tally;
  for (size_t i = 0; i < search.size(); ++i) {
    FoundUnit& unit = search.at(i);
    const Result<FoundUnit*> found = search.resolve(unit, follow);
    if (!found) {
      if (!unit.is_auxiliary) return install_error(errno_of(found.error()), unit.name);
      changes.push_back({"auxiliary unit failed", unit.name, ""});
    } else if (unit.kind == UnitFileKind::kMasked) {
      changes.push_back({"masked", unit.path, ""});
      tally.add(size_t{1});
    } else if (unit.kind == UnitFileKind::kRegular) {
      tally.add(apply_unit(unit, directory, force, changes));
    }
  }
  return std::move(tally).result();
}

Result<UnitFileLinks::Enabled> UnitFileLinks::enable(const Names& names, Lifetime lifetime,
                                                     Force force) {
  UnitFileSearch search(tree_, places_);
  for (const std::string& name : names) {
    FLOTILLA_TRY(search.discover(inside(name), Follow::kConfigLinks));
  }
  Enabled enabled;
  FLOTILLA_ASSIGN(const size_t count,
                  apply(search, Follow::kNo, directory_of(lifetime), force, enabled.changes));
  enabled.carries_install_info = count > 0;
  return enabled;
}

Result<UnitFileLinks::Enabled> UnitFileLinks::reenable(const Names& names, Lifetime lifetime,
                                                       Force force) {
  Names plain;
  for (const std::string& name : names) plain.emplace_back(file_name_of(name));
  FLOTILLA_ASSIGN(Changes removed, disable(plain, lifetime));
  FLOTILLA_ASSIGN(Enabled enabled, enable(names, lifetime, force));
  enabled.changes.insert(enabled.changes.begin(), removed.begin(), removed.end());
  return enabled;
}

Result<UnitFileLinks::Changes> UnitFileLinks::add_dependencies(const Names& names,
                                                               const std::string& target,
                                                               DependencyKind kind,
                                                               Lifetime lifetime, Force force) {
  constexpr auto kNothing = UnitFileSearch::Reading::kNothing;
  UnitFileSearch of_target(tree_, places_, kNothing);
  FLOTILLA_ASSIGN(const FoundUnit* wanting, of_target.discover(target, Follow::kConfigLinks));
  UnitFileSearch search(tree_, places_, kNothing);
  for (const std::string& name : names) {
    FLOTILLA_ASSIGN(FoundUnit * unit, search.discover(inside(name), Follow::kConfigLinks));
    (kind == DependencyKind::kWants ? unit->install.wanted_by
                                    : unit->install.required_by) = {wanting->name};
  }
  Changes changes;
  FLOTILLA_TRY(apply(search, Follow::kConfigLinks, directory_of(lifetime), force, changes));
  return changes;
}

// --- Removing links ---

bool UnitFileLinks::is_marked(const Removal& removal, const std::string& path,
                              const std::string& name) const {
  const auto has = [&](std::string_view text) { return removal.marks.count(text) != 0; };
  const auto parsed = UnitName::parse(name);
  if (!parsed) return false;
  if (has(name) || (parsed->is_instance() && has(parsed->template_name().str()))) return true;
  // What the link leads to, over other links if need be, decides as well.
  std::string target = absolute_path(tree_.read_link(path).value_or(""), parent_of(path));
  for (int links = 0; links < kMaxDepth; ++links) {
    if (has(target) || has(file_name_of(target))) return true;
    const auto next = tree_.read_link(target);
    if (!next) return false;
    target = absolute_path(*next, parent_of(target));
  }
  return false;
}

namespace {

// What was made last goes first, as far as the file system's numbers tell.
std::vector<base::DirectoryEntry> newest_first(const base::FileTree& tree,
                                               const std::string& directory) {
  std::vector<std::pair<uint64_t, base::DirectoryEntry>> numbered;
  for (base::DirectoryEntry& entry : tree.list(directory).value_or({})) {
    const auto stat = tree.lstat(directory + "/" + entry.name);
    numbered.emplace_back(stat ? stat->inode : 0, std::move(entry));
  }
  std::stable_sort(numbered.begin(), numbered.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<base::DirectoryEntry> entries;
  entries.reserve(numbered.size());
  for (auto& [number, entry] : numbered) entries.push_back(std::move(entry));
  return entries;
}

}  // namespace

// Whether a link went whose own links may now be found, too.
bool UnitFileLinks::remove_in(Removal& removal, const std::string& directory, int depth) const {
  if (depth > kMaxDepth) return false;
  bool again = false;
  for (const base::DirectoryEntry& entry : newest_first(tree_, directory)) {
    const std::string path = directory + "/" + entry.name;
    if (entry.kind == base::FileKind::kDirectory) {
      again = remove_in(removal, path, depth + 1) || again;
      continue;
    }
    if (entry.kind != base::FileKind::kSymlink || !is_marked(removal, path, entry.name)) continue;
    if (!removal.seen.insert(path).second) continue;
    if (removal.for_real && !tree_.remove(path)) continue;
    removal.changes->push_back({"unlink", path, ""});
    again = removal.marks.insert(path).second || again;
  }
  // Goes only if it is empty now, and if one of its links went.
  if (removal.for_real && directory != removal.directory && !removal.changes->empty() &&
      parent_of(removal.changes->back().file) == directory) {
    static_cast<void>(tree_.remove(directory));
  }
  return again;
}

void UnitFileLinks::remove_marked(Marks marks, const std::string& directory,
                                  Changes& changes) const {
  if (marks.empty()) return;
  Removal removal{true, std::move(marks), directory, &changes, {}};
  while (remove_in(removal, directory, 0)) {
  }
}

void UnitFileLinks::mark_for_removal(UnitFileSearch& search, Marks& marks, Changes& changes) {
  for (size_t i = 0; i < search.size(); ++i) {
    FoundUnit& unit = search.at(i);
    // What is not found is marked as well: its links can go.
    static_cast<void>(search.resolve(unit, Follow::kConfigLinks));
    if (unit.kind == UnitFileKind::kMasked) {
      changes.push_back({"masked", unit.path, ""});
    } else {
      marks.insert(unit.name);
    }
  }
}

Result<UnitFileLinks::Changes> UnitFileLinks::disable(const Names& names, Lifetime lifetime) {
  UnitFileSearch search(tree_, places_);
  Changes changes;
  std::optional<base::Error> missing;
  for (const std::string& name : names) {
    if (!UnitName::is_valid(name)) return install_error(EUCLEAN, name);
    FLOTILLA_ASSIGN(FoundUnit * unit, search.add(name));
    const Result<FoundUnit*> found = search.resolve(*unit, Follow::kConfigLinks);
    if (found) continue;
    const int number = errno_of(found.error());
    // A link that leads nowhere can be removed all the same.
    if (number == ENOLINK) {
      changes.push_back({"dangling", unit->path, ""});
    } else if (number != ENOENT) {
      return install_error(number, name);
    } else if (!unit->is_dangling && !missing) {
      missing = std::move(install_error(ENOENT, name)).take();
    }
  }
  const size_t told = changes.size();
  Marks marks;
  mark_for_removal(search, marks, changes);
  remove_marked(std::move(marks), directory_of(lifetime), changes);
  // Links of a unit that is gone go as well; that it is gone counts where there were none.
  if (missing && changes.size() == told) return base::unexpected(std::move(*missing));
  return changes;
}

std::vector<std::string> UnitFileLinks::links_of(const std::string& name, Lifetime lifetime) const {
  UnitFileSearch search(tree_, places_);
  const auto unit = search.add(name);
  if (!unit || !search.resolve(**unit, Follow::kConfigLinks)) return {};
  Changes changes;
  Marks marks;
  mark_for_removal(search, marks, changes);
  changes.clear();
  Removal removal{false, std::move(marks), directory_of(lifetime), &changes, {}};
  while (remove_in(removal, removal.directory, 0)) {
  }
  std::vector<std::string> links;
  for (const UnitFileChange& change : changes) links.push_back(change.file);
  return links;
}

}  // namespace flotilla::init
