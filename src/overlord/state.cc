#include "overlord/state.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace flotilla::overlord {

namespace json = boost::json;

namespace {

// The journal may be this much larger than what is alive in it before it is written anew.
constexpr size_t kCompactFactor = 4;
constexpr base::Micros kSyncDelay{100'000};
constexpr size_t kCompactFloor = size_t{64} * 1024;

void append_edit(std::string& record, std::string_view kind, std::string_view key,
                 const std::string* value) {
  record += record.empty() ? "[[" : ",[";
  record += json::serialize(json::string_view(kind.data(), kind.size()));
  record += ',';
  record += json::serialize(json::string_view(key.data(), key.size()));
  record += ',';
  record += value != nullptr ? *value : "null";
  record += ']';
}

size_t cost_of(std::string_view kind, std::string_view key, std::string_view value) {
  return kind.size() + key.size() + value.size() + 8;
}

}  // namespace

void StateTxn::put(std::string_view kind, std::string_view key, std::string_view json_text) {
  edits_.push_back({std::string(kind), std::string(key), std::string(json_text)});
}

void StateTxn::erase(std::string_view kind, std::string_view key) {
  edits_.push_back({std::string(kind), std::string(key), std::nullopt});
}

State::State(base::EventLoop& loop, Executor& executor) : loop_(loop), executor_(executor) {}

State::~State() {
  *alive_ = false;
  // What commit() accepted is in the file; make it durable too, as nobody will later.
  if (journal_ && (sync_due_ || later_ || !waiting_.empty()) && !compacting_) {
    [[maybe_unused]] const base::Status status = journal_->sync();
  }
}

base::Result<std::unique_ptr<State>> State::open(base::EventLoop& loop, Executor& executor,
                                                 const std::string& path) {
  Journal::Contents contents;
  FLOTILLA_ASSIGN(std::unique_ptr<Journal> journal, Journal::open(path, contents));
  if (contents.cut_tail) {
    SPDLOG_INFO("{}: the last record was half-written and has been dropped", path);
  }
  if (contents.damaged > 0) {
    SPDLOG_ERROR("{}: {} damaged record(s) skipped; the file as it was is kept in {}", path,
                 contents.damaged, contents.damaged_copy);
  }
  auto state = std::make_unique<State>(loop, executor);
  for (const std::string& record : contents.records) {
    if (base::Status status = state->apply_record(record); !status) {
      return base::in_context(std::move(status).error(), "{}", path);
    }
  }
  state->journal_ = std::move(journal);
  return state;
}

base::Status State::apply_record(std::string_view record) {
  boost::system::error_code error;
  const json::value parsed = json::parse(json::string_view(record.data(), record.size()), error);
  const json::array* edits = error ? nullptr : parsed.if_array();
  if (edits == nullptr) return base::invalid("expected a record of edits");
  for (const json::value& item : *edits) {
    const json::array* edit = item.if_array();
    if (edit == nullptr || edit->size() != 3 || !(*edit)[0].is_string() ||
        !(*edit)[1].is_string()) {
      return base::invalid("expected an edit of the form [kind, key, value]");
    }
    const std::string kind((*edit)[0].get_string().c_str(), (*edit)[0].get_string().size());
    const std::string key((*edit)[1].get_string().c_str(), (*edit)[1].get_string().size());
    Values& values = kinds_[kind];
    if (const auto old = values.find(key); old != values.end()) {
      live_bytes_ -= cost_of(kind, key, old->second);
      values.erase(old);
    }
    if ((*edit)[2].is_null()) continue;
    std::string value = json::serialize((*edit)[2]);
    live_bytes_ += cost_of(kind, key, value);
    values.emplace(key, std::move(value));
  }
  return {};
}

const std::string* State::find(std::string_view kind, std::string_view key) const {
  const auto& values = all(kind);
  const auto found = values.find(key);
  return found == values.end() ? nullptr : &found->second;
}

const std::map<std::string, std::string, std::less<>>& State::all(std::string_view kind) const {
  static const Values kNone;
  const auto found = kinds_.find(kind);
  return found == kinds_.end() ? kNone : found->second;
}

base::Status State::commit(const StateTxn& txn, std::function<void(base::Status)> durable) {
  std::string record;
  for (const StateTxn::Edit& edit : txn.edits_) {
    if (!edit.json) {
      append_edit(record, edit.kind, edit.key, nullptr);
      continue;
    }
    boost::system::error_code error;
    const json::value value = json::parse(*edit.json, error);
    if (error) {
      return base::invalid("state {}/{}: expected one JSON value: {}", edit.kind, edit.key,
                           error.message());
    }
    const std::string compact = json::serialize(value);
    append_edit(record, edit.kind, edit.key, &compact);
  }
  if (!record.empty()) {
    record += ']';
    if (journal_) FLOTILLA_TRY(journal_->append(record));
    if (compacting_) appended_while_compacting_.push_back(record);
    FLOTILLA_TRY(apply_record(record));
  }
  if (!journal_) {
    if (durable) loop_.post([durable = std::move(durable)] { durable({}); });
    return {};
  }
  const bool is_awaited = durable != nullptr;
  if (is_awaited) waiting_.push_back(std::move(durable));
  if (is_awaited || is_compaction_due()) {
    sync_soon();
  } else {
    sync_later();
  }
  return {};
}

void State::sync_later() {
  if (sync_due_ || later_) return;
  later_ = loop_.after(kSyncDelay, [this] {
    later_.reset();
    sync_soon();
  });
}

void State::sync_soon() {
  if (sync_due_) return;
  sync_due_ = true;
  if (sync_running_ || compacting_) return;  // the end of those starts the next
  loop_.post([this, alive = alive_] {
    if (*alive) start_sync();
  });
}

void State::start_sync() {
  if (sync_running_ || compacting_ || !sync_due_) return;
  sync_due_ = false;
  later_.reset();
  sync_running_ = true;
  auto waiting = std::make_shared<std::vector<std::function<void(base::Status)>>>();
  waiting->swap(waiting_);
  auto result = std::make_shared<base::Status>();
  executor_.submit([journal = journal_, result] { *result = journal->sync(); },
                   [this, alive = alive_, waiting, result] {
                     if (!*alive) return;
                     if (!*result)
                       SPDLOG_ERROR("Failed to save state: {}", result->error().message);
                     sync_running_ = false;
                     for (const auto& durable : *waiting) {
                       durable(*result);
                       if (!*alive) return;
                     }
                     compact_if_worthwhile();
                     start_sync();
                   });
}

bool State::is_compaction_due() const {
  return journal_->size() >= std::max(compact_at_, kCompactFloor + live_bytes_ * kCompactFactor);
}

void State::compact_if_worthwhile() {
  if (compacting_ || sync_running_ || !is_compaction_due()) return;
  compacting_ = true;
  auto result = std::make_shared<base::Status>();
  executor_.submit([journal = journal_, text = snapshot(),
                    result] { *result = journal->write_replacement(text); },
                   [this, alive = alive_, result] {
                     if (!*alive) return;
                     compacting_ = false;
                     if (*result) *result = journal_->adopt_replacement(appended_while_compacting_);
                     appended_while_compacting_.clear();
                     if (!*result)
                       SPDLOG_WARN("Failed to shorten the state: {}", result->error().message);
                     // The renamed file's tail and its name are not durable yet.
                     sync_due_ = true;
                     start_sync();
                   });
}

std::string State::snapshot() const {
  std::string record;
  for (const auto& [kind, values] : kinds_) {
    for (const auto& [key, value] : values) append_edit(record, kind, key, &value);
  }
  record += record.empty() ? "[]" : "]";
  return record;
}

size_t State::journal_size() const { return journal_ ? journal_->size() : 0; }

}  // namespace flotilla::overlord
