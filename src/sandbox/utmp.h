// Records of a service's processes in utmp and wtmp (UtmpIdentifier=, UtmpMode=), as getty and
// login make them. Files that are not there are left alone: who wants the records makes them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace flotilla::sandbox {

struct UtmpFiles {
  std::string utmp, wtmp;
};

enum class UtmpKind : uint8_t { kInit, kLogin, kUser };

struct UtmpStart {
  std::string id;    // its last four characters count
  std::string line;  // of the terminal, without "/dev/"; may be empty
  std::string user;
  UtmpKind kind = UtmpKind::kInit;
};

// The records of this process, the one of its kind last. For flotilla-exec: it waits for a lock.
void write_utmp_start(const UtmpFiles& files, const UtmpStart& start);

// Marks the record of a process that has ended, if it is still that process's. Never waits: no
// other process changes a record that is there.
void write_utmp_end(const UtmpFiles& files, const std::string& id, pid_t pid, int code, int status);

}  // namespace flotilla::sandbox
