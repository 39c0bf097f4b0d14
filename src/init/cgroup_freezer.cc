#include "init/cgroup_freezer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace flotilla::init {

CgroupFreezer::CgroupFreezer(Loop& loop, int root)
    : loop_(loop),
      root_(root),
      source_(Priority::kTracking,
              Callback<void(uint32_t)>::to<&CgroupFreezer::on_inotify>(*this)) {}

base::Status CgroupFreezer::open() {
  if (inotify_) return {};
  base::Fd inotify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return base::system_error(errno, "watch cgroups");
  FLOTILLA_TRY(loop_.watch(source_, inotify.get(), EPOLLIN));
  inotify_ = std::move(inotify);
  return {};
}

bool CgroupFreezer::is_frozen(const std::string& path) const {
  const base::Fd events(openat(root_, (path + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 256> buffer;
  const ssize_t size = events ? read(events.get(), buffer.data(), buffer.size()) : -1;
  return std::string_view(buffer.data(), size > 0 ? static_cast<size_t>(size) : 0)
             .find("frozen 1") != std::string_view::npos;
}

base::Status CgroupFreezer::set(const std::string& path, bool frozen, std::function<void()> done) {
  FLOTILLA_TRY(open());
  // The watch first: what changes before it is there would not be told.
  const std::string events = fmt::format("/proc/self/fd/{}/{}/cgroup.events", root_, path);
  const int watch = inotify_add_watch(inotify_.get(), events.c_str(), IN_MODIFY);
  if (watch < 0) return base::system_error(errno, "watch the cgroup {}", path);
  waiting_[watch] = {path, frozen, std::move(done)};
  const base::Fd file(openat(root_, (path + "/cgroup.freeze").c_str(), O_WRONLY | O_CLOEXEC));
  const int error = !file || write(file.get(), frozen ? "1" : "0", 1) != 1 ? errno : 0;
  if (error == 0 && is_frozen(path) != frozen) return {};
  const Waiting waited = std::move(waiting_[watch]);
  waiting_.erase(watch);
  inotify_rm_watch(inotify_.get(), watch);
  if (error != 0) {
    return base::system_error(error, "{} the cgroup {}", frozen ? "freeze" : "thaw", path);
  }
  waited.done();
  return {};
}

void CgroupFreezer::on_inotify(uint32_t) {
  alignas(inotify_event) std::array<char, 4096> buffer;
  while (read(inotify_.get(), buffer.data(), buffer.size()) > 0) {
  }
  // Few are ever on their way; each is looked at, whichever event it was.
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto entry = next++;
    if (is_frozen(entry->second.path) != entry->second.frozen) continue;
    const Waiting waited = std::move(entry->second);
    inotify_rm_watch(inotify_.get(), entry->first);
    waiting_.erase(entry);
    waited.done();
  }
}

}  // namespace flotilla::init
