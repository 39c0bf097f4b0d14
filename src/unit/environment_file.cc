// The reader of EnvironmentFile=. Declared in environment.h.
#include "unit/environment.h"
#include "unit/escape.h"
#include "unit/utf8.h"
#include "unit/words.h"

namespace flotilla::unit {
namespace {

constexpr std::size_t kMaxFileSize = 4UL * 1024 * 1024;

bool is_line_end(char c) noexcept { return c == '\n' || c == '\r'; }
bool is_blank(char c) noexcept { return kBlanks.find(c) != std::string_view::npos; }

class EnvironmentReader {
 public:
  EnvironmentReader(std::string_view bytes, std::string_view file, std::vector<Diagnostic>* reports)
      : rest_(bytes), file_(file), reports_(reports) {}

  base::Result<Environment> read() {
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (is_blank(c)) {
        take();
      } else if (c == '#' || c == ';') {
        skip_comment();
      } else {
        read_assignment();
      }
      if (environment_.assignments().size() > Environment::kMaxVariables) {
        return base::too_large("{}: the file has more than {} variables", file_,
                               Environment::kMaxVariables);
      }
    }
    return std::move(environment_);
  }

 private:
  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '\n') ++line_;
    return c;
  }

  // A "\" takes the meaning from any character behind it, also from the line's end.
  void skip_comment() {
    while (!rest_.empty()) {
      const char c = take();
      if (c == '\\' && !rest_.empty()) {
        take();
      } else if (is_line_end(c)) {
        return;
      }
    }
  }

  void read_assignment() {
    const unsigned line = line_;
    const std::size_t end = rest_.find_first_of("=\n\r");
    const std::string_view name = trim(rest_.substr(0, end));
    if (end == std::string_view::npos || rest_[end] != '=') {
      rest_.remove_prefix(std::min(end, rest_.size()));
      report(line, "expected NAME=VALUE", name);
      return;
    }
    rest_.remove_prefix(end + 1);
    const std::string value = read_value();
    if (!is_valid_variable_name(name)) {
      report(line, "not a valid name of a variable", name);
      return;
    }
    environment_.set(name, value);
  }

  // Quoted parts and one bare part at the end; blanks before and between them do not count.
  std::string read_value() {
    std::string value;
    while (!rest_.empty()) {
      const char c = take();
      if (is_line_end(c)) return value;
      if (c == '\'') {
        while (!rest_.empty()) {
          const char quoted = take();
          if (quoted == '\'') break;
          value += quoted;
        }
      } else if (c == '"') {
        read_double_quoted(value);
      } else if (!is_blank(c)) {
        read_bare(c, value);
        return value;
      }
    }
    return value;
  }

  void read_double_quoted(std::string& value) {
    constexpr std::string_view kEscapable = "\"\\`$";
    while (!rest_.empty()) {
      const char c = take();
      if (c == '"') return;
      if (c != '\\') {
        value += c;
        continue;
      }
      if (rest_.empty()) return;
      const char escaped = take();
      if (kEscapable.find(escaped) != std::string_view::npos) {
        value += escaped;
      } else if (escaped != '\n') {
        value += '\\';
        value += escaped;
      }
    }
  }

  // To the line's end; quotes are characters here. Blanks at the end do not count unless escaped.
  void read_bare(char first, std::string& value) {
    std::size_t kept = value.size();
    for (char c = first;; c = take()) {
      if (is_line_end(c)) break;
      if (c == '\\') {
        if (rest_.empty()) break;
        const char escaped = take();
        if (!is_line_end(escaped)) value += escaped;
        kept = value.size();
      } else {
        value += c;
        if (!is_blank(c)) kept = value.size();
      }
      if (rest_.empty()) break;
    }
    value.resize(kept);
  }

  void report(unsigned line, std::string_view why, std::string_view name) {
    if (reports_ == nullptr) return;
    Reporter(std::string(file_), line, *reports_)
        .warn("{}, the line is ignored: \"{}\"", why, printable(name.substr(0, 80)));
  }

  std::string_view rest_;
  std::string_view file_;
  std::vector<Diagnostic>* reports_;
  unsigned line_ = 1;
  Environment environment_;
};

}  // namespace

base::Result<Environment> parse_environment_file(std::string_view bytes, std::string_view file,
                                                 std::vector<Diagnostic>* reports) {
  if (bytes.size() > kMaxFileSize) {
    return base::too_large("{}: the file has {} bytes, at most {} are read", file, bytes.size(),
                           kMaxFileSize);
  }
  if (bytes.find('\0') != std::string_view::npos) {
    return base::invalid("{}: the file has a NUL byte", file);
  }
  if (!is_valid_utf8(bytes)) return base::invalid("{}: the file is not valid UTF-8", file);
  return EnvironmentReader(bytes, file, reports).read();
}

}  // namespace flotilla::unit
