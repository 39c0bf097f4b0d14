#include "registry/keys.h"

#include <algorithm>

#include "unit/utf8.h"

namespace flotilla::registry {

namespace {

struct Folder {
  std::string_view name;
  KeyKind kind;
  bool has_second;
};

constexpr size_t kMaxPrefixBytes = 1024;

constexpr Folder kFolders[] = {
    {"unit", KeyKind::kUnit, false},         {"schedule", KeyKind::kSchedule, true},
    {"global", KeyKind::kGlobal, false},     {"machine", KeyKind::kMachine, false},
    {"metadata", KeyKind::kMetadata, false}, {"state", KeyKind::kState, true},
    {"history", KeyKind::kHistory, false},
};

}  // namespace

base::Result<std::string> parse_key_prefix(std::string_view text) {
  const bool is_text =
      unit::is_valid_utf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
      });
  if (!is_text || text.size() > kMaxPrefixBytes) {
    return base::invalid("expected a prefix of keys like {}, at most {} bytes without blanks",
                         kDefaultPrefix, kMaxPrefixBytes);
  }
  std::string prefix = "/";
  for (const char c : text) {
    if (c != '/' || prefix.back() != '/') prefix += c;
  }
  if (prefix.back() == '/') prefix.pop_back();
  return prefix;
}

std::optional<ParsedKey> Keys::parse(std::string_view key) const {
  if (key == format()) return ParsedKey{KeyKind::kFormat, {}, {}};
  if (key == leader()) return ParsedKey{KeyKind::kLeader, {}, {}};
  if (key == rebalance()) return ParsedKey{KeyKind::kRebalance, {}, {}};
  if (key.substr(0, prefix_.size()) != prefix_) return std::nullopt;
  key.remove_prefix(prefix_.size());
  if (key.empty() || key.front() != '/') return std::nullopt;
  key.remove_prefix(1);
  const size_t slash = key.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view folder_name = key.substr(0, slash);
  const std::string_view rest = key.substr(slash + 1);
  for (const Folder& folder : kFolders) {
    if (folder.name != folder_name) continue;
    const size_t next = rest.find('/');
    if (folder.has_second != (next != std::string_view::npos)) return std::nullopt;
    ParsedKey parsed{folder.kind, std::string(rest.substr(0, next)), {}};
    if (folder.has_second) parsed.second = std::string(rest.substr(next + 1));
    const bool is_bad = parsed.first.empty() || parsed.second.find('/') != std::string::npos ||
                        (folder.has_second && parsed.second.empty());
    if (is_bad) return std::nullopt;
    return parsed;
  }
  return std::nullopt;
}

}  // namespace flotilla::registry
