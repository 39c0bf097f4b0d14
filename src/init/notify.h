// The notification socket (sd_notify(3)) and its messages. parse_notify() is pure; NotifySocket is
// the edge. Loop thread only; reading a message does not allocate.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "init/loop.h"

namespace flotilla::init {

// What a datagram says; views point into it. Of a field that is there twice the first counts, of
// READY=1, RELOADING=1 and STOPPING=1 the last.
struct NotifyMessage {
  enum class State : uint8_t { kNone, kReady, kReloading, kStopping };
  State state = State::kNone;
  bool says_reloading = false;    // RELOADING=1 is there, perhaps with READY=1 behind it
  bool watchdog = false;          // WATCHDOG=1
  bool watchdog_trigger = false;  // WATCHDOG=trigger
  bool barrier = false;
  bool is_single = false;  // there is one field only
  bool fd_store = false;
  bool fd_store_remove = false;
  bool fd_poll = true;                     // false: FDPOLL=0
  std::optional<std::string_view> status;  // empty where it is no UTF-8
  std::optional<int> error_number;
  std::optional<pid_t> main_pid;
  std::optional<base::Micros> watchdog_usec;
  std::optional<base::Micros> extend_timeout_usec;
  std::optional<base::Micros> monotonic_usec;
  std::optional<std::string_view> fd_name;
  // What came with it; whoever wants one moves it out, the others are closed. Set by the socket.
  std::span<base::Fd> fds;

  // Fields whose value is none, for the log: the key and the value.
  struct Damaged {
    std::string_view key, value;
  };
  std::array<Damaged, 4> damaged;
  size_t damaged_count = 0;
};

inline constexpr size_t kMaxNotifyMessage = 4096;
inline constexpr int32_t kMaxNotifyAttempts = 2;  // to survive one message
inline constexpr size_t kMaxNotifyFds = 253;      // more the kernel does not pass

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
  // `on_message` writes down what it does about a message before it returns: until then the message
  // stays in the socket for the next manager. `attempts`, which outlives this process, counts how
  // often that was so with the first message there (null: nobody else reads it).
  base::Status attach(Loop& loop,
                      Callback<void(const NotifySender&, const NotifyMessage&)> on_message,
                      Callback<void(std::string_view)> on_problem = {},
                      int32_t* attempts = nullptr);
  // Reads all that is there. Also called before child exits are looked at.
  void drain();

 private:
  class Consumed;

  explicit NotifySocket(base::Fd fd) noexcept;
  void on_ready(uint32_t events);
  bool receive_one();
  void problem(std::string_view text);

  base::Fd fd_;
  Callback<void(const NotifySender&, const NotifyMessage&)> on_message_;
  FdSource source_;
  // Where the messages go that are none: why, in one sentence.
  Callback<void(std::string_view)> on_problem_;
  std::array<char, kMaxNotifyMessage + 1> buffer_{};
  int32_t own_attempts_ = 0;
  int32_t* attempts_ = &own_attempts_;
};

}  // namespace flotilla::init
