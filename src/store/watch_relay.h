// The watches of a store that stands before another one: each passes on what the store behind
// hears, can be cut off from it, and is ended by either.
//
// Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <set>

#include "store/store.h"

namespace flotilla::store {

class WatchRelay {
 public:
  // Requires: `inner` and `loop` outlive it.
  WatchRelay(Store& inner, base::EventLoop& loop);
  ~WatchRelay();
  WatchRelay(const WatchRelay&) = delete;
  WatchRelay& operator=(const WatchRelay&) = delete;

  // As Store::watch; a silent one hears nothing. The registration may outlive the relay.
  base::RegistrationPtr add(WatchRequest request, WatchHandler handler, bool is_silent);
  // Those that live hear nothing more.
  void silence();

  using Tell = std::function<void(const WatchHandler&)>;
  // In a later turn of the loop, and unless the relay is gone by then, `tell` says to each why it
  // is over: to those that were silent, or to all.
  void end_silent(const Tell& tell);
  void end_all(const Tell& tell);

  size_t size() const { return live_.size(); }

 private:
  struct Watch {
    WatchHandler handler{};
    base::RegistrationPtr inner{};  // none: it is silent
    bool is_over = false;
  };
  class WatchRegistration;

  void end(const std::shared_ptr<Watch>& watch, const Tell& tell);
  WatchHandler passing_on(const std::shared_ptr<Watch>& watch);

  Store& inner_;
  base::EventLoop& loop_;
  std::set<std::shared_ptr<Watch>> live_;
  // What is posted, and registrations, hold it weakly.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::store
