// ViewOnDemand: the ClusterView for those who need it now and then, the API above all. The first
// use opens it; it is closed when it was not used for a while, and is then no more than this
// object.
//
// Owned by fleetd's composition; loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/event_loop.h"
#include "registry/cluster_view.h"

namespace flotilla::registry {

class ViewOnDemand {
 public:
  static constexpr base::Micros kKeep = std::chrono::minutes(5);
  // How long a use waits for the first reading.
  static constexpr base::Micros kPatience = std::chrono::seconds(10);

  // Requires: `view` and `loop` outlive it.
  ViewOnDemand(ClusterView& view, base::EventLoop& loop, base::Micros keep = kKeep);
  ~ViewOnDemand();
  ViewOnDemand(const ViewOnDemand&) = delete;
  ViewOnDemand& operator=(const ViewOnDemand&) = delete;

  // Keeps the view open from now on for the time given. Returns whether it has data already.
  bool use();
  // As use(), and calls `then` in a later turn: with true once it has data, or with false when it
  // has not got them in time. Dropped uncalled when this object is destroyed.
  void when_there(std::function<void(bool is_there)> then);

 private:
  void set_timer();
  void answer(bool is_there);

  ClusterView& view_;
  base::EventLoop& loop_;
  const base::Micros keep_;
  base::MonotonicTime used_;
  base::RegistrationPtr hold_;
  base::RegistrationPtr timer_;  // while the view is held
  std::vector<std::function<void(bool)>> waiting_;
  base::RegistrationPtr subscription_;  // while somebody waits
  base::RegistrationPtr patience_;      //
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::registry
