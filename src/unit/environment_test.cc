#include "unit/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class EnvironmentSetting : public ::testing::Test {
 protected:
  void read(std::string_view value) {
    read_environment_setting(value, context_, Reporter("a.service", 7, reports_), environment_);
  }
  SpecifierContext context_{UnitName::parse("a.service").value(), nullptr, "", ""};
  Environment environment_;
  std::vector<Diagnostic> reports_;
};

TEST_F(EnvironmentSetting, ReadsQuotedAssignments) {
  read(R"(A=1 "B=two words" 'C=it is' D= "E=x\ty")");
  read("F=$A A2=a=b N=%n");
  EXPECT_THAT(environment_.assignments(), ElementsAre("A=1", "B=two words", "C=it is", "D=",
                                                      "E=x\ty", "F=$A", "A2=a=b", "N=a.service"));
  EXPECT_THAT(reports_, IsEmpty());
}

TEST_F(EnvironmentSetting, LeavesOutBadNamesAndSaysSo) {
  read("1A=1 OK=1 noequals =x A-B=1");
  EXPECT_THAT(environment_.assignments(), ElementsAre("OK=1"));
  ASSERT_EQ(reports_.size(), 4U);
  EXPECT_EQ(to_string(reports_[1]),
            "a.service:7: Environment=: expected NAME=VALUE, got \"noequals\", it is ignored");
}

TEST_F(EnvironmentSetting, StopsAtBrokenQuotingOrAnUnknownEscape) {
  read(R"(A=1 B=\q C=1)");
  EXPECT_THAT(environment_.assignments(), ElementsAre("A=1"));
  read("D=1 'E=2");
  EXPECT_THAT(environment_.assignments(), ElementsAre("A=1", "D=1"));
  EXPECT_EQ(reports_.size(), 2U);
}

TEST_F(EnvironmentSetting, LaterOnesWinInPlaceAndAnEmptyOneResets) {
  read("A=1 B=1");
  read("A=2");
  EXPECT_THAT(environment_.assignments(), ElementsAre("A=2", "B=1"));
  read("");
  EXPECT_TRUE(environment_.empty());
}

TEST(Environment, FindsSetsUnsetsAndMerges) {
  Environment environment({"A=1", "AB=2"});
  EXPECT_EQ(environment.find("A"), "1");
  EXPECT_EQ(environment.find("AB"), "2");
  EXPECT_EQ(environment.find("B"), std::nullopt);
  EXPECT_EQ(environment.find(""), std::nullopt);
  environment.merge(Environment({"C=3", "A=x=y"}));
  EXPECT_THAT(environment.assignments(), ElementsAre("A=x=y", "AB=2", "C=3"));
  environment.unset("A");
  EXPECT_THAT(environment.assignments(), ElementsAre("AB=2", "C=3"));
}

// As many as a big file has: what takes the square of it would not end in time.
TEST(Environment, FindsAmongThousandsAsAmongAFew) {
  constexpr std::size_t kMany = 50'000;
  const auto name = [](std::size_t i) { return "V" + std::to_string(i); };
  Environment environment;
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < kMany; ++i) environment.set(name(i), std::to_string(round));
  }
  ASSERT_EQ(environment.assignments().size(), kMany);
  EXPECT_EQ(environment.find(name(kMany - 1)), "1");
  Environment copy = environment;
  std::vector<std::string> words = {"V0", "V1=0", "V2=1", "NONE"};
  for (std::size_t i = 100; i < kMany; ++i) words.push_back(name(i));
  copy.unset_all(words);
  EXPECT_EQ(copy.assignments().size(), 98U);
  EXPECT_EQ(copy.find("V0"), std::nullopt);
  EXPECT_EQ(copy.find("V1"), "1");
  EXPECT_EQ(copy.find("V2"), std::nullopt);
  EXPECT_EQ(copy.find("V99"), "1");
  copy.unset("V50");
  EXPECT_EQ(copy.find("V50"), std::nullopt);
  EXPECT_EQ(copy.find("V51"), "1");
  copy.merge(environment);
  EXPECT_EQ(copy.assignments().size(), kMany);
}

TEST(Environment, GoesOnWithWhatItReleased) {
  Environment environment;
  std::vector<std::string> kept;
  for (int i = 0; i < 1000; ++i) {
    environment.adopt(std::move(kept));
    environment.set("V" + std::to_string(i % 500), std::to_string(i));
    kept = environment.release();
  }
  ASSERT_EQ(kept.size(), 500U);
  EXPECT_EQ(kept[0], "V0=500");
  // Others than its own are found too, also fewer.
  environment.adopt({"A=1"});
  EXPECT_EQ(environment.find("A"), "1");
  EXPECT_EQ(environment.find("V0"), std::nullopt);
  EXPECT_TRUE(Environment().empty());
}

TEST(EnvironmentFile, ReadsShellLikeLines) {
  using Words = std::vector<std::string>;
  const struct {
    const char* text;
    Words assignments;
  } cases[] = {
      {"A=1\nB=2\n", {"A=1", "B=2"}},
      {"A=1", {"A=1"}},
      {"# c\n; c\n\n  A = 1  \n", {"A=1"}},
      {"A=\nB=x", {"A=", "B=x"}},
      {"A=a b  c \n", {"A=a b  c"}},
      {"A='a b' \nB=\"c d\"\n", {"A=a b", "B=c d"}},
      {"A='x'\"y\"z\n", {"A=xyz"}},
      {"A=x\"y\"\n", {"A=x\"y\""}},
      {"A=\"a\\\"b\\\\c\\$d\\`e\\nf\"\n", {"A=a\"b\\c$d`e\\nf"}},
      {"A='a\\nb'\n", {"A=a\\nb"}},
      {"A=\"two\nlines\"\n", {"A=two\nlines"}},
      {"A=\"one \\\nline\"\n", {"A=one line"}},
      {"A=one\\\ntwo\n", {"A=onetwo"}},
      {"A=a\\ b\\x\n", {"A=a bx"}},
      {"A=x\\ \n", {"A=x "}},
      {"# c\\\nA=1\nB=2\n", {"B=2"}},
      {"A=1\r\nB=2\r\n", {"A=1", "B=2"}},
      {"A=1 # no comment\n", {"A=1 # no comment"}},
      {"V=%n\nW=$V\n", {"V=%n", "W=$V"}},
      {"A=1\nA=2\n", {"A=2"}},
      {"A='open\n", {"A=open\n"}},
      {"A=\\", {"A="}},
      {"A=x\\", {"A=x"}},
      {"A=\"x\\", {"A=x"}},
      {"A=\"x\" 'y' z w \nB=2", {"A=xyz w", "B=2"}},
      {"A=1\rB=2\n", {"A=1", "B=2"}},
      {"A=x\\\r\ny\nB=1\n", {"A=x", "B=1"}},
      {"A=x  \\\n  y\n", {"A=x    y"}},
      {"A=\\\nB=1\n", {"A=B=1"}},
      {"A=\"q\\\r\nr\"\n", {"A=q\\\r\nr"}},
      {"# a\\b\nA=1\n", {"A=1"}},
  };
  for (const auto& c : cases) {
    const auto environment = parse_environment_file(c.text, "e");
    ASSERT_TRUE(environment.has_value()) << c.text;
    EXPECT_EQ(environment->assignments(), c.assignments) << c.text;
  }
}

TEST(EnvironmentFile, ReportsLinesItLeavesOut) {
  std::vector<Diagnostic> reports;
  const auto environment =
      parse_environment_file("A=1\nnonsense\n1B=2\nexport C=3\n", "e", &reports);
  EXPECT_THAT(environment->assignments(), ElementsAre("A=1"));
  ASSERT_EQ(reports.size(), 3U);
  EXPECT_EQ(to_string(reports[0]), "e:2: expected NAME=VALUE, the line is ignored: \"nonsense\"");
  EXPECT_EQ(to_string(reports[2]),
            "e:4: not a valid name of a variable, the line is ignored: \"export C\"");
}

TEST(EnvironmentFile, RefusesWhatIsNoText) {
  EXPECT_FALSE(parse_environment_file("A=\xff\n", "e").has_value());
  EXPECT_FALSE(parse_environment_file(std::string_view("A=\0", 3), "e").has_value());
  EXPECT_FALSE(parse_environment_file(std::string(5'000'000, '\n'), "e").has_value());
}

// As many assignments in words of their own, with `separator` behind each.
std::string assignments(std::size_t count, char separator) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += fmt::format("A{}=1{}", i, separator);
  return text;
}

TEST(EnvironmentFile, RefusesMoreVariablesThanItsLimit) {
  EXPECT_EQ(parse_environment_file(assignments(Environment::kMaxVariables + 1, '\n'), "e")
                .error()
                .message,
            "e: the file has more than 100000 variables");
}

TEST_F(EnvironmentSetting, StopsAtMoreVariablesThanItsLimit) {
  read(assignments(Environment::kMaxVariables + 1, ' '));
  EXPECT_EQ(environment_.assignments().size(), Environment::kMaxVariables);
  EXPECT_EQ(reports_.size(), 1U);
}

TEST(VariableNames, AreCheckedOneByOne) {
  const SpecifierContext context{UnitName::parse("a.service").value(), nullptr, "", ""};
  std::vector<Diagnostic> reports;
  EXPECT_THAT(read_variable_names("A 1B C-D \"E\" F=1", VariableWords::kNamesAndAssignments,
                                  context, Reporter("f", 1, reports)),
              ElementsAre("A", "E", "F=1"));
  EXPECT_EQ(reports.size(), 2U);
}

}  // namespace
}  // namespace flotilla::unit
