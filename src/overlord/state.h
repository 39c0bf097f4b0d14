// State: what a daemon remembers over its own restarts, and where its managers meet: JSON values by
// kind and key ("data" for managers' own notes; other kinds are for entities that have a life of
// their own). Kept in memory and in a journal of changed entities, so that the cost of a change is
// the change and not the State.
//
// Loop thread only; no locks. A transaction is applied whole or not at all, and is in the file when
// commit() returns: a kill -9 after that loses nothing. A power cut loses nothing of which
// `durable` has been called; many commits share one fsync, which those that nobody waits for leave
// for a tenth of a second later.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "overlord/executor.h"
#include "overlord/journal.h"

namespace flotilla::overlord {

inline constexpr std::string_view kDataKind = "data";

class StateTxn {
 public:
  // `json`: the text of one JSON value. Text that is none makes commit() fail with kInvalid.
  void put(std::string_view kind, std::string_view key, std::string_view json);
  void erase(std::string_view kind, std::string_view key);
  bool is_empty() const { return edits_.empty(); }

 private:
  friend class State;
  struct Edit {
    std::string kind;
    std::string key;
    std::optional<std::string> json;
  };
  std::vector<Edit> edits_;
};

class State {
 public:
  // In memory alone.
  State(base::EventLoop& loop, Executor& executor);
  // From the journal at `path`, which is made if there is none. Blocks; for start-up. What was odd
  // about the file is logged. Errors: Journal::open()'s, kInvalid for a record that is no edit.
  static base::Result<std::unique_ptr<State>> open(base::EventLoop& loop, Executor& executor,
                                                   const std::string& path);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // The value's compact JSON text, or null. Valid until the next commit().
  const std::string* find(std::string_view kind, std::string_view key) const;
  // Keys and values of a kind, in the order of the keys' bytes.
  const std::map<std::string, std::string, std::less<>>& all(std::string_view kind) const;

  // On failure (a full disk) nothing has changed. `durable` may be empty.
  base::Status commit(const StateTxn& txn, std::function<void(base::Status)> durable = {});

  // Bytes of the journal; 0 in memory.
  size_t journal_size() const;

 private:
  using Values = std::map<std::string, std::string, std::less<>>;

  base::Status apply_record(std::string_view record);
  void sync_soon();
  void sync_later();
  bool is_compaction_due() const;
  void start_sync();
  void compact_if_worthwhile();
  std::string snapshot() const;

  base::EventLoop& loop_;
  Executor& executor_;
  std::map<std::string, Values, std::less<>> kinds_;
  size_t live_bytes_ = 0;
  std::shared_ptr<Journal> journal_;                        // shared with work on the executor
  std::vector<std::function<void(base::Status)>> waiting_;  // for the next sync
  base::RegistrationPtr later_;                             // the sync of what nobody waits for
  bool sync_due_ = false;
  bool sync_running_ = false;
  bool compacting_ = false;
  size_t compact_at_ = 0;  // not before the journal has so many bytes; raised by a failure
  std::vector<std::string> appended_while_compacting_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::overlord
