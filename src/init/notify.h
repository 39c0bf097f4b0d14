// The notification socket (sd_notify(3)) and its messages. parse_notify() is pure; NotifySocket is
// the edge. Loop thread only; reading a message does not allocate.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "init/loop.h"

namespace flotilla::init {

// What a datagram says; views point into it. Fields that are damaged or unknown are left out.
struct NotifyMessage {
  bool ready = false;
  bool reloading = false;
  bool stopping = false;
  bool watchdog = false;          // WATCHDOG=1
  bool watchdog_trigger = false;  // WATCHDOG=trigger
  bool barrier = false;
  bool fd_store = false;
  bool fd_store_remove = false;
  std::optional<std::string_view> status;
  std::optional<int> error_number;
  std::optional<std::string_view> bus_error;
  std::optional<pid_t> main_pid;
  std::optional<base::Micros> watchdog_usec;
  std::optional<base::Micros> extend_timeout_usec;
  std::optional<base::Micros> monotonic_usec;
  std::string_view fd_name;
};

inline constexpr size_t kMaxNotifyMessage = 4096;
inline constexpr size_t kMaxNotifyFds = 16;

NotifyMessage parse_notify(std::string_view text) noexcept;

struct NotifySender {
  pid_t pid = 0;
  uid_t uid = 0;
};

class NotifySocket {
 public:
  // Binds a datagram socket at the host path (an old one is replaced).
  static base::Result<std::unique_ptr<NotifySocket>> create(const std::string& host_path);
  // Over a bound socket that an earlier manager left.
  static base::Result<std::unique_ptr<NotifySocket>> adopt(base::Fd socket);

  int fd() const noexcept { return fd_.get(); }
  base::Status attach(Loop& loop,
                      Callback<void(const NotifySender&, const NotifyMessage&)> on_message);
  // Reads all that is there. Also called before child exits are looked at.
  void drain();

 private:
  explicit NotifySocket(base::Fd fd) noexcept;
  void on_ready(uint32_t events);
  bool receive_one();

  base::Fd fd_;
  Callback<void(const NotifySender&, const NotifyMessage&)> on_message_;
  FdSource source_;
  std::array<char, kMaxNotifyMessage + 1> buffer_{};
};

}  // namespace flotilla::init
