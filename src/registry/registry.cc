#include "registry/registry.h"

#include <algorithm>
#include <utility>

#include "registry/codec.h"
#include "registry/keys.h"
#include "unit/fleet_name.h"
#include "unit/utf8.h"

namespace flotilla::registry {

namespace {

constexpr int kMaxTries = 16;
constexpr size_t kMaxNameBytes = 256;

// What a transaction of one guarded put answers: its own put, or the record as it is now.
const store::KeyValue* record_in(const store::TxnResponse& response) {
  if (response.responses.empty()) return nullptr;
  const auto* range = std::get_if<store::RangeResponse>(&response.responses.front());
  return range != nullptr && !range->kvs.empty() ? &range->kvs.front() : nullptr;
}

store::Compare unchanged(const std::string& key, store::Revision mod_revision) {
  return mod_revision == 0 ? store::key_is_absent(key) : store::mod_is(key, mod_revision);
}

bool is_possible_name(std::string_view name, size_t max_bytes) {
  return !name.empty() && name.size() <= max_bytes && name.find('/') == std::string_view::npos;
}

base::Status check_options(const std::vector<unit::UnitOption>& options) {
  for (const unit::UnitOption& option : options) {
    for (const std::string* text : {&option.section, &option.name, &option.value}) {
      if (!unit::is_valid_utf8(*text)) {
        return base::invalid("option {}= in section [{}] is not valid UTF-8",
                             unit::is_valid_utf8(option.name) ? option.name : "?",
                             unit::is_valid_utf8(option.section) ? option.section : "?");
      }
    }
  }
  return {};
}

}  // namespace

// One guarded change of one record, tried until nobody else interferes.
struct Registry::Shared : std::enable_shared_from_this<Shared> {
  // From the record as it is (null: absent) to what to do with it.
  struct Edit {
    std::optional<std::string> put;    // the new text ...
    bool erase = false;                // ... or this ...
    store::Revision unchanged_at = 0;  // ... or nothing: what is there is right
    PutOutcome::Kind kind = PutOutcome::Kind::kUnchanged;
    std::string forgotten;  // the key of what ends with the record as it was; empty: nothing
  };
  using Editor = std::function<base::Result<Edit>(const store::KeyValue* current)>;

  Shared(store::Store& shared_store, std::string prefix)
      : store(shared_store), keys(std::move(prefix)) {}

  void change(const std::string& key, Editor editor, Callback<PutOutcome> done) {
    store::RangeRequest request;
    request.key = key;
    store.range(std::move(request), [self = shared_from_this(), key, editor = std::move(editor),
                                     done = std::move(done)](auto result) {
      if (self->ended) return;
      if (!result) return done(base::unexpected(std::move(result).error()));
      const store::KeyValue* current = result->kvs.empty() ? nullptr : &result->kvs.front();
      self->change_from(key, current, editor, done, kMaxTries);
    });
  }

  void change_from(const std::string& key, const store::KeyValue* current, const Editor& editor,
                   const Callback<PutOutcome>& done, int tries) {
    base::Result<Edit> edit = editor(current);
    if (!edit) return done(base::unexpected(std::move(edit).error()));
    if (!edit->put && !edit->erase) return done(PutOutcome{edit->kind, edit->unchanged_at});
    if (tries == 0) return done(base::conflict("{} kept changing under this change of it", key));
    store::TxnRequest txn;
    txn.compares.push_back(unchanged(key, current != nullptr ? current->mod_revision : 0));
    if (edit->put) {
      txn.then_ops.emplace_back(store::PutOp{key, std::move(*edit->put)});
    } else {
      txn.then_ops.emplace_back(store::DeleteRangeOp{key, {}});
    }
    if (!edit->forgotten.empty()) {
      txn.then_ops.emplace_back(store::DeleteRangeOp{std::move(edit->forgotten), {}});
    }
    store::RangeRequest again;
    again.key = key;
    txn.else_ops.emplace_back(std::move(again));
    store.txn(std::move(txn), [self = shared_from_this(), key, editor, done, tries,
                               kind = edit->kind](base::Result<store::TxnResponse> result) {
      if (self->ended) return;
      if (!result) return done(base::unexpected(std::move(result).error()));
      if (result->succeeded) return done(PutOutcome{kind, result->revision});
      self->change_from(key, record_in(*result), editor, done, tries - 1);
    });
  }

  // Sends the operations in transactions of at most the advised size, one after the other.
  void send_cut(const std::shared_ptr<std::vector<store::Op>>& ops, size_t from,
                const Callback<void>& done) {
    store::TxnRequest txn;
    size_t bytes = 0;
    while (from < ops->size() && txn.then_ops.size() < store::kMaxTxnOps) {
      const auto* put = std::get_if<store::PutOp>(&(*ops)[from]);
      const size_t size = put != nullptr ? put->key.size() + put->value.size() : 0;
      if (!txn.then_ops.empty() && bytes + size > store::kAdvisedRequestBytes) break;
      bytes += size;
      txn.then_ops.push_back(std::move((*ops)[from++]));
    }
    if (txn.then_ops.empty()) return done({});
    store.txn(std::move(txn), [self = shared_from_this(), ops, from,
                               done](base::Result<store::TxnResponse> result) {
      if (self->ended) return;
      if (!result) return done(base::unexpected(std::move(result).error()));
      self->send_cut(ops, from, done);
    });
  }

  void list_states(const std::string& machine, std::string from,
                   const std::shared_ptr<std::vector<std::string>>& found,
                   const Callback<std::vector<std::string>>& done) {
    store::RangeRequest request;
    request.key = std::move(from);
    request.range_end = store::prefix_end(keys.states());
    request.limit = 1000;
    request.keys_only = true;
    store.range(std::move(request), [self = shared_from_this(), machine, found, done](auto page) {
      if (self->ended) return;
      if (!page) return done(base::unexpected(std::move(page).error()));
      for (const store::KeyValue& kv : page->kvs) {
        const auto key = self->keys.parse(kv.key);
        if (key && key->second == machine) found->push_back(key->first);
      }
      if (!page->more || page->kvs.empty()) return done(std::move(*found));
      self->list_states(machine, page->kvs.back().key + '\0', found, done);
    });
  }

  store::Store& store;
  const Keys keys;
  bool ended = false;
};

Registry::Registry(store::Store& store, std::string prefix)
    : store_(store),
      prefix_(std::move(prefix)),
      shared_(std::make_shared<Shared>(store, prefix_)) {}

Registry::~Registry() { shared_->ended = true; }

void Registry::open(Callback<void> done) {
  const std::string key = shared_->keys.format();
  store::TxnRequest txn;
  txn.compares.push_back(store::key_is_absent(key));
  txn.then_ops.emplace_back(store::PutOp{key, encode(Format{kFormatMajor, kFormatMinor})});
  store::RangeRequest read;
  read.key = key;
  txn.else_ops.emplace_back(std::move(read));
  store_.txn(std::move(txn), [self = shared_, key, done = std::move(done)](auto result) {
    if (self->ended) return;
    if (!result) return done(base::unexpected(std::move(result).error()));
    if (result->succeeded) return done({});
    const store::KeyValue* record = record_in(*result);
    done(check_format(record != nullptr ? *record : store::KeyValue{key}));
  });
}

void Registry::get_unit(const std::string& name, Callback<Unit> done) {
  store::RangeRequest request;
  // A name that cannot exist is looked for nowhere: its key might be that of something else.
  const bool is_possible = is_possible_name(name, kMaxNameBytes);
  request.key = is_possible ? shared_->keys.unit(name) : shared_->keys.format() + "/none";
  store_.range(std::move(request), [self = shared_, name, done = std::move(done)](auto result) {
    if (self->ended) return;
    if (!result) return done(base::unexpected(std::move(result).error()));
    if (result->kvs.empty()) return done(base::not_found("unit {} does not exist", name));
    const store::KeyValue& record = result->kvs.front();
    base::Result<Unit> unit = decode_unit(record.value);
    if (!unit) {
      return done(base::internal("{}: unreadable record: {}", record.key, unit.error().message));
    }
    unit->name = name;
    unit->mod_revision = record.mod_revision;
    done(std::move(unit));
  });
}

void Registry::put_unit(const std::string& name, std::vector<unit::UnitOption> options,
                        TargetState desired, const Callback<PutOutcome>& done) {
  base::Status status = unit::validate_fleet_name(name);
  if (status) status = check_options(options);
  if (!status) {
    // Through the store, so that no callback runs inside the call.
    return get_unit({}, [done, error = status.error()](auto) mutable {
      done(base::unexpected(std::move(error)));
    });
  }
  Unit wanted;
  wanted.name = name;
  wanted.hash = unit::hash_hex(options);
  wanted.options = std::move(options);
  wanted.desired = desired;
  const auto editor = [wanted, history = shared_->keys.history(name)](
                          const store::KeyValue* current) -> base::Result<Shared::Edit> {
    Shared::Edit edit;
    edit.forgotten = history;
    edit.kind = PutOutcome::Kind::kCreated;
    Unit next = wanted;
    if (current != nullptr) {
      edit.kind = PutOutcome::Kind::kOverwritten;
      if (const base::Result<Unit> old = decode_unit(current->value); old) {
        next.extra = old->extra;
        if (old->hash == next.hash) {
          if (old->desired == next.desired) {
            return Shared::Edit{{}, false, current->mod_revision, PutOutcome::Kind::kUnchanged, {}};
          }
          edit.kind = PutOutcome::Kind::kStateChanged;
        }
      }
    }
    edit.put = encode(next);
    if (edit.put->size() > store::kMaxValueBytes) {
      return base::too_large("unit {} has {} bytes as a record, at most {} are stored", next.name,
                             edit.put->size(), store::kMaxValueBytes);
    }
    return edit;
  };
  // Most often the unit is new: one transaction, without reading first.
  shared_->change_from(shared_->keys.unit(name), nullptr, editor, done, kMaxTries);
}

void Registry::put_contents(const std::string& name, std::vector<unit::UnitOption> options,
                            const Callback<PutOutcome>& done) {
  base::Status status = check_options(options);
  if (status && !is_possible_name(name, kMaxNameBytes)) {
    status = base::not_found("unit {} does not exist", name);
  }
  if (!status) {
    return get_unit({}, [done, error = status.error()](auto) mutable {
      done(base::unexpected(std::move(error)));
    });
  }
  const std::string hash = unit::hash_hex(options);
  const auto editor = [name, hash, options = std::move(options),
                       history = shared_->keys.history(name)](
                          const store::KeyValue* current) -> base::Result<Shared::Edit> {
    if (current == nullptr) return base::not_found("unit {} does not exist", name);
    base::Result<Unit> unit = decode_unit(current->value);
    if (!unit) {
      return base::internal("{}: unreadable record: {}", current->key, unit.error().message);
    }
    Shared::Edit edit;
    if (unit->hash == hash) {
      edit.unchanged_at = current->mod_revision;
      return edit;
    }
    unit->hash = hash;
    unit->options = options;
    edit.forgotten = history;
    edit.kind = PutOutcome::Kind::kOverwritten;
    edit.put = encode(*unit);
    if (edit.put->size() > store::kMaxValueBytes) {
      return base::too_large("unit {} has {} bytes as a record, at most {} are stored", name,
                             edit.put->size(), store::kMaxValueBytes);
    }
    return edit;
  };
  shared_->change(shared_->keys.unit(name), editor, done);
}

void Registry::set_desired(const std::string& name, TargetState desired,
                           Callback<PutOutcome> done) {
  const auto editor = [name, desired, history = shared_->keys.history(name)](
                          const store::KeyValue* current) -> base::Result<Shared::Edit> {
    if (current == nullptr) return base::not_found("unit {} does not exist", name);
    base::Result<Unit> unit = decode_unit(current->value);
    if (!unit) {
      return base::internal("{}: unreadable record: {}", current->key, unit.error().message);
    }
    Shared::Edit edit;
    if (unit->desired == desired) {
      edit.unchanged_at = current->mod_revision;
      return edit;
    }
    unit->desired = desired;
    edit.forgotten = history;
    edit.kind = PutOutcome::Kind::kStateChanged;
    edit.put = encode(*unit);
    return edit;
  };
  if (!is_possible_name(name, kMaxNameBytes)) {
    return get_unit({},
                    [name, done](auto) { done(base::not_found("unit {} does not exist", name)); });
  }
  shared_->change(shared_->keys.unit(name), editor, std::move(done));
}

void Registry::delete_unit(const std::string& name, Callback<store::Revision> done) {
  const auto editor = [name, history = shared_->keys.history(name)](
                          const store::KeyValue* current) -> base::Result<Shared::Edit> {
    if (current == nullptr) return base::not_found("unit {} does not exist", name);
    Shared::Edit edit;
    edit.erase = true;
    edit.forgotten = history;
    edit.kind = PutOutcome::Kind::kStateChanged;
    return edit;
  };
  if (!is_possible_name(name, kMaxNameBytes)) {
    return get_unit({},
                    [name, done](auto) { done(base::not_found("unit {} does not exist", name)); });
  }
  shared_->change(shared_->keys.unit(name), editor,
                  [done = std::move(done)](base::Result<PutOutcome> outcome) {
                    if (!outcome) return done(base::unexpected(std::move(outcome).error()));
                    done(outcome->revision);
                  });
}

void Registry::edit_metadata(const std::string& machine, const std::string& key,
                             std::optional<std::string> value, Callback<store::Revision> done) {
  const bool is_valid = is_possible_name(machine, kMaxMachineIdBytes) &&
                        unit::is_valid_utf8(machine) && unit::is_valid_utf8(key) &&
                        (!value || unit::is_valid_utf8(*value));
  const auto editor = [key, value,
                       is_valid](const store::KeyValue* current) -> base::Result<Shared::Edit> {
    if (!is_valid) return base::invalid("machine metadata path invalid");
    Metadata edits;
    if (current != nullptr) {
      base::Result<Metadata> old = decode_metadata(current->value);
      // Edits that cannot be read are lost already; a new one must still be possible.
      if (old) edits = std::move(*old);
    }
    if (value) {
      edits[key] = *value;
    } else {
      edits.erase(key);
    }
    Shared::Edit edit;
    edit.kind = PutOutcome::Kind::kStateChanged;
    if (edits.empty()) {
      edit.erase = current != nullptr;
    } else {
      edit.put = encode(edits);
    }
    return edit;
  };
  shared_->change(is_valid ? shared_->keys.metadata(machine) : shared_->keys.format(), editor,
                  [done = std::move(done)](base::Result<PutOutcome> outcome) {
                    if (!outcome) return done(base::unexpected(std::move(outcome).error()));
                    done(outcome->revision);
                  });
}

void Registry::put_states(const std::vector<UnitState>& states, store::LeaseId lease,
                          Callback<void> done) {
  auto ops = std::make_shared<std::vector<store::Op>>();
  ops->reserve(states.size());
  for (const UnitState& state : states) {
    ops->emplace_back(
        store::PutOp{shared_->keys.state(state.name, state.machine), encode(state), lease});
  }
  shared_->send_cut(ops, 0, done);
}

void Registry::claim_unit(const UnitState& state, store::Revision entry_revision,
                          store::LeaseId lease, Callback<void> done) {
  store::TxnRequest txn;
  txn.compares.push_back(
      store::mod_is(shared_->keys.schedule(state.machine, state.name), entry_revision));
  txn.then_ops.emplace_back(
      store::PutOp{shared_->keys.state(state.name, state.machine), encode(state), lease});
  store_.txn(std::move(txn), [self = shared_, unit = state.name,
                              done = std::move(done)](base::Result<store::TxnResponse> result) {
    if (self->ended) return;
    if (!result) return done(base::unexpected(std::move(result).error()));
    if (!result->succeeded) return done(base::conflict("{} is not scheduled here as it was", unit));
    done({});
  });
}

void Registry::put_finished(const UnitHistory& history, store::Revision entry_revision,
                            Callback<void> done) {
  const Keys& keys = shared_->keys;
  store::TxnRequest txn;
  txn.compares.push_back(
      store::mod_is(keys.schedule(history.finished_on, history.name), entry_revision));
  txn.compares.push_back(store::key_exists(keys.unit(history.name)));
  txn.then_ops.emplace_back(store::PutOp{keys.history(history.name), encode(history)});
  store_.txn(std::move(txn), [self = shared_, unit = history.name,
                              done = std::move(done)](base::Result<store::TxnResponse> result) {
    if (self->ended) return;
    if (!result) return done(base::unexpected(std::move(result).error()));
    if (!result->succeeded) return done(base::conflict("{} is not scheduled here as it was", unit));
    done({});
  });
}

void Registry::delete_states(const std::string& machine, const std::vector<std::string>& units,
                             Callback<void> done) {
  auto ops = std::make_shared<std::vector<store::Op>>();
  ops->reserve(units.size());
  for (const std::string& unit : units) {
    ops->emplace_back(store::DeleteRangeOp{shared_->keys.state(unit, machine), {}});
  }
  shared_->send_cut(ops, 0, done);
}

void Registry::list_states_of(const std::string& machine,
                              const Callback<std::vector<std::string>>& done) {
  shared_->list_states(machine, shared_->keys.states(),
                       std::make_shared<std::vector<std::string>>(), done);
}

}  // namespace flotilla::registry
