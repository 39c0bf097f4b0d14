// The service manager's side of the control protocol: hands pipes to the log process and hears when
// they end. Owned by the manager; its one thread only.
//
// It never blocks. What is queued goes out with flush(), many streams to a message; whatever the
// socket does not take stays queued and wants_write() says to watch for EPOLLOUT. The message that
// is being filled lies in a buffer of its own; memory is taken besides only for full messages that
// wait for the socket. When the log process has died (is_closed()) the owner starts another
// one and makes a new LogClient, to which it adds all its live streams again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "logs/protocol.h"

namespace flotilla::logs {

class LogClient {
 public:
  // `socket` is the manager's end; it is made non-blocking.
  explicit LogClient(base::Fd socket);
  LogClient(const LogClient&) = delete;
  LogClient& operator=(const LogClient&) = delete;

  int fd() const noexcept { return socket_.get(); }  // watch for EPOLLIN (and EPOLLOUT, see above)
  bool is_closed() const noexcept { return closed_; }
  bool wants_write() const noexcept { return !closed_ && !waits_for_reader_ && has_queued(); }
  bool has_queued() const noexcept { return !sealed_.empty() || !open_.bytes().empty(); }

  // Queues a stream. `pipe_read_end` is borrowed: it stays the caller's, and must stay open until
  // the stream has ended (kStreamEnded, kStreamRefused) or the client is closed. Fails with
  // kInvalid on a bad unit name or an identifier over its limit.
  base::Status add_stream(const StreamSpec& spec, int pipe_read_end);
  // Like a stream's, the descriptor stays the caller's, and must be open until flush() has sent it.
  void add_inlet(InletKind kind, int socket);
  void set_pid(std::uint64_t stream_id, std::int32_t pid);
  // The log process reads what is readable, then drops the unit's streams (each still ends with
  // kStreamEnded) and closes its files.
  base::Status forget_unit(std::string_view unit);
  // kSyncDone with this id comes back once all that was readable when the request arrived is
  // written. The id kInternalSync is the client's own.
  void sync(std::uint64_t id);
  static constexpr std::uint64_t kInternalSync = UINT64_MAX;

  // Sends as much of the queue as the socket takes. Fails with kUnavailable when the log process is
  // gone.
  base::Status flush();

  // Nothing is to be sent for a while: gives back what the messages before took.
  void rest() noexcept;

  // The next event of the log process; false when there is none now, or the log process is gone
  // (is_closed()). Call until it returns false whenever fd() is readable.
  bool next_event(Event& out);

 private:
  struct Sealed {  // a full message that waits for the socket
    std::string bytes;
    std::vector<int> fds;
  };

  void open_message(MessageType type, std::uint64_t argument = 0);
  void seal();
  int send_message(std::string_view bytes, const int* fds, std::size_t fd_count);
  std::size_t open_fd_count() const noexcept;
  int send_sealed();
  int send_open();
  void wait_for_reader();
  bool receive();

  base::Fd socket_;
  std::unique_ptr<char[]> buffer_;  // null: no message since the rest
  MessageWriter open_;              // the message that is being filled, in buffer_
  MessageType open_type_ = MessageType::kSync;
  std::array<int, kMaxStreamsPerMessage> open_fds_{};
  std::vector<Sealed> sealed_;
  std::array<char, 4096> input_{};
  MessageReader events_{std::string_view()};
  bool closed_ = false;
  bool waits_for_reader_ = false;  // too many descriptors in flight: until our own sync comes back
};

}  // namespace flotilla::logs
