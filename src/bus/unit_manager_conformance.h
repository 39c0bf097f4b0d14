// What every implementation of the unit manager seam does. A test program instantiates the suite
// with a harness of its own:
//
//   struct MyHarness : UnitManagerHarness { ... };
//   INSTANTIATE_TYPED_TEST_SUITE_P(My, UnitManagerConformance, testing::Types<MyHarness>);
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bus/unit_manager.h"

namespace flotilla::bus {

class UnitManagerHarness {
 public:
  virtual ~UnitManagerHarness() = default;
  virtual UnitManager& manager() = 0;
  // Runs the loop until the condition holds; false if it does not in reasonable time.
  virtual bool run_until(const std::function<bool()>& condition) = 0;
  // A service in the manager's search path that runs until stopped.
  virtual void install(const std::string& name) = 0;
  // The same as a file outside of it, with an [Install] section (WantedBy=multi-user.target).
  virtual std::string make_file(const std::string& name) = 0;
  // The service's main process ends with an error.
  virtual void crash(const std::string& name) = 0;
  // The next start of this service fails.
  virtual void make_start_fail(const std::string& name) = 0;
  virtual void break_connection() = 0;
  virtual void mend_connection() = 0;
};

// Remembers all it is told, one line each.
class RecordingListener final : public UnitManagerListener {
 public:
  void on_connected() override { ++connected; }
  void on_disconnected(const base::Error& why) override {
    ++disconnected;
    last_reason = why;
  }
  void on_job_removed(const JobRemoved& job) override { jobs.push_back(job); }
  void on_unit_changed(const UnitChange& change) override { changes.push_back(change); }
  void on_reloaded() override { ++reloaded; }

  bool saw_state(const std::string& unit, const std::string& active) const {
    for (const UnitChange& change : changes) {
      if (change.name == unit && change.active_state == active) return true;
    }
    return false;
  }

  int connected = 0;
  int disconnected = 0;
  int reloaded = 0;
  base::Error last_reason;
  std::vector<JobRemoved> jobs;
  std::vector<UnitChange> changes;
};

template <typename Harness>
class UnitManagerConformance : public testing::Test {
 protected:
  UnitManagerConformance() : subscription_(manager().subscribe(listener_)) {}

  void SetUp() override {
    ASSERT_TRUE(harness_.run_until([&] { return listener_.connected > 0; }));
  }

  UnitManager& manager() { return harness_.manager(); }

  // The result of one call, waited for.
  template <typename T>
  base::Result<T> wait_for(const std::function<void(Done<T>)>& call) {
    std::optional<base::Result<T>> answer;
    call([&](base::Result<T> result) { answer.emplace(std::move(result)); });
    EXPECT_FALSE(answer.has_value()) << "the callback ran inside the call";
    if (!harness_.run_until([&] { return answer.has_value(); })) {
      return base::timed_out("no answer");
    }
    return std::move(*answer);
  }
  base::Result<JobResult> start(const std::string& unit) {
    return wait_for<JobResult>(
        [&](auto done) { manager().start(unit, JobMode::kReplace, std::move(done)); });
  }
  base::Result<JobResult> stop(const std::string& unit) {
    return wait_for<JobResult>(
        [&](auto done) { manager().stop(unit, JobMode::kReplace, std::move(done)); });
  }
  UnitState state_of(const std::string& unit) {
    auto states = wait_for<std::vector<UnitState>>(
        [&](auto done) { manager().list_units_by_names({unit}, std::move(done)); });
    EXPECT_TRUE(states.has_value());
    if (!states || states->size() != 1) return {};
    return states->front();
  }

  Harness harness_;
  RecordingListener listener_;
  base::RegistrationPtr subscription_;
};

TYPED_TEST_SUITE_P(UnitManagerConformance);

TYPED_TEST_P(UnitManagerConformance, StartsAUnitAndTellsWhenItIsActive) {
  this->harness_.install("hello.service");
  auto result = this->start("hello.service");
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(*result, JobResult::kDone);
  EXPECT_TRUE(this->harness_.run_until(
      [&] { return this->listener_.saw_state("hello.service", "active"); }));
  const UnitState state = this->state_of("hello.service");
  EXPECT_EQ(state.name, "hello.service");
  EXPECT_EQ(state.load_state, "loaded");
  EXPECT_EQ(state.active_state, "active");
  EXPECT_EQ(state.sub_state, "running");
  EXPECT_TRUE(this->harness_.run_until([&] { return !this->listener_.jobs.empty(); }));
  EXPECT_EQ(this->listener_.jobs.front().unit, "hello.service");
  EXPECT_EQ(this->listener_.jobs.front().result, JobResult::kDone);
}

TYPED_TEST_P(UnitManagerConformance, StopsAUnit) {
  this->harness_.install("hello.service");
  ASSERT_TRUE(this->start("hello.service").has_value());
  auto result = this->stop("hello.service");
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(*result, JobResult::kDone);
  EXPECT_EQ(this->state_of("hello.service").active_state, "inactive");
}

TYPED_TEST_P(UnitManagerConformance, RestartGivesANewProcess) {
  this->harness_.install("hello.service");
  ASSERT_TRUE(this->start("hello.service").has_value());
  auto pid = [&] {
    auto properties = this->template wait_for<Properties>(
        [&](auto done) { this->manager().get_properties("hello.service", std::move(done)); });
    return properties ? unsigned_property(*properties, "MainPID", 0) : 0;
  };
  const uint64_t before = pid();
  EXPECT_NE(before, 0U);
  auto result = this->template wait_for<JobResult>([&](auto done) {
    this->manager().restart("hello.service", JobMode::kReplace, std::move(done));
  });
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(*result, JobResult::kDone);
  EXPECT_NE(pid(), before);
  EXPECT_NE(pid(), 0U);
}

TYPED_TEST_P(UnitManagerConformance, SaysThatAStartFailed) {
  this->harness_.install("bad.service");
  this->harness_.make_start_fail("bad.service");
  auto result = this->start("bad.service");
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(*result, JobResult::kFailed);
  EXPECT_EQ(this->state_of("bad.service").active_state, "failed");
  auto reset = this->template wait_for<void>(
      [&](auto done) { this->manager().reset_failed("bad.service", std::move(done)); });
  EXPECT_TRUE(reset.has_value());
  EXPECT_EQ(this->state_of("bad.service").active_state, "inactive");
}

TYPED_TEST_P(UnitManagerConformance, RefusesUnitsThatDoNotExist) {
  auto result = this->start("nowhere.service");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, base::Errc::kNotFound);
  EXPECT_EQ(result.error().message, "Unit nowhere.service not found.");
  EXPECT_EQ(result.error().bus_name, "org.freedesktop.systemd1.NoSuchUnit");
  result = this->stop("nowhere.service");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, "Unit nowhere.service not loaded.");
  EXPECT_EQ(this->state_of("nowhere.service").load_state, "not-found");
}

TYPED_TEST_P(UnitManagerConformance, ListsStatesInTheOrderAskedFor) {
  this->harness_.install("a.service");
  this->harness_.install("b.service");
  ASSERT_TRUE(this->start("b.service").has_value());
  auto states = this->template wait_for<std::vector<UnitState>>([&](auto done) {
    this->manager().list_units_by_names({"b.service", "nowhere.service", "a.service"},
                                        std::move(done));
  });
  ASSERT_TRUE(states.has_value());
  ASSERT_EQ(states->size(), 3U);
  EXPECT_EQ((*states)[0].name, "b.service");
  EXPECT_EQ((*states)[0].active_state, "active");
  EXPECT_EQ((*states)[1].name, "nowhere.service");
  EXPECT_EQ((*states)[1].load_state, "not-found");
  EXPECT_EQ((*states)[2].name, "a.service");
  EXPECT_EQ((*states)[2].active_state, "inactive");
}

TYPED_TEST_P(UnitManagerConformance, LinksAFileFromElsewhereAndUnlinksItAgain) {
  const std::string path = this->harness_.make_file("linked.service");
  auto linked = this->template wait_for<std::vector<UnitFileChange>>(
      [&](auto done) { this->manager().link_unit_files({path}, std::move(done)); });
  ASSERT_TRUE(linked.has_value()) << linked.error().message;
  ASSERT_EQ(linked->size(), 1U);
  EXPECT_EQ(linked->front().type, "symlink");
  EXPECT_EQ(linked->front().target, path);
  auto started = this->start("linked.service");
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_EQ(*started, JobResult::kDone);
  ASSERT_TRUE(this->stop("linked.service").has_value());
  auto unlinked = this->template wait_for<std::vector<UnitFileChange>>(
      [&](auto done) { this->manager().disable_unit_files({"linked.service"}, std::move(done)); });
  ASSERT_TRUE(unlinked.has_value()) << unlinked.error().message;
  ASSERT_EQ(unlinked->size(), 1U);
  EXPECT_EQ(unlinked->front().type, "unlink");
  auto reloaded = this->template wait_for<void>(
      [&](auto done) { this->manager().reload_daemon(std::move(done)); });
  ASSERT_TRUE(reloaded.has_value()) << reloaded.error().message;
  EXPECT_TRUE(this->harness_.run_until([&] { return this->listener_.reloaded > 0; }));
  EXPECT_EQ(this->state_of("linked.service").load_state, "not-found");
}

TYPED_TEST_P(UnitManagerConformance, EnablesALinkedFileByItsInstallSection) {
  const std::string path = this->harness_.make_file("linked.service");
  ASSERT_TRUE(this->template wait_for<std::vector<UnitFileChange>>(
                      [&](auto done) { this->manager().link_unit_files({path}, std::move(done)); })
                  .has_value());
  auto enabled = this->template wait_for<EnableOutcome>(
      [&](auto done) { this->manager().enable_unit_files({path}, std::move(done)); });
  ASSERT_TRUE(enabled.has_value()) << enabled.error().message;
  EXPECT_TRUE(enabled->carries_install_info);
  ASSERT_EQ(enabled->changes.size(), 1U);
  EXPECT_THAT(enabled->changes.front().path,
              testing::EndsWith("multi-user.target.wants/linked.service"));
  auto disabled = this->template wait_for<std::vector<UnitFileChange>>(
      [&](auto done) { this->manager().disable_unit_files({"linked.service"}, std::move(done)); });
  ASSERT_TRUE(disabled.has_value()) << disabled.error().message;
  EXPECT_EQ(disabled->size(), 2U);
}

TYPED_TEST_P(UnitManagerConformance, TellsThatAServiceDied) {
  this->harness_.install("hello.service");
  ASSERT_TRUE(this->start("hello.service").has_value());
  this->harness_.crash("hello.service");
  EXPECT_TRUE(this->harness_.run_until(
      [&] { return this->listener_.saw_state("hello.service", "failed"); }));
  EXPECT_EQ(this->state_of("hello.service").active_state, "failed");
}

TYPED_TEST_P(UnitManagerConformance, ListsTheProcessesOfAUnit) {
  this->harness_.install("hello.service");
  ASSERT_TRUE(this->start("hello.service").has_value());
  auto processes = this->template wait_for<std::vector<UnitProcess>>(
      [&](auto done) { this->manager().get_processes("hello.service", std::move(done)); });
  ASSERT_TRUE(processes.has_value()) << processes.error().message;
  ASSERT_EQ(processes->size(), 1U);
  EXPECT_NE(processes->front().pid, 0U);
}

TYPED_TEST_P(UnitManagerConformance, FailsCallsWhileDisconnectedAndComesBackByItself) {
  this->harness_.install("hello.service");
  this->harness_.break_connection();
  ASSERT_TRUE(this->harness_.run_until([&] { return this->listener_.disconnected == 1; }));
  EXPECT_EQ(this->listener_.last_reason.code, base::Errc::kUnavailable);
  EXPECT_FALSE(this->manager().is_connected());
  auto result = this->start("hello.service");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, base::Errc::kUnavailable);
  this->harness_.mend_connection();
  ASSERT_TRUE(this->harness_.run_until([&] { return this->listener_.connected == 2; }));
  EXPECT_TRUE(this->manager().is_connected());
  EXPECT_TRUE(this->start("hello.service").has_value());
}

TYPED_TEST_P(UnitManagerConformance, AnEndedSubscriptionHearsNothingMore) {
  this->harness_.install("hello.service");
  this->subscription_.reset();
  this->listener_.changes.clear();
  ASSERT_TRUE(this->start("hello.service").has_value());
  EXPECT_TRUE(this->listener_.changes.empty());
  EXPECT_TRUE(this->listener_.jobs.empty());
}

REGISTER_TYPED_TEST_SUITE_P(UnitManagerConformance, StartsAUnitAndTellsWhenItIsActive, StopsAUnit,
                            RestartGivesANewProcess, SaysThatAStartFailed,
                            RefusesUnitsThatDoNotExist, ListsStatesInTheOrderAskedFor,
                            LinksAFileFromElsewhereAndUnlinksItAgain,
                            EnablesALinkedFileByItsInstallSection, TellsThatAServiceDied,
                            ListsTheProcessesOfAUnit,
                            FailsCallsWhileDisconnectedAndComesBackByItself,
                            AnEndedSubscriptionHearsNothingMore);

}  // namespace flotilla::bus
