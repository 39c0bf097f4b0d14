// Connection: one D-Bus client connection, driven by an EventLoop; calls are asynchronous. Either
// straight to a service's own socket (no Hello, as with systemd's private socket) or to a bus.
// Loop thread only; no callback runs inside the call that was given it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/event_loop.h"
#include "base/result.h"
#include "bus/message.h"

struct sd_bus;

namespace flotilla::bus {

class Pump;

struct ConnectionOptions {
  enum class Kind : uint8_t { kPeer, kSystemBus, kUserBus };
  Kind kind = Kind::kPeer;
  std::string socket_path;  // of kPeer; of a bus: empty for its usual address
};

class Connection {
 public:
  using Reply = std::function<void(base::Result<Message>)>;
  using SignalHandler = std::function<void(const Message&)>;
  using Closed = std::function<void(base::Error)>;

  // Opens it without waiting: what is called before it is up goes out then. Fails at once where
  // nobody listens (kNotFound or kUnavailable) or libsystemd is missing. `on_closed` is called once
  // when the connection has ended, after every open call got its error; in it the Connection may be
  // destroyed.
  static base::Result<std::unique_ptr<Connection>> open(base::EventLoop& loop,
                                                        const ConnectionOptions& options,
                                                        Closed on_closed);
  ~Connection();  // open calls are dropped: their callbacks are never called
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // A method call's body, to be filled and given to call().
  base::Result<MessageWriter> new_call(std::string_view destination, std::string_view path,
                                       std::string_view interface, std::string_view member);
  // `done` gets the reply, or the error that the peer or the connection gave: kUnavailable if it
  // broke, kTimedOut after `timeout` (zero: the library's 25 s; Micros::max(): never).
  void call(MessageWriter&& message, base::Micros timeout, Reply done);

  // Calls `handler` for every signal that arrives; it looks at path, interface and member itself.
  // A bus sends only what add_match() asked for.
  void set_signal_handler(SignalHandler handler) { signal_handler_ = std::move(handler); }
  void add_match(const std::string& rule, std::function<void(base::Status)> done);

 private:
  struct Call;
  struct Guts;

  Connection(base::EventLoop& loop, Closed on_closed);
  void on_pump_closed(int error_number);

  base::EventLoop& loop_;
  Closed on_closed_;
  SignalHandler signal_handler_;
  std::unique_ptr<Guts> guts_;
};

}  // namespace flotilla::bus
