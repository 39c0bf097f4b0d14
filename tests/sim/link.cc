#include "sim/link.h"

#include <algorithm>
#include <utility>

namespace flotilla::sim {

namespace {

constexpr base::Micros kAnswerLimit = std::chrono::seconds(2);

}  // namespace

void Wire::after(base::Micros delay, std::function<void()> action) {
  auto timer = std::make_shared<base::RegistrationPtr>();
  timers_.insert(timer);
  *timer = world_.after(delay, [this, timer = std::weak_ptr(timer), action = std::move(action)] {
    const std::function<void()> last = action;  // this closure goes with its timer
    timers_.erase(timer.lock());
    last();
  });
}

// Alive as long as the link: what comes in later finds nobody.
struct Link::Core {
  // In the order in which they began: a seed plays the same each time.
  std::map<uint64_t, std::shared_ptr<Watch>> watches;
  uint64_t next_watch = 1;
};

struct Link::Watch {
  store::WatchHandler handler;
  base::RegistrationPtr inner;
  base::RegistrationPtr notice;
  base::MonotonicTime last_due;  // batches do not overtake each other
  bool is_over = false;
  bool is_broken = false;
};

class Link::WatchRegistration final : public base::Registration {
 public:
  WatchRegistration(std::weak_ptr<Core> core, uint64_t id, std::shared_ptr<Watch> watch)
      : core_(std::move(core)), id_(id), watch_(std::move(watch)) {}
  ~WatchRegistration() override {
    watch_->is_over = true;
    watch_->inner.reset();
    watch_->notice.reset();
    if (const auto core = core_.lock()) core->watches.erase(id_);
  }
  WatchRegistration(const WatchRegistration&) = delete;
  WatchRegistration& operator=(const WatchRegistration&) = delete;

 private:
  std::weak_ptr<Core> core_;
  const uint64_t id_;
  std::shared_ptr<Watch> watch_;
};

Link::Link(Parts parts, base::EventLoop& local, std::string machine)
    : parts_(parts), local_(local), machine_(std::move(machine)), core_(std::make_shared<Core>()) {}

Link::~Link() {
  for (const auto& [id, watch] : core_->watches) {
    watch->is_over = true;
    watch->inner.reset();
    watch->notice.reset();
  }
}

base::Micros Link::delay() {
  return base::Micros(parts_.random.between(100, parts_.network.longest_delay.count()));
}

template <typename T>
void Link::send(Callback<T> done, std::function<void(Callback<T>)> at_store) {
  ++calls_;
  // Answered once: by the store, or by the limit.
  struct Call {
    Callback<T> done;
    base::RegistrationPtr limit;
    void answer(base::Result<T> result) {
      limit.reset();
      if (const auto last = std::exchange(done, nullptr)) last(std::move(result));
    }
  };
  auto call = std::make_shared<Call>();
  call->done = std::move(done);
  call->limit = local_.after(kAnswerLimit, [call] {
    const auto keep = call;
    keep->answer(base::timed_out("the store did not answer in time"));
  });
  Network& network = parts_.network;
  if (network.is_cut) return;
  const base::Micros back = delay();
  const bool is_lost =
      network.lose_answer_one_in != 0 && parts_.random.one_in(network.lose_answer_one_in);
  auto come_back = [core = std::weak_ptr(core_), call, back, is_lost, &wire = parts_.wire, &network,
                    local = &local_](base::Result<T> result) {
    if (network.is_cut || is_lost) return;
    wire.after(back, [core, call, local, &network, result = std::move(result)] {
      if (network.is_cut || core.expired()) return;
      local->post([call, result] { call->answer(result); });
    });
  };
  parts_.wire.after(delay(),
                    [&network, at_store = std::move(at_store), come_back = std::move(come_back)] {
                      if (!network.is_cut) at_store(come_back);
                    });
}

void Link::range(store::RangeRequest request, Callback<store::RangeResponse> done) {
  send<store::RangeResponse>(std::move(done),
                             [&store = parts_.store, request = std::move(request)](auto answer) {
                               store.range(request, std::move(answer));
                             });
}

void Link::txn(store::TxnRequest request, Callback<store::TxnResponse> done) {
  send<store::TxnResponse>(std::move(done),
                           [&store = parts_.store, &tap = parts_.tap, machine = machine_,
                            request = std::move(request)](auto answer) {
                             auto seen = std::make_shared<store::TxnRequest>(request);
                             if (auto instead = tap.before(machine, *seen))
                               return answer(std::move(*instead));
                             store.txn(*seen, [&tap, machine, seen, answer](auto result) {
                               if (result) tap.after(machine, *seen, *result);
                               answer(std::move(result));
                             });
                           });
}

void Link::grant_lease(std::chrono::seconds ttl, Callback<store::LeaseGrant> done) {
  send<store::LeaseGrant>(std::move(done), [&store = parts_.store, ttl](auto answer) {
    store.grant_lease(ttl, std::move(answer));
  });
}

void Link::keep_alive(store::LeaseId lease, Callback<store::LeaseGrant> done) {
  send<store::LeaseGrant>(std::move(done), [&store = parts_.store, lease](auto answer) {
    store.keep_alive(lease, std::move(answer));
  });
}

void Link::revoke_lease(store::LeaseId lease, Callback<store::Revision> done) {
  send<store::Revision>(std::move(done), [&store = parts_.store, lease](auto answer) {
    store.revoke_lease(lease, std::move(answer));
  });
}

void Link::compact(store::Revision revision, Callback<store::Revision> done) {
  send<store::Revision>(std::move(done), [&store = parts_.store, revision](auto answer) {
    store.compact(revision, std::move(answer));
  });
}

base::RegistrationPtr Link::watch(store::WatchRequest request, store::WatchHandler handler) {
  auto watch = std::make_shared<Watch>();
  watch->handler = std::move(handler);
  const uint64_t id = core_->next_watch++;
  core_->watches.emplace(id, watch);
  parts_.wire.after(delay(), [this, core = std::weak_ptr(core_), watch, request] {
    if (core.expired() || watch->is_over || watch->is_broken) return;
    if (!parts_.network.is_cut) return connect(watch, request);
    // Nobody is there: the client finds out by itself.
    watch->is_broken = true;
    watch->notice = local_.after(kAnswerLimit, [watch] {
      const auto keep = watch;
      if (!std::exchange(keep->is_over, true)) {
        keep->handler.on_lost(base::Error{base::Errc::kUnavailable, "no connection"});
      }
    });
  });
  return std::make_unique<WatchRegistration>(core_, id, std::move(watch));
}

void Link::connect(const std::shared_ptr<Watch>& watch, store::WatchRequest request) {
  // In the order in which the store told it, each a while later.
  const auto forward = [this, core = std::weak_ptr(core_),
                        weak = std::weak_ptr(watch)](std::function<void(Watch&)> tell) {
    const auto live = weak.lock();
    if (core.expired() || !live || live->is_over || live->is_broken) return;
    const base::MonotonicTime now = local_.clock().monotonic();
    live->last_due = std::max(live->last_due, now + delay());
    parts_.wire.after(live->last_due - now, [this, core, weak, tell = std::move(tell)] {
      if (core.expired()) return;
      local_.post([weak, tell] {
        const auto target = weak.lock();
        if (target && !target->is_over && !target->is_broken) tell(*target);
      });
    });
  };
  store::WatchHandler inner;
  inner.on_events = [forward](const store::WatchBatch& batch) {
    forward([batch](Watch& target) { target.handler.on_events(batch); });
  };
  inner.on_compacted = [forward](store::Revision revision) {
    forward([revision](Watch& target) {
      target.is_over = true;
      target.handler.on_compacted(revision);
    });
  };
  inner.on_lost = [forward](const base::Error& error) {
    forward([error](Watch& target) {
      target.is_over = true;
      target.handler.on_lost(error);
    });
  };
  watch->inner = parts_.store.watch(std::move(request), std::move(inner));
}

void Link::break_watches(base::Micros notice) {
  for (const auto& [id, watch] : core_->watches) {
    if (watch->is_over || std::exchange(watch->is_broken, true)) continue;
    watch->inner.reset();
    watch->notice = local_.after(notice, [weak = std::weak_ptr(watch)] {
      const auto target = weak.lock();
      if (!target || std::exchange(target->is_over, true)) return;
      target->handler.on_lost(base::Error{base::Errc::kUnavailable, "the connection was lost"});
    });
  }
}

}  // namespace flotilla::sim
