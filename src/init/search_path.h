// Where unit files are looked for, in systemd's order, and an index of what stands there: every
// directory is listed once and remembered, so that loading a unit opens the files that exist and
// asks for none that does not. Owned by the loader; loop thread only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_tree.h"
#include "unit/unit_name.h"

namespace flotilla::init {

enum class ManagerScope : uint8_t { kSystem, kUser };

// The variables of the manager's environment that the search path depends on; empty: not set.
struct SearchPathVariables {
  std::string systemd_unit_path;  // SYSTEMD_UNIT_PATH; a ":" at its end means "and the usual ones"
  std::string xdg_config_home, xdg_data_home, xdg_runtime_dir, home;
};

// Whether a link called `alias` may stand for the unit: of the same type, one that may have several
// names; plain for plain, an instance for the same instance or for a template.
bool may_alias(const unit::UnitName& alias, const unit::UnitName& unit);

std::vector<std::string> unit_search_path(ManagerScope scope, const SearchPathVariables& variables);

// One directory of the search path. The tree outlives the index.
struct UnitDirectory {
  std::string path;
  const base::FileTree* tree = nullptr;
};

class UnitIndex {
 public:
  struct File {
    std::string path;
    const base::FileTree* tree = nullptr;
    bool is_masked = false;  // a link to /dev/null
    std::string alias_of;    // a link to a unit of another name; empty: the file itself
  };

  explicit UnitIndex(std::vector<UnitDirectory> directories) noexcept
      : directories_(std::move(directories)) {}

  const std::vector<UnitDirectory>& directories() const noexcept { return directories_; }

  // Lists all directories again.
  void rebuild();
  // A file or directory of this name came or went somewhere: looks for this name alone.
  void refresh_name(const std::string& name);
  // Rebuilds if a directory was changed since; returns whether it did.
  bool rebuild_if_changed();

  // The file of highest priority with this very name, if there is one.
  std::optional<File> find(std::string_view name) const;
  bool has(std::string_view name) const { return find_entry(name) != nullptr; }
  // The names that are links to `name`, sorted.
  std::vector<std::string> aliases_of(std::string_view name) const;
  // The directories of this name ("a.service.d", "a.target.wants") in order of the search path.
  std::vector<UnitDirectory> find_directories(std::string_view name) const;
  // Every unit name there is a file of, sorted.
  std::vector<std::string> names() const;

 private:
  // What is remembered of a file: there may be thousands that nobody asks for.
  struct Entry {
    uint32_t name = 0;       // where it begins in texts_
    uint16_t directory = 0;  // in directories_
    bool is_masked = false;
    bool is_alias = false;  // of what, alias_targets_ says
  };
  // One that was just read.
  struct Found {
    std::string name, alias_of;
    uint16_t directory = 0;
    bool is_masked = false;
  };

  bool is_in_path(const UnitDirectory& directory, std::string_view target);
  // What the entry of a directory is: a unit file (returned) or a directory of drop-ins or links
  // (noted); or nothing of ours.
  std::optional<Found> read_entry(size_t directory, const base::DirectoryEntry& entry);
  std::string_view name_of(const Entry& entry) const noexcept { return &texts_[entry.name]; }
  // Where it is, or would be.
  size_t place_of(std::string_view name) const;
  const Entry* find_entry(std::string_view name) const;
  Entry remember(const Found& found);
  void forget(size_t place);

  std::vector<UnitDirectory> directories_;
  std::vector<int64_t> mtimes_;  // of directories_, -1: not there
  std::vector<bool> repeated_;   // by directory: the same as one before it
  // Of links' targets, while the index is made: hundreds of links lead to one directory.
  std::map<std::pair<const base::FileTree*, std::string>, bool> parents_;
  std::vector<Entry> files_;  // by name
  std::string texts_;         // their names, each with a NUL
  size_t unused_ = 0;         // of texts_
  std::map<std::string, std::string, std::less<>> alias_targets_;
  std::map<std::string, std::vector<UnitDirectory>, std::less<>> subdirectories_;
  std::map<std::string, std::vector<std::string>, std::less<>> aliases_;
};

}  // namespace flotilla::init
