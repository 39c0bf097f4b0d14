// Server: answers D-Bus calls on a unix socket without a bus, as systemd's private socket does.
// Takes a listening descriptor, accepts on it, and hands each method call to one handler together
// with what the kernel says about the peer. libsystemd is opened when the first client connects.
//
// Loop thread only. Owned by whoever answers; the handler outlives it. A client that sends garbage,
// or does not read what it is sent, loses its connection and nothing else happens.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/result.h"
#include "bus/message.h"

namespace flotilla::bus {

struct Peer {
  uint64_t connection = 0;  // a number no other connection of this server has had
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::string bus_name;  // its unique name where it calls over a real bus; empty: it is connected
};

struct ServerLimits {
  size_t connections = 256;
  size_t queued_messages = 16'384;  // not yet written to a client that reads too slowly
  // Of users other than root and our own, who may read but must not be able to fill our memory, or
  // to keep those out who may change things.
  size_t stranger_connections = 128;
  size_t connections_per_uid = 32;
  size_t stranger_queued_messages = 1024;
  size_t stranger_unread_answers = 4;
  size_t stranger_message_bytes = size_t{1} << 20;
};

class ServerConnection;

// What an answer goes back to.
class CallConnection {
 public:
  virtual ~CallConnection() = default;
  virtual void reply(base::Result<Message> message) = 0;
};

// A call whose answer comes later: see MethodCall::defer() and Server::resume().
struct DeferredCall {
  Message message;
  Peer peer;
};

// One call that waits for its answer; lives as long as Handler::on_call.
class MethodCall {
 public:
  MethodCall(CallConnection& connection, const Message& message, const Peer& peer)
      : connection_(connection), message_(message), peer_(peer) {}

  const Message& message() const { return message_; }
  const Peer& peer() const { return peer_; }
  MessageReader arguments() const { return MessageReader(message_); }

  // The body of the answer, to be filled and given to send().
  base::Result<MessageWriter> new_reply() const;
  void send(MessageWriter&& reply);
  void send_empty();
  void send_error(std::string_view bus_name, std::string_view text);
  // The error's own bus name, or the one that names_of() has for its code.
  void send_error(const base::Error& error);
  bool is_answered() const { return answered_; }
  // The answer comes later, by Server::resume().
  DeferredCall defer() {
    answered_ = true;
    return {message_, peer_};
  }

 private:
  CallConnection& connection_;
  const Message& message_;
  const Peer& peer_;
  bool answered_ = false;
};

class ServerHandler {
 public:
  virtual ~ServerHandler() = default;
  // Must answer before it returns; what it leaves unanswered gets an error.
  virtual void on_call(MethodCall& call) = 0;
  virtual void on_connected(const Peer& /*peer*/) {}
  virtual void on_disconnected(const Peer& /*peer*/) {}
};

class Server {
 public:
  using Log = std::function<void(const std::string&)>;

  // `sender`: the bus name that answers carry. `log` hears of connections that were refused or
  // broken off, one sentence each.
  Server(base::EventLoop& loop, base::Fd listening_socket, std::string sender, ServerLimits limits,
         ServerHandler& handler, Log log);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Sends a signal to the clients that `wants` picks (null: all). `fill` writes the body, once per
  // client.
  void emit(std::string_view path, std::string_view interface, std::string_view member,
            const std::function<void(MessageWriter&)>& fill,
            const std::function<bool(const Peer&)>& wants = nullptr);

  // Answers a call that was deferred, if whoever called is still there.
  void resume(const DeferredCall& call, const std::function<void(MethodCall&)>& answer);

  size_t connection_count() const { return connections_.size(); }
  // Those of all clients that are not written yet.
  uint64_t queued_messages() const;
  std::vector<Peer> peers() const;
  // From now on the connection is sent what the others call and are answered, as a monitor of a bus
  // is; signals go to everybody in any case.
  void set_monitor(uint64_t connection) { monitors_.insert(connection); }
  // Ends one connection soon; its handler hears on_disconnected().
  void disconnect(uint64_t connection);

 private:
  friend class ServerConnection;

  void on_listening_ready();
  bool accept_one();
  base::Status admit(base::Fd socket);
  base::Status check_limits(const Peer& peer) const;
  void log_refusal(const base::Error& why);
  void remove(uint64_t id);
  void mirror(const Message& message);

  base::EventLoop& loop_;
  base::Fd listening_;
  std::string sender_;
  ServerLimits limits_;
  ServerHandler& handler_;
  Log log_;
  uint64_t next_id_ = 1;
  uint64_t refusals_ = 0;
  std::map<uint64_t, std::unique_ptr<ServerConnection>> connections_;
  std::set<uint64_t> monitors_;
  base::RegistrationPtr watch_;
  base::RegistrationPtr retry_;  // set while accepting pauses because descriptors ran out
};

}  // namespace flotilla::bus
