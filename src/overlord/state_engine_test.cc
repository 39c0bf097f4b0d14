#include "overlord/state_engine.h"

#include <gtest/gtest.h>

#include <string>

#include "base/fake_event_loop.h"

namespace flotilla::overlord {
namespace {

using std::chrono_literals::operator""s;

struct Recorder : StateManager {
  Recorder(std::string own_name, std::string& own_log) : name_(std::move(own_name)), log(own_log) {}
  std::string_view name() const override { return name_; }
  base::Status start_up() override {
    log += name_ + ".start ";
    return fails ? base::Status(base::internal("{} broke", name_)) : base::Status();
  }
  base::Status ensure() override {
    log += name_ + ".ensure ";
    if (on_ensure) on_ensure();
    return fails ? base::Status(base::internal("{} broke", name_)) : base::Status();
  }
  void stop() override { log += name_ + ".stop "; }

  std::string name_;
  std::string& log;
  bool fails = false;
  std::function<void()> on_ensure;
};

struct StateEngineTest : testing::Test {
  base::FakeEventLoop loop;
  std::string log;
  Recorder a{"a", log};
  Recorder b{"b", log};
  StateEngine engine{loop};
  StateEngineTest() {
    engine.add(a);
    engine.add(b);
  }
};

TEST_F(StateEngineTest, MakesTheFirstPassAtOnceAndNoneUnasked) {
  ASSERT_TRUE(engine.start_up());
  loop.advance(0s);
  EXPECT_EQ(log, "a.start b.start a.ensure b.ensure ");
  loop.advance(100000s);
  EXPECT_EQ(log, "a.start b.start a.ensure b.ensure ");
  EXPECT_EQ(loop.armed_timers(), 0u);
}

TEST_F(StateEngineTest, GoesOnWithTheOthersWhenOneFails) {
  a.fails = true;
  EXPECT_EQ(engine.start_up().error().message, "a broke");
  EXPECT_EQ(engine.ensure().error().message, "a broke");
  EXPECT_EQ(log, "a.start b.start a.ensure b.ensure ");
}

TEST_F(StateEngineTest, ManyRequestsMakeOnePassAtTheEarliestTime) {
  ASSERT_TRUE(engine.start_up());
  loop.advance(0s);
  log.clear();
  engine.ensure_before(10s);
  engine.ensure_before(3s);
  engine.ensure_before(5s);
  loop.advance(2s);
  EXPECT_EQ(log, "");
  loop.advance(1s);
  EXPECT_EQ(log, "a.ensure b.ensure ");
  loop.advance(100s);
  EXPECT_EQ(log, "a.ensure b.ensure ");
}

TEST_F(StateEngineTest, APassMayAskForTheNext) {
  int asks = 2;
  a.on_ensure = [&] {
    if (asks-- > 0) engine.ensure_soon();
  };
  ASSERT_TRUE(engine.start_up());
  loop.advance(0s);
  EXPECT_EQ(log, "a.start b.start a.ensure b.ensure a.ensure b.ensure a.ensure b.ensure ");
}

TEST_F(StateEngineTest, StopsOnceAndIsSilentAfterwards) {
  ASSERT_TRUE(engine.start_up());
  engine.stop();
  engine.stop();
  engine.ensure_soon();
  loop.advance(10s);
  EXPECT_EQ(log, "a.start b.start a.stop b.stop ");
  EXPECT_FALSE(engine.ensure());
}

}  // namespace
}  // namespace flotilla::overlord
