// Splits a value into words as systemd does: blanks separate, quotes keep blanks, and C escapes
// stand for characters. Quotes may begin anywhere in a word; they are dropped. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotilla::unit {

inline constexpr std::string_view kBlanks = " \t\n\r";

// The text without blanks at its ends.
std::string_view trim(std::string_view text) noexcept;

struct WordRules {
  enum class Escapes {
    kDecode,         // C escapes are decoded, an unknown one is an error
    kDecodeLenient,  // C escapes are decoded, an unknown one keeps its backslash
    kDrop,           // a backslash only takes the meaning from the next character
    kKeep,           // a backslash is a character like any other
  };
  enum class Quotes { kRemove, kLiteral };
  enum class Unbalanced { kError, kAccept };  // an open quote or a last backslash

  Escapes escapes = Escapes::kDecode;
  Quotes quotes = Quotes::kRemove;
  Unbalanced unbalanced = Unbalanced::kError;
};

// Takes the first word off the text, with the blanks behind it; nothing if only blanks are left.
// On an error the text is left as it was.
base::Result<std::optional<std::string>> take_word(std::string_view& rest,
                                                   const WordRules& rules = {});

base::Result<std::vector<std::string>> split_words(std::string_view text,
                                                   const WordRules& rules = {});

// Decodes one C escape after its backslash: \a \b \f \n \r \t \v \\ \" \' \s \xHH \nnn \uXXXX
// \UXXXXXXXX. Takes it off the text. Nothing if it is none, or stands for NUL.
std::optional<std::string> take_escape(std::string_view& rest);

// Quoted so that split_words gives it back: in double quotes with C escapes where there is need.
std::string quote_word(std::string_view word);

// As systemctl prints the words of Environment= and the like: in double quotes where a shell would
// take a character for something else, with "$" and "`" escaped too.
std::string shell_quote(std::string_view word);

}  // namespace flotilla::unit
