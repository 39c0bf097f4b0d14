#include "unit/fleet_requirements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using Values = std::vector<std::string>;

FleetRequirements wants(std::string_view lines, std::string_view name = "foo@b.service") {
  const auto options = parse_fleet_file("[X-Fleet]\n" + std::string(lines));
  EXPECT_TRUE(options.has_value()) << lines;
  return extract_requirements(*options, name);
}

TEST(FleetRequirements, AreEmptyWithoutTheirSection) {
  const std::vector<UnitOption> options = {{"Service", "MachineID", "x"},
                                           {"x-fleet", "Global", "true"}};
  EXPECT_EQ(extract_requirements(options, "a.service"), FleetRequirements());
}

TEST(FleetRequirements, SplitQuotedLinesIntoValues) {
  const struct {
    const char* line;
    Values values;
  } cases[] = {{"a b", {"a b"}},
               {"\"a\" \"b\"", {"a", "b"}},
               {"\"a b\" \"c\"", {"a b", "c"}},
               {"\"a\"  \"b\"", {"a", "", "b"}},
               {"\"a\"\t\"b\"", {"a\tb"}},
               {"\"a\" b", {"\"a\" b"}},
               {"\"a b\"", {"a b"}},
               {"\"", {""}},
               {"", {""}}};
  for (const auto& c : cases) {
    EXPECT_EQ(wants(std::string("Replaces=") + c.line).replaces, c.values) << c.line;
  }
  EXPECT_THAT(wants("Replaces=a\nReplaces=\"b\" \"c\"").replaces, ElementsAre("a", "b", "c"));
}

TEST(FleetRequirements, ExpandFleetsFourSpecifiers) {
  EXPECT_THAT(wants("MachineOf=%p.socket\nMachineOf=\"%n\" \"%N\" \"%i\" \"%%n %x %\"").peers,
              ElementsAre("foo.socket", "foo@b.service", "foo@b", "b", "%foo@b.service %x %"));
  EXPECT_THAT(wants("MachineOf=%p-%i.x", "a.service").peers, ElementsAre("a-.x"));
  EXPECT_THAT(wants("MachineOf=%p.socket", "").peers, ElementsAre("%p.socket"));
}

TEST(FleetRequirements, TakeTheFirstMachineIdOfTheFirstForm) {
  EXPECT_EQ(wants("X-ConditionMachineBootID=c\nX-ConditionMachineID=b\nMachineID=a\nMachineID=z")
                .machine_id,
            "a");
  EXPECT_EQ(wants("X-ConditionMachineBootID=c\nX-ConditionMachineID=b").machine_id, "b");
  EXPECT_EQ(wants("X-ConditionMachineBootID=c").machine_id, "c");
  EXPECT_EQ(wants("").machine_id, std::nullopt);
}

TEST(FleetRequirements, MatchTheWholeMachineIdOrItsFirstEightCharacters) {
  const std::string id = "0123456789abcdef0123456789abcdef";
  EXPECT_TRUE(wants("").allows_machine(id));
  EXPECT_TRUE(wants("MachineID=" + id).allows_machine(id));
  EXPECT_TRUE(wants("MachineID=01234567").allows_machine(id));
  EXPECT_FALSE(wants("MachineID=0123456").allows_machine(id));
  EXPECT_FALSE(wants("MachineID=012345678").allows_machine(id));
  EXPECT_FALSE(wants("MachineID=").allows_machine(id));
}

TEST(FleetRequirements, ListLegacyPeersAndConflictsFirst) {
  EXPECT_THAT(wants("MachineOf=b\nX-ConditionMachineOf=a").peers, ElementsAre("a", "b"));
  EXPECT_THAT(wants("Conflicts=c  d*\t e\nX-Conflicts=\"a b\" \"x\"").conflicts,
              ElementsAre("a", "b", "x", "c", "d*", "e"));
  EXPECT_THAT(wants("Conflicts=a\xc2\xa0\xe2\x80\x83"
                    "b\xff")
                  .conflicts,
              ElementsAre("a", "b\xff"));
  EXPECT_THAT(wants("MachineOf=a b").peers, ElementsAre("a b"));
  EXPECT_THAT(wants("Replaces=a b").replaces, ElementsAre("a b"));
}

TEST(FleetRequirements, MergeMetadataAndDropWhatIsNoPair) {
  const FleetRequirements all = wants(
      "MachineMetadata=\"region=us\" \"disk=ssd\"\nX-ConditionMachineMetadata=region=eu\n"
      "MachineMetadata=a=b=c\nMachineMetadata=region\nMachineMetadata==x\nMachineMetadata=y=");
  EXPECT_THAT(all.metadata, UnorderedElementsAre(Pair("disk", ElementsAre("ssd")),
                                                 Pair("region", ElementsAre("eu", "us"))));
  EXPECT_TRUE(all.allows_metadata({{"disk", "ssd"}, {"region", "us"}, {"x", "y"}}));
  EXPECT_TRUE(all.allows_metadata({{"disk", "ssd"}, {"region", "eu"}}));
  EXPECT_FALSE(all.allows_metadata({{"disk", "hdd"}, {"region", "eu"}}));
  EXPECT_FALSE(all.allows_metadata({{"region", "eu"}}));
  EXPECT_TRUE(FleetRequirements().allows_metadata({}));
}

TEST(FleetRequirements, OperatorsAllHoldAndPlainValuesAreAChoice) {
  const auto range = wants("MachineMetadata=\"ram>=16\" \"ram<=64\"");
  EXPECT_TRUE(range.allows_metadata({{"ram", "32"}}));
  EXPECT_FALSE(range.allows_metadata({{"ram", "128"}}));
  EXPECT_FALSE(range.allows_metadata({{"cpu", "32"}}));
  const auto neither = wants("MachineMetadata=az!=a\nMachineMetadata=az != b");
  EXPECT_TRUE(neither.allows_metadata({{"az", "c"}}));
  EXPECT_FALSE(neither.allows_metadata({{"az", "b"}}));
  EXPECT_FALSE(neither.allows_metadata({})) << "the key must be there";
  const auto mixed = wants("MachineMetadata=\"az=a\" \"az==c\" \"az!=b\" \"ram>1\"");
  EXPECT_TRUE(mixed.allows_metadata({{"az", "c"}, {"ram", "2"}}));
  EXPECT_FALSE(mixed.allows_metadata({{"az", "d"}, {"ram", "2"}}));
  EXPECT_FALSE(mixed.allows_metadata({{"az", "c"}, {"ram", "1"}}));
}

TEST(FleetRequirements, SayWhatIsWrongWithTheMetadata) {
  const auto all = wants("MachineMetadata=\"az=a\" \"az=b\" \"ram>=16G\"");
  EXPECT_EQ(all.why_not_metadata({{"az", "a"}, {"ram", "32G"}}), std::nullopt);
  EXPECT_EQ(all.why_not_metadata({{"az", "c"}}), "wants az=a or az=b, the machine has az=c");
  EXPECT_EQ(all.why_not_metadata({{"az", "b"}}), "wants ram>=16G, the machine has no ram");
  EXPECT_EQ(all.why_not_metadata({{"az", "b"}, {"ram", "8G"}}),
            "wants ram>=16G, the machine has ram=8G");
}

TEST(FleetRequirements, TheLastGlobalWins) {
  for (const char* value : {"true", "True", "YES", "1", "on", "t", "\"true\""}) {
    EXPECT_TRUE(wants(std::string("Global=") + value).global) << value;
  }
  for (const char* value : {"false", "y", "no", "2", "", "tru"}) {
    EXPECT_FALSE(wants(std::string("Global=") + value).global) << value;
  }
  EXPECT_FALSE(wants("Global=true\nGlobal=false").global);
  EXPECT_TRUE(wants("Global=false\nGlobal=\"no\" \"yes\"").global);
}

TEST(FleetRequirements, NameTheKeysThatMeanNothing) {
  EXPECT_THAT(wants("MachineID=a\nFoo=1\nmachineof=b\nFoo=2\nX-Conflicts=c").unknown,
              ElementsAre("Foo", "machineof"));
  EXPECT_THAT(wants("MachineID=\nX-ConditionMachineID=\nX-ConditionMachineBootID=\n"
                    "X-ConditionMachineOf=\nMachineOf=\nX-Conflicts=\nConflicts=\n"
                    "X-ConditionMachineMetadata=\nMachineMetadata=\nGlobal=\nReplaces=")
                  .unknown,
              IsEmpty());
}

TEST(FleetRequirements, MatchOtherUnitsByPattern) {
  const FleetRequirements both = wants("Conflicts=a* b.service\nReplaces=c?.service");
  EXPECT_TRUE(both.conflicts_with("abc.service"));
  EXPECT_TRUE(both.conflicts_with("b.service"));
  EXPECT_FALSE(both.conflicts_with("c1.service"));
  EXPECT_TRUE(both.wants_to_replace("c1.service"));
  EXPECT_FALSE(both.wants_to_replace("a.service"));
}

std::string failure(std::string_view lines) {
  const auto options = parse_fleet_file("[X-Fleet]\n" + std::string(lines));
  const auto status = validate_fleet_options(*options);
  return status ? "" : status.error().message;
}

TEST(FleetOptionValidation, RefusesContradictionsWithFleetsTexts) {
  const struct {
    const char* lines;
    const char* message;
  } cases[] = {
      {"", ""},
      {"MachineID=a\nMachineMetadata=a=b", ""},
      {"MachineMetadata=a=b=c\nMachineMetadata=region", ""},
      {"MachineMetadata=\"a=b\" \"ram>=\"",
       "invalid MachineMetadata \"ram>=\": the value is missing"},
      {"Global=true\nConflicts=a\nMachineMetadata=a=b", ""},
      {"MachineOf=a.service\nConflicts=b*\nSurprise=1", ""},
      {"MachineOf=a.service\nMachineOf=b.service\nConflicts=x b* a*",
       "unresolvable requirements: peer \"a.service\" matches conflict \"a*\""},
      {"MachineOf=a.service\nReplaces=a*",
       "unresolvable requirements: peer \"a.service\" matches replace \"a*\""},
      {"MachineID=a\nMachineOf=b", "MachineID cannot be used with Peers"},
      {"MachineID=a\nConflicts=b", "MachineID cannot be used with Conflicts"},
      {"MachineID=a\nGlobal=true", "MachineID cannot be used with Global"},
      {"MachineID=a\nReplaces=b", "MachineID cannot be used with Replaces"},
      {"Global=true\nReplaces=b", "Global cannot be used with Replaces"},
      {"Conflicts=a\nReplaces=b", "Conflicts cannot be used with Replaces"},
      {"MachineID=a\nGlobal=true\nMachineOf=b\nReplaces=c\nConflicts=d",
       "MachineID cannot be used with Peers"},
  };
  for (const auto& c : cases) EXPECT_EQ(failure(c.lines), c.message) << c.lines;
}

TEST(FleetOptionValidation, DoesNotExpandSpecifiers) {
  EXPECT_EQ(failure("MachineOf=%p.socket\nConflicts=%p*"),
            "unresolvable requirements: peer \"%p.socket\" matches conflict \"%p*\"");
}

TEST(FleetOptionValidation, RefusesMoreThanCanBeCompared) {
  std::vector<UnitOption> options;
  for (int i = 0; i < 20000; ++i) {
    options.push_back({"X-Fleet", "MachineOf", fmt::format("peer{}.service", i)});
    options.push_back({"X-Fleet", "Conflicts", fmt::format("*{}*", i)});
    options.push_back({"X-Fleet", fmt::format("Key{}", i), ""});
  }
  EXPECT_EQ(validate_fleet_options(options).error().code, base::Errc::kTooLarge);
}

TEST(FleetOptionValidation, RefusesWhatFleetsParserWouldNotReadBack) {
  const auto status = validate_fleet_options({{"Service", "ExecStart", std::string(2048, 'x')}});
  EXPECT_EQ(status.error().message, "line too long (max 2048 bytes)");
  EXPECT_EQ(validate_fleet_options({{"Ser]vice", "A", "b"}}).error().message,
            "found garbage after section name : [118 105 99 101 93]");
}

}  // namespace
}  // namespace flotilla::unit
