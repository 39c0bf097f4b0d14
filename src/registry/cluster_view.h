// ClusterView: the whole cluster in memory, kept up to date by one range and one watch. Feeds the
// engine and the API. Nobody polls; after a lost watch it resumes, after a compaction it reads
// everything anew and tells only what is different.
//
// It costs memory for each unit there is, and etcd a message for each change: a fleetd holds it
// only while it leads, drains, or its API is asked (ViewOnDemand).
//
// Owned by fleetd's composition; loop thread only. A listener may destroy its registration, not
// the view.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "registry/cluster_records.h"
#include "registry/objects.h"
#include "store/store.h"

namespace flotilla::registry {

class ClusterView {
 public:
  ClusterView(store::Store& store, base::EventLoop& loop, std::string prefix);
  ~ClusterView();
  ClusterView(const ClusterView&) = delete;
  ClusterView& operator=(const ClusterView&) = delete;

  // Starts reading; on_ready is told through subscribe()'s listener like any change. A second call
  // does nothing. Open until close().
  void open();
  // Forgets everything and stops listening, whoever holds it.
  void close();
  // Opens the view, and keeps it open while the registration lives: in a turn of the loop after the
  // last one has ended it is closed, unless it was opened by open(). The view may end before them.
  base::RegistrationPtr hold();

  // Whether cluster() has been read whole and its watch stands.
  bool is_ready() const;
  // Whether it has been read whole at least once since open(): while the store is away the view
  // goes on with what it last knew, and is_ready() is false.
  bool has_data() const;
  // Since when the watch has stood without interruption; never() while it does not.
  base::MonotonicTime uninterrupted_since() const;
  // Requires: has_data(), else it is empty, or some of it.
  const Cluster& cluster() const;

  // Calls `listener` after each batch of changes has been applied, and when is_ready() changes: the
  // first time with everything.
  base::RegistrationPtr subscribe(std::function<void(const ClusterChange&)> listener);

  // Calls `then` once cluster() is at `revision` or later (now, in a later turn, if it is already).
  // Dropped uncalled when the view is closed or destroyed.
  void when_at(store::Revision revision, std::function<void()> then);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::registry
