// Users and groups as /etc/passwd and /etc/group of a file tree say: cached, read again when the
// files have changed, and not by NSS, which could block the manager. Owned by the manager; loop
// thread only.
//
// A damaged line is skipped; a file that is missing has no entries.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file_tree.h"
#include "base/result.h"

namespace flotilla::init {

struct UserEntry {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
  std::string shell;
};

struct GroupEntry {
  std::string name;
  gid_t gid = 0;
  std::vector<std::string> members;
};

// The entries in the order of the file.
std::vector<UserEntry> parse_passwd(std::string_view text);
std::vector<GroupEntry> parse_group(std::string_view text);

class UserDb {
 public:
  static constexpr size_t kMaxBytes = size_t{16} << 20;

  explicit UserDb(const base::FileTree& tree) noexcept : tree_(tree) {}

  // By name, or by number if the text is one. Fails with kNotFound for what is not there; root and
  // nobody always are. The pointer is good until the next call.
  base::Result<const UserEntry*> find_user(std::string_view name_or_uid);
  base::Result<gid_t> find_group(std::string_view name_or_gid);
  // The groups of initgroups(): `primary` and all that name the user as a member, without repeats.
  base::Result<std::vector<gid_t>> groups_of(std::string_view user_name, gid_t primary);

 private:
  struct Version {
    uint64_t device = 0, inode = 0, size = 0;
    int64_t mtime_usec = 0;
    friend bool operator==(const Version&, const Version&) = default;
  };
  base::Status refresh_users();
  base::Status refresh_groups();
  base::Result<Version> version_of(std::string_view path) const;

  const base::FileTree& tree_;
  bool users_read_ = false, groups_read_ = false;
  Version users_version_, groups_version_;
  std::vector<UserEntry> users_;
  std::vector<GroupEntry> groups_;
  std::unordered_map<std::string_view, size_t> user_by_name_, group_by_name_;
};

}  // namespace flotilla::init
