#include "init/user_db.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace flotilla::init {
namespace {

constexpr std::string_view kPasswd = "/etc/passwd";
constexpr std::string_view kGroup = "/etc/group";

// Known also where no file says so, as in systemd.
const UserEntry kRoot{"root", 0, 0, "/root", "/bin/sh"};
const UserEntry kNobody{"nobody", 65534, 65534, "/", "/usr/sbin/nologin"};

// The number a text is, all of it; false if it is none or stands for "no id".
bool parse_id(std::string_view text, uint32_t& id) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc() && end == text.data() + text.size() && id != UINT32_MAX;
}

// Calls `on_line` with the fields of every line that has at least N of them.
template <size_t N, typename F>
void for_each_line(std::string_view text, F on_line) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#' || line.find('\0') != std::string_view::npos) continue;
    std::array<std::string_view, N> fields;
    size_t count = 0;
    for (; count < N; ++count) {
      const size_t colon = line.find(':');
      fields[count] = line.substr(0, colon);
      if (colon == std::string_view::npos) {
        ++count;
        break;
      }
      line.remove_prefix(colon + 1);
    }
    if (count == N && !fields[0].empty()) on_line(fields);
  }
}

template <typename Entry>
void index_by_name(const std::vector<Entry>& entries,
                   std::unordered_map<std::string_view, size_t>& index) {
  index.clear();
  // The first of several with one name counts.
  for (size_t i = 0; i < entries.size(); ++i) index.emplace(entries[i].name, i);
}

}  // namespace

std::vector<UserEntry> parse_passwd(std::string_view text) {
  std::vector<UserEntry> users;
  for_each_line<7>(text, [&](const std::array<std::string_view, 7>& fields) {
    UserEntry user;
    if (!parse_id(fields[2], user.uid) || !parse_id(fields[3], user.gid)) return;
    user.name = fields[0];
    user.home = fields[5];
    user.shell = fields[6];
    users.push_back(std::move(user));
  });
  return users;
}

std::vector<GroupEntry> parse_group(std::string_view text) {
  std::vector<GroupEntry> groups;
  for_each_line<4>(text, [&](const std::array<std::string_view, 4>& fields) {
    GroupEntry group;
    if (!parse_id(fields[2], group.gid)) return;
    group.name = fields[0];
    std::string_view members = fields[3];
    while (!members.empty()) {
      const size_t comma = std::min(members.find(','), members.size());
      if (comma != 0) group.members.emplace_back(members.substr(0, comma));
      members.remove_prefix(std::min(comma + 1, members.size()));
    }
    groups.push_back(std::move(group));
  });
  return groups;
}

base::Result<UserDb::Version> UserDb::version_of(std::string_view path) const {
  base::Result<base::FileStat> stat = tree_.stat(path);
  if (stat) return Version{stat->device, stat->inode, stat->size, stat->mtime_usec};
  if (stat.error().code == base::Errc::kNotFound) return Version{};
  return base::unexpected(std::move(stat).error());
}

base::Status UserDb::refresh_users() {
  FLOTILLA_ASSIGN(const Version version, version_of(kPasswd));
  if (users_read_ && version == users_version_) return {};
  std::string text;
  if (version != Version{}) {
    FLOTILLA_ASSIGN(text, tree_.read(kPasswd, kMaxBytes));
  }
  users_ = parse_passwd(text);
  index_by_name(users_, user_by_name_);
  users_version_ = version;
  users_read_ = true;
  return {};
}

base::Status UserDb::refresh_groups() {
  FLOTILLA_ASSIGN(const Version version, version_of(kGroup));
  if (groups_read_ && version == groups_version_) return {};
  std::string text;
  if (version != Version{}) {
    FLOTILLA_ASSIGN(text, tree_.read(kGroup, kMaxBytes));
  }
  groups_ = parse_group(text);
  index_by_name(groups_, group_by_name_);
  groups_version_ = version;
  groups_read_ = true;
  return {};
}

base::Result<const UserEntry*> UserDb::find_user(std::string_view name_or_uid) {
  FLOTILLA_TRY(refresh_users());
  if (const auto found = user_by_name_.find(name_or_uid); found != user_by_name_.end()) {
    return &users_[found->second];
  }
  uint32_t uid = UINT32_MAX;
  if (parse_id(name_or_uid, uid)) {
    for (const UserEntry& user : users_) {
      if (user.uid == uid) return &user;
    }
  }
  if (uid == kRoot.uid || name_or_uid == kRoot.name) return &kRoot;
  if (uid == kNobody.uid || name_or_uid == kNobody.name) return &kNobody;
  return base::not_found("there is no user \"{}\" in {}", name_or_uid, kPasswd);
}

base::Result<gid_t> UserDb::find_group(std::string_view name_or_gid) {
  FLOTILLA_TRY(refresh_groups());
  if (const auto found = group_by_name_.find(name_or_gid); found != group_by_name_.end()) {
    return groups_[found->second].gid;
  }
  uint32_t gid = UINT32_MAX;
  if (parse_id(name_or_gid, gid)) {
    for (const GroupEntry& group : groups_) {
      if (group.gid == gid) return gid;
    }
  }
  if (gid == kRoot.gid || name_or_gid == kRoot.name) return kRoot.gid;
  if (gid == kNobody.gid || name_or_gid == "nogroup") return kNobody.gid;
  return base::not_found("there is no group \"{}\" in {}", name_or_gid, kGroup);
}

base::Result<std::vector<gid_t>> UserDb::groups_of(std::string_view user_name, gid_t primary) {
  FLOTILLA_TRY(refresh_groups());
  std::vector<gid_t> gids{primary};
  for (const GroupEntry& group : groups_) {
    if (std::find(group.members.begin(), group.members.end(), user_name) == group.members.end()) {
      continue;
    }
    if (std::find(gids.begin(), gids.end(), group.gid) == gids.end()) gids.push_back(group.gid);
  }
  return gids;
}

}  // namespace flotilla::init
