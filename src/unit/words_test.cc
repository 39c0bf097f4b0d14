#include "unit/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

using ::testing::ElementsAre;

TEST(Words, SplitAtBlanksAndKeepQuotedOnes) {
  using Words = std::vector<std::string>;
  const struct {
    const char* text;
    Words words;
  } cases[] = {{"", {}},
               {"  \t\n", {}},
               {"a", {"a"}},
               {" a  b\tc\n", {"a", "b", "c"}},
               {"\"a b\" 'c d'", {"a b", "c d"}},
               {"a\"b c\"d 'x'y", {"ab cd", "xy"}},
               {"\"\" ''", {"", ""}},
               {"\"it's\" 'say \"x\"'", {"it's", "say \"x\""}},
               {"\\x41\\102\\n\\s\\t", {"AB\n \t"}},
               {"\"\\a\\b\\f\\r\\v\\\\\\\"\\'\"", {"\a\b\f\r\v\\\"'"}},
               {"\\u00e9 \\U0001F600", {"\xc3\xa9", "\xf0\x9f\x98\x80"}},
               {"\\xff", {"\xff"}}};
  for (const auto& c : cases) EXPECT_EQ(split_words(c.text).value(), c.words) << c.text;
}

TEST(Words, RefuseUnknownEscapesAndOpenQuotes) {
  for (const char* text : {"\\q", "\"a", "'", "a\\", "\\x4", "\\x00", "\\000", "\\400", "\\u12",
                           "\\ud800", "\\U00110000", "\\ ", "\\8"}) {
    EXPECT_FALSE(split_words(text).has_value()) << text;
  }
  EXPECT_EQ(split_words("\\q").error().message, "unknown escape sequence \"\\q\"");
  EXPECT_EQ(split_words("a 'b").error().message, "a single quote is not closed");
}

TEST(Words, LenientEscapesKeepTheirBackslash) {
  WordRules rules;
  rules.escapes = WordRules::Escapes::kDecodeLenient;
  EXPECT_THAT(split_words("\"a\\qb\" \\x4 \\n", rules).value(), ElementsAre("a\\qb", "\\x4", "\n"));
  EXPECT_FALSE(split_words("\"a", rules).has_value());
}

TEST(Words, DroppedEscapesOnlyProtectTheNextCharacter) {
  WordRules rules;
  rules.escapes = WordRules::Escapes::kDrop;
  rules.unbalanced = WordRules::Unbalanced::kAccept;
  EXPECT_THAT(split_words("a\\ b \\n 'c d", rules).value(), ElementsAre("a b", "n", "c d"));
}

TEST(Words, KeptEscapesAndLiteralQuotesAreCharacters) {
  WordRules rules;
  rules.escapes = WordRules::Escapes::kKeep;
  rules.quotes = WordRules::Quotes::kLiteral;
  EXPECT_THAT(split_words("a\\n \"b c\"", rules).value(), ElementsAre("a\\n", "\"b", "c\""));
}

TEST(Words, AreTakenOneByOneAndAnErrorTakesNothing) {
  std::string_view rest = "  a  'b";
  EXPECT_EQ(take_word(rest).value(), "a");
  EXPECT_EQ(rest, "'b");
  EXPECT_FALSE(take_word(rest).has_value());
  EXPECT_EQ(rest, "'b");
}

TEST(Words, ShellQuotesAsSystemctlDoes) {
  const struct {
    const char* word;
    const char* quoted;
  } cases[] = {{"A=1", "A=1"},
               {"D=", "D="},
               {"C=it is", "\"C=it is\""},
               {"E=x\ty", "\"E=x\\ty\""},
               {"F=$A", "\"F=\\$A\""},
               {"A=\x01", "\"A=\\001\""},
               {"B=\n", "\"B=\\n\""},
               {"A=a'b\"c`d$e*f!g#h;i&j", "\"A=a'b\\\"c\\`d\\$e*f!g#h;i&j\""},
               {"B=x*", "\"B=x*\""},
               {"C=~", "C=~"},
               {"D=#", "D=#"},
               {"E=a!b", "\"E=a!b\""},
               {"F=(x)", "\"F=(x)\""},
               {"K=[x]", "\"K=[x]\""},
               {"M={x}", "M={x}"},
               {"N=a,b:c/d=e@f%g+h^i", "N=a,b:c/d=e@f%g+h^i"}};
  for (const auto& c : cases) EXPECT_EQ(shell_quote(c.word), c.quoted);
}

TEST(Words, QuotedWordsReadBackTheSame) {
  for (const std::string word : {"", "a", "two words", "it's", "say \"x\"", "a\\b", "x\ty\n", "$V",
                                 "\x01", "\x7f", "\xc3\xa9"}) {
    EXPECT_THAT(split_words(quote_word(word)).value(), ElementsAre(word));
  }
  EXPECT_EQ(quote_word("plain"), "plain");
  EXPECT_EQ(quote_word("two words"), "\"two words\"");
}

}  // namespace
}  // namespace flotilla::unit
