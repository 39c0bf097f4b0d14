// Observer: who looks at the cluster from outside and asks things of it, as an API does: which
// units run, whether the machines are there. Throws std::runtime_error with a sentence.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "overlord/loop.h"
#include "registry/cluster_view.h"
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
  void look_at_fact();

  overlord::AsioLoop loop_;
  std::unique_ptr<store::Store> store_;
  registry::Registry registry_;
  registry::ClusterView view_;
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
