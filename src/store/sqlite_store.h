// The store of a single machine: a LocalStore whose journal is one SQLite file. docs/store.md has
// the file's format and what survives what.
//
// All SQLite calls after opening are made by one thread that the store owns. The whole content is
// kept in memory as well: reads never touch the file.
#pragma once

#include <memory>
#include <string>

#include "store/store.h"

namespace flotilla::store {

struct SqliteOptions {
  // History beyond either limit is compacted away by itself.
  int64_t keep_revisions = 10'000;
  size_t keep_superseded_bytes = size_t{16} * 1024 * 1024;
};

// Opens `path`, and makes it with mode 0600 if it is missing. Blocks while it reads the file.
// Requires: `loop` outlives the store.
// Returns kUnavailable while another store holds the file, kInvalid for a file that is no store or
// is damaged, kUnsupported for one of a newer version, or what the system call says.
base::Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path,
                                                       base::EventLoop& loop,
                                                       SqliteOptions options = {});

}  // namespace flotilla::store
