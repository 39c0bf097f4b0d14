// Users that exist as long as a unit runs (DynamicUser=): a number between 61184 and 65519 that
// nobody else has, locked by a file named for it. The same name gets the same number where it can
// be had, so that what it left in a state directory stays its own. Loop thread only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "init/exec_helper.h"
#include "init/user_db.h"

namespace flotilla::init {

inline constexpr uint32_t kFirstDynamicUid = 61184;
inline constexpr uint32_t kLastDynamicUid = 65519;

// The number a name is tried with first. The function is systemd's, so that directories of a
// system that changes over keep their owners.
uint32_t preferred_dynamic_uid(std::string_view name) noexcept;

// What a unit's user is called if it does not say: its name up to "@" or its type if that is a name
// a user may have, else one made from its hash.
std::string dynamic_user_name(const unit::UnitName& unit);

class DynamicUsers {
 public:
  DynamicUsers(UserDb& users, std::string directory);

  // A user and a group of one name are one. See ExecHelper::make_user().
  base::Result<std::shared_ptr<DynamicUser>> acquire(DynamicUser::Kind kind,
                                                     const std::string& name,
                                                     const std::vector<std::string>& paths);
  // The last holder's frees the number.
  void release(std::shared_ptr<DynamicUser> user);

 private:
  base::Fd lock_number(uint32_t uid, const std::string& name);
  bool find_static(DynamicUser::Kind kind, DynamicUser& user);
  uint32_t find_number_of(const std::string& name) const;

  UserDb& users_;
  std::string directory_;
  std::map<std::string, std::weak_ptr<DynamicUser>> by_name_;
};

}  // namespace flotilla::init
