// Finds unit files for enabling and its kin: what stands in the search path under a name, where a
// link there leads, and what the [Install] sections of a file and its drop-ins say. Reads the disk
// anew each time, apart from the loader: what is loaded has no part in what is enabled.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_tree.h"
#include "init/search_path.h"
#include "unit/specifier.h"

namespace flotilla::init {

struct UnitFilePlaces {
  std::vector<UnitDirectory> searched;
  std::string runtime;  // links of this run
  std::string lasting;
  std::vector<std::string> presets;        // directories of preset files, the first wins
  const unit::HostValues* host = nullptr;  // of specifiers; outlives the search
};

struct InstallSection {
  std::vector<std::string> wanted_by, required_by, upheld_by, aliases, also;
  std::string default_instance;
  bool has_rules() const {
    return !(wanted_by.empty() && required_by.empty() && upheld_by.empty() && aliases.empty());
  }
};

enum class UnitFileKind : uint8_t {
  kRegular,
  kMasked,
  kAlias,   // a link to another name inside of the search path
  kLinked,  // a link to a file outside of it
};

struct FoundUnit {
  std::string name;  // as asked for: "t@x.service" also where the file is "t@.service"
  std::string path;  // of the file; where a link was followed, what it leads to
  const base::FileTree* tree = nullptr;
  UnitFileKind kind = UnitFileKind::kRegular;
  std::string target;  // of a link, absolute
  InstallSection install;
  bool is_auxiliary = false;  // named by Also= alone
  bool is_found = false;
  bool is_dangling = false;  // there is a link, and nothing behind it
};

// The error that an operation on unit files answers for this errno, with systemd's name and text.
base::Unexpected install_error(int error_number, std::string_view name,
                               std::string_view source = {});

class UnitFileSearch {
 public:
  enum class Follow { kNo, kConfigLinks };  // links in the configuration directories

  // Without kInstall the [Install] sections are not read: no unit leads to another by Also=.
  enum class Reading { kNothing, kInstall };

  // Both outlive it.
  UnitFileSearch(const base::FileTree& tree, const UnitFilePlaces& places,
                 Reading reading = Reading::kInstall)
      : tree_(tree), places_(places), reading_(reading) {}

  // A unit by its name, or by the absolute path of its file. The same name gives the same unit.
  base::Result<FoundUnit*> add(std::string_view name_or_path, bool is_auxiliary = false);
  // Looks the unit up if that was not done, and follows its links: gives the unit that they lead
  // to. error_number says what went wrong: ENOENT, ELOOP, EBADMSG, ...
  base::Result<FoundUnit*> resolve(FoundUnit& unit, Follow follow);
  // add(), resolve(), and a refusal of what is masked, generated or transient.
  base::Result<FoundUnit*> discover(std::string_view name_or_path, Follow follow);

  // Every unit added so far, in order; grows while units are resolved (Also=, aliases).
  size_t size() const noexcept { return units_.size(); }
  FoundUnit& at(size_t index) noexcept { return *units_[index]; }

  bool is_searched(std::string_view directory) const;
  bool is_config(std::string_view directory) const;

 private:
  bool leads_to_searched(std::string_view directory) const;
  base::Status look_up(FoundUnit& unit);
  base::Status load(FoundUnit& unit, const std::string& path, const base::FileTree& tree);
  base::Status load_drop_ins(FoundUnit& unit);
  base::Status read_install(FoundUnit& unit, std::string_view bytes, const std::string& path);

  const base::FileTree& tree_;
  const UnitFilePlaces& places_;
  Reading reading_;
  std::vector<std::unique_ptr<FoundUnit>> units_;
  // Of hundreds of units in a call most are in one directory.
  mutable std::map<std::string, bool, std::less<>> searched_;
};

// Whether a file in this directory is of this run only, was generated, or is transient.
bool is_generator_directory(std::string_view directory);
bool is_transient_directory(std::string_view directory);

std::string_view file_name_of(std::string_view path);
std::string_view parent_of(std::string_view path);
// The path without ".", ".." and doubled slashes, by its text alone; relative ones begin in `base`.
std::string absolute_path(std::string_view path, std::string_view base);

}  // namespace flotilla::init
