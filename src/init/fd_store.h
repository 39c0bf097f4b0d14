// The descriptors that a service has put into its store (FDSTORE=1), in the order in which they are
// passed back to it. Owned by the service's runtime, made with the first one. Watching them and
// telling the keeper is the manager's: see manager_fd_store.cc. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "init/loop.h"

namespace flotilla::init {

// Whether FDNAME= may be this: printable ASCII without colons, at most 255 characters.
bool is_fd_name(std::string_view name) noexcept;

// The name of one that was stored without any.
inline constexpr std::string_view kDefaultFdName = "stored";

struct StoredFd {
  explicit StoredFd(Callback<void(uint32_t)> on_events) noexcept
      : source(Priority::kIdle, on_events) {}
  virtual ~StoredFd() = default;

  uint64_t number = 0;  // no two of a manager's life have the same; the keeper knows it by this
  std::string name;
  bool is_polled = true;  // FDPOLL=0: it stays though its other end is gone
  base::Fd fd;
  FdSource source;  // of the hang-up; behind the descriptor, so that it goes before that is closed
};

class FdStore {
 public:
  size_t size() const noexcept { return fds_.size(); }
  // Whether the same open file is in it already.
  bool contains(int fd) const noexcept;
  StoredFd& add(std::unique_ptr<StoredFd> stored);
  // Takes the first one that `matches` out; null where there is none.
  template <typename Matches>
  std::unique_ptr<StoredFd> take(Matches&& matches) {
    for (auto at = fds_.begin(); at != fds_.end(); ++at) {
      if (!matches(**at)) continue;
      auto taken = std::move(*at);
      fds_.erase(at);
      return taken;
    }
    return nullptr;
  }
  // The newest first.
  const std::vector<std::unique_ptr<StoredFd>>& all() const noexcept { return fds_; }

  // One line for each, the oldest first: "NUMBER POLLED NAME\n".
  std::string text() const;

 private:
  std::vector<std::unique_ptr<StoredFd>> fds_;
};

struct FdStoreLine {
  uint64_t number = 0;
  bool is_polled = true;
  std::string name;
};
// What text() wrote; lines that are damaged are left out.
std::vector<FdStoreLine> parse_fd_store(std::string_view text);

}  // namespace flotilla::init
