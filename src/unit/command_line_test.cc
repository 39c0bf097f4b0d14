#include "unit/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/words.h"

namespace flotilla::unit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;

class CommandLine : public ::testing::Test {
 protected:
  base::Result<std::vector<Command>> parse(std::string_view value) {
    reports_.clear();
    return parse_command_line(value, context_, Reporter("a.service", 3, reports_));
  }
  // The arguments of the single command.
  Words arguments(std::string_view value) {
    auto commands = parse(value);
    if (!commands) return {"error: " + commands.error().message};
    if (commands->size() != 1) return {"commands: " + std::to_string(commands->size())};
    const PackedWords& argv = commands->front().argv;
    return Words(argv.begin(), argv.end());
  }
  Words expanded(std::string_view value) {
    auto commands = parse(value);
    if (!commands || commands->size() != 1) return {"error"};
    Words argv = expand_arguments(commands->front(), environment_);
    argv.erase(argv.begin());
    return argv;
  }

  SpecifierContext context_{UnitName::parse("foo@b.service").value(), nullptr, "", ""};
  Environment environment_;
  std::vector<Diagnostic> reports_;
};

TEST_F(CommandLine, SplitsWordsWithQuotes) {
  EXPECT_THAT(arguments("/a one \"two words\" 'three more words' \"\" plain"),
              ElementsAre("/a", "one", "two words", "three more words", "", "plain"));
  EXPECT_THAT(arguments("  /a   b  "), ElementsAre("/a", "b"));
  EXPECT_THAT(arguments("/a \"it's\" 'say \"x\"'"), ElementsAre("/a", "it's", "say \"x\""));
  EXPECT_THAT(arguments("/a x\"y z\"w"), ElementsAre("/a", "xy zw"));
  EXPECT_THAT(arguments("\"/run/t/my args\" x"), ElementsAre("/run/t/my args", "x"));
  EXPECT_THAT(reports_, IsEmpty());
}

TEST_F(CommandLine, DecodesEscapes) {
  EXPECT_THAT(arguments(R"(/a "x\ty" \x41\102 \u00e9 a\sb \\ \" \')"),
              ElementsAre("/a", "x\ty", "AB", "\xc3\xa9", "a b", "\\", "\"", "'"));
}

TEST_F(CommandLine, KeepsAnUnknownEscapeAndSaysSo) {
  EXPECT_THAT(arguments(R"(/a "a\qb" c)"), ElementsAre("/a", "a\\qb", "c"));
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(to_string(reports_[0]),
            "a.service:3: unknown escape sequence \"\\q\", it is kept as it stands");
}

TEST_F(CommandLine, ReadsPrefixesInAnyMix) {
  using Privilege = Command::Privilege;
  const struct {
    const char* prefixes;
    bool ignore_failure;
    bool expand_variables;
    Privilege privilege;
  } cases[] = {
      {"", false, true, Privilege::kAsConfigured},   {"-", true, true, Privilege::kAsConfigured},
      {":", false, false, Privilege::kAsConfigured}, {"+", false, true, Privilege::kFull},
      {"!", false, true, Privilege::kNoSetuid},      {"!!", false, true, Privilege::kAmbient},
      {"-:+", true, false, Privilege::kFull},        {"+:-", true, false, Privilege::kFull},
      {"!-!", true, true, Privilege::kAmbient},      {":!!-", true, false, Privilege::kAmbient}};
  for (const auto& c : cases) {
    const auto commands = parse(std::string(c.prefixes) + "/bin/true x");
    ASSERT_TRUE(commands.has_value()) << c.prefixes;
    ASSERT_EQ(commands->size(), 1U);
    const Command& command = commands->front();
    EXPECT_EQ(command.path(), "/bin/true");
    EXPECT_THAT(command.argv, ElementsAre("/bin/true", "x"));
    EXPECT_EQ(command.ignore_failure, c.ignore_failure) << c.prefixes;
    EXPECT_EQ(command.expand_variables, c.expand_variables) << c.prefixes;
    EXPECT_EQ(command.privilege, c.privilege) << c.prefixes;
  }
}

TEST_F(CommandLine, AtSignNamesTheProcess) {
  const auto commands = parse("-@:+/bin/true x $V");
  ASSERT_TRUE(commands.has_value());
  EXPECT_EQ(commands->front().path(), "/bin/true");
  EXPECT_THAT(commands->front().argv, ElementsAre("x", "$V"));
  EXPECT_THAT(flag_names(commands->front()),
              ElementsAre("ignore-failure", "privileged", "no-env-expand"));
  EXPECT_FALSE(parse("@/bin/true").has_value());
  EXPECT_THAT(parse("@/bin/true \"\"")->front().argv, ElementsAre(""));
}

TEST_F(CommandLine, RefusesPrefixesThatContradictOrRepeat) {
  for (const char* value : {"+!/a", "!+/a", "++/a", "!!!/a", "--/a", "@@/a x", "::/a", "+!!/a"}) {
    const auto commands = parse(value);
    // What is no prefix any more is part of a program's name, and such a one holds no "/".
    EXPECT_TRUE(!commands || commands->empty()) << value;
  }
}

TEST_F(CommandLine, SemicolonsSeparateCommands) {
  const auto commands = parse("/a one ; -/b two \\; three ; /c four;five ;");
  ASSERT_TRUE(commands.has_value());
  ASSERT_EQ(commands->size(), 3U);
  EXPECT_THAT((*commands)[0].argv, ElementsAre("/a", "one"));
  EXPECT_THAT((*commands)[1].argv, ElementsAre("/b", "two", ";", "three"));
  EXPECT_TRUE((*commands)[1].ignore_failure);
  EXPECT_THAT((*commands)[2].argv, ElementsAre("/c", "four;five"));
  EXPECT_FALSE((*commands)[2].ignore_failure);
  EXPECT_THAT(arguments("/a \";\" ';'"), ElementsAre("/a", ";", ";"));
}

TEST_F(CommandLine, ASemicolonWhereAProgramShouldBeIsSkipped) {
  EXPECT_THAT(arguments("; /a y"), ElementsAre("/a", "y"));
  const auto commands = parse("/a ; ; b");
  ASSERT_TRUE(commands.has_value());
  ASSERT_EQ(commands->size(), 2U);
  EXPECT_EQ((*commands)[1].path(), "b");
  EXPECT_THAT(*parse(";"), IsEmpty());
  EXPECT_THAT(arguments("/a x ;; y"), ElementsAre("/a", "x", ";;", "y"));
}

// What real systemd 252 passed to the program.
TEST_F(CommandLine, SplitsAndExpandsAsSystemdWasSeenTo) {
  environment_ = Environment({"V=a  'b c' d", "V2=x \"y z", "Q=a\\\\ b \\\\n", "ESC=", "L=a 'b"});
  const struct {
    const char* value;
    Words arguments;
  } cases[] = {
      {R"(/A a"b c"d 'x'y)", {"ab cd", "xy"}},
      {R"(/A $ x)", {"x"}},
      {R"(/A "$" x)", {"x"}},
      {R"(/A $A$B x)", {"x"}},
      {R"(/A $$ $$V "$$" a$$)", {"$", "$V", "$", "a$"}},
      {R"(/A ${V}${V)", {"a  'b c' d${V"}},
      {R"(/A \x41 \101 \u00e9 \q \8 \x4 "\400" z)",
       {"A", "A", "\u00e9", "\\q", "\\8", "\\x4", "\\400", "z"}},
      {R"(/A a\\)", {"a\\"}},
      {R"(/A x \; y ";" ';' \\; \;z)", {"x", ";", "y", ";", ";", "\\;", "\\;z"}},
      {R"(/A %% %- 5% x %)", {"%", "%-", "5%", "x", "%"}},
      {R"(/A $V "$V" pre$V)", {"a", "b c", "d", "a", "b c", "d", "pre$V"}},
      {R"(/A ${W} $W)", {""}},
      {"/A a\tb", {"a", "b"}},
      {R"(/A \s x\sy)", {" ", "x y"}},
      {R"(/A "\$V" \$V)", {"\\$V", "\\$V"}},
      {R"(/A $V2)", {"x", "y z"}},
      {R"(/A $Q)", {"a\\", "b", "\\n"}},
      {R"(@/A zero one)", {"one"}},
      {R"(/A x;y ;)", {"x;y"}},
      {R"(/A a''b "" c'')", {"ab", "", "c"}},
      {R"(/A \x00 y)", {"\\x00", "y"}},
      {R"(/A "a\ b")", {"a\\ b"}},
      {R"(/A a\ b)", {"a\\ b"}},
      {R"(/A ${} ${V:-x} ${V:+y})", {"", "${V:-x}", "${V:+y}"}},
      {R"(/A $V-)", {}},
      {R"(/A $ESC z)", {"z"}},
      {R"(/A x ; -bin/x)", {"x"}},
      {R"(@/A "" x)", {"x"}},
      {R"(/A x\ )", {"x\\"}},
      {R"(/A \ y)", {"\\ y"}},
      {R"(/A \xff)", {"\xff"}},
      {R"(/A $L)", {"a", "b"}},
      {R"(/A $$$V $${V} $$${V})", {"$$V", "${V}", "$a  'b c' d"}},
      {R"(/A a\;b \;)", {"a\\;b", ";"}},
      {R"(:/A $$ $V ${V} %%)", {"$$", "$V", "${V}", "%"}},
  };
  for (const auto& c : cases) EXPECT_EQ(expanded(trim(c.value)), c.arguments) << c.value;
}

TEST_F(CommandLine, SimplifiesThePathButNotTheName) {
  const auto commands = parse("/usr//bin/./true x");
  EXPECT_EQ(commands->front().path(), "/usr/bin/true");
  EXPECT_EQ(commands->front().argv.front(), "/usr//bin/./true");
  EXPECT_EQ(parse("/.")->front().path(), "/");
}

TEST_F(CommandLine, AcceptsABareNameForTheSearchPath) {
  EXPECT_EQ(parse("sleep 5")->front().path(), "sleep");
}

TEST_F(CommandLine, RefusesWhatCannotBeExecuted) {
  for (const char* value : {"bin/sleep 1", "/bin/", "/", "\"\" x", "-", "@", "..", ".", "/a\\nb",
                            "/a 'b", "./a", "/a %Q y", "%Q"}) {
    const auto commands = parse(value);
    if (*value == '-') {
      EXPECT_TRUE(commands.has_value()) << value;
      EXPECT_FALSE(reports_.empty());
    } else {
      EXPECT_FALSE(commands.has_value()) << value;
    }
  }
  EXPECT_FALSE(parse("/" + std::string(300, 'a')).has_value());
  EXPECT_FALSE(parse(std::string_view("/a x\0y", 6)).has_value());
}

TEST_F(CommandLine, SaysWhyACommandIsRefused) {
  EXPECT_EQ(parse("bin/sleep 1").error().message,
            "the program must be an absolute path, or a name without \"/\" to be looked for: "
            "\"bin/sleep\"");
  EXPECT_EQ(parse("/a %Q").error().message, "specifiers of \"%Q\": unknown specifier \"%Q\"");
}

TEST_F(CommandLine, AnIgnoredCommandThatIsBadIsReportedAndLeftOut) {
  const auto commands = parse("/a ; -b/c ; /d");
  ASSERT_TRUE(commands.has_value());
  EXPECT_EQ(commands->size(), 1U);
  ASSERT_EQ(reports_.size(), 1U);
}

TEST_F(CommandLine, WhatNeverBecomesAProgramIsNoCommand) {
  const auto commands = parse("\"/a b");
  ASSERT_TRUE(commands.has_value());
  EXPECT_TRUE(commands->empty());
  EXPECT_EQ(reports_.size(), 1U);
}

TEST_F(CommandLine, NoProgramHasQuotesOrBackslashesInItsPath) {
  for (const char* value : {"/a\\\\b", "/a\\'b", "/a\\x22"}) {
    EXPECT_FALSE(parse(value).has_value()) << value;
  }
}

TEST_F(CommandLine, ExpandsSpecifiersInEveryWord) {
  EXPECT_THAT(arguments("/x/%p %i a%%b \"%n %N\""),
              ElementsAre("/x/foo", "b", "a%b", "foo@b.service foo@b"));
}

TEST_F(CommandLine, ReplacesVariablesInBraces) {
  environment_.set("V", "a  b c");
  EXPECT_THAT(expanded("/a ${V} x${V}y \"${V}\" '${V}' ${NONE} x${NONE}y"),
              ElementsAre("a  b c", "xa  b cy", "a  b c", "a  b c", "", "xy"));
}

TEST_F(CommandLine, ABareVariableBecomesAsManyWordsAsItHas) {
  environment_.set("V", "a 'b c' d");
  environment_.set("E", "");
  EXPECT_THAT(expanded("/a $V"), ElementsAre("a", "b c", "d"));
  EXPECT_THAT(expanded("/a \"$V\" '$V'"), ElementsAre("a", "b c", "d", "a", "b c", "d"));
  EXPECT_THAT(expanded("/a $E $NONE z"), ElementsAre("z"));
}

TEST_F(CommandLine, OnlyWholeWordsAndBracesAreVariables) {
  environment_.set("A", "x");
  EXPECT_THAT(expanded("/a $1 ${1} ${A-B} $A-B ${A ${A}"), ElementsAre("", "", "${A", "x"));
  EXPECT_THAT(expanded("/a x$A $$A $$ a$$b $${A}"), ElementsAre("x$A", "$A", "$", "a$b", "${A}"));
}

TEST_F(CommandLine, AColonTurnsVariablesOff) {
  environment_.set("A", "x");
  EXPECT_THAT(expanded(":/a $A ${A} $$"), ElementsAre("$A", "${A}", "$$"));
}

}  // namespace
}  // namespace flotilla::unit
