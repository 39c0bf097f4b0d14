#include "store/watch_relay.h"

#include <utility>

namespace flotilla::store {

class WatchRelay::WatchRegistration final : public base::Registration {
 public:
  WatchRegistration(WatchRelay& relay, std::shared_ptr<Watch> watch)
      : relay_(relay), alive_(relay.alive_), watch_(std::move(watch)) {}
  ~WatchRegistration() override {
    watch_->is_over = true;
    watch_->inner.reset();
    if (!alive_.expired()) relay_.live_.erase(watch_);
  }
  WatchRegistration(const WatchRegistration&) = delete;
  WatchRegistration& operator=(const WatchRegistration&) = delete;

 private:
  WatchRelay& relay_;
  std::weak_ptr<bool> alive_;
  std::shared_ptr<Watch> watch_;
};

WatchRelay::WatchRelay(Store& inner, base::EventLoop& loop) : inner_(inner), loop_(loop) {}

WatchRelay::~WatchRelay() { silence(); }

base::RegistrationPtr WatchRelay::add(WatchRequest request, WatchHandler handler, bool is_silent) {
  auto watch = std::make_shared<Watch>();
  watch->handler = std::move(handler);
  live_.insert(watch);
  if (!is_silent) watch->inner = inner_.watch(std::move(request), passing_on(watch));
  return std::make_unique<WatchRegistration>(*this, std::move(watch));
}

// Each call keeps the watch: its handler may end it.
WatchHandler WatchRelay::passing_on(const std::shared_ptr<Watch>& watch) {
  WatchHandler handler;
  handler.on_events = [weak = std::weak_ptr(watch)](const WatchBatch& batch) {
    const auto live = weak.lock();
    if (live && !live->is_over && live->handler.on_events) live->handler.on_events(batch);
  };
  handler.on_compacted = [this, weak = std::weak_ptr(watch)](Revision revision) {
    const auto live = weak.lock();
    if (!live || std::exchange(live->is_over, true)) return;
    live_.erase(live);
    if (live->handler.on_compacted) live->handler.on_compacted(revision);
  };
  handler.on_lost = [this, weak = std::weak_ptr(watch)](const base::Error& error) {
    const auto live = weak.lock();
    if (!live || std::exchange(live->is_over, true)) return;
    live_.erase(live);
    if (live->handler.on_lost) live->handler.on_lost(error);
  };
  return handler;
}

void WatchRelay::silence() {
  for (const auto& watch : live_) watch->inner.reset();
}

void WatchRelay::end(const std::shared_ptr<Watch>& watch, const Tell& tell) {
  watch->inner.reset();
  loop_.post([alive = std::weak_ptr(alive_), watch, tell] {
    if (!alive.expired() && !std::exchange(watch->is_over, true)) tell(watch->handler);
  });
}

void WatchRelay::end_silent(const Tell& tell) {
  for (auto at = live_.begin(); at != live_.end();) {
    const auto watch = *at;
    if (watch->inner) {
      ++at;
      continue;
    }
    at = live_.erase(at);
    end(watch, tell);
  }
}

void WatchRelay::end_all(const Tell& tell) {
  for (const auto& watch : std::exchange(live_, {})) end(watch, tell);
}

}  // namespace flotilla::store
