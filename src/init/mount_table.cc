#include "init/mount_table.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "init/mount_settings.h"

namespace flotilla::init {
namespace {

// "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue": any number of
// fields stands before the lone "-".
constexpr size_t kWhereField = 4, kOptionsField = 5, kFirstOptional = 6;

std::string_view next_field(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return field;
}

// Those of the mount, then those of the file system; read-only if either says so.
std::string join_options(std::string_view mount, std::string_view file_system) {
  bool is_read_only = false;
  std::string rest;
  for (std::string_view options : {mount, file_system}) {
    while (!options.empty()) {
      const size_t end = std::min(options.find(','), options.size());
      const std::string_view option = options.substr(0, end);
      options.remove_prefix(std::min(end + 1, options.size()));
      if (option == "ro") is_read_only = true;
      if (option.empty() || option == "ro" || option == "rw") continue;
      rest.append(",").append(option);
    }
  }
  return (is_read_only ? "ro" : "rw") + rest;
}

std::optional<std::pair<std::string, MountLine>> read_line(std::string_view line) {
  std::string_view where, options, field;
  for (size_t i = 0; i < kFirstOptional; ++i) {
    field = next_field(line);
    if (i == kWhereField) where = field;
    if (i == kOptionsField) options = field;
  }
  do {
    if (line.empty()) return std::nullopt;
    field = next_field(line);
  } while (field != "-");
  const std::string_view type = next_field(line), what = next_field(line);
  if (where.empty() || where[0] != '/' || type.empty()) return std::nullopt;
  // An automount is no mount yet.
  if (type == "autofs") return std::nullopt;
  std::string path = unescape_mountinfo(where);
  if (is_api_mount(path)) return std::nullopt;
  return std::pair(std::move(path), MountLine{unescape_mountinfo(what), std::string(type),
                                              join_options(options, next_field(line))});
}

}  // namespace

std::string unescape_mountinfo(std::string_view field) {
  std::string plain;
  for (size_t i = 0; i < field.size(); ++i) {
    const auto digit = [&](size_t at) { return field[at] >= '0' && field[at] <= '7'; };
    if (field[i] == '\\' && i + 3 < field.size() && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      plain.push_back(static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 +
                                        (field[i + 3] - '0')));
      i += 3;
    } else {
      plain.push_back(field[i]);
    }
  }
  return plain;
}

MountTable::Changes MountTable::take(std::string_view text) {
  std::map<std::string, MountLine, std::less<>> now;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (auto line = read_line(text.substr(0, end))) {
      now.insert_or_assign(std::move(line->first), std::move(line->second));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  Changes changes;
  for (const auto& [where, line] : now) {
    const MountLine* before = find(where);
    if (before == nullptr || !(*before == line)) changes.changed.push_back(where);
  }
  for (const auto& [where, line] : lines_) {
    if (now.find(where) == now.end()) changes.gone.push_back(where);
  }
  lines_ = std::move(now);
  return changes;
}

const MountLine* MountTable::find(std::string_view where) const {
  const auto found = lines_.find(where);
  return found == lines_.end() ? nullptr : &found->second;
}

}  // namespace flotilla::init
