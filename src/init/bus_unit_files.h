// Enabling and disabling of unit files, masks, presets and links: what systemctl does to the links
// of the configuration directory that lasts and of the one of this run. Reads the disk anew at each
// call, as systemd does; what is loaded changes at the next reload only.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_tree.h"
#include "init/manager.h"
#include "init/preset_rules.h"
#include "init/unit_file_search.h"

namespace flotilla::init {

struct UnitFileState {
  std::string path;
  std::string state;  // "enabled", "enabled-runtime", "linked", "static", "masked", ...
};

class UnitFileLinks {
 public:
  using Places = UnitFilePlaces;
  using Names = std::vector<std::string>;
  using Changes = std::vector<UnitFileChange>;
  enum class Lifetime { kRuntime, kLasting };
  // Whether what is in the way of a link may be replaced.
  enum class Force { kNo, kYes };
  enum class PresetMode { kFull, kEnableOnly, kDisableOnly };
  enum class DependencyKind { kWants, kRequires };
  struct Enabled {
    bool carries_install_info = false;
    Changes changes;
  };

  // The tree outlives it.
  UnitFileLinks(base::FileTree& tree, Places places);

  // `names` are unit names or absolute paths; what stands outside of the search path is linked.
  base::Result<Enabled> enable(const Names& names, Lifetime lifetime, Force force);
  base::Result<Changes> disable(const Names& names, Lifetime lifetime);
  base::Result<Enabled> reenable(const Names& names, Lifetime lifetime, Force force);
  base::Result<Changes> mask(const Names& names, Lifetime lifetime, Force force);
  base::Result<Changes> unmask(const Names& names, Lifetime lifetime);
  // Links files by their absolute paths.
  base::Result<Changes> link(const Names& paths, Lifetime lifetime, Force force);
  // Removes drop-ins of ours, and files and masks where the unit has a file of its vendor.
  base::Result<Changes> revert(const Names& names);
  base::Result<Enabled> preset(const Names& names, Lifetime lifetime, PresetMode mode, Force force);
  base::Result<Changes> preset_all(Lifetime lifetime, PresetMode mode, Force force);
  base::Result<Changes> add_dependencies(const Names& names, const std::string& target,
                                         DependencyKind kind, Lifetime lifetime, Force force);
  base::Result<Changes> set_default_target(const std::string& name, Force force);
  base::Result<std::string> default_target() const;

  // kNotFound for a unit without a file.
  base::Result<std::string> state_of(std::string_view name) const;
  // Every unit file of the search path, sorted by name; of those that `wanted` says yes to.
  std::vector<UnitFileState> list(
      const std::function<bool(const std::string&)>& wanted = nullptr) const;
  // The links that disabling the unit would remove.
  std::vector<std::string> links_of(const std::string& name, Lifetime lifetime) const;
  // "enabled" or "disabled": what the preset files say.
  std::string_view preset_of(std::string_view name) const;

 private:
  using Marks = std::set<std::string, std::less<>>;
  struct Removal {
    bool for_real = true;
    Marks marks;  // names, and paths of links that are gone
    std::string directory;
    Changes* changes = nullptr;
    Marks seen;
  };

  const std::string& directory_of(Lifetime lifetime) const;
  std::string inside(const std::string& path) const;
  base::Status link_to(const std::string& target, const std::string& path, Force force,
                       Changes& changes);
  base::Result<size_t> apply(UnitFileSearch& search, UnitFileSearch::Follow follow,
                             const std::string& directory, Force force, Changes& changes);
  base::Result<size_t> apply_unit(const FoundUnit& unit, const std::string& directory, Force force,
                                  Changes& changes);
  base::Result<size_t> apply_aliases(const FoundUnit& unit, const std::string& directory,
                                     Force force, Changes& changes);
  base::Result<size_t> apply_wants(const FoundUnit& unit, const std::vector<std::string>& units,
                                   std::string_view suffix, const std::string& directory,
                                   Changes& changes);
  bool is_there(const std::string& name) const;
  static void mark_for_removal(UnitFileSearch& search, Marks& marks, Changes& changes);
  void remove_marked(Marks marks, const std::string& directory, Changes& changes) const;
  bool remove_in(Removal& removal, const std::string& directory, int depth) const;
  bool is_marked(const Removal& removal, const std::string& path, const std::string& name) const;
  void remove_tree(const std::string& path, Changes& changes, int depth);

  struct Presets;  // what is to be enabled and disabled
  base::Status sort_by_preset(const std::string& name, const PresetRules& rules, Presets& presets);
  base::Result<size_t> apply_presets(Presets& presets, const std::string& directory,
                                     PresetMode mode, Force force, Changes& changes);

  base::FileTree& tree_;
  Places places_;
};

// Those of this manager.
UnitFileLinks unit_file_links(Manager& manager);
UnitFileLinks unit_file_links(Manager::Impl& impl);

}  // namespace flotilla::init
