// Process tracking by v2 cgroups, in pure v2 and in hybrid trees: one cgroup per unit under the
// manager's own, `<own>/system.slice/a.service`. One inotify descriptor tells of the units whose
// becoming empty is waited for. No descriptor is kept for a unit: each would be copied and closed
// again at every spawn of another.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "init/cgroup_freezer.h"
#include "init/loop.h"
#include "init/process_tracker.h"

namespace flotilla::init {

// Where v2 cgroups are: from the text of /proc/self/mountinfo and /proc/self/cgroup.
struct CgroupPlace {
  std::string mount_point;  // "/sys/fs/cgroup" or "/sys/fs/cgroup/unified"
  std::string own_path;     // "/", "/user.slice/..."
};
base::Result<CgroupPlace> find_cgroup2(std::string_view mountinfo, std::string_view self_cgroup);
// The same of this process. Where the whole tree is mounted at a usual place, the table of mounts
// is not read: the kernel takes longer over it than over all else that a tracker is made of.
base::Result<CgroupPlace> find_own_cgroup2();

class CgroupTracker final : public ProcessTracker {
 public:
  // Makes sure that cgroups can be made at `place` under `name` (may be empty), e.g.
  // "flotilla-PID"; fails where mkdir is refused.
  static base::Result<std::unique_ptr<CgroupTracker>> create(Loop& loop, const CgroupPlace& place,
                                                             std::string_view name);
  ~CgroupTracker() override;

  TrackingKind kind() const noexcept override { return TrackingKind::kCgroup; }
  std::unique_ptr<ProcessGroup> make_group(std::string_view path,
                                           Callback<void()> on_empty) override;
  void make_ahead(std::string_view path) override;
  uint16_t controllers() override;
  base::Status configure(std::string_view path, const CgroupPlan& plan, uint16_t allowed) override;
  base::Status delegate(std::string_view path, uid_t uid, gid_t gid) override;
  std::string cgroup_path(std::string_view path) const override;
  uint64_t cgroup_id(std::string_view path) const override;
  std::string read_file(std::string_view path, const char* name) const override;
  std::vector<std::string> subgroups(std::string_view path) const override;
  base::Status freeze(std::string_view path, bool frozen, std::function<void()> done) override;
  // The path of the manager's own part of the tree, as ControlGroup= of the manager shows it.
  const std::string& root_path() const noexcept { return root_path_; }

 private:
  friend class CgroupGroup;
  CgroupTracker(Loop& loop, base::Fd root, base::Fd inotify, std::string root_path,
                std::string own_directory) noexcept;
  void on_inotify(uint32_t events);
  // Enables controllers for what is inside of the cgroup; returns those that are.
  uint16_t enable(const std::string& path, uint16_t wanted);
  bool leave_root();

  base::Fd root_;
  base::Fd prepared_;  // the cgroup made ready last
  base::Fd ahead_;     // one that was made before it is needed
  std::string ahead_path_;
  base::Fd inotify_;
  std::string root_path_;      // under the mount point
  std::string own_directory_;  // to be removed at the end; empty: it was there before us
  std::map<int, class CgroupGroup*> watches_;
  std::optional<uint16_t> controllers_;      // of the root, once they were asked for
  std::map<std::string, uint16_t> enabled_;  // inside of each cgroup that has others
  FdSource source_;
  CgroupFreezer freezer_;
};

// The best tracker this machine allows: cgroups as root where a v2 tree can be written, else by
// best effort. `reason` says in one sentence why not cgroups; empty where they are.
std::unique_ptr<ProcessTracker> make_process_tracker(Loop& loop, std::string_view name,
                                                     std::string& reason);

}  // namespace flotilla::init
