#include "logs/journal_message.h"

#include <cstring>

#include "logs/protocol.h"

namespace flotilla::logs {

std::string_view part_of(std::string_view text, std::size_t begin, std::size_t size) noexcept {
  if (begin > text.size()) begin = text.size();
  const std::size_t left = text.size() - begin;
  return {text.data() + begin, size < left ? size : left};
}

namespace {

constexpr std::size_t kMaxFieldName = 64;
constexpr int kMaxFacility = 127;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_letter(char c) noexcept { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

// A decimal number of one to three digits, and nothing else; -1: it is none.
int small_number(std::string_view text) noexcept {
  if (text.empty() || text.size() > 3) return -1;
  int number = 0;
  for (const char c : text) {
    if (!is_digit(c)) return -1;
    number = number * 10 + (c - '0');
  }
  return number;
}

void take_priority(std::string_view& text, JournalMessage& out) noexcept {
  if (text.empty() || text[0] != '<') return;
  const std::size_t end = part_of(text, 0, 5).find('>');
  if (end == text.npos) return;
  const int number = small_number(part_of(text, 1, end - 1));
  if (number < 0 || number > (kMaxFacility << 3 | kPriorityMax)) return;
  out.priority = static_cast<std::uint8_t>(number & kPriorityMax);
  // The kernel's facility is not for programs.
  out.facility = static_cast<std::int16_t>(number >> 3 == 0 ? 1 : number >> 3);
  text.remove_prefix(end + 1);
}

// "Nov  1 02:03:04 "
void skip_date(std::string_view& text) noexcept {
  constexpr std::string_view kForm = "aaa #d dd:dd:dd ";
  if (text.size() < kForm.size()) return;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const char c = text[i];
    const bool fits = kForm[i] == 'a'   ? is_letter(c)
                      : kForm[i] == 'd' ? is_digit(c)
                      : kForm[i] == '#' ? is_digit(c) || c == ' '
                                        : c == kForm[i];
    if (!fits) return;
  }
  text.remove_prefix(kForm.size());
}

// "IDENTIFIER[PID]: " or "IDENTIFIER: "
void take_identifier(std::string_view& text, JournalMessage& out) noexcept {
  std::size_t begin = 0;
  while (begin < text.size() && is_blank(text[begin])) ++begin;
  std::size_t end = begin;
  while (end < text.size() && !is_blank(text[end])) ++end;
  if (end == begin || text[end - 1] != ':') return;
  std::string_view word = part_of(text, begin, end - begin - 1);
  if (!word.empty() && word.back() == ']') {
    const std::size_t bracket = word.rfind('[');
    if (bracket != word.npos) word = part_of(word, 0, bracket);
  }
  out.identifier = part_of(word, 0, kMaxIdentifier);
  text.remove_prefix(end < text.size() ? end + 1 : end);
}

struct Field {
  std::string_view name, value;
};

// False: what is left is no field.
bool take_field(std::string_view& rest, Field& out) noexcept {
  const std::size_t end = rest.find('\n');
  const std::string_view line = part_of(rest, 0, end);
  const std::size_t equals = line.find('=');
  if (equals != line.npos) {
    out = {part_of(line, 0, equals), part_of(line, equals + 1)};
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    return true;
  }
  if (end == rest.npos) return false;
  rest.remove_prefix(end + 1);
  std::uint64_t size = 0;
  if (rest.size() < sizeof(size)) return false;
  std::memcpy(&size, rest.data(), sizeof(size));
  rest.remove_prefix(sizeof(size));
  if (size >= rest.size() || rest[size] != '\n') return false;
  out = {line, part_of(rest, 0, size)};
  rest.remove_prefix(size + 1);
  return true;
}

void note_field(const Field& field, JournalMessage& out, bool& has_text) noexcept {
  if (field.name.size() > kMaxFieldName) return;
  if (field.name == "MESSAGE") {
    out.text = field.value;
    has_text = true;
  } else if (field.name == "PRIORITY") {
    const int number = small_number(field.value);
    if (number >= 0 && number <= kPriorityMax) out.priority = static_cast<std::uint8_t>(number);
  } else if (field.name == "SYSLOG_FACILITY") {
    const int number = small_number(field.value);
    if (number >= 0 && number <= kMaxFacility) out.facility = static_cast<std::int16_t>(number);
  } else if (field.name == "SYSLOG_IDENTIFIER") {
    out.identifier = part_of(field.value, 0, kMaxIdentifier);
  }
}

bool is_unit_of_processes(std::string_view name) noexcept {
  constexpr std::string_view kSuffixes[] = {".service", ".scope", ".mount", ".socket", ".swap"};
  for (const std::string_view suffix : kSuffixes) {
    if (name.size() > suffix.size() && part_of(name, name.size() - suffix.size()) == suffix) {
      return is_valid_unit_name(name);
    }
  }
  return false;
}

// What the kernel says of the last, dead process of a unit that is gone.
std::string_view without_mark(std::string_view path) noexcept {
  constexpr std::string_view kMark = " (deleted)";
  if (path.size() < kMark.size()) return path;
  const std::size_t rest = path.size() - kMark.size();
  return part_of(path, rest) == kMark ? part_of(path, 0, rest) : path;
}

}  // namespace

JournalMessage parse_syslog(std::string_view datagram) noexcept {
  JournalMessage message;
  // Some send the NUL or the newline behind the text, too.
  while (!datagram.empty() && (datagram.back() == '\0' || is_blank(datagram.back()))) {
    datagram.remove_suffix(1);
  }
  take_priority(datagram, message);
  skip_date(datagram);
  take_identifier(datagram, message);
  message.text = datagram;
  return message;
}

bool next_native_entry(std::string_view& datagram, JournalMessage& out) noexcept {
  out = {};
  bool has_text = false;
  while (!datagram.empty()) {
    if (datagram[0] == '\n') {
      datagram.remove_prefix(1);
      if (has_text) return true;
      out = {};
      continue;
    }
    if (datagram[0] == '.' || datagram[0] == '#') {  // a word to the journal itself, or none at all
      const std::size_t end = datagram.find('\n');
      datagram.remove_prefix(end == datagram.npos ? datagram.size() : end + 1);
      continue;
    }
    Field field;
    if (!take_field(datagram, field)) {
      datagram = {};
      break;
    }
    note_field(field, out, has_text);
  }
  return has_text;
}

GreetingState parse_greeting(std::string_view bytes, StreamGreeting& out) noexcept {
  // Identifier, unit, priority, whether lines have a level, and to whom else they are to go.
  constexpr std::size_t kLines = 7;
  std::string_view lines[kLines];
  std::size_t at = 0;
  for (std::string_view& line : lines) {
    const std::size_t end = bytes.find('\n', at);
    if (end == bytes.npos || end >= kMaxGreeting) {
      return bytes.size() >= kMaxGreeting ? GreetingState::kWrong : GreetingState::kIncomplete;
    }
    line = part_of(bytes, at, end - at);
    at = end + 1;
  }
  const int priority = small_number(lines[2]);
  const bool has_switches = lines[3] == "0" || lines[3] == "1";
  if (priority < 0 || priority > kPriorityMax || !has_switches) return GreetingState::kWrong;
  out.identifier = part_of(lines[0], 0, kMaxIdentifier);
  out.unit = lines[1];
  out.priority = static_cast<std::uint8_t>(priority);
  out.level_prefix = lines[3] == "1";
  out.size = at;
  return GreetingState::kWhole;
}

std::string_view path_of_cgroup(std::string_view proc_cgroup) noexcept {
  std::string_view path;
  while (!proc_cgroup.empty()) {
    const std::string_view line = part_of(proc_cgroup, 0, proc_cgroup.find('\n'));
    proc_cgroup.remove_prefix(line.size() < proc_cgroup.size() ? line.size() + 1 : line.size());
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? first : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string_view controllers = part_of(line, first + 1, second - first - 1);
    if (controllers.empty()) return without_mark(part_of(line, second + 1));
    if (controllers == "name=systemd") path = part_of(line, second + 1);
  }
  return path;
}

std::string_view unit_of_cgroup(std::string_view proc_cgroup, std::string_view own) noexcept {
  std::string_view path = path_of_cgroup(proc_cgroup);
  if (own.size() > 1) {
    const bool is_inside = part_of(path, 0, own.size()) == own &&
                           (path.size() == own.size() || path[own.size()] == '/');
    if (!is_inside) return {};
    path.remove_prefix(own.size());
  }
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view name = part_of(path, 0, path.find('/'));
    if (is_unit_of_processes(name)) return name;
    path.remove_prefix(name.size());
  }
  return {};
}

}  // namespace flotilla::logs
