#include "init/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <csignal>
#include <new>
#include <unordered_set>
#include <utility>

#include "init/best_effort_tracker.h"
#include "init/cgroup_settings.h"
#include "init/mount_table.h"
#include "init/process_stat.h"

namespace flotilla::init {
namespace {

constexpr int kMostPasses = 16;
constexpr int kMostDepth = 32;  // of cgroups a service makes inside its own

std::string read_text(int directory, const char* name) {
  std::string text;
  const base::Fd fd(openat(directory, name, O_RDONLY | O_CLOEXEC));
  if (!fd) return text;
  std::array<char, 4096> buffer;
  for (ssize_t size = 0; (size = read(fd.get(), buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<size_t>(size));
  }
  return text;
}

bool write_text(int directory, const char* name, std::string_view text) {
  const base::Fd fd(openat(directory, name, O_WRONLY | O_CLOEXEC));
  return fd && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end != 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// Calls `visit` with a descriptor of the directory and of each below it, the deepest first.
template <typename F>
void visit_subtree(int directory, int depth, F& visit) {
  const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const entries = copy >= 0 ? fdopendir(copy) : nullptr;
  if (entries == nullptr) {
    if (copy >= 0) close(copy);
    return;
  }
  while (const dirent* const entry = depth > 0 ? readdir(entries) : nullptr) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    const base::Fd child(openat(copy, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!child) continue;
    visit_subtree(child.get(), depth - 1, visit);
    visit.leave(copy, entry->d_name);
  }
  visit.at(copy);
  closedir(entries);
}

struct CollectPids {
  std::vector<pid_t>& out;
  void at(int directory) { add_pids(read_text(directory, "cgroup.procs"), out); }
  void leave(int, const char*) {}
};

std::string own_path_in(std::string_view self_cgroup) {
  std::string path;
  for (const std::string_view line : split(self_cgroup, '\n')) {
    if (line.substr(0, 3) == "0::") path = line.substr(3);
  }
  return path;
}

// Where the whole tree is mounted, if that is a usual place; else empty. Only then are paths in the
// mount those of /proc/self/cgroup: what is seen from a namespace of its own is another tree.
std::string usual_mount_of_all() {
  constexpr ino_t kInitialNamespace = 0xEFFFFFFB;  // PROC_CGROUP_INIT_INO
  constexpr ino_t kRoot = 1;
  struct stat file {};
  if (stat("/proc/self/ns/cgroup", &file) != 0 || file.st_ino != kInitialNamespace) return {};
  for (const char* place : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct statfs tree {};
    if (statfs(place, &tree) == 0 && tree.f_type == CGROUP2_SUPER_MAGIC &&
        stat(place, &file) == 0 && file.st_ino == kRoot) {
      return place;
    }
  }
  return {};
}

struct RemoveEmpty {
  void at(int) {}
  void leave(int parent, const char* name) { unlinkat(parent, name, AT_REMOVEDIR); }
};

}  // namespace

base::Result<CgroupPlace> find_cgroup2(std::string_view mountinfo, std::string_view self_cgroup) {
  CgroupPlace place;
  std::string mount_root;
  for (const std::string_view line : split(mountinfo, '\n')) {
    const size_t separator = line.find(" - ");
    if (separator == std::string_view::npos) continue;
    if (line.substr(separator + 3).substr(0, 8) != "cgroup2 ") continue;
    const std::vector<std::string_view> fields = split(line.substr(0, separator), ' ');
    if (fields.size() < 5) continue;
    mount_root = unescape_mountinfo(fields[3]);
    place.mount_point = unescape_mountinfo(fields[4]);
    break;
  }
  if (place.mount_point.empty()) return base::not_found("no v2 cgroups are mounted");
  place.own_path = own_path_in(self_cgroup);
  if (place.own_path.empty()) return base::not_found("this process is in no v2 cgroup");
  // A mount that shows only a part of the tree: our path inside of that part.
  if (mount_root != "/") {
    if (place.own_path.compare(0, mount_root.size(), mount_root) != 0) {
      return base::not_found("our own cgroup is outside of what is mounted at {}",
                             place.mount_point);
    }
    place.own_path.erase(0, mount_root.size());
    if (place.own_path.empty()) place.own_path = "/";
  }
  return place;
}

base::Result<CgroupPlace> find_own_cgroup2() {
  const std::string self = read_text(AT_FDCWD, "/proc/self/cgroup");
  CgroupPlace place{usual_mount_of_all(), own_path_in(self)};
  if (!place.mount_point.empty() && !place.own_path.empty()) return place;
  return find_cgroup2(read_text(AT_FDCWD, "/proc/self/mountinfo"), self);
}

// There are as many as services. The path stands behind it, with a NUL.
class CgroupGroup final : public ProcessGroup {
 public:
  static std::unique_ptr<CgroupGroup> create(CgroupTracker& tracker, std::string_view path,
                                             Callback<void()> on_empty) {
    void* const memory = ::operator new(sizeof(CgroupGroup) + path.size() + 1);
    std::unique_ptr<CgroupGroup> group(new (memory) CgroupGroup(tracker, on_empty));
    *std::copy(path.begin(), path.end(), reinterpret_cast<char*>(group.get() + 1)) = '\0';
    return group;
  }
  static void operator delete(void* group) { ::operator delete(group); }
  ~CgroupGroup() override { unwatch(); }

  base::Result<int> prepare() override {
    if (tracker_.ahead_ && tracker_.ahead_path_ == path_text()) {
      presence_ = Presence::kThere;
      is_empty_ = false;
      tracker_.prepared_ = std::move(tracker_.ahead_);
      return tracker_.prepared_.get();
    }
    FLOTILLA_TRY(make());
    is_empty_ = false;
    tracker_.prepared_.reset(openat(root(), path_text(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!tracker_.prepared_) return base::system_error(errno, "open the cgroup {}", path());
    return tracker_.prepared_.get();
  }
  std::string cgroup_path() const override {
    // One that an earlier manager left is taken over.
    if (presence_ == Presence::kUnknown) {
      presence_ = faccessat(root(), path_text(), F_OK, 0) == 0 ? Presence::kThere : Presence::kNot;
    }
    if (presence_ == Presence::kNot) return {};
    return (tracker_.root_path_ == "/" ? "" : tracker_.root_path_) + "/" + path_text();
  }

  void add(pid_t) override { is_empty_ = false; }  // born in it
  base::Status attach(pid_t pid) override {
    FLOTILLA_TRY(make());
    is_empty_ = false;
    if (!write_text(root(), file("cgroup.procs").get(), std::to_string(pid))) {
      return base::system_error(errno, "move process {} to the cgroup {}", pid, path());
    }
    return {};
  }
  void forget(pid_t) noexcept override {}
  void set_invocation(std::string_view) override {}

  void pids(std::vector<pid_t>& out) const override {
    if (presence_ == Presence::kNot) return;
    const base::Fd directory(openat(root(), path_text(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return;
    CollectPids collect{out};
    // Two links, its name and its own ".": there is no cgroup inside to look for.
    struct stat status {};
    if (fstat(directory.get(), &status) == 0 && status.st_nlink == 2) {
      collect.at(directory.get());
    } else {
      visit_subtree(directory.get(), kMostDepth, collect);
    }
  }
  bool is_populated() const override {
    if (presence_ == Presence::kNot || is_empty_) return false;
    const base::Fd events(openat(root(), file("cgroup.events").get(), O_RDONLY | O_CLOEXEC));
    std::array<char, 256> buffer;
    const ssize_t size = events ? read(events.get(), buffer.data(), buffer.size()) : -1;
    const std::string_view text(buffer.data(), size > 0 ? static_cast<size_t>(size) : 0);
    is_empty_ = text.find("populated 1") == std::string_view::npos;
    return !is_empty_;
  }
  bool watch_until_empty() override {
    if (watch_ < 0 && presence_ != Presence::kNot) {
      const std::string events = fmt::format("/proc/self/fd/{}/{}/cgroup.events", root(), path());
      watch_ = inotify_add_watch(tracker_.inotify_.get(), events.c_str(), IN_MODIFY);
      if (watch_ >= 0) tracker_.watches_[watch_] = this;
    }
    return is_populated();  // only now: what ended before the watch is not reported by it
  }
  size_t signal(int signal, std::span<const pid_t> except) override {
    std::vector<pid_t> now;
    pids(now);
    if (signal == SIGKILL && except.empty() && presence_ != Presence::kNot &&
        write_text(root(), file("cgroup.kill").get(), "1")) {
      return now.size();
    }
    std::unordered_set<pid_t> signalled;
    for (int pass = 0; pass < kMostPasses; ++pass) {
      bool is_new = false;
      for (const pid_t pid : now) {
        if (std::find(except.begin(), except.end(), pid) != except.end()) continue;
        if (!signalled.insert(pid).second || kill(pid, signal) != 0) continue;
        is_new = true;
      }
      if (!is_new) break;
      now.clear();
      pids(now);
    }
    return signalled.size();
  }

  bool release() noexcept override {
    if (presence_ == Presence::kNot) return true;
    unwatch();
    // A cgroup that is populated, or has others in it, is busy.
    bool is_gone = remove();
    if (!is_gone) {
      const base::Fd directory(openat(root(), path_text(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      RemoveEmpty remove_empty;
      if (directory) visit_subtree(directory.get(), kMostDepth, remove_empty);
      is_gone = remove();
    }
    presence_ = is_gone ? Presence::kNot : Presence::kUnknown;
    return is_gone;
  }

  // Nothing is asked of the kernel where the controller is not in this tree.
  void watch_oom(Callback<void()> on_oom) override {
    if ((tracker_.controllers() & mask_of(CgroupController::kMemory)) == 0) return;
    if (oom_ || presence_ == Presence::kNot) return;
    const uint64_t seen = oom_kills();
    const std::string events = fmt::format("/proc/self/fd/{}/{}/memory.events", root(), path());
    const int watch = inotify_add_watch(tracker_.inotify_.get(), events.c_str(), IN_MODIFY);
    if (watch < 0) return;
    oom_.reset(new OomWatch{on_oom, seen, watch});
    tracker_.watches_[watch] = this;
  }
  bool was_oom_killed() override {
    if (!oom_) return false;
    const uint64_t now = oom_kills();
    return now > std::exchange(oom_->seen_kills, now);
  }

  void on_events() {
    is_empty_ = false;
    if (was_oom_killed()) {
      const Callback<void()> on_oom = oom_->on_oom;
      on_oom();
    }
    if (watch_ >= 0 && !is_populated()) on_empty_();
  }

 private:
  CgroupGroup(CgroupTracker& tracker, Callback<void()> on_empty) noexcept
      : tracker_(tracker), on_empty_(on_empty) {}

  enum class Presence : uint8_t { kUnknown, kNot, kThere };
  // The path of one of its files, without an allocation.
  class FilePath {
   public:
    FilePath(std::string_view cgroup, std::string_view name) noexcept {
      const size_t size = std::min(cgroup.size(), text_.size() - name.size() - 2);
      char* end = std::copy_n(cgroup.data(), size, text_.data());
      *end++ = '/';
      *std::copy_n(name.data(), name.size(), end) = '\0';
    }
    const char* get() const noexcept { return text_.data(); }

   private:
    std::array<char, PATH_MAX> text_;
  };

  const char* path_text() const noexcept { return reinterpret_cast<const char*>(this + 1); }
  std::string_view path() const noexcept { return path_text(); }
  int root() const noexcept { return tracker_.root_.get(); }
  FilePath file(std::string_view name) const noexcept { return {path(), name}; }
  bool remove() const noexcept {
    return unlinkat(root(), path_text(), AT_REMOVEDIR) == 0 || errno == ENOENT;
  }
  bool make_directory(const char* path) const noexcept {
    return mkdirat(root(), path, 0755) == 0 || errno == EEXIST;
  }

  // Slices are made when the first of their units is.
  base::Status make() {
    if (presence_ == Presence::kThere) return {};
    if (!make_directory(path_text())) {
      if (errno != ENOENT) return base::system_error(errno, "make the cgroup {}", path());
      for (size_t slash = path().find('/'); slash != std::string_view::npos;
           slash = path().find('/', slash + 1)) {
        const std::string parent(path().substr(0, slash));
        if (!make_directory(parent.c_str())) {
          return base::system_error(errno, "make the cgroup {}", parent);
        }
      }
      if (!make_directory(path_text()))
        return base::system_error(errno, "make the cgroup {}", path());
    }
    presence_ = Presence::kThere;
    return {};
  }

  void unwatch() noexcept {
    for (const int watch : {watch_, oom_ ? oom_->watch : -1}) {
      if (watch < 0) continue;
      inotify_rm_watch(tracker_.inotify_.get(), watch);
      tracker_.watches_.erase(watch);
    }
    watch_ = -1;
    oom_.reset();
  }
  // "oom_kill 3" of memory.events.
  uint64_t oom_kills() const {
    constexpr std::string_view kKey = "\noom_kill ";
    const std::string text = "\n" + read_text(root(), file("memory.events").get());
    const size_t at = text.find(kKey);
    uint64_t count = 0;
    if (at != std::string::npos) {
      std::from_chars(text.data() + at + kKey.size(), text.data() + text.size(), count);
    }
    return count;
  }

  struct OomWatch {
    Callback<void()> on_oom;
    uint64_t seen_kills;
    int watch;
  };

  CgroupTracker& tracker_;
  Callback<void()> on_empty_;
  std::unique_ptr<OomWatch> oom_;
  int watch_ = -1;
  mutable Presence presence_ = Presence::kUnknown;
  // Known to be, and nobody was put into it since: the end of a process asks several times.
  mutable bool is_empty_ = false;
};

base::Result<std::unique_ptr<CgroupTracker>> CgroupTracker::create(Loop& loop,
                                                                   const CgroupPlace& place,
                                                                   std::string_view name) {
  std::string root_path = place.own_path;
  if (!name.empty()) root_path.append(root_path == "/" ? "" : "/").append(name);
  const std::string whole = place.mount_point + root_path;
  const bool is_made = mkdir(whole.c_str(), 0755) == 0;
  if (!is_made && errno != EEXIST) {
    return base::system_error(errno, "make the cgroup {}", whole);
  }
  base::Fd root(open(whole.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return base::system_error(errno, "open the cgroup {}", whole);
  // Making one is the only way to know that one can be made.
  if (!is_made) {
    if (mkdirat(root.get(), "flotilla-probe", 0755) != 0 && errno != EEXIST) {
      return base::system_error(errno, "make a cgroup under {}", whole);
    }
    unlinkat(root.get(), "flotilla-probe", AT_REMOVEDIR);
  }
  base::Fd inotify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return base::system_error(errno, "watch cgroups");
  std::unique_ptr<CgroupTracker> tracker(new CgroupTracker(loop, std::move(root),
                                                           std::move(inotify), std::move(root_path),
                                                           name.empty() ? std::string() : whole));
  FLOTILLA_TRY(loop.watch(tracker->source_, tracker->inotify_.get(), EPOLLIN));
  return tracker;
}

CgroupTracker::CgroupTracker(Loop& loop, base::Fd root, base::Fd inotify, std::string root_path,
                             std::string own_directory) noexcept
    : root_(std::move(root)),
      inotify_(std::move(inotify)),
      root_path_(std::move(root_path)),
      own_directory_(std::move(own_directory)),
      source_(Priority::kTracking, Callback<void(uint32_t)>::to<&CgroupTracker::on_inotify>(*this)),
      freezer_(loop, root_.get()) {}

CgroupTracker::~CgroupTracker() {
  // Slices without units; the kernel refuses what has processes.
  RemoveEmpty remove;
  visit_subtree(root_.get(), kMostDepth, remove);
  if (!own_directory_.empty()) rmdir(own_directory_.c_str());
}

std::unique_ptr<ProcessGroup> CgroupTracker::make_group(std::string_view path,
                                                        Callback<void()> on_empty) {
  return CgroupGroup::create(*this, path, on_empty);
}

// One that is there already is somebody's, and nothing to be removed again.
void CgroupTracker::make_ahead(std::string_view path) {
  if (ahead_) {
    if (path == ahead_path_) return;
    ahead_.reset();
    unlinkat(root_.get(), ahead_path_.c_str(), AT_REMOVEDIR);
  }
  ahead_path_ = path;
  if (path.empty() || mkdirat(root_.get(), ahead_path_.c_str(), 0755) != 0) return;
  ahead_.reset(openat(root_.get(), ahead_path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

void CgroupTracker::on_inotify(uint32_t) {
  alignas(inotify_event) std::array<char, 4096> buffer;
  const ssize_t size = read(inotify_.get(), buffer.data(), buffer.size());
  // What does not fit makes the descriptor ready again.
  for (ssize_t at = 0; at + static_cast<ssize_t>(sizeof(inotify_event)) <= size;) {
    const auto* const event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
    at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
      std::vector<int> all;
      for (const auto& [watch, group] : watches_) all.push_back(watch);
      for (const int watch : all) {
        if (const auto found = watches_.find(watch); found != watches_.end()) {
          found->second->on_events();
        }
      }
    } else if (const auto found = watches_.find(event->wd); found != watches_.end()) {
      found->second->on_events();
    }
  }
}

std::unique_ptr<ProcessTracker> make_process_tracker(Loop& loop, std::string_view name,
                                                     std::string& reason) {
  reason.clear();
  if (geteuid() != 0) {
    reason = "processes are tracked by best effort: cgroups need root";
    return std::make_unique<BestEffortTracker>();
  }
  const base::Result<CgroupPlace> place = find_own_cgroup2();
  base::Error error;
  if (place) {
    auto tracker = CgroupTracker::create(loop, *place, name);
    if (tracker) return std::move(tracker).value();
    error = tracker.error();
  } else {
    error = place.error();
  }
  reason = "processes are tracked by best effort: " + error.message;
  return std::make_unique<BestEffortTracker>();
}

}  // namespace flotilla::init
