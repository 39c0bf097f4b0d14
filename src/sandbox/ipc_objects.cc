#include "sandbox/ipc_objects.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

namespace flotilla::sandbox {
namespace {

struct Owner {
  uid_t uid;
  gid_t gid;
  bool has(uid_t other_uid, gid_t other_gid) const {
    return (uid != 0 && other_uid == uid) || (gid != 0 && other_gid == gid);
  }
};

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};

// Calls `remove` with the id of each line of a table whose owner it is. The id is the second
// column; which ones are uid and gid differs.
template <typename Remove>
void for_each_owned(const char* path, int uid_column, const Owner& owner, Remove&& remove) {
  const std::unique_ptr<FILE, CloseFile> file(std::fopen(path, "re"));
  if (!file) return;
  char line[512];
  if (std::fgets(line, sizeof line, file.get()) == nullptr) return;  // the head
  while (std::fgets(line, sizeof line, file.get()) != nullptr) {
    long columns[12] = {};
    int count = 0;
    for (const char* rest = line; count < 12;) {
      int used = 0;
      if (std::sscanf(rest, "%ld%n", &columns[count], &used) != 1) break;
      rest += used;
      ++count;
    }
    if (count <= uid_column + 1) continue;
    if (owner.has(static_cast<uid_t>(columns[uid_column]),
                  static_cast<gid_t>(columns[uid_column + 1]))) {
      remove(static_cast<int>(columns[1]));
    }
  }
}

// POSIX shared memory, semaphores and message queues are files.
void remove_owned_files(const char* directory, const Owner& owner) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    struct stat there {};
    if (::lstat(it->path().c_str(), &there) != 0 || !owner.has(there.st_uid, there.st_gid)) {
      continue;
    }
    std::error_code ignored;
    fs::remove_all(it->path(), ignored);
  }
}

}  // namespace

void remove_ipc_objects(uid_t uid, gid_t gid) {
  const Owner owner{uid, gid};
  for_each_owned("/proc/sysvipc/shm", 7, owner, [](int id) { ::shmctl(id, IPC_RMID, nullptr); });
  for_each_owned("/proc/sysvipc/sem", 4, owner, [](int id) { ::semctl(id, 0, IPC_RMID, nullptr); });
  for_each_owned("/proc/sysvipc/msg", 7, owner, [](int id) { ::msgctl(id, IPC_RMID, nullptr); });
  remove_owned_files("/dev/shm", owner);
  remove_owned_files("/dev/mqueue", owner);
}

}  // namespace flotilla::sandbox
