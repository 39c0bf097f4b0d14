#include "unit/fleet_file.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <unordered_map>

#include "unit/white_space.h"

namespace flotilla::unit {
namespace {

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
    if (options_.size() == kMaxFleetOptions) {
      return base::too_large("a unit has at most {} options", kMaxFleetOptions);
    }
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
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(size_t{2} * length);
  for (unsigned i = 0; i < length; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 0xf];
  }
  return hex;
}

}  // namespace flotilla::unit
