// Enabling and disabling of unit files: the links that [Install] sections ask for, made and removed
// in the configuration directory that lasts or in the one of this run. Reads the disk anew at each
// call, as systemd does; what is loaded changes at the next reload only.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_tree.h"
#include "init/manager.h"
#include "init/search_path.h"

namespace flotilla::init {

struct UnitFileState {
  std::string path;
  std::string state;  // "enabled", "enabled-runtime", "linked", "static", "masked", ...
};

class UnitFileLinks {
 public:
  struct Places {
    std::vector<UnitDirectory> searched;
    std::string runtime;  // links of this run
    std::string lasting;
  };
  enum class Lifetime { kRuntime, kLasting };
  // Whether what is in the way of a link may be replaced.
  enum class Force { kNo, kYes };
  struct Enabled {
    bool carries_install_info = false;
    std::vector<UnitFileChange> changes;
  };

  // The tree outlives it.
  UnitFileLinks(base::FileTree& tree, Places places);

  // `names` are unit names or absolute paths; what stands outside of the search path is linked.
  base::Result<Enabled> enable(const std::vector<std::string>& names, Lifetime lifetime,
                               Force force);
  base::Result<std::vector<UnitFileChange>> disable(const std::vector<std::string>& names,
                                                    Lifetime lifetime);
  // kNotFound for a unit without a file.
  base::Result<std::string> state_of(std::string_view name) const;
  // Every unit file of the search path, sorted by name.
  std::vector<UnitFileState> list() const;

 private:
  struct Found {
    std::string name;  // of the file: the template's for an instance
    std::string path;
    const base::FileTree* tree = nullptr;
    std::string link;  // what it is a link to, or empty
  };
  struct Install {
    std::vector<std::string> wanted_by, required_by, aliases, also;
    std::string default_instance;
    bool is_empty() const {
      return wanted_by.empty() && required_by.empty() && aliases.empty() && also.empty();
    }
  };

  base::Result<Found> find(std::string_view name) const;
  base::Result<Install> read_install(const Found& found) const;
  base::Status enable_one(const std::string& name, const std::string& directory, Force force,
                          std::set<std::string>& seen, Enabled& enabled);
  base::Status link(const std::string& target, const std::string& path, Force force,
                    std::vector<UnitFileChange>& changes);
  base::Status disable_one(const std::string& name, const std::string& directory,
                           std::vector<UnitFileChange>& changes);
  // Links to `name` in the directory: aliases, and those in its .wants and .requires.
  std::vector<std::string> links_to(std::string_view name, const std::string& directory) const;
  bool is_searched(std::string_view path) const;

  base::FileTree& tree_;
  Places places_;
};

// Those of this manager.
UnitFileLinks unit_file_links(Manager& manager);

}  // namespace flotilla::init
