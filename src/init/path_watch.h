// Tells when a file may have come, changed or gone, also where directories on the way to it are yet
// to be made. InotifyPaths is the real one, FakePaths (fake_paths.h) the one of tests.
//
// Loop thread only. Wakes nobody up as long as nothing happens to the path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "init/callback.h"
#include "init/loop.h"

namespace flotilla::init {

class PathWatcher;

// Ends its watch when destroyed; its watcher must outlive it.
class PathWatch {
 public:
  explicit PathWatch(Callback<void()> on_change) noexcept : on_change_(on_change) {}
  ~PathWatch();
  PathWatch(const PathWatch&) = delete;
  PathWatch& operator=(const PathWatch&) = delete;

  bool is_watching() const noexcept { return watcher_ != nullptr; }
  const std::string& path() const noexcept { return path_; }

 private:
  friend class PathWatcher;

  Callback<void()> on_change_;
  PathWatcher* watcher_ = nullptr;
  std::string path_;
};

class PathWatcher {
 public:
  virtual ~PathWatcher() = default;

  // From now on the watch is called, from the loop, after whatever may have made a difference to
  // the file; it may be called without one. What is there already is the caller's to look at, after
  // this. A watch that watches changes to the new path. Requires: an absolute path.
  base::Status watch(PathWatch& watch, std::string_view path);
  // Harmless on a watch that does not watch. May be called from any callback, also its own.
  void unwatch(PathWatch& watch) noexcept;

 protected:
  virtual base::Status begin(PathWatch& watch) = 0;
  virtual void end(PathWatch& watch) noexcept = 0;
  static void call(PathWatch& watch) { watch.on_change_(); }
};

// One inotify instance for all, made at the first watch. Of the directories on the way the deepest
// that exists tells of the next part's coming; those above only if they go themselves.
class InotifyPaths final : public PathWatcher {
 public:
  explicit InotifyPaths(Loop& loop) noexcept;
  int fd() const noexcept { return inotify_.get(); }

 private:
  // What one watch wants to know of one file or directory.
  struct Interest {
    PathWatch* watch;
    uint32_t events;
    std::string name;  // of the part that is awaited in it
  };

  base::Status begin(PathWatch& watch) override;
  void end(PathWatch& watch) noexcept override;
  base::Status open();
  base::Status add_all(PathWatch& watch);
  // The watch descriptor, or -errno.
  int add(PathWatch& watch, const std::string& path, uint32_t events, std::string_view name);
  // Of a directory whose awaited part is there only its own going is of interest.
  void narrow(const PathWatch& watch, int descriptor, const std::string& path);
  void on_events(uint32_t) noexcept;
  void take_event(int descriptor, uint32_t mask, std::string_view name);

  Loop& loop_;
  base::Fd inotify_;
  FdSource source_;
  std::unordered_map<int, std::vector<Interest>> interests_;  // by watch descriptor
  std::vector<PathWatch*> touched_;                           // by the events that are being read
};

}  // namespace flotilla::init
