// The seam that knows which processes belong to a unit. CgroupTracker (cgroup.h) gives every unit a
// v2 cgroup; BestEffortTracker (best_effort_tracker.h) goes by parents, sessions and INVOCATION_ID;
// FakeTracker (fake_tracker.h) is told.
//
// Loop thread only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "init/callback.h"

namespace flotilla::init {

struct CgroupPlan;  // cgroup_plan.h

enum class TrackingKind : uint8_t { kCgroup, kBestEffort };
constexpr std::string_view to_string(TrackingKind kind) {
  return kind == TrackingKind::kCgroup ? "cgroup" : "best-effort";
}

// The processes of one unit. Owned by the unit.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;

  // Makes ready for a spawn: the descriptor for ExecSpec::cgroup_fd, which is the tracker's and
  // good until the next call for any group, or -1 where there is none to be born in.
  virtual base::Result<int> prepare() = 0;
  // The path under the cgroup root, "/system.slice/a.service"; empty without one.
  virtual std::string cgroup_path() const = 0;

  // A process known to be the unit's: every pid spawned, MAINPID=, a PID file's. The best-effort
  // tracker starts from these; adding a pid twice is harmless.
  virtual void add(pid_t pid) = 0;
  // Moves a foreign process into the unit's cgroup, where there is one.
  virtual base::Status attach(pid_t pid) = 0;
  // The process was reaped: its number means nothing any more.
  virtual void forget(pid_t pid) noexcept = 0;
  // The INVOCATION_ID of the running start as 32 hex digits, by which processes that lost all
  // other ties are known.
  virtual void set_invocation(std::string_view id) = 0;

  // Appends all living processes (zombies are not).
  virtual void pids(std::vector<pid_t>& out) const = 0;
  virtual bool is_populated() const = 0;
  // From now on `on_empty` tells when the last process is gone. False: there is none already, and
  // nothing will be told.
  virtual bool watch_until_empty() = 0;
  // Signals every process but those in `except`, again and again until no new one appears; SIGKILL
  // without exceptions is one write where the kernel can do it. Returns how many it reached.
  virtual size_t signal(int signal, std::span<const pid_t> except) = 0;

  // From now on `on_oom` tells that the kernel killed a process of it for want of memory, where
  // that can be known.
  virtual void watch_oom(Callback<void()> /*on_oom*/) {}
  // Whether that happened since the last time this was asked.
  virtual bool was_oom_killed() { return false; }

  // Ends the tracking of a run: removes the cgroup if it is empty, and returns whether it is gone.
  // prepare() begins the next one.
  virtual bool release() noexcept = 0;
};

class ProcessTracker {
 public:
  virtual ~ProcessTracker() = default;

  virtual TrackingKind kind() const noexcept = 0;
  // The group of `path` ("system.slice/a.service"), new or found as an earlier manager left it.
  // `on_empty` is called on the loop when its last process is gone, see watch_until_empty();
  // without cgroups, after check_empty() only.
  virtual std::unique_ptr<ProcessGroup> make_group(std::string_view path,
                                                   Callback<void()> on_empty) = 0;
  // Makes what prepare() of the group at `path` will need before that is asked for: there is time
  // while another process runs. One at a time; what was made ahead and not used yet goes, and an
  // empty path makes nothing.
  virtual void make_ahead(std::string_view /*path*/) {}
  // To be called when some process was reaped: a best-effort group may have become empty by it.
  virtual void check_empty() {}

  // --- The cgroups themselves, those of slices included; without cgroups there are none. A path is
  // that of make_group(), and "" is the manager's own. ---
  // Which controllers there are, as a CgroupMask.
  virtual uint16_t controllers() { return 0; }
  // Makes it, enables what the plan wants as far as `allowed` and the machine have it, and writes
  // the plan's values. A value that the kernel refuses fails the rest of it not.
  virtual base::Status configure(std::string_view /*path*/, const CgroupPlan& /*plan*/,
                                 uint16_t /*allowed*/) {
    return {};
  }
  // Hands it to a user, who may make others inside.
  virtual base::Status delegate(std::string_view /*path*/, uid_t /*uid*/, gid_t /*gid*/) {
    return {};
  }
  // "/system.slice", as ControlGroup= shows it; empty where it is not there.
  virtual std::string cgroup_path(std::string_view /*path*/) const { return {}; }
  virtual uint64_t cgroup_id(std::string_view /*path*/) const { return 0; }
  // One of the kernel's files; empty where it is not there.
  virtual std::string read_file(std::string_view /*path*/, const char* /*name*/) const {
    return {};
  }
  // The names of the cgroups inside.
  virtual std::vector<std::string> subgroups(std::string_view /*path*/) const { return {}; }
  // `done` is called once, when the processes have stopped or go on, from inside where they do
  // already, and never after an error. A later call for the same path replaces it.
  virtual base::Status freeze(std::string_view path, bool /*frozen*/,
                              std::function<void()> /*done*/) {  // NOLINT(performance-*)
    return base::unsupported("the cgroup {} cannot be frozen", path);
  }
};

}  // namespace flotilla::init
