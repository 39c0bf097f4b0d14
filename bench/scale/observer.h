// Observer: who looks at the cluster from outside and asks things of it, as an API does: which
// units run, whether the machines are there. Throws std::runtime_error with a sentence.
//
// It has the whole cluster in view, but for the time in which it only counts what is reported as
// running: then it looks away until it is told to count, and listens to the states alone from there
// on, so as to take little of what it measures.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_set>

#include "overlord/loop.h"
#include "registry/cluster_view.h"
#include "registry/keys.h"
#include "registry/mirror.h"
#include "registry/registry.h"
#include "store/etcd_options.h"
#include "store/store.h"

namespace flotilla::bench {

class Observer {
 public:
  explicit Observer(const store::EtcdOptions& etcd);
  ~Observer();
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  // Until `fact` holds; looks whenever the cluster changes, and a hundred times a second.
  // `what` is said where the limit does not suffice for it.
  void wait(const std::string& what, std::function<bool()> fact, base::Micros limit);
  void pass(base::Micros time);
  // From now on there is no cluster(), and nothing is asked of the store ...
  void look_away();
  // ... but what reports() tells ...
  void begin_to_count();
  // ... until all of that is read anew.
  void end_to_count();
  // Units that are, or have been since begin_to_count(), reported as active.
  size_t reports() const { return reported_.size(); }
  void put_unit(size_t number, const std::string& name, const std::string& place);
  void set_place(const std::string& machine, const std::string& place);

  const registry::Cluster& cluster() const { return view_.cluster(); }
  // Scheduled to one machine, and active there.
  bool runs(const std::string& unit) const;
  size_t running() const { return running_.size(); }
  size_t asked() const { return asked_; }
  size_t answered() const { return answered_; }

 private:
  void on_change(const registry::ClusterChange& change);
  void look(const std::string& unit);
  void on_state(const store::KeyValue& kv);
  void look_at_fact();

  overlord::AsioLoop loop_;
  std::unique_ptr<store::Store> store_;
  registry::Registry registry_;
  registry::ClusterView view_;
  std::unique_ptr<registry::Mirror> states_;  // while it counts
  std::unordered_set<std::string> reported_;
  base::RegistrationPtr subscription_;
  base::RegistrationPtr interrupt_;
  base::RegistrationPtr terminate_;
  base::RegistrationPtr tick_;
  std::set<std::string> running_;
  std::function<bool()> fact_;
  size_t asked_ = 0;
  size_t answered_ = 0;
  std::string problem_;
};

}  // namespace flotilla::bench
