#include <gmock/gmock.h>

#include "init/manager_program.h"

namespace flotilla::init {
namespace {

TEST(ManagerCommandLine, TakesItsOptions) {
  const auto options = parse_program_options(
      {"--root=/srv/tree", "--units=/srv/units", "--unit=web.target", "--log-level=debug"}, false);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->root, "/srv/tree");
  EXPECT_EQ(options->units, "/srv/units");
  EXPECT_EQ(options->unit, "web.target");
  EXPECT_EQ(options->log_level, 7);
}

TEST(ManagerCommandLine, LetsOptionsOfSystemdPass) {
  EXPECT_TRUE(parse_program_options({"--system", "--show-status=0", "--log-target=null"}, false));
}

// A mistyped option must not boot the host.
TEST(ManagerCommandLine, RefusesWhatItDoesNotKnow) {
  for (const std::string word : {"x", "", "--bogus", "-", "default.target"}) {
    const auto options = parse_program_options({word}, false);
    ASSERT_FALSE(options) << word;
    EXPECT_THAT(options.error().message, testing::HasSubstr("got \"" + word + "\""));
  }
}

TEST(ManagerCommandLine, LetsTheKernelsWordsPassAsPid1) {
  EXPECT_TRUE(parse_program_options({"quiet", "--bogus", "", "BOOT_IMAGE=/vmlinuz"}, true));
}

TEST(ManagerCommandLine, RefusesBadValues) {
  for (const std::string word : {"--root=", "--units=", "--unit=no-suffix", "--log-level=loud"}) {
    EXPECT_FALSE(parse_program_options({word}, false)) << word;
  }
}

}  // namespace
}  // namespace flotilla::init
