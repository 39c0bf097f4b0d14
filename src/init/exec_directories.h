// RuntimeDirectory=, StateDirectory= and their kin: made before a process starts, removed after its
// unit ends or when it is cleaned. File I/O of the manager, done only where the settings are set.
// Loop thread only.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

#include "init/exec_extras.h"
#include "unit/specifier.h"

namespace flotilla::init {

// Where the directories of each kind are, as processes see it; empty: nowhere.
using DirectoryBases = std::array<std::string, kDirectoryKinds>;
DirectoryBases directory_bases(const unit::HostValues& host);

struct DirectoryOwner {
  uid_t uid = 0;
  gid_t gid = 0;
  bool is_set = true;  // false: a user's own manager, which can give nothing away
  // The user is gone with the unit: what stays is kept where no other may look.
  bool is_dynamic = false;
};

struct DirectoryFailure {
  DirectoryKind kind = DirectoryKind::kRuntime;
  int error = 0;
};

// A tree whose change of owner is too long a work for the manager.
struct SlowChown {
  std::string path;
  uid_t uid;
  gid_t gid;
};

// Makes all that are missing, with their links, modes and owners. Returns whether that succeeded.
// `slow` gets what is left to a child.
bool make_directories(const ExecExtras& extras, const DirectoryBases& bases, DirectoryOwner owner,
                      std::vector<SlowChown>& slow, DirectoryFailure& failure);

// Whether a dynamic user's directories of this kind are in "private", behind a link: those that
// stay when the unit is over.
bool is_private_kind(const ExecExtras& extras, DirectoryKind kind);
// "/var/lib/private".
std::string private_base(const std::string& base);

// "/run/a:/run/b": what a process finds in RUNTIME_DIRECTORY; empty: no such variable.
std::string directory_list(const ExecExtras& extras, const DirectoryBases& bases,
                           DirectoryKind kind);

// Every directory of the kind, and every link to one.
std::vector<std::string> directory_paths(const ExecExtras& extras, const DirectoryBases& bases,
                                         DirectoryKind kind);

// Removes the unit's run-time directories and the links to them; what cannot be removed stays.
void remove_runtime_directories(const ExecExtras& extras, const DirectoryBases& bases,
                                bool is_dynamic);

// Where the unit's directories are if its user is dynamic. A user's number that owns one already is
// the number to have.
std::vector<std::string> dynamic_user_paths(const ExecExtras& extras, const DirectoryBases& bases);

}  // namespace flotilla::init
