// Makes a unit's typed settings from its files: the fragment, its drop-ins, the links of .wants and
// .requires directories, aliases, templates, masks, systemd's defaults and checks. Owned by the
// manager; loop thread only.
//
// Loading never fails: what is wrong is in the settings (load_state, load_error, warnings).
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "init/directives_context.h"
#include "init/mount_table.h"
#include "init/search_path.h"
#include "init/unit_settings.h"
#include "unit/specifier.h"
#include "unit/unit_file.h"

namespace flotilla::init {

// The section of a unit file that is for this type alone: "Service"; empty for targets.
std::string_view unit_section_of(unit::UnitType type);

struct UnitLoaderOptions {
  std::vector<UnitDirectory> directories;  // unit_search_path(), and --units= first
  unit::HostValues host;
  ManagerScope scope = ManagerScope::kSystem;
  SharedText default_slice = "system.slice";
};

class UnitLoader {
 public:
  explicit UnitLoader(UnitLoaderOptions options);
  UnitLoader(const UnitLoader&) = delete;
  UnitLoader& operator=(const UnitLoader&) = delete;

  // settings.name is the unit's own name: another than asked for where that is an alias.
  UnitSettings load(const unit::UnitName& name);
  // A unit that the one loaded last needs, directly or not: load() has asked the directories
  // whether they changed.
  UnitSettings load_more(const unit::UnitName& name);

  // The settings of a unit that is loaded, with the text of one more drop-in that was just written
  // at `path`, and nothing else that has changed since. The dependencies stay what they are.
  // `was_outdated`: what is_outdated() said before; it shows still.
  UnitSettings with_drop_in(const UnitSettings& settings, std::string_view text,
                            const std::string& path, bool was_outdated);

  // Forgets the listings: the next load sees what the directories hold now.
  void refresh();
  // While it is so, no load asks whether the directories have changed since they were listed.
  void settle(bool is_settled);
  // One file or directory of the search path came or went: cheaper than refresh().
  void refresh_name(const std::string& name) { index_.refresh_name(name); }
  // Whether the unit's files are others than those it was loaded from.
  bool is_outdated(const UnitSettings& settings) const;

  // For reloads that cost what changed: what the files looked like that the settings come from, and
  // whether they look the same now. Remembers nothing of files so young that another change might
  // not show in their times. Requires: refresh() was called.
  void remember(const UnitSettings& settings, base::WallTime now);
  bool is_unchanged(const UnitSettings& settings) const;
  void forget(const std::string& unit) { remembered_.erase(unit); }

  // Settings that stand first in every unit they are for; see is_default_for(). Units that are
  // loaded keep what they have until the next reload.
  void set_defaults(std::vector<unit::Setting> defaults);
  // What is mounted without a file is a unit all the same. Null: not known; outlives the loader.
  void set_mounts(const MountTable* mounts) noexcept { mounts_ = mounts; }
  // A service of which nothing else is said.
  UnitSettings default_service() const;

  const UnitIndex& index() const noexcept { return index_; }
  const UnitLoaderOptions& options() const noexcept { return options_; }

 private:
  struct Load;  // one load in progress

  unit::UnitName resolve_alias(const unit::UnitName& name) const;
  static void fail_to_load(UnitSettings& settings, const base::Error& error);
  void load_fragment(Load& load);
  void load_drop_ins(Load& load);
  void load_dependency_links(Load& load);
  // False: the file could not be read to its end.
  bool apply(Load& load, std::string_view bytes, const std::string& path);
  void refuse_fragment(Load& load) const;
  SharedText default_slice_of(const unit::UnitName& id) const;
  void apply_setting(Load& load, const unit::Setting& setting, const std::string& path) const;
  void apply_defaults(Load& load) const;
  std::vector<UnitIndex::File> find_drop_ins(const UnitSettings& settings) const;
  std::vector<unit::UnitName> aliases_of(const unit::UnitName& id) const;
  uint64_t fingerprint(const UnitSettings& settings, int64_t& newest) const;
  const base::FileTree& tree_of(std::string_view path) const;
  SharedText share_directory(std::string_view path);
  // What units have alike becomes the same.
  void unify(UnitSettings& settings);

  UnitLoaderOptions options_;
  UnitIndex index_;
  std::vector<unit::Setting> defaults_;
  const MountTable* mounts_ = nullptr;
  std::vector<SharedText> fragment_directories_;  // as many as the search path has
  SharedPool<UnitLimits> limits_;
  SharedPool<ServiceSettings> services_;
  std::unordered_map<std::string, uint64_t> remembered_;  // fingerprints, by unit
  bool looked_for_changes_ = false;                       // since the last load() or by refresh()
  bool is_settled_ = false;                               // see settle()
};

// The rules of man systemd.service that depend on several settings at once, and the implicit and
// default dependencies. For the loader; apart, so that they are tested as tables.
void finish_settings(UnitSettings& settings, const SettingMarks& marks, ManagerScope scope);
// Of mounts, before finish_settings(): what is missing in [Mount], the checks, the commands, and
// the place among other units. (unit_loader_mounts.cc)
void finish_mount(UnitSettings& settings, ManagerScope scope, const MountTable* mounts);
// Makes the settings of what is mounted, or always is, without a file; false: it is not.
bool load_without_file(UnitSettings& settings, const MountTable* mounts);
// The unit cannot be used; `reason` is told where it is not empty.
void refuse(UnitSettings& settings, std::string_view reason);
void add_dependency(UnitSettings& settings, Dependency kind, std::string_view on);
// What a service works in must be mounted: its working directory, StateDirectory= and the like.
void require_exec_mounts(UnitSettings& settings, const unit::HostValues& host);

}  // namespace flotilla::init
