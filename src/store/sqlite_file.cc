#include "store/sqlite_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/fd.h"

namespace flotilla::store {

using base::in_context;
using base::internal;
using base::invalid;
using base::Result;
using base::Status;
using base::system_error;
using base::unavailable;
using base::unexpected;
using base::Unexpected;
using base::unsupported;

namespace {

constexpr int kApplicationId = 0x464c5453;  // "FLTS"
constexpr int kSchemaVersion = 1;
constexpr Revision kCeilingStep = 1000;
constexpr int kLongLogPages = 1000;

constexpr const char* kSchema = R"(
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE history (
  revision INTEGER NOT NULL,
  sub INTEGER NOT NULL,
  key BLOB NOT NULL,
  value BLOB,
  create_revision INTEGER NOT NULL,
  version INTEGER NOT NULL,
  lease INTEGER NOT NULL,
  PRIMARY KEY (revision, sub)
) WITHOUT ROWID;
CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl_seconds INTEGER NOT NULL);
INSERT INTO meta VALUES
  ('revision', 1), ('revision_ceiling', 1), ('compact_revision', 0), ('sessions', 0), ('closed', 1);
)";

// Makes an empty file only its owner may read. Never opens an existing one: closing any descriptor
// of a file drops all locks that this process has on it.
Status make_file(const std::string& path) {
  const base::Fd made(::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (!made) {
    if (errno == EEXIST) return {};
    return system_error(errno, "store {}: create", path);
  }
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const base::Fd folder(
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) {
    return system_error(errno, "store {}: sync its folder", path);
  }
  return {};
}

std::string blob(sqlite3_stmt* row, int column) {
  const void* bytes = sqlite3_column_blob(row, column);
  const int size = sqlite3_column_bytes(row, column);
  return bytes == nullptr ? std::string()
                          : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

void bind_blob(sqlite3_stmt* statement, int index, const std::string& bytes) {
  sqlite3_bind_blob64(statement, index, bytes.data(), bytes.size(), SQLITE_STATIC);
}

}  // namespace

void SqliteFile::CloseDatabase::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

void SqliteFile::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Unexpected SqliteFile::damaged(const std::string& reason) const {
  return invalid("store {}: the file is damaged: {}", path_, reason);
}

// The sentence for what SQLite last answered.
Unexpected SqliteFile::failure(const char* doing) const {
  const int code = sqlite3_extended_errcode(database_.get());
  const int error_number = sqlite3_system_errno(database_.get());
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return unavailable("store {}: in use by another process", path_);
    case SQLITE_NOTADB:
      return invalid("store {}: not a store: the file is no SQLite database", path_);
    case SQLITE_CORRUPT:
      return damaged(sqlite3_errmsg(database_.get()));
    case SQLITE_FULL:
      return base::unexpected(
          base::Error{base::Errc::kInternal,
                      fmt::format("store {}: {}: No space left on device", path_, doing), ENOSPC});
    default:
      break;
  }
  if (error_number != 0) {
    auto error = std::move(system_error(error_number, "store {}: {}", path_, doing)).take();
    if (is_in_session_) error.code = base::Errc::kInternal;
    return unexpected(std::move(error));
  }
  return internal("store {}: {}: {}", path_, doing, sqlite3_errmsg(database_.get()));
}

Result<std::unique_ptr<SqliteFile>> SqliteFile::open(const std::string& path, LocalState& state) {
  if (path.empty() || path.front() == ':') return invalid("store \"{}\": expected a path", path);
  std::unique_ptr<SqliteFile> file(new SqliteFile(path));
  FLOTILLA_TRY(make_file(path));
  FLOTILLA_TRY(file->connect());
  bool is_new = false;
  FLOTILLA_TRY(file->check_identity(is_new));
  FLOTILLA_TRY(file->exec("PRAGMA journal_mode = WAL", "switch to a write-ahead log"));
  if (is_new) {
    FLOTILLA_TRY(file->create_schema());
  }
  FLOTILLA_TRY(file->check_integrity());
  FLOTILLA_TRY(file->prepare_all());
  FLOTILLA_TRY(file->load(state));
  FLOTILLA_TRY(file->begin_session(state));
  return file;
}

SqliteFile::~SqliteFile() {
  if (is_in_session_ && set_durable(true)) (void)set_meta("closed", 1);
}

Status SqliteFile::connect() {
  sqlite3* database = nullptr;
  const int code =
      sqlite3_open_v2(path_.c_str(), &database,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  database_.reset(database);
  if (database == nullptr) return internal("store {}: open: out of memory", path_);
  if (code != SQLITE_OK) return failure("open");
  sqlite3_limit(database, SQLITE_LIMIT_LENGTH, static_cast<int>(4 * kMaxRequestBytes));
  // Exclusive from the first access on: no second daemon, and no shared-memory file.
  FLOTILLA_TRY(exec("PRAGMA locking_mode = EXCLUSIVE", "lock"));
  FLOTILLA_TRY(exec("PRAGMA synchronous = FULL", "set up"));
  FLOTILLA_TRY(exec("PRAGMA wal_autocheckpoint = 0", "set up"));
  FLOTILLA_TRY(exec("PRAGMA trusted_schema = OFF", "set up"));
  FLOTILLA_TRY(exec("PRAGMA cell_size_check = ON", "set up"));
  sqlite3_wal_hook(
      database,
      [](void* log_pages, sqlite3*, const char*, int pages) {
        *static_cast<int*>(log_pages) = pages;
        return SQLITE_OK;
      },
      &log_pages_);
  return exec("PRAGMA journal_size_limit = 8388608", "set up");
}

// Ours, empty, foreign or newer? Takes the lock.
Status SqliteFile::check_identity(bool& is_new) {
  FLOTILLA_ASSIGN(const int64_t tables, query_number("SELECT count(*) FROM sqlite_schema"));
  FLOTILLA_ASSIGN(const int64_t application, query_number("PRAGMA application_id"));
  FLOTILLA_ASSIGN(const int64_t version, query_number("PRAGMA user_version"));
  is_new = tables == 0 && application == 0 && version == 0;
  if (!is_new && application != kApplicationId) {
    return invalid("store {}: not a store: the SQLite database of another program", path_);
  }
  if (version > kSchemaVersion) {
    return unsupported("store {}: written by a newer version (format {}, this one knows {})", path_,
                       version, kSchemaVersion);
  }
  if (!is_new && version < 1) return damaged("it has no format version");
  FLOTILLA_TRY(exec("BEGIN EXCLUSIVE", "lock"));
  return exec("COMMIT", "lock");
}

Status SqliteFile::create_schema() {
  FLOTILLA_TRY(exec("BEGIN IMMEDIATE", "create"));
  FLOTILLA_TRY(exec(kSchema, "create"));
  FLOTILLA_TRY(exec(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str(), "create"));
  FLOTILLA_TRY(exec(fmt::format("PRAGMA user_version = {}", kSchemaVersion).c_str(), "create"));
  return exec("COMMIT", "create");
}

Status SqliteFile::check_integrity() {
  FLOTILLA_ASSIGN(const Statement check, prepare("PRAGMA quick_check(1)"));
  const int code = sqlite3_step(check.get());
  if (code != SQLITE_ROW) return failure("check");
  const std::string verdict = blob(check.get(), 0);
  if (verdict != "ok") return damaged(verdict);
  return {};
}

Status SqliteFile::prepare_all() {
  FLOTILLA_ASSIGN(begin_, prepare("BEGIN IMMEDIATE"));
  FLOTILLA_ASSIGN(commit_, prepare("COMMIT"));
  FLOTILLA_ASSIGN(rollback_, prepare("ROLLBACK"));
  FLOTILLA_ASSIGN(insert_change_, prepare("INSERT INTO history (revision, sub, key, value, "
                                          "create_revision, version, lease) "
                                          "VALUES (?, ?, ?, ?, ?, ?, ?)"));
  FLOTILLA_ASSIGN(delete_change_, prepare("DELETE FROM history WHERE revision = ? AND sub = ?"));
  FLOTILLA_ASSIGN(insert_lease_, prepare("INSERT INTO lease (id, ttl_seconds) VALUES (?, ?)"));
  FLOTILLA_ASSIGN(delete_lease_, prepare("DELETE FROM lease WHERE id = ?"));
  FLOTILLA_ASSIGN(update_meta_, prepare("UPDATE meta SET value = ? WHERE name = ?"));
  return {};
}

Status SqliteFile::load(LocalState& state) {
  FLOTILLA_TRY(load_leases(state));
  FLOTILLA_TRY(load_history(state));
  FLOTILLA_ASSIGN(const Revision compacted, meta("compact_revision"));
  FLOTILLA_ASSIGN(Revision revision, meta("revision"));
  FLOTILLA_ASSIGN(revision_ceiling_, meta("revision_ceiling"));
  FLOTILLA_ASSIGN(const int64_t closed, meta("closed"));
  if (compacted < 0 || revision < 1 || revision_ceiling_ < 1) {
    return damaged("a revision in its table meta is out of range");
  }
  for (const LeaseId used : state.keyspace.leases_in_use()) {
    if (std::none_of(state.leases.begin(), state.leases.end(),
                     [&](const LeaseRecord& known) { return known.lease == used; })) {
      return damaged(fmt::format("a key belongs to lease {}, which does not exist", used));
    }
  }
  if (closed == 0) revision = std::max(revision, revision_ceiling_);
  state.keyspace.finish_restore(revision, compacted);
  return {};
}

Status SqliteFile::load_leases(LocalState& state) {
  FLOTILLA_ASSIGN(const Statement rows, prepare("SELECT id, ttl_seconds FROM lease ORDER BY id"));
  int code = SQLITE_OK;
  while ((code = sqlite3_step(rows.get())) == SQLITE_ROW) {
    const LeaseRecord lease{sqlite3_column_int64(rows.get(), 0),
                            std::chrono::seconds(sqlite3_column_int64(rows.get(), 1))};
    if (lease.lease <= 0 || lease.ttl < kMinLeaseTtl || lease.ttl > kMaxLeaseTtl) {
      return damaged(
          fmt::format("lease {} of {} s makes no sense", lease.lease, lease.ttl.count()));
    }
    state.leases.push_back(lease);
  }
  return code == SQLITE_DONE ? Status() : failure("read its leases");
}

Status SqliteFile::load_history(LocalState& state) {
  FLOTILLA_ASSIGN(const Statement rows,
                  prepare("SELECT revision, sub, key, value, create_revision, version, lease "
                          "FROM history ORDER BY revision, sub"));
  int code = SQLITE_OK;
  while ((code = sqlite3_step(rows.get())) == SQLITE_ROW) {
    sqlite3_stmt* row = rows.get();
    Change change;
    change.id = {sqlite3_column_int64(row, 0), sqlite3_column_int(row, 1)};
    change.key = blob(row, 2);
    if (sqlite3_column_type(row, 3) != SQLITE_NULL) {
      change.value = std::make_shared<const std::string>(blob(row, 3));
    }
    change.create_revision = sqlite3_column_int64(row, 4);
    change.version = sqlite3_column_int64(row, 5);
    change.lease = sqlite3_column_int64(row, 6);
    if (Status restored = state.keyspace.restore(std::move(change)); !restored) {
      return damaged(restored.error().message);
    }
  }
  if (code != SQLITE_DONE) return failure("read its history");
  return {};
}

// Marks the file as open, durably, before the first answer: a session that does not end by closing
// must be recognised. Lease ids carry the number of the session, so that none is given twice.
Status SqliteFile::begin_session(LocalState& state) {
  FLOTILLA_ASSIGN(const int64_t sessions, meta("sessions"));
  state.last_lease = (sessions + 1) << 32;
  FLOTILLA_TRY(exec("BEGIN IMMEDIATE", "write"));
  FLOTILLA_TRY(set_meta("sessions", sessions + 1));
  FLOTILLA_TRY(set_meta("closed", 0));
  FLOTILLA_TRY(set_meta("revision", state.keyspace.revision()));
  FLOTILLA_TRY(exec("COMMIT", "write"));
  is_in_session_ = true;
  // Hardly a page that loading read is needed again.
  sqlite3_db_release_memory(database_.get());
  return {};
}

Status SqliteFile::write(const Batch& batch) {
  const bool passes_ceiling = !batch.must_survive_power_loss && batch.revision > revision_ceiling_;
  FLOTILLA_TRY(set_durable(batch.must_survive_power_loss || passes_ceiling));
  const Revision ceiling = passes_ceiling ? batch.revision + kCeilingStep : revision_ceiling_;
  Status written = run(begin_.get());
  if (written && passes_ceiling) written = set_meta("revision_ceiling", ceiling);
  if (written) written = write_rows(batch);
  if (written) written = run(commit_.get());
  if (!written) {
    if (sqlite3_get_autocommit(database_.get()) == 0) (void)run(rollback_.get());
    return written;
  }
  revision_ceiling_ = ceiling;
  return {};
}

Status SqliteFile::write_rows(const Batch& batch) {
  for (const Change& change : batch.changes) {
    sqlite3_stmt* insert = insert_change_.get();
    sqlite3_bind_int64(insert, 1, change.id.revision);
    sqlite3_bind_int(insert, 2, change.id.sub);
    bind_blob(insert, 3, change.key);
    if (change.value) {
      bind_blob(insert, 4, *change.value);
    } else {
      sqlite3_bind_null(insert, 4);
    }
    sqlite3_bind_int64(insert, 5, change.create_revision);
    sqlite3_bind_int64(insert, 6, change.version);
    sqlite3_bind_int64(insert, 7, change.lease);
    FLOTILLA_TRY(run(insert));
  }
  for (const LeaseRecord& lease : batch.granted) {
    sqlite3_bind_int64(insert_lease_.get(), 1, lease.lease);
    sqlite3_bind_int64(insert_lease_.get(), 2, lease.ttl.count());
    FLOTILLA_TRY(run(insert_lease_.get()));
  }
  for (const LeaseId lease : batch.ended) {
    sqlite3_bind_int64(delete_lease_.get(), 1, lease);
    FLOTILLA_TRY(run(delete_lease_.get()));
  }
  for (const ChangeId& removed : batch.removed) {
    sqlite3_bind_int64(delete_change_.get(), 1, removed.revision);
    sqlite3_bind_int(delete_change_.get(), 2, removed.sub);
    FLOTILLA_TRY(run(delete_change_.get()));
  }
  if (batch.compact_revision != 0) return set_meta("compact_revision", batch.compact_revision);
  return {};
}

void SqliteFile::checkpoint_if_long() {
  if (log_pages_ < kLongLogPages) return;
  log_pages_ = 0;
  // A failure leaves the log as it is; the next one is tried when it has grown again.
  sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

// In FULL mode each commit is an fsync of the log; in NORMAL mode only a later FULL commit or a
// checkpoint makes it survive power loss, and the log's order makes all before it survive as well.
Status SqliteFile::set_durable(bool durable) {
  if (durable == is_durable_) return {};
  FLOTILLA_TRY(exec(durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                    "change the write mode"));
  is_durable_ = durable;
  return {};
}

Result<SqliteFile::Statement> SqliteFile::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
                         nullptr) != SQLITE_OK) {
    if ((sqlite3_extended_errcode(database_.get()) & 0xff) == SQLITE_ERROR) {
      return damaged(sqlite3_errmsg(database_.get()));
    }
    return failure("prepare");
  }
  return Statement(statement);
}

Status SqliteFile::run(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  Status status = code == SQLITE_DONE || code == SQLITE_ROW ? Status() : failure("write");
  sqlite3_reset(statement);
  return status;
}

Status SqliteFile::exec(const char* sql, const char* doing) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return failure(doing);
  }
  return {};
}

Result<int64_t> SqliteFile::query_number(const char* sql) {
  FLOTILLA_ASSIGN(const Statement query, prepare(sql));
  if (sqlite3_step(query.get()) != SQLITE_ROW) return failure("read");
  return sqlite3_column_int64(query.get(), 0);
}

Result<int64_t> SqliteFile::meta(const char* name) {
  FLOTILLA_ASSIGN(const Statement query, prepare("SELECT value FROM meta WHERE name = ?"));
  sqlite3_bind_text(query.get(), 1, name, -1, SQLITE_STATIC);
  const int code = sqlite3_step(query.get());
  if (code == SQLITE_DONE) return damaged(fmt::format("its table meta has no \"{}\"", name));
  if (code != SQLITE_ROW) return failure("read");
  return sqlite3_column_int64(query.get(), 0);
}

Status SqliteFile::set_meta(const char* name, int64_t value) {
  sqlite3_bind_int64(update_meta_.get(), 1, value);
  sqlite3_bind_text(update_meta_.get(), 2, name, -1, SQLITE_STATIC);
  return run(update_meta_.get());
}

}  // namespace flotilla::store
