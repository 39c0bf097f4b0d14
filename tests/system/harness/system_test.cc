#include "harness/system_test.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  flotilla::system_test::become_subreaper();
  return RUN_ALL_TESTS();
}

namespace flotilla::system_test {

::testing::Matcher<const Outcome&> Answers(int exit_code,
                                           const ::testing::Matcher<const std::string&>& out,
                                           const ::testing::Matcher<const std::string&>& err) {
  using ::testing::AllOf;
  using ::testing::Field;
  return AllOf(Field("exit code", &Outcome::exit_code, exit_code),
               Field("stdout", &Outcome::out, out), Field("stderr", &Outcome::err, err));
}

}  // namespace flotilla::system_test
