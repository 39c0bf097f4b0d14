#include "registry/cluster_view.h"

#include <malloc.h>
#include <spdlog/spdlog.h>

#include "registry/codec.h"
#include "registry/keys.h"
#include "registry/mirror.h"
#include "registry/text_sharing.h"

namespace flotilla::registry {

namespace {

// A view of fewer objects leaves nothing behind that is worth a look through the whole heap.
constexpr size_t kWorthTrimming = 1000;

}  // namespace

class ClusterView::Impl {
 public:
  Impl(store::Store& store, base::EventLoop& loop, std::string prefix)
      : store_(store), loop_(loop), keys_(std::move(prefix)) {}
  ~Impl() { *alive_ = false; }

  void open() {
    is_kept_ = true;
    read();
  }

  void read() {
    if (mirror_) return;
    MirrorHandler handler;
    handler.on_put = [this](const store::KeyValue& kv) { on_put(kv); };
    handler.on_delete = [this](const std::string& key) { on_delete(key); };
    handler.on_step = [this](store::Revision revision) { on_step(revision); };
    handler.on_live = [this](bool is_live) {
      since_ = is_live ? loop_.clock().monotonic() : base::MonotonicTime::never();
      const auto alive = alive_;
      tell(std::exchange(whole_, {}));
      // What the reading took on its way is given back.
      if (*alive && is_live && is_large()) malloc_trim(0);
    };
    handler.known = [this] { return known(); };
    mirror_ = std::make_unique<Mirror>(store_, loop_, keys_.all(), store::prefix_end(keys_.all()),
                                       std::move(handler));
  }

  void close() {
    const bool was_large = is_large();
    is_kept_ = false;
    mirror_.reset();
    waiting_.clear();
    cluster_ = {};
    words_ = {};
    change_ = {};
    whole_ = {};
    since_ = base::MonotonicTime::never();
    if (was_large) malloc_trim(0);
  }

  bool is_large() const { return cluster_.units.size() + cluster_.states.size() > kWorthTrimming; }

  base::RegistrationPtr hold();

  void let_go() {
    if (--holds_ > 0 || is_kept_) return;
    // Later: it may be one of the view's own calls that does without it.
    loop_.post([this, alive = alive_] {
      if (*alive && holds_ == 0 && !is_kept_) close();
    });
  }

  bool is_ready() const { return mirror_ && mirror_->is_live(); }
  bool has_data() const { return mirror_ && mirror_->has_data(); }
  base::MonotonicTime uninterrupted_since() const { return since_; }
  const Cluster& cluster() const { return cluster_; }

  base::RegistrationPtr subscribe(std::function<void(const ClusterChange&)> listener);

  void when_at(store::Revision revision, std::function<void()> then) {
    waiting_.emplace(revision, std::move(then));
    if (has_data() && cluster_.revision >= revision) call_waiting_soon();
  }

 private:
  class Hold;
  class Subscription;
  using Listeners = std::map<uint64_t, std::function<void(const ClusterChange&)>>;

  void on_put(const store::KeyValue& kv) {
    const std::optional<ParsedKey> key = keys_.parse(kv.key);
    if (!key) return;
    mark(*key);
    base::Status status = put_object(*key, kv);
    if (status) {
      forget_unreadable(kv.key);
      return;
    }
    // What was last known stays in force: a record nobody can read must never stop a unit.
    SPDLOG_ERROR("{}: unreadable record: {}", kv.key, status.error().message);
    cluster_.unreadable[kv.key] = status.error().message;
    name_unreadable();
  }

  void forget_unreadable(const std::string& key) {
    if (cluster_.unreadable.erase(key) > 0) name_unreadable();
  }

  void name_unreadable() {
    cluster_.unreadable_units.clear();
    cluster_.unreadable_machines.clear();
    for (const auto& [raw_key, reason] : cluster_.unreadable) {
      const std::optional<ParsedKey> key = keys_.parse(raw_key);
      if (!key) continue;
      if (key->kind == KeyKind::kUnit || key->kind == KeyKind::kGlobal) {
        cluster_.unreadable_units.insert(key->first);
      } else if (key->kind == KeyKind::kSchedule) {
        cluster_.unreadable_units.insert(key->second);
      } else if (key->kind == KeyKind::kMachine || key->kind == KeyKind::kMetadata) {
        cluster_.unreadable_machines.insert(key->first);
      }
    }
  }

  base::Status put_object(const ParsedKey& key, const store::KeyValue& kv) {
    switch (key.kind) {
      case KeyKind::kFormat:
        return {};
      case KeyKind::kUnit: {
        FLOTILLA_ASSIGN(Unit unit, decode_unit(kv.value));
        unit.name = name_in(cluster_, key.first);
        unit.hash = hash_in(cluster_, unit.name, std::move(unit.hash));
        unit.mod_revision = kv.mod_revision;
        unit.options.shrink_to_fit();
        cluster_.units.insert_or_assign(unit.name, std::move(unit));
        return {};
      }
      case KeyKind::kSchedule: {
        FLOTILLA_ASSIGN(ScheduleEntry entry, decode_schedule_entry(kv.value));
        entry.machine = words_.shared(key.first);
        entry.name = name_in(cluster_, key.second);
        entry.hash = hash_in(cluster_, entry.name, std::move(entry.hash));
        entry.text = {};
        entry.mod_revision = kv.mod_revision;
        cluster_.schedule[entry.name].insert_or_assign(entry.machine, std::move(entry));
        return {};
      }
      case KeyKind::kGlobal: {
        FLOTILLA_ASSIGN(GlobalEntry entry, decode_global_entry(kv.value));
        entry.name = key.first;
        entry.mod_revision = kv.mod_revision;
        cluster_.globals.insert_or_assign(key.first, std::move(entry));
        return {};
      }
      case KeyKind::kMachine: {
        FLOTILLA_ASSIGN(Machine machine, decode_machine(kv.value));
        if (machine.id != key.first) return base::invalid("id \"{}\" is not the key's", machine.id);
        machine.mod_revision = kv.mod_revision;
        machine.create_revision = kv.create_revision;
        machine.lease = kv.lease;
        cluster_.machines.insert_or_assign(key.first, std::move(machine));
        return {};
      }
      case KeyKind::kMetadata: {
        FLOTILLA_ASSIGN(Metadata edits, decode_metadata(kv.value));
        cluster_.metadata_edits.insert_or_assign(key.first, std::move(edits));
        return {};
      }
      case KeyKind::kState: {
        FLOTILLA_ASSIGN(UnitState state, decode_unit_state(kv.value));
        state.name = name_in(cluster_, key.first);
        state.machine = words_.shared(key.second);
        state.hash = hash_in(cluster_, state.name, std::move(state.hash));
        for (SharedText* word : {&state.load_state, &state.active_state, &state.sub_state}) {
          *word = words_.shared(*word);
        }
        state.mod_revision = kv.mod_revision;
        cluster_.states[state.name].insert_or_assign(state.machine, std::move(state));
        return {};
      }
      case KeyKind::kHistory: {
        FLOTILLA_ASSIGN(UnitHistory history, decode_history(kv.value));
        history.name = key.first;
        history.mod_revision = kv.mod_revision;
        cluster_.histories.insert_or_assign(key.first, std::move(history));
        return {};
      }
      case KeyKind::kLeader: {
        FLOTILLA_ASSIGN(Leader leader, decode_leader(kv.value));
        leader.mod_revision = kv.mod_revision;
        leader.create_revision = kv.create_revision;
        leader.lease = kv.lease;
        cluster_.leader = std::move(leader);
        return {};
      }
      case KeyKind::kRebalance:
        cluster_.wants_rebalance = true;
        return {};
    }
    return {};
  }

  void on_delete(const std::string& raw_key) {
    const std::optional<ParsedKey> key = keys_.parse(raw_key);
    if (!key) return;
    mark(*key);
    forget_unreadable(raw_key);
    switch (key->kind) {
      case KeyKind::kFormat:
        return;
      case KeyKind::kUnit:
        cluster_.units.erase(key->first);
        return;
      case KeyKind::kSchedule:
        erase_nested(cluster_.schedule, key->second, key->first);
        return;
      case KeyKind::kGlobal:
        cluster_.globals.erase(key->first);
        return;
      case KeyKind::kMachine:
        cluster_.machines.erase(key->first);
        return;
      case KeyKind::kMetadata:
        cluster_.metadata_edits.erase(key->first);
        return;
      case KeyKind::kState:
        erase_nested(cluster_.states, key->first, key->second);
        return;
      case KeyKind::kHistory:
        cluster_.histories.erase(key->first);
        return;
      case KeyKind::kLeader:
        cluster_.leader.reset();
        return;
      case KeyKind::kRebalance:
        cluster_.wants_rebalance = false;
        return;
    }
  }

  // What the mirror has told, where that is to be seen from what became of it. The rest, small, is
  // told again when all is read anew.
  std::map<std::string, store::Revision> known() const {
    std::map<std::string, store::Revision> known;
    for (const auto& [name, unit] : cluster_.units) known[keys_.unit(name)] = unit.mod_revision;
    for (const auto& [name, machines] : cluster_.schedule) {
      for (const auto& [id, entry] : machines) {
        known[keys_.schedule(id, name)] = entry.mod_revision;
      }
    }
    for (const auto& [name, machines] : cluster_.states) {
      for (const auto& [id, state] : machines) known[keys_.state(name, id)] = state.mod_revision;
    }
    for (const auto& [name, entry] : cluster_.globals) {
      known[keys_.global(name)] = entry.mod_revision;
    }
    for (const auto& [id, machine] : cluster_.machines) {
      known[keys_.machine(id)] = machine.mod_revision;
    }
    for (const auto& [name, history] : cluster_.histories) {
      known[keys_.history(name)] = history.mod_revision;
    }
    for (const auto& [id, edits] : cluster_.metadata_edits) known[keys_.metadata(id)] = 0;
    if (cluster_.leader) known[keys_.leader()] = cluster_.leader->mod_revision;
    if (cluster_.wants_rebalance) known[keys_.rebalance()] = 0;
    // Of an unreadable one the record that stands is older than what was told.
    for (const auto& [key, reason] : cluster_.unreadable) known[key] = 0;
    return known;
  }

  template <typename Map>
  static void erase_nested(Map& map, const std::string& outer, const std::string& inner) {
    const auto found = map.find(outer);
    if (found == map.end()) return;
    found->second.erase(inner);
    if (found->second.empty()) map.erase(found);
  }

  void mark(const ParsedKey& key) {
    switch (key.kind) {
      case KeyKind::kFormat:
        return;
      case KeyKind::kUnit:
      case KeyKind::kHistory:  // told as a change of the unit
        change_.units.insert(key.first);
        return;
      case KeyKind::kSchedule:
        change_.schedule.insert(key.second);
        return;
      case KeyKind::kGlobal:
        change_.schedule.insert(key.first);
        return;
      case KeyKind::kMachine:
      case KeyKind::kMetadata:
        change_.machines.insert(key.first);
        return;
      case KeyKind::kState:
        change_.states.insert(key.first);
        return;
      case KeyKind::kRebalance:  // told as a change of the leader, whom it is for
      case KeyKind::kLeader:
        change_.leader = true;
        return;
    }
  }

  void on_step(store::Revision revision) {
    cluster_.revision = revision;
    ClusterChange change = std::exchange(change_, {});
    change.revision = revision;
    if (!is_ready()) {
      // The first reading, or a new one after a compaction: told when the view stands again.
      whole_ = std::move(change);
    } else {
      const bool is_empty = change.units.empty() && change.schedule.empty() &&
                            change.machines.empty() && change.states.empty() && !change.leader;
      if (!is_empty) tell(change);
    }
    call_waiting_soon();
  }

  void tell(const ClusterChange& change) {
    const auto alive = alive_;
    std::vector<uint64_t> ids;
    ids.reserve(listeners_->size());
    for (const auto& [id, listener] : *listeners_) ids.push_back(id);
    for (const uint64_t id : ids) {
      const auto found = listeners_->find(id);
      if (found == listeners_->end()) continue;
      const auto listener = found->second;  // the call may end the subscription
      listener(change);
      if (!*alive) return;
    }
  }

  void call_waiting_soon() {
    if (waiting_.empty() || waiting_.begin()->first > cluster_.revision) return;
    loop_.post([this, alive = alive_] {
      while (*alive && !waiting_.empty() && waiting_.begin()->first <= cluster_.revision) {
        const auto then = std::move(waiting_.extract(waiting_.begin()).mapped());
        then();
      }
    });
  }

  store::Store& store_;
  base::EventLoop& loop_;
  const Keys keys_;
  Cluster cluster_;
  Words words_;           // in it
  ClusterChange change_;  // since the last step
  ClusterChange whole_;   // read anew, and not told yet
  base::MonotonicTime since_ = base::MonotonicTime::never();
  std::multimap<store::Revision, std::function<void()>> waiting_;
  std::shared_ptr<Listeners> listeners_ = std::make_shared<Listeners>();
  uint64_t next_listener_ = 1;
  bool is_kept_ = false;  // by open()
  size_t holds_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<Mirror> mirror_;
};

class ClusterView::Impl::Subscription final : public base::Registration {
 public:
  Subscription(std::shared_ptr<Listeners> listeners, uint64_t id)
      : listeners_(std::move(listeners)), id_(id) {}
  ~Subscription() override { listeners_->erase(id_); }

 private:
  std::shared_ptr<Listeners> listeners_;
  uint64_t id_;
};

base::RegistrationPtr ClusterView::Impl::subscribe(
    std::function<void(const ClusterChange&)> listener) {
  const uint64_t id = next_listener_++;
  listeners_->emplace(id, std::move(listener));
  return std::make_unique<Subscription>(listeners_, id);
}

class ClusterView::Impl::Hold final : public base::Registration {
 public:
  explicit Hold(Impl& view) : view_(view), alive_(view.alive_) { ++view_.holds_; }
  ~Hold() override {
    if (*alive_) view_.let_go();
  }

 private:
  Impl& view_;
  const std::shared_ptr<bool> alive_;
};

base::RegistrationPtr ClusterView::Impl::hold() {
  auto hold = std::make_unique<Hold>(*this);
  read();
  return hold;
}

ClusterView::ClusterView(store::Store& store, base::EventLoop& loop, std::string prefix)
    : impl_(std::make_unique<Impl>(store, loop, std::move(prefix))) {}
ClusterView::~ClusterView() = default;

void ClusterView::open() { impl_->open(); }
void ClusterView::close() { impl_->close(); }
base::RegistrationPtr ClusterView::hold() { return impl_->hold(); }
bool ClusterView::is_ready() const { return impl_->is_ready(); }
bool ClusterView::has_data() const { return impl_->has_data(); }
base::MonotonicTime ClusterView::uninterrupted_since() const {
  return impl_->uninterrupted_since();
}
const Cluster& ClusterView::cluster() const { return impl_->cluster(); }
base::RegistrationPtr ClusterView::subscribe(std::function<void(const ClusterChange&)> listener) {
  return impl_->subscribe(std::move(listener));
}
void ClusterView::when_at(store::Revision revision, std::function<void()> then) {
  impl_->when_at(revision, std::move(then));
}

}  // namespace flotilla::registry
