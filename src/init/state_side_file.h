// Rare and long things of the manager's state that have no place in a slot: status texts, names of
// fd-store entries, texts of transient units. An append-only file of checksummed records, compacted
// when more than half of it is outdated. The format: docs/state-file.md.
//
// Owned by the manager; loop thread only. Writes go to the page cache: they survive the manager,
// not the machine.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "init/state_image.h"

namespace flotilla::init {

enum class SideKind : uint8_t {
  kStatusText = 1,
  kFdStoreNames = 2,
  kTransientUnit = 3,
  kEnvironment = 4,  // what clients have set, under the unit name ""
  kOther = 5,
  kGeneratedEnvironment = 6,  // as kEnvironment, from environment generators
  kSandboxPlaces = 7,
};

using SideEntries = std::map<std::pair<std::string, SideKind>, std::string, std::less<>>;

// Reads what the bytes hold, the last record of a key winning, up to the first damaged record;
// returns how many bytes are good. Bytes of another boot or version give nothing and 0.
size_t read_side_entries(std::string_view bytes, const BootId& boot_id, SideEntries& entries,
                         std::vector<std::string>& problems);

class StateSideFile {
 public:
  static constexpr size_t kMaxText = size_t{1} << 20;
  static constexpr size_t kMaxBytes = size_t{64} << 20;

  // Opens or makes it. What cannot be read is dropped and named in `problems`.
  static base::Result<std::unique_ptr<StateSideFile>> open(const std::string& host_path,
                                                           const BootId& boot_id,
                                                           std::vector<std::string>& problems);

  // Replaces; an empty text erases. On failure (full disk) the old text stays.
  base::Status put(std::string_view unit, SideKind kind, std::string_view text);
  // Empty where there is none.
  std::string_view find(std::string_view unit, SideKind kind) const noexcept;
  base::Status erase_unit(std::string_view unit);
  const SideEntries& entries() const noexcept { return entries_; }

 private:
  StateSideFile(std::string path, const BootId& boot_id) noexcept
      : path_(std::move(path)), boot_id_(boot_id) {}
  base::Status append(std::string_view unit, SideKind kind, std::string_view text);
  base::Status compact();

  std::string path_;
  BootId boot_id_;
  base::Fd file_;
  SideEntries entries_;
  uint64_t file_size_ = 0;
  uint64_t live_size_ = 0;
};

}  // namespace flotilla::init
