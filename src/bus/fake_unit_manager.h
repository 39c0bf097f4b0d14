// FakeUnitManager: the unit manager seam in memory. Units come into being as files that a test adds
// or as links the code under test makes; jobs end by themselves in the next turn of the loop, or
// when the test says so; processes die when the test says so; the connection breaks when the test
// says so.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "bus/unit_manager.h"

namespace flotilla::bus {

class FakeUnitManager final : public UnitManager {
 public:
  explicit FakeUnitManager(base::EventLoop& loop) : loop_(loop) {}
  ~FakeUnitManager() override { *alive_ = false; }

  // --- The test's side ---
  // A unit file in the search path.
  void add_unit_file(const std::string& name, bool has_install_section = false);
  void remove_unit_file(const std::string& name);
  // Files outside the search path that link_unit_files() may name; paths not added are taken to
  // exist, without an [Install] section.
  void add_file(const std::string& path, bool has_install_section);
  // What starting the unit comes to from now on; kFailed leaves it "failed".
  void set_start_result(const std::string& unit, JobResult result) { outcomes_[unit] = result; }
  // Units whose names begin so are oneshots: starting one takes so long, or until end_process().
  void add_oneshots(const std::string& prefix, base::Micros lasts) { oneshots_[prefix] = lasts; }
  // Jobs wait for finish_jobs() from now on, or end by themselves again.
  void hold_jobs(bool hold) { hold_jobs_ = hold; }
  void finish_jobs();
  // The main process ends: "failed" or "inactive" afterwards.
  void end_process(const std::string& unit, bool failed);
  void set_connected(bool connected);
  // What get_properties() tells besides.
  void set_property(const std::string& unit, const std::string& name, Value value) {
    properties_[unit][name] = std::move(value);
  }
  // The next calls of this method fail so; null error: no more.
  void fail_calls(const std::string& method, base::Error error) {
    failures_[method] = std::move(error);
  }
  void stop_failing(const std::string& method) { failures_.erase(method); }

  // Every call as "start hello.service replace", "link /a/b.service", in order.
  const std::vector<std::string>& calls() const { return calls_; }
  void forget_calls() { calls_.clear(); }
  // The state as list_units_by_names() would tell it.
  UnitState state_of(const std::string& unit) const;
  bool is_linked(const std::string& unit) const { return links_.count(unit) != 0; }
  bool is_enabled(const std::string& unit) const { return enabled_.count(unit) != 0; }

  // --- UnitManager ---
  bool is_connected() const override { return connected_; }
  base::RegistrationPtr subscribe(UnitManagerListener& listener) override;
  void link_unit_files(std::vector<std::string> paths,
                       Done<std::vector<UnitFileChange>> done) override;
  void enable_unit_files(std::vector<std::string> names, Done<EnableOutcome> done) override;
  void disable_unit_files(std::vector<std::string> names,
                          Done<std::vector<UnitFileChange>> done) override;
  void reload_daemon(Done<void> done) override;
  void start(std::string_view unit, JobMode mode, Done<JobResult> done) override;
  void stop(std::string_view unit, JobMode mode, Done<JobResult> done) override;
  void restart(std::string_view unit, JobMode mode, Done<JobResult> done) override;
  void kill(std::string_view unit, KillWho who, int signal, Done<void> done) override;
  void reset_failed(std::string_view unit, Done<void> done) override;
  void list_units_by_names(std::vector<std::string> names,
                           Done<std::vector<UnitState>> done) override;
  void list_units(Done<std::vector<UnitState>> done) override;
  void get_properties(std::string_view unit, Done<Properties> done) override;
  void get_processes(std::string_view unit, Done<std::vector<UnitProcess>> done) override;

 private:
  class Subscription;
  struct Unit {
    std::string active_state = "inactive";
    std::string sub_state = "dead";
    uint32_t main_pid = 0;
  };
  struct Job {
    uint32_t id = 0;
    std::string type;
    std::string unit;
    Done<JobResult> done;
    base::RegistrationPtr end = nullptr;  // of a oneshot
  };

  void soon(std::function<void()> work);
  // False if the call fails: then `done` has been taken care of.
  template <typename T>
  bool admit(std::string_view method, const std::string& call, const Done<T>& done);
  template <typename T>
  void reply(const Done<T>& done, base::Result<T> result);
  bool is_loadable(const std::string& unit) const;
  void enqueue(const std::string& type, std::string_view unit, JobMode mode, Done<JobResult> done);
  const base::Micros* find_oneshot(const std::string& unit) const;
  bool finish_oneshot(const std::string& unit, JobResult result);
  void finish_job(uint32_t id, std::optional<JobResult> result = {});
  JobResult carry_out(const Job& job);
  void change(const std::string& unit, std::string active, std::string sub);
  void notify(const std::function<void(UnitManagerListener&)>& tell);

  base::EventLoop& loop_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool connected_ = true;
  bool hold_jobs_ = false;
  uint32_t next_job_ = 1;
  uint32_t next_pid_ = 1000;
  uint64_t next_listener_ = 1;
  std::map<std::string, bool> files_;  // in the search path -> has [Install]
  std::map<std::string, bool> paths_;  // outside of it -> has [Install]
  std::map<std::string, std::string> links_;
  std::set<std::string> enabled_;
  std::map<std::string, Unit> units_;
  std::map<std::string, JobResult> outcomes_;
  std::map<std::string, base::Micros> oneshots_;  // by prefix
  std::map<std::string, base::Error> failures_;
  std::map<std::string, Properties> properties_;
  std::vector<Job> jobs_;
  std::vector<std::string> calls_;
  std::map<uint64_t, UnitManagerListener*> listeners_;
};

}  // namespace flotilla::bus
