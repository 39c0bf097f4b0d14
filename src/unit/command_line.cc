#include "unit/command_line.h"

#include <algorithm>
#include <optional>

#include "unit/escape.h"
#include "unit/words.h"

namespace flotilla::unit {
namespace {

constexpr std::size_t kMaxPath = 4095;
constexpr std::size_t kMaxFileName = 255;

// What no program's path may have: control characters, quotes and backslashes.
bool is_unsafe(char c) noexcept {
  return static_cast<unsigned char>(c) < ' ' ||
         std::string_view("\"'\\\x7f").find(c) != std::string_view::npos;
}

// Slashes that stand double and "." parts go; a ".." stays, it has a meaning to the kernel.
std::string simplify(std::string_view path) {
  std::string out;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (!part.empty() && part != ".") {
      out += '/';
      out += part;
    }
    begin = end + 1;
  }
  return out.empty() ? "/" : out;
}

base::Status check_program(std::string_view path) {
  if (path.empty()) return base::invalid("there is no program in the command");
  if (std::any_of(path.begin(), path.end(), is_unsafe)) {
    return base::invalid("the program's path has special characters: \"{}\"", printable(path));
  }
  if (path.back() == '/') {
    return base::invalid("the program's path is a directory's: \"{}\"", printable(path));
  }
  if (path.front() == '/') {
    bool fits = path.size() <= kMaxPath;
    for (std::size_t begin = 1; begin < path.size();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      if (end - begin > kMaxFileName) fits = false;
      begin = end + 1;
    }
    if (!fits) return base::invalid("the program's path is too long");
    return {};
  }
  if (path.find('/') != std::string_view::npos || path == "." || path == ".." ||
      path.size() > kMaxFileName) {
    return base::invalid(
        "the program must be an absolute path, or a name without \"/\" to be looked for: \"{}\"",
        printable(path.substr(0, kMaxFileName)));
  }
  return {};
}

bool stands_alone(std::string_view rest, std::string_view token) {
  return rest.starts_with(token) && (rest.size() == token.size() ||
                                     kBlanks.find(rest[token.size()]) != std::string_view::npos);
}

void skip_token(std::string_view& rest, std::size_t length) {
  rest.remove_prefix(length);
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
}

class CommandReader {
 public:
  CommandReader(std::string_view rest, const SpecifierContext& context, const Reporter& reporter)
      : rest_(rest), context_(context), reporter_(reporter) {}

  // Reads one command up to its ";" or the end. Nothing if there is no word at all.
  base::Result<std::optional<Command>> read() {
    auto first_word = next_word();
    // A separator where a program should be separates nothing.
    while (first_word && *first_word && **first_word == ";") first_word = next_word();
    if (!first_word) {
      // What never becomes a program is no command; what follows one must be right.
      reporter_.warn("{}, the command is ignored", first_word.error().message);
      return std::optional<Command>();
    }
    const std::optional<std::string>& first = *first_word;
    if (!first) return std::optional<Command>();
    bool has_name = false;
    const std::size_t prefixes = read_prefixes(*first, has_name);
    std::string program;
    FLOTILLA_ASSIGN(program,
                    expand_specifiers(std::string_view(*first).substr(prefixes), context_));
    FLOTILLA_TRY(check_program(program));
    if (!has_name) argv_.push_back(program);
    if (program.front() == '/') program = simplify(program);
    FLOTILLA_TRY(read_arguments());
    if (argv_.empty()) {
      return base::invalid("behind \"@\" the command needs a name of the process");
    }
    command_.set_words(program, std::move(argv_));
    return std::optional<Command>(std::move(command_));
  }

  std::string_view rest() const noexcept { return rest_; }
  bool has_more() const noexcept { return has_more_; }
  bool ignores_failure() const noexcept { return command_.ignore_failure; }

 private:
  base::Result<std::optional<std::string>> next_word() {
    std::string_view at = rest_;
    auto word = take_word(at);
    if (!word) {
      at = rest_;
      WordRules lenient;
      lenient.escapes = WordRules::Escapes::kDecodeLenient;
      const std::string complaint = word.error().message;
      word = take_word(at, lenient);
      if (!word) return base::unexpected(std::move(word).error());
      reporter_.warn("{}, it is kept as it stands", complaint);
    }
    rest_ = at;
    return word;
  }

  // Returns how many characters of the word are prefixes. Each may come once, in any order; of
  // "+", "!" and "!!" only one.
  std::size_t read_prefixes(std::string_view word, bool& has_name) {
    using Privilege = Command::Privilege;
    std::size_t i = 0;
    for (; i < word.size(); ++i) {
      const char c = word[i];
      if (c == '-' && !command_.ignore_failure) {
        command_.ignore_failure = true;
      } else if (c == '@' && !has_name) {
        has_name = true;
      } else if (c == ':' && command_.expand_variables) {
        command_.expand_variables = false;
      } else if (c == '+' && command_.privilege == Privilege::kAsConfigured) {
        command_.privilege = Privilege::kFull;
      } else if (c == '!' && command_.privilege == Privilege::kAsConfigured) {
        command_.privilege = Privilege::kNoSetuid;
      } else if (c == '!' && command_.privilege == Privilege::kNoSetuid) {
        command_.privilege = Privilege::kAmbient;
      } else {
        break;
      }
    }
    return i;
  }

  base::Status read_arguments() {
    while (!rest_.empty()) {
      // Only bare ones count: ";" between quotes and "\\;" are arguments like any other.
      if (stands_alone(rest_, ";")) {
        skip_token(rest_, 1);
        has_more_ = true;
        return {};
      }
      if (stands_alone(rest_, "\\;")) {
        skip_token(rest_, 2);
        argv_.push_back(";");
        continue;
      }
      FLOTILLA_ASSIGN(std::optional<std::string> word, next_word());
      if (!word) return {};
      FLOTILLA_ASSIGN(const std::string argument, expand_specifiers(*word, context_));
      argv_.push_back(argument);
    }
    return {};
  }

  std::string_view rest_;
  const SpecifierContext& context_;
  const Reporter& reporter_;
  Command command_;
  PackedWords argv_;
  bool has_more_ = false;
};

// "${NAME}" and "$$" within a word; all else stays, "$NAME" too.
std::string replace_braced(std::string_view word, const Environment& environment) {
  std::string out;
  for (std::size_t i = 0; i < word.size();) {
    if (word[i] != '$' || i + 1 == word.size()) {
      out += word[i++];
      continue;
    }
    if (word[i + 1] == '$') {
      out += '$';
      i += 2;
      continue;
    }
    // A ":" begins what a shell would do with defaults; it is not done here, the text stays.
    const std::size_t end =
        word[i + 1] == '{' ? word.find_first_of("}:", i + 2) : std::string_view::npos;
    if (end == std::string_view::npos || word[end] == ':') {
      out += word[i++];
      continue;
    }
    out += environment.find(word.substr(i + 2, end - i - 2)).value_or(std::string_view());
    i = end + 1;
  }
  return out;
}

}  // namespace

std::vector<std::string_view> flag_names(const Command& command) {
  std::vector<std::string_view> names;
  if (command.ignore_failure) names.push_back("ignore-failure");
  if (command.privilege == Command::Privilege::kFull) names.push_back("privileged");
  if (command.privilege == Command::Privilege::kNoSetuid) names.push_back("no-setuid");
  if (command.privilege == Command::Privilege::kAmbient) names.push_back("ambient");
  if (!command.expand_variables) names.push_back("no-env-expand");
  return names;
}

void Command::set_words(std::string_view program, PackedWords arguments) {
  argv = std::move(arguments);
  argv.shrink_to_fit();
  path_ = PackedWords();
  if (program == argv.front()) return;
  path_.push_back(program);
  path_.shrink_to_fit();
}

base::Result<std::vector<Command>> parse_command_line(std::string_view value,
                                                      const SpecifierContext& context,
                                                      const Reporter& reporter) {
  if (value.find('\0') != std::string_view::npos)
    return base::invalid("the command has a NUL byte");
  std::vector<Command> commands;
  for (bool more = true; more;) {
    CommandReader reader(value, context, reporter);
    auto command = reader.read();
    if (!command) {
      if (!reader.ignores_failure()) return base::unexpected(std::move(command).error());
      reporter.warn("{}, the command is ignored", command.error().message);
      return commands;
    }
    if (!*command) return commands;
    commands.push_back(std::move(**command));
    value = reader.rest();
    more = reader.has_more();
  }
  return commands;
}

std::vector<std::string> expand_arguments(const Command& command, const Environment& environment) {
  std::vector<std::string> out;
  for (const std::string_view word : command.argv) {
    if (!command.expand_variables) {
      out.emplace_back(word);
      continue;
    }
    const bool whole =
        word.starts_with('$') && (word.size() == 1 || (word[1] != '{' && word[1] != '$'));
    if (!whole) {
      out.push_back(replace_braced(word, environment));
      continue;
    }
    const auto value = environment.find(word.substr(1));
    if (!value) continue;
    WordRules rules;
    rules.escapes = WordRules::Escapes::kDrop;
    rules.unbalanced = WordRules::Unbalanced::kAccept;
    auto words = split_words(*value, rules);
    if (!words) continue;
    for (std::string& part : *words) out.push_back(std::move(part));
  }
  return out;
}

}  // namespace flotilla::unit
