// AgentManager: the agent's edge. Compares what this machine must run with what is here, and has
// the service manager make it so, by plan(). Publishes the states of its units as the service
// manager signals them.
//
// The life of a unit here:
//   Load    write its file, link it, enable it if it has an [Install] section
//   Start   remember "launched", then start it; nobody waits for the job
//   Stop    remember "loaded", then stop it
//   Unload  stop it and wait until it has stopped, then unlink, forget, remove its file
// Units go their ways side by side: one that takes long to stop, or fails, holds up no other. A
// failed operation is tried again later with growing pauses, at once if something changes.
//
// Only units of which the agent itself wrote the file are ever touched. Nothing is stopped when the
// daemon ends, when the store is away, or when a record cannot be read.
//
// Owned by fleetd's composition; loop thread only.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/assignments.h"
#include "agent/batch.h"
#include "agent/last_schedule.h"
#include "agent/lease_fence.h"
#include "agent/lease_unit.h"
#include "agent/plan.h"
#include "agent/state_publisher.h"
#include "agent/unit_files.h"
#include "agent/unit_marks.h"
#include "bus/unit_manager.h"
#include "overlord/executor.h"
#include "overlord/state.h"
#include "overlord/state_engine.h"
#include "registry/machine_session.h"
#include "registry/registry.h"

namespace flotilla::agent {

struct AgentOptions {
  std::string units_directory = "/run/fleet/units";
  std::string boot_id;  // of the kernel
  // For fleet-lease.service. Without the program a dead daemon stops no units.
  std::string lease_program = {};
  std::string manager_socket = {};
  // Where what is scheduled here is kept for a boot without the store, and what writes it. Empty:
  // it is not kept.
  std::string last_schedule_path = {};
  overlord::Executor* executor = nullptr;
};

// An operation that has come to a call about its unit's file.
struct Filing {
  std::string unit;
  Operation operation;
  InstallSection install = InstallSection::kNone;
};

// What the API's status pages show of a unit here.
struct LocalUnit {
  std::string hash;
  registry::TargetState reached = registry::TargetState::kInactive;
  bus::UnitState state;
};

struct Difference {
  registry::TargetState wanted = registry::TargetState::kInactive;
  registry::TargetState reached = registry::TargetState::kInactive;
  bool is_other_text = false;  // than the one that is wanted
  std::string problem;         // why the last operation failed, if it did
};

class AgentManager final : public overlord::StateManager, private bus::UnitManagerListener {
 public:
  // Requires: all references outlive the manager.
  AgentManager(registry::Registry& registry, base::EventLoop& loop,
               registry::MachineSession& session, bus::UnitManager& unit_manager,
               overlord::State& state, overlord::StateEngine& engine, AgentOptions options);
  ~AgentManager() override;

  std::string_view name() const override { return "agent"; }
  base::Status start_up() override;
  base::Status ensure() override;
  void stop() override;

  // The store cannot be reached: until it can, start what this machine was to run when it was last
  // heard. Nothing is stopped, removed or replaced by that.
  void use_last_known();

  // Whether the unit is one of ours, and what is known of it.
  const LocalUnit* find_unit(const std::string& name) const;
  // All of ours.
  std::map<std::string, LocalUnit> units() const;
  // Where what is scheduled here and what has been done differ: units on their way, and those of
  // which an operation fails. Nothing before it is known what is scheduled.
  std::map<std::string, Difference> differences();

 private:
  struct Local;
  using Chain = std::deque<Operation>;

  // Getting ready: which life of the service manager this is, and what it runs.
  void on_connected() override;
  void on_disconnected(const base::Error& why) override;
  void on_unit_changed(const bus::UnitChange& change) override;
  void on_unit_removed(const std::string& unit) override;
  void on_reloaded() override;
  void find_identity(size_t candidate);
  void take_identity(std::string identity);
  void check_unconfirmed(const std::string& unit);
  void read_states(std::vector<std::string> names);
  void read_all_states();
  void take_state(const bus::UnitState& state, std::optional<uint64_t> enter_usec = {});

  // Passes.
  bool is_ready() const;
  bool hears_the_store() const { return was_registered_ && assignments_.has_data(); }
  // What this machine must run. Requires: hears_the_store(), or last_known_ is there.
  const AssignedUnits& assigned();
  void keep_or_forget_last_known();
  std::vector<Operation> plan_for(const AssignedUnits& assigned);
  std::vector<Operation> only_bringing_up(std::vector<Operation> operations) const;
  // Units that must not run twice.
  bool may_run(const Local& local) const;
  registry::TargetState target_of(const std::string& unit, const Assignment& assignment) const;
  void stop_fenced();
  void check_lease_unit(std::string_view active_state);
  std::string text_on_disk(const Assignment& assignment) const;
  void kill_fenced(const std::string& unit);
  void claim(const std::string& unit, const Operation& operation, const Assignment& wanted);
  void restore_mark(const std::string& unit, Local& local);

  // Oneshots that have ended (oneshot_end.cc).
  void note_end(const std::string& unit, Local& local);
  void forget_end(const std::string& unit, Local& local);
  bool has_ended_by_restart(const Local& local, const bus::UnitState& now) const;
  static bool has_finished(const Local& local, const Assignment& assignment);
  void tell_ends(const AssignedUnits& assigned);
  void tell_end(const std::string& unit, Local& local, store::Revision entry_revision);

  void resolve_texts(const AssignedUnits& assigned);
  void begin(const std::vector<Operation>& operations);
  void go_on(const std::string& unit);
  void finish(const std::string& unit, const Operation& operation, const base::Status& status);
  bus::Done<void> finisher(const std::string& unit, Operation operation);

  // Operations.
  void load(const std::string& unit, const Operation& operation);
  void start(const std::string& unit, const Operation& operation);
  void start_now(const std::string& unit, const Operation& operation);
  void stop_unit(const std::string& unit, const Operation& operation);
  void unload(const std::string& unit, const Operation& operation);
  void reload_once(const std::string& unit, const Operation& operation);
  void start_reload();
  void on_job_error(const std::string& unit, const Operation& operation, const base::Error& why);

  // What the service manager is told of unit files, of many in one call.
  using FilingCall = std::function<void(const std::vector<Filing>&, bus::Done<bool>)>;
  using FilingsDone = std::function<void(const std::vector<Filing>&, const base::Result<bool>&)>;
  void file_together(std::vector<Filing> filings, const FilingCall& call, const FilingsDone& then,
                     Batch<Filing>::Ended ended);
  void send_links(std::vector<Filing> filings, Batch<Filing>::Ended ended);
  void send_enables(std::vector<Filing> filings, Batch<Filing>::Ended ended);
  void send_removals(std::vector<Filing> filings, Batch<Filing>::Ended ended);
  void on_loaded(const std::vector<Filing>& filings);
  void undo_loads(const std::vector<Filing>& filings, const base::Error& why);
  void on_disabled(const Filing& filing, const base::Result<bool>& disabled);
  void forget(const Filing& filing);
  std::vector<std::string> paths_of(const std::vector<Filing>& filings) const;
  std::vector<std::string> paths_to_link(const std::vector<Filing>& filings);

  void set_reached(const std::string& unit, registry::TargetState reached, bool is_confirmed);
  void publish(const std::string& unit);
  void publish_failed_load(const std::string& unit);
  void set_problem(const std::string& unit, const std::string& problem);
  void read_enter_time(const std::string& unit);
  template <typename T>
  bus::Done<T> guarded(std::function<void(base::Result<T>)> then);

  base::EventLoop& loop_;
  registry::MachineSession& session_;
  bus::UnitManager& unit_manager_;
  overlord::StateEngine& engine_;
  const AgentOptions options_;
  UnitFiles files_;
  UnitMarks marks_;
  Assignments assignments_;
  std::unique_ptr<LastSchedule> last_schedule_;
  std::optional<AssignedUnits> last_known_;  // in force until the store is heard
  uint64_t kept_version_ = 0;                // of assignments_
  StatePublisher publisher_;
  LeaseUnit lease_unit_;
  LeaseFence fence_;
  std::map<std::string, std::unique_ptr<Local>> locals_;  // units with a file, or about to have one
  bool has_identity_ = false;    // of the service manager that is connected now
  bool was_registered_ = false;  // the cluster has accepted this machine
  Batch<Filing> links_;
  Batch<Filing> enables_;
  Batch<Filing> removals_;
  std::vector<bus::Done<void>> reload_waiters_;
  bool is_reloading_ = false;
  base::RegistrationPtr subscription_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::agent
