// World: a whole cluster in one process and in virtual time, and the eye that watches over what
// must never happen in it. The seed decides everything.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "registry/cluster_view.h"
#include "registry/keys.h"
#include "registry/registry.h"
#include "sim/link.h"
#include "sim/machine.h"
#include "sim/random.h"

namespace flotilla::sim {

// Guards that a run can be deprived of, to see that the invariants notice.
enum class Mutation : uint8_t {
  kNone,
  kLeaderWritesUnguarded,    // decisions are written without the compare of the leader key
  kElectionUnguarded,        // the leader key is put without looking who has it
  kRegistrationUnguarded,    // a machine's record is put over another's
  kUnansweredWriteUnfenced,  // after a write without an answer the leader goes on at once
  kClaimUnguarded,           // a unit that must not run twice starts without asking the store
  kLeaseClockStands,         // the agents' lease never seems to end
  kNoStormGuard,             // a leader believes at once that machines are gone
  kNoLeaseService,           // nobody stops units that must not run twice where fleetd is dead
};

struct WorldOptions {
  uint64_t seed = 1;
  size_t machines = 5;
  size_t engines = 5;     // the first so many may lead
  bool has_twin = false;  // one more machine, with the id of the first
  Mutation mutation = Mutation::kNone;
};

class World final : public Tap {
 public:
  explicit World(const WorldOptions& options);
  ~World() override;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Lets time pass, and checks after each moment in which something happened.
  void run(base::Micros time);

  // What users do, over a network that never fails.
  void put_unit(const std::string& name, const std::string& text, registry::TargetState desired);
  void set_desired(const std::string& name, registry::TargetState desired);
  void destroy(const std::string& name);
  void edit_metadata(const std::string& machine, const std::string& key, const std::string& value);
  void rebalance();
  void compact();
  // The store takes nothing that would make it grow, and says so.
  void fill_up() { is_full_ = true; }
  void make_room() { is_full_ = false; }

  // Makes everything whole: all machines on, all networks mended and fast.
  void heal();
  // Adds what does not hold although nothing has happened for a while.
  void check_at_rest();
  // Whether rebalancing has ended, and has nothing left to do.
  bool is_even() const;
  void check_even();

  size_t size() const { return machines_.size(); }
  Machine& machine(size_t index) { return *machines_[index]; }
  Network& network(size_t index) { return networks_[index]; }
  // The machine that leads according to the store, or null.
  Machine* leader();
  const registry::Cluster& truth() const { return truth_.cluster(); }
  base::FakeEventLoop& loop() { return loop_; }
  Random& random() { return random_; }
  uint64_t schedule_writes() const { return schedule_writes_; }
  // What was seen that must never happen, each once.
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Seen;  // of a unit on a machine

  std::optional<base::Result<store::TxnResponse>> before(const std::string& machine,
                                                         store::TxnRequest& request) override;
  void after(const std::string& machine, const store::TxnRequest& request,
             const store::TxnResponse& response) override;
  void violate(std::string what);
  void check_leader_write(const std::string& machine, store::Revision revision);
  void check_put_of_leader(const std::string& value, store::Revision revision);
  void check_put_of_machine(const store::PutOp& put, store::Revision revision);
  void check_moment();
  void check_run_once(const std::string& unit);
  void check_reason_to_stop(size_t machine, const std::string& unit);
  void note_schedule(const registry::ClusterChange& change);
  void note_machines();
  void check_absence(const std::string& leader, const std::string& machine,
                     const std::string& unit);
  void check_requests_at_rest();
  void check_finished(const registry::ScheduleEntry& entry);
  void check_moves();
  void check_unit_at_rest(const registry::Unit& unit);
  void check_machine_at_rest(const Machine& machine);
  void check_frail_at_rest(const Machine& machine, const registry::Unit& unit);
  bool may_run_once_only(const std::string& unit) const;

  const WorldOptions options_;
  base::FakeEventLoop loop_;
  Random random_;
  std::string directory_;
  const registry::Keys keys_{kPrefix};
  std::unique_ptr<store::Store> store_;
  registry::Registry registry_;
  registry::ClusterView truth_;
  base::RegistrationPtr subscription_;
  Wire wire_;
  std::vector<Network> networks_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::set<std::pair<size_t, std::string>> dirty_;
  std::map<std::pair<size_t, std::string>, bool> ran_;
  // Since when a schedule entry says what it says now: (unit, machine) -> revision, time.
  std::map<std::pair<std::string, std::string>, std::pair<store::Revision, base::MonotonicTime>>
      entries_;
  std::set<std::string> present_;                        // machines
  std::map<std::string, base::MonotonicTime> vanished_;  // since when they are away
  std::string leading_;                                  // the nonce of who leads, and since when
  base::MonotonicTime leading_since_;
  base::MonotonicTime storm_at_;                  // when many last vanished together
  std::pair<std::string, uint32_t> frail_moves_;  // of the text with that hash
  uint64_t schedule_writes_ = 0;
  bool is_full_ = false;
  std::vector<std::string> violations_;
  std::set<std::string> said_;
};

}  // namespace flotilla::sim
