// The SQLite file of a store: opening, checking, loading and writing batches. Blocks; knows no
// loop. Owned by one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/journal.h"
#include "store/local_store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace flotilla::store {

class SqliteFile {
 public:
  // Opens or makes the file, holds it against all others, and fills `state` with its content.
  static base::Result<std::unique_ptr<SqliteFile>> open(const std::string& path, LocalState& state);
  // Notes that all is written, folds the log into the file and lets go of it.
  ~SqliteFile();
  SqliteFile(const SqliteFile&) = delete;
  SqliteFile& operator=(const SqliteFile&) = delete;

  // Writes the batch as one SQLite transaction, with one fsync if it must survive power loss.
  // On failure nothing of it is written, and the file stays usable.
  base::Status write(const Batch& batch);
  // Moves what stands in the write-ahead log into the file once the log is long. Call it when
  // nobody waits.
  void checkpoint_if_long();

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;
  class Rows;

  explicit SqliteFile(std::string path) : path_(std::move(path)) {}

  base::Status connect();
  base::Status check_identity(bool& is_new);
  base::Status create_schema();
  base::Status check_integrity();
  base::Status load(LocalState& state);
  base::Status load_history(LocalState& state);
  base::Status load_leases(LocalState& state);
  base::Status begin_session(LocalState& state);

  base::Status prepare_all();
  base::Result<Statement> prepare(const char* sql);
  base::Status exec(const char* sql, const char* doing);
  base::Result<int64_t> query_number(const char* sql);
  base::Result<int64_t> meta(const char* name);
  base::Status set_meta(const char* name, int64_t value);
  base::Status run(sqlite3_stmt* statement);
  base::Status set_durable(bool durable);
  base::Status write_rows(const Batch& batch);
  base::Unexpected failure(const char* doing) const;
  base::Unexpected damaged(const std::string& reason) const;

  std::string path_;
  std::unique_ptr<sqlite3, CloseDatabase> database_;
  Statement begin_, commit_, rollback_;
  Statement insert_change_, delete_change_, insert_lease_, delete_lease_, update_meta_;
  // Revisions up to here may have been handed out by batches that a power loss may undo. After a
  // session that was not closed, the store goes on after it.
  Revision revision_ceiling_ = 0;
  bool is_durable_ = true;
  bool is_in_session_ = false;
  int log_pages_ = 0;
};

}  // namespace flotilla::store
