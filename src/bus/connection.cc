#include "bus/connection.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "bus/pump.h"
#include "bus/sd_bus_api.h"

namespace flotilla::bus {

using base::Error;
using base::Result;

namespace {

// A D-Bus address's value: everything but a few characters as %HH.
std::string escape_address(std::string_view path) {
  std::string text;
  for (char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '/' || c == '.' || c == '*';
    if (plain) {
      text += c;
    } else {
      text += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    }
  }
  return text;
}

Result<std::string> address_of(const ConnectionOptions& options) {
  using Kind = ConnectionOptions::Kind;
  if (!options.socket_path.empty()) return "unix:path=" + escape_address(options.socket_path);
  if (options.kind == Kind::kPeer) return base::invalid("a peer connection needs a socket path");
  const char* variable = ::getenv(options.kind == Kind::kSystemBus ? "DBUS_SYSTEM_BUS_ADDRESS"
                                                                   : "DBUS_SESSION_BUS_ADDRESS");
  if (variable != nullptr && *variable != '\0') return std::string(variable);
  if (options.kind == Kind::kSystemBus) return std::string("unix:path=/run/dbus/system_bus_socket");
  const char* runtime = ::getenv("XDG_RUNTIME_DIR");
  if (runtime == nullptr) {
    return base::unavailable("no user bus: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR");
  }
  return "unix:path=" + escape_address(std::string(runtime) + "/bus");
}

}  // namespace

// One method call that waits for its reply.
struct Connection::Call {
  Connection* connection;
  uint64_t id;
  sd_bus_slot* slot = nullptr;
  Reply done;
};

// Everything that knows sd-bus; the address of this is the userdata of its callbacks.
struct Connection::Guts {
  explicit Guts(Connection& owner) : connection(owner) {}
  ~Guts() {
    *alive = false;
    drop_slots();
  }

  void drop_slots() {
    for (auto& [id, call] : calls) sd_bus_api().sd_bus_slot_unref(call->slot);
    for (sd_bus_slot* slot : slots) sd_bus_api().sd_bus_slot_unref(slot);
    slots.clear();
  }

  static int on_reply(sd_bus_message* message, void* userdata, sd_bus_error*) {
    auto* call = static_cast<Call*>(userdata);
    call->connection->guts_->finish(call->id, message);
    return 1;
  }

  void finish(uint64_t id, sd_bus_message* raw) {
    auto found = calls.find(id);
    if (found == calls.end()) return;
    std::unique_ptr<Call> call = std::move(found->second);
    calls.erase(found);
    sd_bus_api().sd_bus_slot_unref(call->slot);
    Message message = Message::share(raw);
    if (base::Status status = message.error(); !status) {
      call->done(base::unexpected(std::move(status).error()));
    } else {
      call->done(std::move(message));
    }
  }

  static int on_message(sd_bus_message* message, void* userdata, sd_bus_error*) {
    auto* guts = static_cast<Guts*>(userdata);
    uint8_t type = 0;
    sd_bus_api().sd_bus_message_get_type(message, &type);
    if (type == SD_BUS_MESSAGE_SIGNAL && guts->connection.signal_handler_) {
      auto handler = guts->connection.signal_handler_;  // it may destroy the connection
      handler(Message::share(message));
    }
    return 0;
  }

  base::Status start(base::EventLoop& loop, const ConnectionOptions& options) {
    FLOTILLA_ASSIGN(const std::string address, address_of(options));
    FLOTILLA_ASSIGN(const SdBusApi* api, load_sd_bus_api());
    sd_bus* bus = nullptr;
    int result = api->sd_bus_new(&bus);
    if (result < 0) return base::system_error(-result, "make a D-Bus connection");
    const bool hello = options.kind != ConnectionOptions::Kind::kPeer;
    result = api->sd_bus_set_address(bus, address.c_str());
    if (result >= 0) result = api->sd_bus_set_bus_client(bus, hello ? 1 : 0);
    if (result >= 0) result = api->sd_bus_set_trusted(bus, hello ? 0 : 1);
    sd_bus_slot* slot = nullptr;
    if (result >= 0) result = api->sd_bus_add_filter(bus, &slot, &Guts::on_message, this);
    if (slot != nullptr) slots.push_back(slot);
    if (result >= 0) result = api->sd_bus_start(bus);
    if (result < 0) {
      drop_slots();
      api->sd_bus_unref(bus);
      return base::system_error(-result, "connect to {}", address);
    }
    pump = std::make_unique<Pump>(
        loop, bus, [this](int error_number) { connection.on_pump_closed(error_number); });
    return {};
  }

  Connection& connection;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  uint64_t next_id = 1;
  std::map<uint64_t, std::unique_ptr<Call>> calls;
  std::vector<sd_bus_slot*> slots;
  std::unique_ptr<Pump> pump;
};

Connection::Connection(base::EventLoop& loop, Closed on_closed)
    : loop_(loop), on_closed_(std::move(on_closed)), guts_(std::make_unique<Guts>(*this)) {}

Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::open(base::EventLoop& loop,
                                                     const ConnectionOptions& options,
                                                     Closed on_closed) {
  std::unique_ptr<Connection> connection(new Connection(loop, std::move(on_closed)));
  FLOTILLA_TRY(connection->guts_->start(loop, options));
  return connection;
}

Result<MessageWriter> Connection::new_call(std::string_view destination, std::string_view path,
                                           std::string_view interface, std::string_view member) {
  sd_bus_message* message = nullptr;
  const int result = sd_bus_api().sd_bus_message_new_method_call(
      guts_->pump->bus(), &message, std::string(destination).c_str(), std::string(path).c_str(),
      std::string(interface).c_str(), std::string(member).c_str());
  if (result < 0) return base::system_error(-result, "compose a call of {} on {}", member, path);
  return MessageWriter(Message::adopt(message));
}

void Connection::call(MessageWriter&& message, base::Micros timeout, Reply done) {
  auto fail_soon = [this](Error error, Reply reply) {
    loop_.post([alive = guts_->alive, error = std::move(error), reply = std::move(reply)] {
      if (*alive) reply(base::unexpected(error));
    });
  };
  if (guts_->pump->is_closed()) {
    return fail_soon(Error{base::Errc::kUnavailable, "the D-Bus connection is closed", 0, {}},
                     std::move(done));
  }
  Result<Message> ready = std::move(message).finish();
  if (!ready) return fail_soon(std::move(ready).error(), std::move(done));
  auto call = std::make_unique<Call>(Call{this, guts_->next_id++, nullptr, std::move(done)});
  const uint64_t wait =
      timeout == base::Micros::max() ? UINT64_MAX : static_cast<uint64_t>(timeout.count());
  const int result = sd_bus_api().sd_bus_call_async(guts_->pump->bus(), &call->slot, ready->get(),
                                                    &Guts::on_reply, call.get(), wait);
  if (result < 0) {
    Error error{base::Errc::kUnavailable,
                "the D-Bus connection is closed: " + base::describe_errno(-result),
                -result,
                {}};
    return fail_soon(std::move(error), std::move(call->done));
  }
  guts_->calls.emplace(call->id, std::move(call));
  guts_->pump->update();
}

void Connection::add_match(const std::string& rule, std::function<void(base::Status)> done) {
  Result<MessageWriter> message =
      new_call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch");
  if (!message) {
    loop_.post([alive = guts_->alive, error = message.error(), done = std::move(done)] {
      if (*alive) done(base::unexpected(error));
    });
    return;
  }
  message->string(rule);
  call(std::move(*message), base::Micros(0), [done = std::move(done)](Result<Message> reply) {
    done(reply ? base::Status() : base::unexpected(std::move(reply).error()));
  });
}

void Connection::on_pump_closed(int error_number) {
  const Error error{base::Errc::kUnavailable,
                    "the D-Bus connection has ended: " + base::describe_errno(error_number),
                    error_number,
                    {}};
  const std::shared_ptr<bool> alive = guts_->alive;
  while (*alive && !guts_->calls.empty()) {
    auto first = guts_->calls.begin();
    std::unique_ptr<Call> call = std::move(first->second);
    guts_->calls.erase(first);
    sd_bus_api().sd_bus_slot_unref(call->slot);
    call->done(base::unexpected(error));
  }
  if (!*alive) return;
  auto on_closed = std::move(on_closed_);
  if (on_closed) on_closed(error);
}

}  // namespace flotilla::bus
