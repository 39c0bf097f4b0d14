#include "bus/server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "bus/pump.h"
#include "bus/sd_bus_api.h"

namespace flotilla::bus {

using base::Result;
using base::Status;

namespace {

// How long nothing is accepted after descriptors ran out: the waiting client stays in the backlog.
constexpr base::Micros kAcceptPause{500'000};
// The library asks for 8 MiB of the kernel for each socket, which is a lot for a client that need
// not be trusted; what does not fit waits in a queue that has a limit.
constexpr int kSocketBuffer = 512 * 1024;
// A client that has not finished authentication by then is dropped.
constexpr base::Micros kHandshakeLimit{20'000'000};

Result<Peer> peer_of(int fd, uint64_t connection) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) {
    return base::system_error(errno, "ask who a bus client is");
  }
  return Peer{connection, credentials.uid, credentials.gid, credentials.pid, {}};
}

bool is_trusted(const Peer& peer) { return peer.uid == 0 || peer.uid == ::geteuid(); }

}  // namespace

// One client. Its address is the userdata of sd-bus.
class ServerConnection final : public CallConnection {
 public:
  ServerConnection(Server& server, const Peer& peer) : server_(server), peer_(peer) {}
  ~ServerConnection() override {
    if (slot_ != nullptr) sd_bus_api().sd_bus_slot_unref(slot_);
  }
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  Status start(base::Fd socket);
  const Peer& peer() const { return peer_; }
  sd_bus* bus() const { return pump_->bus(); }
  uint64_t queued_messages() const { return pump_->queued_writes(); }
  void end(int error_number) { pump_->fail(error_number); }
  void send(Result<Message> message);
  void reply(Result<Message> message) override {
    if (message) server_.mirror(*message);
    send(std::move(message));
  }

 private:
  static int on_call(sd_bus_message* message, void* userdata, sd_bus_error*);

  Server& server_;
  Peer peer_;
  sd_bus_slot* slot_ = nullptr;
  std::unique_ptr<Pump> pump_;
  base::RegistrationPtr handshake_;
};

Status ServerConnection::start(base::Fd socket) {
  FLOTILLA_ASSIGN(const SdBusApi* api, load_sd_bus_api());
  sd_bus* bus = nullptr;
  int result = api->sd_bus_new(&bus);
  if (result < 0) return base::system_error(-result, "make a bus connection");
  // The id is no secret and names this server for the clients of one connection only.
  sd_id128_t id{};
  std::memcpy(id.bytes, &peer_.connection, sizeof peer_.connection);
  id.bytes[15] = 1;
  const int fd = socket.get();
  result = api->sd_bus_set_fd(bus, fd, fd);
  if (result >= 0) {
    (void)socket.release();  // the bus closes it
    result = api->sd_bus_set_server(bus, 1, id);
  }
  if (result >= 0) result = api->sd_bus_set_trusted(bus, 1);
  // Descriptors in messages, as systemd has them; from strangers they would only fill our table.
  if (result >= 0) result = api->sd_bus_negotiate_fds(bus, is_trusted(peer_) ? 1 : 0);
  if (result >= 0) result = api->sd_bus_set_sender(bus, server_.sender_.c_str());
  if (result >= 0) {
    result = api->sd_bus_add_fallback(bus, &slot_, "/", &ServerConnection::on_call, this);
  }
  if (result >= 0) result = api->sd_bus_start(bus);
  if (result < 0) {
    api->sd_bus_unref(bus);
    return base::system_error(-result, "start a bus connection");
  }
  // Best effort: with the larger buffers everything works as well.
  (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof kSocketBuffer);
  (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
  PumpLimits limits;
  if (!is_trusted(peer_)) {
    limits.unread_answers = server_.limits_.stranger_unread_answers;
    limits.message_bytes = server_.limits_.stranger_message_bytes;
  }
  pump_ = std::make_unique<Pump>(
      server_.loop_, bus,
      [this](int error_number) {
        if (error_number == ENOBUFS) {
          server_.log_(fmt::format("bus: client {} (uid {}) is cut off: its message is too large",
                                   peer_.pid, peer_.uid));
        }
        server_.remove(peer_.connection);
      },
      limits);
  handshake_ = server_.loop_.after(kHandshakeLimit, [this] {
    handshake_.reset();
    if (sd_bus_api().sd_bus_is_ready(pump_->bus()) <= 0) end(ETIMEDOUT);
  });
  return {};
}

int ServerConnection::on_call(sd_bus_message* raw, void* userdata, sd_bus_error*) {
  auto* self = static_cast<ServerConnection*>(userdata);
  self->pump_->on_call();
  const Message message = Message::share(raw);
  self->server_.mirror(message);
  MethodCall call(*self, message, self->peer_);
  self->server_.handler_.on_call(call);
  if (!call.is_answered()) {
    call.send_error("org.freedesktop.DBus.Error.Failed", "The call was left without an answer");
  }
  return 1;
}

void ServerConnection::send(Result<Message> message) {
  if (!message) {
    server_.log_("bus: " + message.error().message);
    return;
  }
  const SdBusApi& api = sd_bus_api();
  const int result = api.sd_bus_send(bus(), message->get(), nullptr);
  uint64_t queued = 0;
  api.sd_bus_get_n_queued_write(bus(), &queued);
  const size_t most = is_trusted(peer_) ? server_.limits_.queued_messages
                                        : server_.limits_.stranger_queued_messages;
  if (result < 0 || queued > most) {
    const int error_number = result < 0 ? -result : ECONNRESET;
    if (queued > most || (error_number != ENOTCONN && error_number != ECONNRESET)) {
      server_.log_(fmt::format(
          "bus: client {} (uid {}) is cut off: {}", peer_.pid, peer_.uid,
          queued > most ? "it does not read what it is sent" : base::describe_errno(error_number)));
    }
    end(error_number);
  }
  pump_->update();
}

// --- MethodCall ---

Result<MessageWriter> MethodCall::new_reply() const {
  sd_bus_message* reply = nullptr;
  const int result = sd_bus_api().sd_bus_message_new_method_return(message_.get(), &reply);
  if (result < 0) return base::system_error(-result, "compose an answer");
  return MessageWriter(Message::adopt(reply));
}

void MethodCall::send(MessageWriter&& reply) {
  Result<Message> ready = std::move(reply).finish();
  if (!ready) {
    send_error("org.freedesktop.DBus.Error.Failed", ready.error().message);
    return;
  }
  answered_ = true;
  if (message_.expects_reply()) connection_.reply(std::move(ready));
}

void MethodCall::send_empty() {
  Result<MessageWriter> reply = new_reply();
  if (reply) {
    send(std::move(*reply));
  } else {
    send_error(reply.error());
  }
}

void MethodCall::send_error(std::string_view bus_name, std::string_view text) {
  answered_ = true;
  if (!message_.expects_reply()) return;
  const std::string name(bus_name);
  const std::string words(text);
  const sd_bus_error error = {name.c_str(), words.c_str(), 0};
  sd_bus_message* reply = nullptr;
  const int result = sd_bus_api().sd_bus_message_new_method_error(message_.get(), &reply, &error);
  if (result < 0) {
    connection_.reply(base::system_error(-result, "compose the error {}", name));
  } else {
    connection_.reply(Message::adopt(reply));
  }
}

void MethodCall::send_error(const base::Error& error) {
  send_error(error.bus_name.empty() ? base::names_of(error.code).bus_error : error.bus_name,
             error.message);
}

// --- Server ---

Server::Server(base::EventLoop& loop, base::Fd listening_socket, std::string sender,
               ServerLimits limits, ServerHandler& handler, Log log)
    : loop_(loop),
      listening_(std::move(listening_socket)),
      sender_(std::move(sender)),
      limits_(limits),
      handler_(handler),
      log_(std::move(log)),
      watch_(loop_.watch(listening_.get(), EPOLLIN, [this](uint32_t) { on_listening_ready(); })) {}

Server::~Server() = default;

void Server::on_listening_ready() {
  // A few per turn: what waits longer makes the descriptor ready again.
  for (int i = 0; i < 8 && accept_one(); ++i) {
  }
}

bool Server::accept_one() {
  base::Fd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    const int error_number = errno;
    if (error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM ||
        error_number == ENOBUFS) {
      log_("bus: cannot accept a client: " + base::describe_errno(error_number));
      watch_.reset();
      retry_ = loop_.after(kAcceptPause, [this] {
        retry_.reset();
        watch_ = loop_.watch(listening_.get(), EPOLLIN, [this](uint32_t) { on_listening_ready(); });
      });
    }
    return false;
  }
  if (Status status = admit(std::move(socket)); !status) {
    log_refusal(status.error());
  }
  return true;
}

Status Server::check_limits(const Peer& peer) const {
  if (connections_.size() >= limits_.connections) {
    return base::too_large("there are {} connections already", connections_.size());
  }
  if (is_trusted(peer)) return {};
  size_t same = 0, strangers = 0;
  for (const auto& [id, connection] : connections_) {
    same += connection->peer().uid == peer.uid ? 1 : 0;
    strangers += is_trusted(connection->peer()) ? 0 : 1;
  }
  if (strangers >= limits_.stranger_connections) {
    return base::too_large("there are {} connections of other users already", strangers);
  }
  if (same >= limits_.connections_per_uid) {
    return base::too_large("user {} has {} connections already", peer.uid, same);
  }
  return {};
}

// Each doubling is told of: trying again and again must not fill the log.
void Server::log_refusal(const base::Error& why) {
  ++refusals_;
  if ((refusals_ & (refusals_ - 1)) != 0) return;
  const std::string count =
      refusals_ == 1 ? "a client is" : fmt::format("{} clients were", refusals_);
  log_(fmt::format("bus: {} turned away: {}", count, why.message));
}

uint64_t Server::queued_messages() const {
  uint64_t queued = 0;
  for (const auto& [id, connection] : connections_) queued += connection->queued_messages();
  return queued;
}

Status Server::admit(base::Fd socket) {
  FLOTILLA_ASSIGN(const Peer peer, peer_of(socket.get(), next_id_));
  FLOTILLA_TRY(check_limits(peer));
  ++next_id_;
  auto connection = std::make_unique<ServerConnection>(*this, peer);
  FLOTILLA_TRY(connection->start(std::move(socket)));
  connections_.emplace(peer.connection, std::move(connection));
  handler_.on_connected(peer);
  return {};
}

void Server::remove(uint64_t id) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const Peer peer = found->second->peer();
  connections_.erase(found);
  monitors_.erase(id);
  handler_.on_disconnected(peer);
}

std::vector<Peer> Server::peers() const {
  std::vector<Peer> all;
  for (const auto& [id, connection] : connections_) all.push_back(connection->peer());
  return all;
}

void Server::mirror(const Message& message) {
  for (const uint64_t monitor : monitors_) {
    const auto found = connections_.find(monitor);
    if (found != connections_.end()) found->second->send(Message(message));
  }
}

void Server::disconnect(uint64_t connection) {
  auto found = connections_.find(connection);
  if (found != connections_.end()) found->second->end(ECONNRESET);
}

void Server::resume(const DeferredCall& call, const std::function<void(MethodCall&)>& answer) {
  const auto connection = connections_.find(call.peer.connection);
  if (connection == connections_.end()) return;
  MethodCall resumed(*connection->second, call.message, call.peer);
  answer(resumed);
}

void Server::emit(std::string_view path, std::string_view interface, std::string_view member,
                  const std::function<void(MessageWriter&)>& fill,
                  const std::function<bool(const Peer&)>& wants) {
  if (connections_.empty()) return;
  const std::string path_text(path);
  const std::string interface_text(interface);
  const std::string member_text(member);
  for (auto& [id, connection] : connections_) {
    if (wants && !wants(connection->peer())) continue;
    // Before the handshake is done the client has not asked for anything.
    if (sd_bus_api().sd_bus_is_ready(connection->bus()) <= 0) continue;
    sd_bus_message* raw = nullptr;
    const int result = sd_bus_api().sd_bus_message_new_signal(
        connection->bus(), &raw, path_text.c_str(), interface_text.c_str(), member_text.c_str());
    if (result < 0) {
      log_("bus: cannot compose the signal " + member_text + ": " + base::describe_errno(-result));
      return;
    }
    MessageWriter writer(Message::adopt(raw));
    if (fill) fill(writer);
    connection->send(std::move(writer).finish());
  }
}

}  // namespace flotilla::bus
