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
  // Whether nobody has the key. One that cannot be read is somebody's.
  bool is_vacant() const { return !is_there_; }

 private:
  void on_put(const store::KeyValue& kv);

  store::Store& store_;
  base::EventLoop& loop_;
  const std::string key_;
  const std::function<void()> on_change_;
  std::optional<registry::Leader> leader_;
  bool is_there_ = false;
  base::MonotonicTime since_ = base::MonotonicTime::never();
  std::unique_ptr<registry::Mirror> mirror_;
};

}  // namespace flotilla::engine
