// LeaderWatch: who leads, by the leader's key alone. All that a machine which does not lead has to
// know of the cluster in order to lead when nobody does.
//
// Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/event_loop.h"
#include "registry/mirror.h"
#include "registry/objects.h"
#include "store/store.h"

namespace flotilla::engine {

class LeaderWatch {
 public:
  // `on_change` is called after each change of what the members below tell.
  LeaderWatch(store::Store& store, base::EventLoop& loop, std::string key,
              std::function<void()> on_change);

  void open();
  void close();

  // Whether the key is known as the store has it; else what follows is what was known last.
  bool is_live() const { return mirror_ && mirror_->is_live(); }
  // Since when that has been so without interruption; never() while it is not.
  base::MonotonicTime since() const { return since_; }
  const std::optional<registry::Leader>& leader() const { return leader_; }
  // Whether nobody has the key: who leads has it under a lease. One that cannot be read, but has a
  // lease, is somebody's.
  bool is_vacant() const { return lease_ == 0; }
  store::Revision mod_revision() const { return mod_revision_; }  // 0: the key is not there

 private:
  void on_put(const store::KeyValue& kv);

  store::Store& store_;
  base::EventLoop& loop_;
  const std::string key_;
  const std::function<void()> on_change_;
  std::optional<registry::Leader> leader_;
  store::Revision mod_revision_ = 0;
  store::LeaseId lease_ = 0;
  base::MonotonicTime since_ = base::MonotonicTime::never();
  std::unique_ptr<registry::Mirror> mirror_;
};

}  // namespace flotilla::engine
