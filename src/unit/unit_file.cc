#include "unit/unit_file.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <unordered_set>

#include "unit/escape.h"
#include "unit/utf8.h"
#include "unit/words.h"

namespace flotilla::unit {
namespace {

// Takes the next line off the text, without its end (LF, CRLF, CR or NUL).
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find_first_of(std::string_view("\r\n\0", 3));
  const std::string_view line = rest.substr(0, end);
  if (end == std::string_view::npos) {
    rest = {};
  } else {
    rest.remove_prefix(end + (rest.substr(end, 2) == "\r\n" ? 2 : 1));
  }
  return line;
}

// An odd number of backslashes at the end continues the line; an even one is escaped backslashes.
bool is_continued(std::string_view text) {
  const std::size_t last = text.find_last_not_of('\\');
  const std::size_t count = last == std::string_view::npos ? text.size() : text.size() - last - 1;
  return count % 2 == 1;
}

bool is_section_name(std::string_view name) {
  return std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f || c == '"' || c == '\'' || c == '\\';
  });
}

// Why a file as a whole is unusable, with the errno that systemd gives for it in LoadError.
template <typename... Args>
base::Unexpected unusable(int error_number, base::Errc code, fmt::format_string<Args...> text,
                          Args&&... args) {
  return base::unexpected(
      base::Error{code, fmt::format(text, std::forward<Args>(args)...), error_number, ""});
}

class Reader {
 public:
  explicit Reader(std::string_view file) { result_.file = file; }

  base::Result<UnitFile> read(std::string_view bytes) {
    if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
    unsigned line_number = 0;
    unsigned first_line = 0;
    std::optional<std::string> pending;
    while (!bytes.empty()) {
      const std::string_view line = take_line(bytes);
      ++line_number;
      const std::string_view text = trim(line);
      if (!text.empty() && (text.front() == '#' || text.front() == ';')) continue;
      if (!pending) {
        first_line = line_number;
        if (!is_continued(line)) {
          FLOTILLA_TRY(read_logical_line(line, first_line));
          continue;
        }
        pending.emplace();
      }
      *pending += line;
      if (is_continued(*pending)) {
        pending->back() = ' ';
        continue;
      }
      FLOTILLA_TRY(read_logical_line(*pending, first_line));
      pending.reset();
    }
    if (pending) FLOTILLA_TRY(read_logical_line(*pending, first_line));
    return std::move(result_);
  }

 private:
  base::Status read_logical_line(std::string_view line, unsigned number) {
    line = trim(line);
    if (line.empty()) return {};
    if (!is_valid_utf8(line)) {
      return unusable(EINVAL, base::Errc::kInvalid, "{}:{}: the line is not valid UTF-8: \"{}\"",
                      result_.file, number, shorten(line));
    }
    if (line.front() == '[') return read_section(line, number);
    const Reporter reporter(result_.file, number, result_.diagnostics);
    if (!section_) {
      reporter.warn("the line stands before any section, it is ignored: \"{}\"", shorten(line));
      return {};
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      reporter.warn("expected \"Key=value\", the line is ignored: \"{}\"", shorten(line));
      return {};
    }
    const std::string_view key = trim(line.substr(0, equals));
    if (key.empty()) {
      reporter.warn("there is no key before \"=\", the line is ignored: \"{}\"", shorten(line));
      return {};
    }
    result_.settings.push_back(
        Setting{*section_, std::string(key), std::string(trim(line.substr(equals + 1))), number});
    return {};
  }

  base::Status read_section(std::string_view line, unsigned number) {
    if (line.size() < 2 || line.back() != ']') {
      return unusable(EBADMSG, base::Errc::kInvalid,
                      "{}:{}: the section header does not end in \"]\": \"{}\"", result_.file,
                      number, shorten(line));
    }
    const std::string_view name = line.substr(1, line.size() - 2);
    if (!is_section_name(name)) {
      return unusable(EBADMSG, base::Errc::kInvalid,
                      "{}:{}: the section name has forbidden characters: \"{}\"", result_.file,
                      number, shorten(line));
    }
    section_ = name;
    if (is_new_section(name)) result_.sections.emplace_back(name);
    return {};
  }

  // A real file has a few sections, which need no set to be found in.
  bool is_new_section(std::string_view name) {
    constexpr std::size_t kFew = 16;
    const auto& sections = result_.sections;
    if (sections.size() < kFew) {
      return std::find(sections.begin(), sections.end(), name) == sections.end();
    }
    if (many_.empty()) many_.insert(sections.begin(), sections.end());
    return many_.emplace(name).second;
  }

  // Messages quote at most this much of a line.
  static std::string shorten(std::string_view line) {
    constexpr std::size_t kQuoted = 80;
    if (line.size() <= kQuoted) return printable(line);
    return printable(line.substr(0, kQuoted)) + "...";
  }

  UnitFile result_;
  std::optional<std::string> section_;
  std::unordered_set<std::string> many_;  // all sections, once there are more than a few
};

}  // namespace

base::Result<UnitFile> parse_unit_file(std::string_view bytes, std::string_view file) {
  if (bytes.size() > kMaxUnitFileSize) {
    return unusable(ENOBUFS, base::Errc::kTooLarge,
                    "{}: the file has {} bytes, at most {} are read", file, bytes.size(),
                    kMaxUnitFileSize);
  }
  return Reader(file).read(bytes);
}

bool is_foreign(std::string_view section_or_key) noexcept {
  return section_or_key.starts_with("X-");
}

}  // namespace flotilla::unit
