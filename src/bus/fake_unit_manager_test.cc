#include "bus/fake_unit_manager.h"

#include "base/fake_event_loop.h"
#include "bus/unit_manager_conformance.h"

namespace flotilla::bus {
namespace {

class FakeHarness final : public UnitManagerHarness {
 public:
  UnitManager& manager() override { return fake_; }
  bool run_until(const std::function<bool()>& condition) override {
    loop_.settle();
    return condition();
  }
  void install(const std::string& name) override { fake_.add_unit_file(name); }
  std::string make_file(const std::string& name) override {
    fake_.add_file("/elsewhere/" + name, true);
    return "/elsewhere/" + name;
  }
  void crash(const std::string& name) override { fake_.end_process(name, true); }
  void make_start_fail(const std::string& name) override {
    fake_.set_start_result(name, JobResult::kFailed);
  }
  void break_connection() override { fake_.set_connected(false); }
  void mend_connection() override { fake_.set_connected(true); }

 private:
  base::FakeEventLoop loop_;
  FakeUnitManager fake_{loop_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, UnitManagerConformance, testing::Types<FakeHarness>);

TEST(FakeUnitManager, HeldJobsEndWhenTheTestSaysSo) {
  base::FakeEventLoop loop;
  FakeUnitManager fake(loop);
  fake.add_unit_file("a.service");
  fake.hold_jobs(true);
  int done = 0;
  fake.start("a.service", JobMode::kReplace, [&](base::Result<JobResult>) { ++done; });
  loop.settle();
  EXPECT_EQ(done, 0);
  EXPECT_EQ(fake.state_of("a.service").active_state, "activating");
  EXPECT_EQ(fake.state_of("a.service").job_type, "start");
  fake.finish_jobs();
  loop.settle();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(fake.calls(), std::vector<std::string>{"start a.service replace"});
}

TEST(FakeUnitManager, FailsTheCallsItIsToldToFail) {
  base::FakeEventLoop loop;
  FakeUnitManager fake(loop);
  fake.fail_calls("reload", base::Error{base::Errc::kInternal, "no", 0, {}});
  std::string text;
  auto note = [&](base::Result<void> result) { text = result ? "done" : result.error().message; };
  fake.reload_daemon(note);
  loop.settle();
  EXPECT_EQ(text, "no");
  fake.stop_failing("reload");
  fake.reload_daemon(note);
  loop.settle();
  EXPECT_EQ(text, "done");
}

}  // namespace
}  // namespace flotilla::bus
