#include "unit/signal_name.h"

#include <gtest/gtest.h>

#include <csignal>

namespace flotilla::unit {
namespace {

TEST(SignalName, FindsSignalsByNameAndNumber) {
  EXPECT_EQ(find_signal("SIGTERM"), SIGTERM);
  EXPECT_EQ(find_signal("TERM"), SIGTERM);
  EXPECT_EQ(find_signal("15"), SIGTERM);
  EXPECT_EQ(find_signal("IO"), SIGIO);
  EXPECT_EQ(find_signal("SIGPOLL"), SIGIO);
  EXPECT_EQ(find_signal("RTMIN"), SIGRTMIN);
  EXPECT_EQ(find_signal("SIGRTMIN+3"), SIGRTMIN + 3);
  EXPECT_EQ(find_signal("RTMAX-1"), SIGRTMAX - 1);
  EXPECT_EQ(find_signal("RTMAX"), SIGRTMAX);
  EXPECT_EQ(find_signal("64"), 64);
}

TEST(SignalName, FindsNothingForWhatIsNoSignal) {
  for (const char* text : {"", "0", "65", "-1", "SIG", "SIGSIGTERM", "sigterm", "term", "RTMIN-1",
                           "RTMAX+1", "RTMIN+99", "RTMIN+", "15 ", "SIG15 "}) {
    EXPECT_EQ(find_signal(text), std::nullopt) << text;
  }
}

TEST(SignalName, EverySignalHasANameThatFindsIt) {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    EXPECT_EQ(find_signal(signal_name(signal)), signal);
  }
  EXPECT_EQ(signal_name(SIGKILL), "KILL");
  EXPECT_EQ(signal_name(SIGIO), "IO");
  EXPECT_EQ(signal_name(SIGRTMIN + 2), "RTMIN+2");
}

}  // namespace
}  // namespace flotilla::unit
