#include "fctl/flags.h"

#include <gtest/gtest.h>

namespace flotilla::fctl {
namespace {

using Variables = std::map<std::string, std::string>;

base::Result<CommandLine> parse(std::vector<std::string> words, const Variables& variables = {}) {
  CommandLine line;
  const auto variable = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  FLOTILLA_TRY(parse_command_line(words, variable, line));
  return line;
}

TEST(Flags, MayStandAnywhere) {
  const auto line =
      parse({"--endpoint", "unix:///a", "start", "--no-block", "x", "--block-attempts=3", "y"});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->command, "start");
  EXPECT_EQ(line->arguments, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(line->flags.text("endpoint"), "unix:///a");
  EXPECT_TRUE(line->flags.is_set("no-block"));
  EXPECT_EQ(line->flags.number("block-attempts"), 3);
}

TEST(Flags, TwoDashesEndThem) {
  const auto line = parse({"cat", "--", "--full"});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->arguments, (std::vector<std::string>{"--full"}));
  EXPECT_FALSE(line->flags.is_set("full"));
}

TEST(Flags, BooleansTakeAValueOnlyBehindAnEqualsSign) {
  EXPECT_FALSE(parse({"list-units", "--full=false"})->flags.is_set("full"));
  const auto line = parse({"list-units", "--full", "false"});
  EXPECT_TRUE(line->flags.is_set("full"));
  EXPECT_EQ(line->arguments, (std::vector<std::string>{"false"}));
}

TEST(Flags, VariablesSetGlobalFlagsOnly) {
  const Variables variables{{"FLEETCTL_ENDPOINT", "http://h:1"}, {"FLEETCTL_FULL", "true"}};
  const auto line = parse({"list-units"}, variables);
  EXPECT_EQ(line->flags.text("endpoint"), "http://h:1");
  EXPECT_FALSE(line->flags.is_set("full"));
  EXPECT_EQ(parse({"--endpoint=unix:///x"}, variables)->flags.text("endpoint"), "unix:///x");
  EXPECT_EQ(parse({}, {{"FLEETCTL_ENDPOINT", ""}})->flags.text("endpoint"),
            "unix:///var/run/fleet.sock");
}

TEST(Flags, VariablesThatMeanNothingArePassedOver) {
  const auto line = parse(
      {"list-units"},
      {{"FLEETCTL_VERSION", "1.0.0"}, {"FLEETCTL_SSH_TIMEOUT", "10s"}, {"FLEETCTL_DEBUG", "true"}});
  ASSERT_TRUE(line);
  EXPECT_FALSE(line->flags.is_set("version"));
  EXPECT_TRUE(line->flags.is_set("debug"));
  EXPECT_EQ(line->flags.seconds("ssh-timeout"), 10);
  EXPECT_EQ(line->warnings,
            (std::vector<std::string>{"FLEETCTL_SSH_TIMEOUT: \"10s\" means nothing"}));
}

TEST(Flags, SayWhatIsWrong) {
  EXPECT_EQ(parse({"--bogus"}).error().message, "unknown flag: --bogus");
  EXPECT_EQ(parse({"--endpoint"}).error().message, "flag needs an argument: --endpoint");
  EXPECT_EQ(parse({"list-units", "-l"}).error().message, "unknown shorthand flag: 'l' in -l");
  EXPECT_EQ(parse({"--full=maybe"}).error().message,
            "invalid argument \"maybe\" for \"--full\" flag: strconv.ParseBool: parsing \"maybe\": "
            "invalid syntax");
  EXPECT_EQ(parse({"journal", "--lines=many"}).error().message,
            "invalid argument \"many\" for \"--lines\" flag: strconv.ParseInt: parsing \"many\": "
            "invalid syntax");
  EXPECT_EQ(parse({"journal", "--lines=99999999999999999999"}).error().message,
            "invalid argument \"99999999999999999999\" for \"--lines\" flag: strconv.ParseInt: "
            "parsing \"99999999999999999999\": value out of range");
  EXPECT_FALSE(parse({"--ssh-timeout=1.2.3", "ssh"}));
  EXPECT_FALSE(parse({"list-units", "-o"}));
}

TEST(Flags, EveryGlobalFlagHasAVariable) {
  const auto line = parse({"ssh"}, {{"FLEETCTL_SSH_USERNAME", "me"},
                                    {"FLEETCTL_STRICT_HOST_KEY_CHECKING", "false"},
                                    {"FLEETCTL_SSH_TIMEOUT", "2.5"}});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->flags.text("ssh-username"), "me");
  EXPECT_FALSE(line->flags.is_set("strict-host-key-checking"));
  EXPECT_EQ(line->flags.seconds("ssh-timeout"), 2.5);
  EXPECT_TRUE(line->flags_in_words.empty());
}

TEST(Flags, OutputHasAShortForm) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"list-units", "-o", "json"},
        {"-ojson", "list-units"},
        {"list-units", "-o=json"},
        {"list-units", "--output", "json"}}) {
    EXPECT_EQ(parse(words)->flags.text("output"), "json");
    EXPECT_EQ(parse(words)->command, "list-units");
  }
}

TEST(Flags, AreSuggestedToWhoMistypesThem) {
  EXPECT_EQ(flags_like("ful"), (std::vector<std::string>{"--full"}));
  EXPECT_TRUE(flags_like("something-else").empty());
}

}  // namespace
}  // namespace flotilla::fctl
