#include "init/path_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace flotilla::init {
namespace {

constexpr uint32_t kGoes = IN_DELETE_SELF | IN_MOVE_SELF;
constexpr uint32_t kComes = IN_CREATE | IN_MOVED_TO;
// Closed after writing, rather than each write: a file is of use when it is whole.
constexpr uint32_t kChanges = IN_CLOSE_WRITE | IN_ATTRIB;

// What is not there yet is no failure.
base::Status missing_or(int negative_error, const std::string& path) {
  const int error = -negative_error;
  if (error == ENOENT || error == ENOTDIR || error == EACCES) return {};
  return base::system_error(error, "watch {}", path);
}

}  // namespace

PathWatch::~PathWatch() {
  if (watcher_ != nullptr) watcher_->unwatch(*this);
}

base::Status PathWatcher::watch(PathWatch& watch, std::string_view path) {
  unwatch(watch);
  watch.path_ = path;
  watch.watcher_ = this;
  base::Status status = begin(watch);
  if (!status) unwatch(watch);
  return status;
}

void PathWatcher::unwatch(PathWatch& watch) noexcept {
  if (watch.watcher_ == nullptr) return;
  end(watch);
  watch.watcher_ = nullptr;
}

InotifyPaths::InotifyPaths(Loop& loop) noexcept
    : loop_(loop),
      source_(Priority::kTracking, Callback<void(uint32_t)>::to<&InotifyPaths::on_events>(*this)) {}

base::Status InotifyPaths::open() {
  if (inotify_) return {};
  base::Fd fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) return base::system_error(errno, "watch for files");
  FLOTILLA_TRY(loop_.watch(source_, fd.get(), EPOLLIN));
  inotify_ = std::move(fd);
  return {};
}

base::Status InotifyPaths::begin(PathWatch& watch) {
  FLOTILLA_TRY(open());
  return add_all(watch);
}

base::Status InotifyPaths::add_all(PathWatch& watch) {
  const std::string& path = watch.path();
  std::string above;
  int above_descriptor = -1;
  for (size_t slash = 0; slash < path.size();) {
    const size_t next = path.find_first_not_of('/', slash);
    if (next == std::string::npos) break;
    const size_t end = std::min(path.find('/', next), path.size());
    std::string directory = slash == 0 ? "/" : path.substr(0, slash);
    // Before it is asked whether the next part is there: so its coming is not missed.
    const int descriptor = add(watch, directory, kComes | kGoes, path.substr(next, end - next));
    if (descriptor < 0) return missing_or(descriptor, directory);
    if (above_descriptor >= 0) narrow(watch, above_descriptor, above);
    above = std::move(directory);
    above_descriptor = descriptor;
    slash = end;
  }
  const int descriptor = add(watch, path, kChanges | kGoes, {});
  return descriptor < 0 ? missing_or(descriptor, path) : base::Status();
}

int InotifyPaths::add(PathWatch& watch, const std::string& path, uint32_t events,
                      std::string_view name) {
  // Several watches may share a directory.
  const int descriptor = inotify_add_watch(inotify_.get(), path.c_str(), events | IN_MASK_ADD);
  if (descriptor < 0) return -errno;
  interests_[descriptor].push_back({&watch, events, std::string(name)});
  return descriptor;
}

void InotifyPaths::narrow(const PathWatch& watch, int descriptor, const std::string& path) {
  uint32_t wanted = 0;
  for (Interest& interest : interests_[descriptor]) {
    if (interest.watch == &watch) interest.events = kGoes;
    wanted |= interest.events;
  }
  // If another directory stands there by now, the one we had says that it is gone.
  const int same = inotify_add_watch(inotify_.get(), path.c_str(), wanted);
  if (same >= 0 && same != descriptor && interests_.count(same) == 0) {
    inotify_rm_watch(inotify_.get(), same);
  }
}

void InotifyPaths::end(PathWatch& watch) noexcept {
  for (PathWatch*& touched : touched_) {
    if (touched == &watch) touched = nullptr;
  }
  for (auto at = interests_.begin(); at != interests_.end();) {
    std::erase_if(at->second, [&](const Interest& interest) { return interest.watch == &watch; });
    if (!at->second.empty()) {
      ++at;
      continue;
    }
    inotify_rm_watch(inotify_.get(), at->first);
    at = interests_.erase(at);
  }
}

void InotifyPaths::take_event(int descriptor, uint32_t mask, std::string_view name) {
  const bool is_lost = (mask & IN_Q_OVERFLOW) != 0;
  for (const auto& [at, interests] : interests_) {
    if (!is_lost && at != descriptor) continue;
    for (const Interest& interest : interests) {
      if (!is_lost && (mask & interest.events) == 0) continue;
      if (!is_lost && (mask & kComes) != 0 && interest.name != name) continue;
      if (std::find(touched_.begin(), touched_.end(), interest.watch) == touched_.end()) {
        touched_.push_back(interest.watch);
      }
    }
  }
}

void InotifyPaths::on_events(uint32_t) noexcept {
  alignas(inotify_event) std::array<char, 4096> buffer;
  ssize_t size = 0;
  while ((size = read(inotify_.get(), buffer.data(), buffer.size())) > 0) {
    for (ssize_t at = 0; at + static_cast<ssize_t>(sizeof(inotify_event)) <= size;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      take_event(event->wd, event->mask, event->len > 0 ? std::string_view(event->name) : "");
    }
  }
  // A callback may end any watch, which takes it out of here.
  for (size_t i = 0; i < touched_.size(); ++i) {
    PathWatch* const watch = touched_[i];
    if (watch == nullptr) continue;
    // Other directories may be on the way now.
    const std::string path = watch->path();
    static_cast<void>(this->watch(*watch, path));
    call(*watch);
  }
  touched_.clear();
}

}  // namespace flotilla::init
