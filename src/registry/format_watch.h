// FormatWatch: sees to it that a daemon which runs leaves a store alone as soon as a newer major
// version has written its format there, as one that starts does. The lease is kept: the machine's
// units are still there, and its next fleetd takes everything over.
//
// Owned by fleetd's composition; loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "registry/keys.h"
#include "registry/mirror.h"
#include "registry/registry.h"
#include "store/gated_store.h"

namespace flotilla::registry {

class FormatWatch {
 public:
  // `store`: what `gate` is before. `registry` is behind it. Requires: all outlive it.
  FormatWatch(store::Store& store, base::EventLoop& loop, store::GatedStore& gate,
              Registry& registry);

  // Listens to the key. Of what it does the caller is told after the gate has been shut or opened.
  void start(std::function<void()> on_change);

 private:
  void on_put(const store::KeyValue& record);
  void on_delete();
  void open_gate();

  store::Store& store_;
  base::EventLoop& loop_;
  store::GatedStore& gate_;
  Registry& registry_;
  const Keys keys_;
  std::function<void()> on_change_;
  std::unique_ptr<Mirror> mirror_;
};

}  // namespace flotilla::registry
