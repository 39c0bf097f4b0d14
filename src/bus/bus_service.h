// BusService: a name of ours on a real bus. Calls that come over it go to the same handler as those
// on our own socket; who the caller is, the bus is asked once for each client. Loop thread only;
// the handler outlives it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "bus/pump.h"
#include "bus/server.h"

struct sd_bus_message;
struct sd_bus_slot;

namespace flotilla::bus {

class BusService final : private CallConnection {
 public:
  // Connects and asks for the name without waiting; fails at once where nobody listens. `on_closed`
  // is called once when the bus is gone, from the loop; in it the object may be destroyed.
  static base::Result<std::unique_ptr<BusService>> open(base::EventLoop& loop,
                                                        const std::string& socket_path,
                                                        std::string name, ServerHandler& handler,
                                                        Server::Log log,
                                                        std::function<void()> on_closed);
  ~BusService() override;
  BusService(const BusService&) = delete;
  BusService& operator=(const BusService&) = delete;

  // Signals go to the bus as long as somebody wants them. False: it was so already.
  bool subscribe(const Peer& peer);
  bool unsubscribe(const Peer& peer);
  bool has_subscribers() const { return !subscribers_.empty(); }
  void emit(std::string_view path, std::string_view interface, std::string_view member,
            const std::function<void(MessageWriter&)>& fill);
  // Answers a call that was deferred.
  void resume(const DeferredCall& call, const std::function<void(MethodCall&)>& answer);
  // The handler hears on_disconnected() when this client leaves the bus.
  void watch(const Peer& peer);
  // `on_owner` hears whether somebody has the name: once the bus has answered, and at each change.
  using OnOwner = std::function<void(const std::string& name, bool is_owned)>;
  void set_on_owner(OnOwner on_owner) { on_owner_ = std::move(on_owner); }
  void watch_name(const std::string& name);

 private:
  struct Lookup;
  struct NameQuery;

  BusService(base::EventLoop& loop, std::string name, ServerHandler& handler, Server::Log log,
             std::function<void()> on_closed);
  base::Status start(const std::string& socket_path);
  base::Result<MessageWriter> call_of_daemon(const char* member) const;
  void reply(base::Result<Message> message) override;
  void ask_for_name();
  void match_owner_changes(const std::string& name);
  void learn_owner(const std::string& name, const Message& answer);
  void ask_who_calls(const std::string& sender);
  void learn(const std::string& sender, const Message& answer);
  void dispatch(const Message& message, const Peer& peer);
  void forget(const std::string& sender);
  void on_closed();
  int on_call(sd_bus_message* raw);
  int on_filtered(sd_bus_message* raw);
  int on_name_answer(sd_bus_message* raw);

  base::EventLoop& loop_;
  std::string name_;
  ServerHandler& handler_;
  Server::Log log_;
  std::function<void()> on_closed_;
  // What sd-bus calls, by address.
  std::function<int(sd_bus_message*)> on_call_, on_filtered_, on_name_answer_;
  uint64_t next_id_;
  std::map<std::string, Peer> peers_;  // whom we know, by unique name
  std::map<std::string, std::vector<Message>> waiting_;
  std::set<std::string> subscribers_, watched_;
  std::map<std::string, std::unique_ptr<Lookup>> lookups_;
  OnOwner on_owner_;
  std::map<std::string, std::unique_ptr<NameQuery>> names_;  // watched; null: the bus has answered
  std::vector<sd_bus_slot*> slots_;
  std::unique_ptr<Pump> pump_;
};

}  // namespace flotilla::bus
