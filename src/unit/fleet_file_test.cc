#include "unit/fleet_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace flotilla::unit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<UnitOption> read(std::string_view text) {
  auto options = parse_fleet_file(text);
  EXPECT_TRUE(options.has_value()) << text << ": " << (options ? "" : options.error().message);
  return options ? *options : std::vector<UnitOption>{};
}

std::string failure(std::string_view text) {
  const auto options = parse_fleet_file(text);
  return options ? "no failure" : options.error().message;
}

UnitOption s(const char* name, const char* value) { return {"S", name, value}; }

TEST(FleetFile, ReadsValuesAsFleetDoes) {
  const struct {
    const char* text;
    std::vector<UnitOption> options;
  } cases[] = {
      {"A=1\\\n\nB=2\n", {s("A", "1\\\n"), s("B", "2")}},
      {"A=1\\\n", {s("A", "1\\\n")}},
      {"A=1\\", {s("A", "1\\")}},
      {"A=1\\\n#x\nB=2\n", {s("A", "1\\\n#x"), s("B", "2")}},
      {"A=\\\nB=2\n", {s("A", "\\\nB=2")}},
      {"A=1 \\ \nB=2\n", {s("A", "1 \\"), s("B", "2")}},
      {"A=\n", {s("A", "")}},
      {"A=", {s("A", "")}},
      {" A = x = y \n", {s("A", "x = y")}},
      {"A=1 #c\n", {s("A", "1 #c")}},
      {"#c \\\nA=1\nB=2\n", {s("B", "2")}},
      {";c\\ \nA=1\nB=2\n", {s("B", "2")}},
      {"#c\\  \nA=1\n", {s("A", "1")}},
      {"A=x\r\n", {s("A", "x")}},
      {"A=x\\\r\nB=y\r\n", {s("A", "x\\"), s("B", "y")}},
      {"=x\n", {s("", "x")}},
      {"\xc2\xa0"
       "A\xe3\x80\x80=\xe2\x80\x83x\xc2\x85\n",
       {s("A", "x")}},
      {"A=1\nA=2\n", {s("A", "1"), s("A", "2")}},
      {"A=\xff\n", {s("A", "\xff")}},
      {"[ T ]\nA=1", {{" T ", "A", "1"}}},
      {"[a\nb]\nA=1", {{"a\nb", "A", "1"}}},
      {"A=1\\\n   two\\\n\t three\nB=2", {s("A", "1\\\n   two\\\n\t three"), s("B", "2")}},
  };
  for (const auto& c : cases) EXPECT_EQ(read(std::string("[S]\n") + c.text), c.options) << c.text;
}

TEST(FleetFile, IgnoresJunkBeforeTheFirstSection) {
  EXPECT_THAT(read("\xef\xbb\xbf[S]\nA=1"), ElementsAre(s("A", "1")));
  EXPECT_THAT(read("junk=1 [S]\nA=1"), ElementsAre(s("A", "1")));
  EXPECT_THAT(read("x # [T]\n[S]\nA=1"), ElementsAre(s("A", "1")));
  EXPECT_THAT(read(""), IsEmpty());
  EXPECT_THAT(read("no section at all\n"), IsEmpty());
  EXPECT_THAT(read("[S]"), IsEmpty());
}

TEST(FleetFile, SpeaksOfErrorsAsFleetDoes) {
  EXPECT_EQ(failure("[S"), "unable to find end of section");
  EXPECT_EQ(failure("[S]x\n"), "found garbage after section name : [120]");
  EXPECT_EQ(failure("[S] a b \n"), "found garbage after section name : [97 32 98]");
  EXPECT_EQ(failure("[S]\nA\n"), "unexpected newline encountered while parsing option name");
  EXPECT_EQ(failure("[S]\nA\r\n"), "unexpected newline encountered while parsing option name");
  EXPECT_EQ(failure("[S]\nA"), "EOF");
  EXPECT_EQ(failure("[S]\nA=x\\\r\n  y\r\n"),
            "unexpected newline encountered while parsing option name");
}

TEST(FleetFile, HoldsEveryLineToTheLimit) {
  const std::string fits = "[S]\nA=" + std::string(2045, 'x');
  const std::string too_long = fits + "x";
  EXPECT_EQ(read(fits + "\n").size(), 1U);
  EXPECT_EQ(failure(too_long + "\n"), "line too long (max 2048 bytes)");
  EXPECT_EQ(failure(too_long), "line too long (max 2048 bytes)");
  EXPECT_EQ(failure("[S]\n#" + std::string(2047, 'x')), "line too long (max 2048 bytes)");
  EXPECT_EQ(failure(std::string(3000, '\n') + std::string(3001, 'x')),
            "line too long (max 2048 bytes)");
  std::string continued = "[S]\nA=";
  for (int i = 0; i < 5; ++i) continued += std::string(1500, 'x') + "\\\n";
  EXPECT_EQ(read(continued).size(), 1U);
}

TEST(FleetFile, HasAsManyOptionsAsAUnitMayHave) {
  std::string many = "[S]";
  for (std::size_t i = 0; i < kMaxFleetOptions; ++i) many += "\n=";
  EXPECT_EQ(read(many).size(), kMaxFleetOptions);
  EXPECT_EQ(failure(many + "\n="), "a unit has at most 65536 options");
}

TEST(FleetFile, SerialisesSectionsInOrderOfFirstAppearance) {
  EXPECT_EQ(serialize({}), "");
  EXPECT_EQ(serialize({s("A", "1")}), "[S]\nA=1\n");
  EXPECT_EQ(serialize(read("[S]\nA=1\n\n\n[T]\nB=2\n[S]\nC=3\n")), "[S]\nA=1\nC=3\n\n[T]\nB=2\n");
  EXPECT_EQ(serialize(read("[S]\nA=x\r\nB=y\r\n")), "[S]\nA=x\nB=y\n");
  EXPECT_EQ(serialize(read("[S]\nA=1\\\n")), "[S]\nA=1\\\n\n");
}

TEST(FleetFile, HashesAsFleetDoes) {
  const struct {
    const char* text;
    const char* hash;
  } cases[] = {
      {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
      {"[Service]\nExecStart=/bin/sleep 3000\n", "7dc08eb00f0c705e84a61e030d98e8cc3c994954"},
      {"[Unit]\nDescription=Foo\n\n[Service]\nExecStart=/bin/sh -c \"while true; do echo hi; sleep "
       "1; done\"\nExecStop=/bin/true\n\n[X-Fleet]\nMachineMetadata=\"region=us-east-1\" "
       "\"disk=ssd\"\nConflicts=foo*\n",
       "e69cec00d9e885ff0e9a40991747d76680de9e04"},
      {"# c\n[Unit]\nDescription = Foo bar  \nAfter=a.service\n; comment\n[Service]\n"
       "ExecStart=/bin/sh -c \\\n    \"echo one\" \\\n  two\n[Unit]\nAfter=b.service\nRequires=\n",
       "0837993de3969a9e5ef8f8e79d1a11e6ef55b85b"},
      {"[S]\nA=x\r\nB=y\r\n", "8f1dce83a75484eedfe26ec419c90b5e5c5254e5"},
      {"[S]\nA=1\n\n\n[T]\nB=2\n[S]\nC=3\n", "406cd9aba95b072dadba6fc659ffb0ad7746da3f"},
      {"[S]\nA=1\\\n", "fc4c65097ed481a9cd928339eec4e2ff5e44c402"},
      {"[Service]\nExecStart=/bin/x\n", "77743f616f04ae251970e39c0656153229b74dba"},
      {"[Service]\nExecStart=/bin/y\n", "26c728449b9f5d12bbc24d827743db59eb5ec61e"},
  };
  for (const auto& c : cases) EXPECT_EQ(hash_hex(read(c.text)), c.hash) << c.text;
}

// fleet's own small examples: a loop that greets, with what each adds around it.
TEST(FleetFile, HashesTheKnownExamples) {
  const auto loop = [](const char* text) {
    return UnitOption{"Service", "ExecStart",
                      fmt::format("/bin/bash -c \"while true; do echo {}; sleep 1; done\"", text)};
  };
  const UnitOption world = loop("Hello, World!");
  const UnitOption instance = loop("Hello, World %i!");
  const struct {
    std::vector<UnitOption> options;
    const char* hash;
  } cases[] = {
      {{world}, "3750b3e9f3962a56c7582929426e9abb012754cf"},
      {{instance}, "79699e32624ad46c366ef37de89006ae9da617cd"},
      {{loop("Hello, Global World!"), {"X-Fleet", "Global", "true"}},
       "a1ea262096895e7dc412ae001dfecff2142ce3f5"},
      {{{"Unit", "Description", "Test Unit"},
        world,
        {"X-Fleet", "Conflicts", "conflict.*.service"}},
       "52e8acb19db0f3f776c7b8c6bf2209fa41ce46ac"},
      {{{"Unit", "Description", "PONG"}, loop("pong"), {"X-Fleet", "MachineOf", "ping.0.service"}},
       "a38421afebf0062e438f25c03c5f24e8202a3a70"},
      {{instance, {"X-Fleet", "MachineMetadata", "hostname=%i"}},
       "738f45ef60fdc1de5cefc2bba44eff0a1c168f04"},
  };
  for (const auto& c : cases) EXPECT_EQ(hash_hex(c.options), c.hash);
}

TEST(FleetFile, SerialisesTheSpacedOutFileAsFleetDoes) {
  EXPECT_EQ(
      serialize(read("# c\n[Unit]\nDescription = Foo bar  \nAfter=a.service\n; comment\n"
                     "[Service]\nExecStart=/bin/sh -c \\\n    \"echo one\" \\\n  two\n[Unit]\n"
                     "After=b.service\nRequires=\n")),
      "[Unit]\nDescription=Foo bar\nAfter=a.service\nAfter=b.service\nRequires=\n\n[Service]\n"
      "ExecStart=/bin/sh -c \\\n    \"echo one\" \\\n  two\n");
}

TEST(FleetFile, SerialisingTwiceChangesNothingMore) {
  constexpr std::string_view kAlphabet = "[]ab=#;\\\\\n\n\r \t\"%S\xc2\xa0";
  std::mt19937 random(20240229);
  int read_back = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = "[S]\n";
    for (auto n = random() % 40; n > 0; --n) text += kAlphabet[random() % kAlphabet.size()];
    const auto first = parse_fleet_file(text);
    if (!first) continue;
    const std::string once = serialize(*first);
    const auto second = parse_fleet_file(once);
    if (!second) continue;  // a section name with a line end, a name that begins with "["
    const auto third = parse_fleet_file(serialize(*second));
    ASSERT_TRUE(third.has_value()) << text;
    EXPECT_EQ(serialize(*third), serialize(*second)) << text;
    ++read_back;
  }
  EXPECT_GT(read_back, 1000);
}

}  // namespace
}  // namespace flotilla::unit
