// SystemTest: a test with one Machine that is not yet started.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/machine.h"

namespace flotilla::system_test {

class SystemTest : public ::testing::Test {
 protected:
  const TemporaryRoot& root() const { return machine_.root(); }
  Outcome systemctl(const std::vector<std::string>& arguments) const {
    return machine_.systemctl(arguments);
  }

  Machine machine_;
};

// Skips the test, visibly, where it needs what an ordinary user has not.
#define FLOTILLA_NEEDS_ROOT() \
  if (!::flotilla::system_test::is_root()) GTEST_SKIP() << "needs root"

// What systemctl answers: EXPECT_THAT(systemctl({...}), Answers(0, "", "")).
::testing::Matcher<const Outcome&> Answers(int exit_code,
                                           const ::testing::Matcher<const std::string&>& out,
                                           const ::testing::Matcher<const std::string&>& err);

}  // namespace flotilla::system_test
