// Every state against every event.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <functional>

#include "init/service_machine_life.h"

namespace flotilla::init {
namespace {

using base::Micros;
using base::MonotonicTime;
using testing::ElementsAre;
using Kind = ServiceEvent::Kind;
using Sub = ServiceSubState;
using Result = ServiceResult;

ServiceEvent sample(Kind kind) {
  switch (kind) {
    case Kind::kMainExit:
      return ServiceEvent::main_exit(exited(1));
    case Kind::kControlExit:
      return ServiceEvent::control_exit(exited(1));
    case Kind::kNotifyMainPid:
      return ServiceEvent::notify_main_pid(4711, false);
    case Kind::kNotifyReloading:  // with a MONOTONIC_USEC= of now
    case Kind::kNotifyExtend:
    case Kind::kNotifyWatchdogUsec:
      return ServiceEvent::notify_span(kind, seconds(1000));
    default:
      return ServiceEvent::of(kind);
  }
}

// A service that has been brought into a state by ordinary means.
Life in_state(Sub sub) {
  Life life;
  for (size_t i = 0; i < life.all_commands.size(); ++i) {
    life.all_commands[i] = {command("/x")};
  }
  life.settings.type = ServiceType::kNotify;
  life.settings.timeout_stop = seconds(1);
  life.settings.timeout_abort = seconds(1);
  const auto up_to = [&](std::initializer_list<std::function<void()>> steps) {
    for (const auto& step_once : steps) {
      if (life.state.sub == sub) return;
      step_once();
    }
  };
  const auto ok = [&] { life.control_exits(exited(0)); };
  switch (sub) {
    case Sub::kFailed:
      life.feed(Kind::kStartRefused);
      break;
    case Sub::kAutoRestart:
      life.settings.restart = RestartSetting::kAlways;
      life.commands(ServiceCommand::kStopPost).clear();
      up_to({[&] { life.feed(Kind::kStart); }, ok, ok, [&] { life.main_exits(exited(1)); }});
      break;
    case Sub::kExited:
      life.settings.remain_after_exit = true;
      up_to({[&] { life.feed(Kind::kStart); }, ok, ok, [&] { life.feed(Kind::kNotifyReady); }, ok,
             [&] { life.main_exits(exited(0)); }});
      break;
    case Sub::kReload:
      up_to({[&] { life.feed(Kind::kStart); }, ok, ok, [&] { life.feed(Kind::kNotifyReady); }, ok,
             [&] { life.feed(Kind::kReload); }});
      break;
    case Sub::kReloadSignal:
    case Sub::kReloadNotify:
      life.settings.type = ServiceType::kNotifyReload;
      life.commands(ServiceCommand::kReload).clear();
      up_to({[&] { life.feed(Kind::kStart); }, ok, ok, [&] { life.feed(Kind::kNotifyReady); }, ok,
             [&] { life.feed(Kind::kReload); },
             [&] { life.feed(sample(Kind::kNotifyReloading)); }});
      break;
    case Sub::kStopWatchdog:
      up_to({[&] { life.feed(Kind::kStart); }, ok, ok, [&] { life.feed(Kind::kNotifyReady); }, ok,
             [&] { life.feed(Kind::kNotifyTrigger); }});
      break;
    case Sub::kFinalWatchdog:
      life.settings.timeout_stop_failure_mode = TimeoutFailureMode::kAbort;
      [[fallthrough]];
    case Sub::kStopSigkill:
    case Sub::kStopPost:
    case Sub::kFinalSigterm:
    case Sub::kFinalSigkill:
    default:
      life.others = sub >= Sub::kStop ? 1 : 0;
      up_to({[&] { life.feed(Kind::kStart); }, ok, ok, [&] { life.feed(Kind::kNotifyReady); }, ok,
             [&] { life.stop(); }, ok, [&] { life.pass(seconds(1)); }, [&] { life.obey(); },
             [&] {
               life.others = 1;
               life.pass(seconds(1));
             },
             [&] { life.pass(seconds(1)); }});
      break;
  }
  return life;
}

constexpr Sub kSubs[] = {
    Sub::kDead,      Sub::kCondition,     Sub::kStartPre,     Sub::kStart,
    Sub::kStartPost, Sub::kRunning,       Sub::kExited,       Sub::kReload,
    Sub::kStop,      Sub::kStopWatchdog,  Sub::kStopSigterm,  Sub::kStopSigkill,
    Sub::kStopPost,  Sub::kFinalWatchdog, Sub::kFinalSigterm, Sub::kFinalSigkill,
    Sub::kFailed,    Sub::kAutoRestart,   Sub::kReloadSignal, Sub::kReloadNotify};

// Where each event leads from each state; "." where the state stays. The columns are named in
// kColumns; processes obey nothing, others are there from `stop` on.
constexpr Kind kColumns[] = {Kind::kStart,          Kind::kStop,          Kind::kReload,
                             Kind::kMainExit,       Kind::kControlExit,   Kind::kTimeout,
                             Kind::kProcessesGone,  Kind::kNotifyReady,   Kind::kNotifyReloading,
                             Kind::kNotifyStopping, Kind::kNotifyTrigger, Kind::kWatchdogTimeout,
                             Kind::kOutOfMemory,    Kind::kResetFailed,   Kind::kNotifyWatchdog,
                             Kind::kNotifyMainPid,  Kind::kBusNameLost,   Kind::kPidFile};
struct Row {
  Sub from;
  const char* to[std::size(kColumns)];
};
// clang-format off
constexpr Row kTable[] = {
  //                        start        stop            reload    main exit    control exit    timeout          empty  ready         reloading        stopping        trigger          watchdog         oom              reset   fed  main pid  bus lost  pid file
  {Sub::kDead,          {"condition", ".",            ".",      ".",         ".",            ".",             ".",   ".",          ".",             ".",            ".",             ".",             ".",             ".",    ".", ".",      ".",      "."}},
  {Sub::kCondition,     {".",         "stop-sigterm", ".",      ".",         "stop-post",    "stop-sigterm",  ".",   ".",          ".",             ".",            "stop-watchdog", "stop-watchdog", "stop-sigterm",  ".",    ".", ".",      ".",      "."}},
  {Sub::kStartPre,      {".",         "stop-sigterm", ".",      ".",         "stop-post",    "stop-sigterm",  ".",   ".",          ".",             ".",            "stop-watchdog", "stop-watchdog", "stop-sigterm",  ".",    ".", ".",      ".",      "."}},
  {Sub::kStart,         {".",         "stop-sigterm", ".",      "stop-post", ".",            "stop-sigterm",  ".",   "start-post", ".",             ".",            "stop-watchdog", "stop-watchdog", "stop-sigterm",  ".",    ".", ".",      ".",      "."}},
  {Sub::kStartPost,     {".",         "stop-sigterm", ".",      ".",         "stop-sigterm", "stop-sigterm",  ".",   ".",          ".",             ".",            "stop-watchdog", "stop-watchdog", "stop-sigterm",  ".",    ".", ".",      ".",      "."}},
  {Sub::kRunning,       {".",         "stop",         "reload", "stop-post", ".",            "stop",          ".",   ".",          "reload",        "stop-sigterm", "stop-watchdog", "stop-watchdog", "stop",          ".",    ".", ".",      ".",      "."}},
  {Sub::kExited,        {".",         "stop",         "reload", ".",         ".",            ".",             ".",   ".",          ".",             ".",            "stop-post",     "stop-post",     "stop",          ".",    ".", ".",      ".",      "."}},
  {Sub::kReload,        {".",         "stop-sigterm", ".",      ".",         "running",      "running",       ".",   ".",          ".",             ".",            "stop-watchdog", "stop-watchdog", ".",             ".",    ".", ".",      ".",      "."}},
  {Sub::kStop,          {".",         ".",            ".",      ".",         "stop-sigterm", "stop-sigterm",  ".",   ".",          ".",             ".",            "stop-watchdog", "stop-watchdog", "stop-sigterm",  ".",    ".", ".",      ".",      "."}},
  {Sub::kStopWatchdog,  {".",         ".",            ".",      "stop-post", ".",            "stop-sigkill",  ".",   ".",          ".",             ".",            ".",             ".",             "stop-sigkill",  ".",    ".", ".",      ".",      "."}},
  {Sub::kStopSigterm,   {".",         ".",            ".",      "stop-post", ".",            "stop-sigkill",  ".",   ".",          ".",             ".",            "stop-watchdog", "stop-watchdog", "stop-sigkill",  ".",    ".", ".",      ".",      "."}},
  {Sub::kStopSigkill,   {".",         ".",            ".",      "stop-post", ".",            "stop-post",     ".",   ".",          ".",             ".",            "stop-watchdog", "stop-watchdog", ".",             ".",    ".", ".",      ".",      "."}},
  {Sub::kStopPost,      {".",         ".",            ".",      ".",         "failed",       "final-sigterm", ".",   ".",          ".",             ".",            "stop-watchdog", "stop-watchdog", "final-sigkill", ".",    ".", ".",      ".",      "."}},
  {Sub::kFinalWatchdog, {".",         ".",            ".",      ".",         "failed",       "final-sigkill", ".",   ".",          ".",             ".",            "stop-watchdog", "stop-watchdog", "final-sigkill", ".",    ".", ".",      ".",      "."}},
  {Sub::kFinalSigterm,  {".",         ".",            ".",      ".",         "failed",       "final-sigkill", ".",   ".",          ".",             ".",            "stop-watchdog", "stop-watchdog", "final-sigkill", ".",    ".", ".",      ".",      "."}},
  {Sub::kFinalSigkill,  {".",         ".",            ".",      ".",         "failed",       "failed",        ".",   ".",          ".",             ".",            "stop-watchdog", "stop-watchdog", ".",             ".",    ".", ".",      ".",      "."}},
  {Sub::kFailed,        {"condition", ".",            ".",      ".",         ".",            ".",             ".",   ".",          ".",             ".",            ".",             ".",             ".",             "dead", ".", ".",      ".",      "."}},
  {Sub::kAutoRestart,   {".",         "dead",         ".",      ".",         ".",            ".",             ".",   ".",          ".",             ".",            ".",             ".",             ".",             ".",    ".", ".",      ".",      "."}},
  {Sub::kReloadSignal,  {".",         "stop-sigterm", ".",      "stop",      ".",            "running",       ".",   ".",          "reload-notify", ".",            "stop-watchdog", "stop-watchdog", ".",             ".",    ".", ".",      ".",      "."}},
  {Sub::kReloadNotify,  {".",         "stop-sigterm", ".",      "stop",      ".",            "running",       ".",   "running",    ".",             ".",            "stop-watchdog", "stop-watchdog", ".",             ".",    ".", ".",      ".",      "."}},
};
// clang-format on

TEST(ServiceMachine, EveryStateCanBeReached) {
  for (const Sub sub : kSubs) {
    EXPECT_EQ(to_string(in_state(sub).state.sub), to_string(sub));
  }
}

TEST(ServiceMachine, EveryRowOfTheTableHolds) {
  for (const Row& row : kTable) {
    for (size_t i = 0; i < std::size(kColumns); ++i) {
      Life life = in_state(row.from);
      ASSERT_EQ(to_string(life.state.sub), to_string(row.from));
      life.feed(sample(kColumns[i]));
      const std::string_view expected =
          std::string_view(row.to[i]) == "." ? to_string(row.from) : row.to[i];
      EXPECT_EQ(to_string(life.state.sub), expected)
          << to_string(row.from) << " with event " << static_cast<int>(kColumns[i]);
    }
  }
}

TEST(ServiceMachine, EveryEventIsHarmlessInEveryState) {
  for (const Sub sub : kSubs) {
    for (int kind = 0; kind < static_cast<int>(Kind::kCount); ++kind) {
      if (static_cast<Kind>(kind) == Kind::kRestartFailed && sub != Sub::kAutoRestart) continue;
      Life life = in_state(sub);
      life.feed(sample(static_cast<Kind>(kind)));
      // And from there it comes to rest, whatever it was.
      life.settings.restart = RestartSetting::kNo;
      life.stop();
      for (int i = 0; i < 20 && life.active() != ActiveState::kInactive &&
                      life.active() != ActiveState::kFailed;
           ++i) {
        life.pass(seconds(2000));
        life.obey();
        life.feed(Kind::kProcessesGone);
      }
      EXPECT_TRUE(life.active() == ActiveState::kInactive || life.active() == ActiveState::kFailed)
          << to_string(sub) << " with event " << kind << " hangs in " << to_string(life.state.sub);
    }
  }
}

}  // namespace
}  // namespace flotilla::init
