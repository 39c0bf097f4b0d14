#include "unit/fleet_file.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <unordered_map>

#include "unit/utf8.h"

namespace flotilla::unit {
namespace {

// Unicode's White_Space, as Go's unicode.IsSpace has it. Invalid UTF-8 is no white space.
bool is_space(char32_t code) noexcept {
  return (code >= 0x09 && code <= 0x0d) || code == 0x20 || code == 0x85 || code == 0xa0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
         code == 0x202f || code == 0x205f || code == 0x3000;
}

// The length of the white space character the text begins with, or 0.
std::size_t leading_space(std::string_view text) noexcept {
  const std::size_t length = utf8_sequence_length(text);
  return length != 0 && is_space(utf8_decode(text)) ? length : 0;
}

std::size_t trailing_space(std::string_view text) noexcept {
  for (std::size_t length = 1; length <= 3 && length <= text.size(); ++length) {
    const std::string_view last = text.substr(text.size() - length);
    if (utf8_sequence_length(last) == length) return leading_space(last);
  }
  return 0;
}

std::string_view trim_unicode(std::string_view text) noexcept {
  while (const std::size_t n = leading_space(text)) text.remove_prefix(n);
  while (const std::size_t n = trailing_space(text)) text.remove_suffix(n);
  return text;
}

class FleetReader {
 public:
  explicit FleetReader(std::string_view bytes) : rest_(bytes) {}

  base::Result<std::vector<UnitOption>> read() {
    // What stands before the first section is dropped character by character; a "[" or a comment
    // sign counts anywhere in it.
    while (!rest_.empty() && !in_section_) {
      const char c = take();
      if (c == '[') {
        FLOTILLA_TRY(read_section());
      } else if (c == '#' || c == ';') {
        skip_comment();
      }
    }
    for (;;) {
      while (const std::size_t n = leading_space(rest_)) rest_.remove_prefix(n);
      if (rest_.empty()) return std::move(options_);
      if (rest_.front() == '[') {
        take();
        FLOTILLA_TRY(read_section());
      } else if (rest_.front() == '#' || rest_.front() == ';') {
        take();
        skip_comment();
      } else {
        FLOTILLA_TRY(read_option());
      }
    }
  }

 private:
  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  // A line without its LF. Whether one was there is the second part.
  std::pair<std::string_view, bool> take_line() {
    const std::size_t end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return {line, end != std::string_view::npos};
  }

  base::Status read_section() {
    const std::size_t end = rest_.find(']');
    if (end == std::string_view::npos) return base::invalid("unable to find end of section");
    section_ = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    const std::string_view garbage = trim_unicode(take_line().first);
    if (!garbage.empty()) {
      std::string numbers;
      for (char c : garbage) {
        if (!numbers.empty()) numbers += ' ';
        numbers += std::to_string(static_cast<unsigned char>(c));
      }
      return base::invalid("found garbage after section name : [{}]", numbers);
    }
    in_section_ = true;
    return {};
  }

  void skip_comment() {
    for (;;) {
      std::string_view line = take_line().first;
      if (line.ends_with(' ')) line.remove_suffix(1);
      if (!line.ends_with('\\') || rest_.empty()) return;
    }
  }

  base::Status read_option() {
    const std::size_t end = rest_.find_first_of("=\r\n");
    // fleet prints the bare word that its library gives for a file that ends here.
    if (end == std::string_view::npos) return base::invalid("EOF");
    if (rest_[end] != '=') {
      return base::invalid("unexpected newline encountered while parsing option name");
    }
    std::string name(trim_unicode(rest_.substr(0, end)));
    rest_.remove_prefix(end + 1);
    options_.push_back(UnitOption{section_, std::move(name), read_value()});
    return {};
  }

  std::string read_value() {
    std::string value;
    for (;;) {
      const auto [line, has_end] = take_line();
      if (trim_unicode(line).empty()) break;
      value += line;
      if (!line.ends_with('\\')) break;
      if (has_end) value += '\n';
      if (rest_.empty()) break;
    }
    std::string trimmed(trim_unicode(value));
    if (value.ends_with('\n')) trimmed += '\n';
    return trimmed;
  }

  std::string_view rest_;
  std::string section_;
  bool in_section_ = false;
  std::vector<UnitOption> options_;
};

bool has_long_line(std::string_view bytes) {
  std::size_t length = 0;
  for (char c : bytes) {
    length = c == '\n' || c == '\r' ? 0 : length + 1;
    if (length > kMaxFleetLine) return true;
  }
  return false;
}

}  // namespace

base::Result<std::vector<UnitOption>> parse_fleet_file(std::string_view bytes) {
  // The original checks this ahead of its reader and lets some long lines slip through; here every
  // line is held to the limit.
  if (has_long_line(bytes)) return base::invalid("line too long (max 2048 bytes)");
  return FleetReader(bytes).read();
}

std::string serialize(const std::vector<UnitOption>& options) {
  std::vector<std::pair<std::string_view, std::string>> sections;
  std::unordered_map<std::string_view, std::size_t> index;
  for (const UnitOption& option : options) {
    const auto [it, is_new] = index.emplace(option.section, sections.size());
    if (is_new) sections.emplace_back(option.section, "[" + option.section + "]\n");
    std::string& text = sections[it->second].second;
    text += option.name;
    text += '=';
    text += option.value;
    text += '\n';
  }
  std::string out;
  for (const auto& [name, text] : sections) {
    if (!out.empty()) out += '\n';
    out += text;
  }
  return out;
}

std::string hash_hex(const std::vector<UnitOption>& options) {
  const std::string bytes = serialize(options);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha1(), nullptr) != 1) {
    throw std::runtime_error("libcrypto has no SHA-1");
  }
  std::string hex;
  for (unsigned i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

}  // namespace flotilla::unit
