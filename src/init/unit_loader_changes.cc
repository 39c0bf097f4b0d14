// Whether the files of a loaded unit changed: for NeedDaemonReload, and for reloads that read only
// what is new.
#include <algorithm>
#include <string>

#include "init/unit_loader_load.h"

namespace flotilla::init {
namespace {

using unit::UnitName;

// So far back that a change after it has another time on every file system.
constexpr int64_t kSettledUsec = 2'000'000;

// FNV-1a over texts and numbers, each with its end.
class Hash {
 public:
  void add(std::string_view text) noexcept {
    for (const char c : text) step(static_cast<unsigned char>(c));
    step(0);
  }
  void add(uint64_t number) noexcept {
    for (int i = 0; i < 8; ++i) step(static_cast<unsigned char>(number >> (8 * i)));
  }
  uint64_t value() const noexcept { return value_; }

 private:
  void step(unsigned char byte) noexcept { value_ = (value_ ^ byte) * 0x100000001b3ULL; }
  uint64_t value_ = 0xcbf29ce484222325ULL;
};

}  // namespace

uint64_t UnitLoader::fingerprint(const UnitSettings& settings, int64_t& newest) const {
  Hash hash;
  const auto add_file = [&](const UnitIndex::File& file) {
    hash.add(file.path);
    hash.add(uint64_t{file.is_masked});
    if (file.is_masked) return;
    const auto stat = file.tree->stat(file.path);
    if (!stat) return hash.add("gone");
    newest = std::max(newest, stat->mtime_usec);
    hash.add(static_cast<uint64_t>(stat->mtime_usec));
    hash.add(stat->size);
    hash.add(stat->inode);
  };
  const UnitName& id = settings.name;
  hash.add(resolve_alias(id).str());
  auto file = index_.find(id.str());
  if (!file && id.is_instance()) file = index_.find(id.template_name().str());
  if (file) add_file(*file);
  const std::vector<UnitName> aliases = aliases_of(id);
  for (const UnitName& alias : aliases) hash.add(alias.str());
  std::vector<std::string> names = names_with_directories(id, aliases);
  names.emplace_back(to_string(id.type()));
  for (const UnitIndex::File& drop_in : find_drop_ins(settings)) add_file(drop_in);
  if (const std::string& source = settings.extras->source_path; !source.empty()) {
    add_file({source, &tree_of(source), false, {}});
  }
  for (const std::string_view suffix : {".wants", ".requires", ".upholds"}) {
    hash.add(suffix);
    for (const std::string& name : names) {
      for (const UnitDirectory& place : index_.find_directories(name + std::string(suffix))) {
        for (const base::DirectoryEntry& entry : place.tree->list(place.path).value_or({})) {
          hash.add(entry.name);
        }
      }
    }
  }
  return hash.value();
}

void UnitLoader::remember(const UnitSettings& settings, base::WallTime now) {
  int64_t newest = 0;
  const uint64_t print = fingerprint(settings, newest);
  const bool is_settled = newest + kSettledUsec < now.since_epoch.count();
  // What changed while it was read is read again.
  if (is_settled && newest <= settings.files_mtime_usec) {
    remembered_[settings.name.str()] = print;
  } else {
    remembered_.erase(settings.name.str());
  }
}

bool UnitLoader::is_unchanged(const UnitSettings& settings) const {
  const auto known = remembered_.find(settings.name.str());
  if (known == remembered_.end()) return false;
  int64_t newest = 0;
  return fingerprint(settings, newest) == known->second;
}

const base::FileTree& UnitLoader::tree_of(std::string_view path) const {
  for (const UnitDirectory& directory : index_.directories()) {
    if (path.size() > directory.path.size() && path[directory.path.size()] == '/' &&
        path.substr(0, directory.path.size()) == directory.path) {
      return *directory.tree;
    }
  }
  return *index_.directories().back().tree;
}

bool UnitLoader::is_outdated(const UnitSettings& settings) const {
  if (index_.directories().empty()) return false;
  int64_t newest = 0;
  if (const std::string path = settings.fragment_path(); !path.empty()) {
    const auto stat = tree_of(path).stat(path);
    if (settings.load_state != LoadState::kMasked) {
      if (!stat) return true;
      newest = stat->mtime_usec;
    }
  }
  if (const std::string& source = settings.extras->source_path; !source.empty()) {
    const auto stat = tree_of(source).stat(source);
    if (!stat) return true;
    newest = std::max(newest, stat->mtime_usec);
  }
  if (settings.load_state != LoadState::kLoaded) return newest > settings.files_mtime_usec;
  std::vector<std::string> drop_ins;
  for (const UnitIndex::File& file : find_drop_ins(settings)) {
    const auto stat = file.is_masked ? base::Result<base::FileStat>(base::FileStat{})
                                     : file.tree->stat(file.path);
    if (stat) newest = std::max(newest, stat->mtime_usec);
    drop_ins.push_back(file.path);
  }
  return newest > settings.files_mtime_usec || drop_ins != settings.extras->drop_in_paths;
}

}  // namespace flotilla::init
