// Journal: a file of records, each written whole or not at all. The State is kept in one. The
// format is described in docs/registry.md, "The state journal": a first line with name and version,
// then one line per record, a checksum in front of its text.
//
// append() is one write(2): after a kill -9 the record is there. After a power cut it is there once
// a sync() that began later has returned.
//
// Not for several threads, but for sync(), which may run on another while append() goes on.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace flotilla::overlord {

inline constexpr size_t kMaxJournalBytes = size_t{1} << 30;

class Journal {
 public:
  // What open() found.
  struct Contents {
    std::vector<std::string> records;
    bool cut_tail = false;     // the last record was half-written, and is gone
    size_t damaged = 0;        // unreadable records before good ones, skipped ...
    std::string damaged_copy;  // ... and the copy that was kept of the file then
  };

  // Makes the file (0600) and its directory if there is none. Blocks.
  // kInvalid: no journal, not touched. kUnsupported: of a newer version.
  static base::Result<std::unique_ptr<Journal>> open(const std::string& path, Contents& contents);

  // Requires: no newline in `record`. On failure the file is as before.
  base::Status append(std::string_view record);
  base::Status sync();

  // Replacing the file by a shorter one, in three steps: write_replacement() makes and syncs a file
  // beside it that holds `record` alone (blocks; may run on another thread than append()); then
  // adopt_replacement() adds what was appended meanwhile and renames it over.
  base::Status write_replacement(std::string_view record);
  base::Status adopt_replacement(const std::vector<std::string>& appended_meanwhile);

  size_t size() const { return size_; }

 private:
  Journal(std::string path, base::Fd fd, size_t size);

  std::string path_;
  std::shared_ptr<base::Fd> fd_;  // shared with a sync() that is under way
  size_t size_;
  std::atomic<bool> renamed_ = false;  // and the directory not synced since
  base::Fd replacement_;
  size_t replacement_size_ = 0;
};

}  // namespace flotilla::overlord
