// CgroupFreezer: freezes and thaws cgroups, and tells when the kernel has done it: a process that
// is in the middle of a system call stops a little later than it was told to (cgroup-v2,
// cgroup.freeze and cgroup.events).
//
// Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "init/loop.h"

namespace flotilla::init {

class CgroupFreezer {
 public:
  // `root` is the directory that paths are relative to; it stays the caller's, and open.
  CgroupFreezer(Loop& loop, int root);

  // `done` is called once, when all processes of the cgroup have stopped or go on: from inside
  // where that is so already, never where it fails. It replaces what waits for the same cgroup.
  base::Status set(const std::string& path, bool frozen, std::function<void()> done);

 private:
  struct Waiting {
    std::string path;
    bool frozen;
    std::function<void()> done;
  };

  base::Status open();
  bool is_frozen(const std::string& path) const;
  void on_inotify(uint32_t events);

  Loop& loop_;
  const int root_;
  base::Fd inotify_;                // from the first use on
  std::map<int, Waiting> waiting_;  // by watch
  FdSource source_;
};

}  // namespace flotilla::init
