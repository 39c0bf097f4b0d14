#include "registry/cluster_view.h"

#include <malloc.h>

#include <utility>

#include "registry/cluster_records.h"
#include "registry/keys.h"
#include "registry/mirror.h"

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
    handler.on_put = [this](const store::KeyValue& kv) { records_.put(kv); };
    handler.on_delete = [this](const std::string& key) { records_.erase(key); };
    handler.on_step = [this](store::Revision revision) { on_step(revision); };
    handler.on_live = [this](bool is_live) {
      since_ = is_live ? loop_.clock().monotonic() : base::MonotonicTime::never();
      const auto alive = alive_;
      tell(std::exchange(whole_, {}));
      // What the reading took on its way is given back.
      if (*alive && is_live && is_large()) malloc_trim(0);
    };
    handler.known = [this] { return records_.known(); };
    mirror_ = std::make_unique<Mirror>(store_, loop_, keys_.all(), store::prefix_end(keys_.all()),
                                       std::move(handler), keys_.large_folders());
  }

  void close() {
    const bool was_large = is_large();
    is_kept_ = false;
    mirror_.reset();
    waiting_.clear();
    records_.clear();
    whole_ = {};
    since_ = base::MonotonicTime::never();
    if (was_large) malloc_trim(0);
  }

  bool is_large() const {
    return cluster().units.size() + cluster().states.size() > kWorthTrimming;
  }

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
  const Cluster& cluster() const { return records_.cluster(); }

  base::RegistrationPtr subscribe(std::function<void(const ClusterChange&)> listener);

  void when_at(store::Revision revision, std::function<void()> then) {
    waiting_.emplace(revision, std::move(then));
    if (has_data() && cluster().revision >= revision) call_waiting_soon();
  }

 private:
  class Hold;
  class Subscription;
  using Listeners = std::map<uint64_t, std::function<void(const ClusterChange&)>>;

  void on_step(store::Revision revision) {
    records_.cluster().revision = revision;
    ClusterChange change = records_.take_change();
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
    if (waiting_.empty() || waiting_.begin()->first > cluster().revision) return;
    loop_.post([this, alive = alive_] {
      while (*alive && !waiting_.empty() && waiting_.begin()->first <= cluster().revision) {
        const auto then = std::move(waiting_.extract(waiting_.begin()).mapped());
        then();
      }
    });
  }

  store::Store& store_;
  base::EventLoop& loop_;
  const Keys keys_;
  ClusterRecords records_{keys_};
  ClusterChange whole_;  // read anew, and not told yet
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
