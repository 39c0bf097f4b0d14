// BusFacade: the manager as D-Bus shows it (org.freedesktop.systemd1), on a listening socket that
// it is given. Answers calls by the tables of bus_table.h, and turns what the manager tells its
// observer into signals. It has no state of its own but its connections: all of it is the
// manager's.
//
// The socket may be open to all: root and the manager's own user may change things, everybody else
// may read. Owned by the program; loop thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "bus/bus_service.h"
#include "bus/server.h"
#include "init/bus_table.h"
#include "init/callback.h"
#include "init/manager.h"

namespace flotilla::init {

// Listens on a unix socket at `path` with mode 0666, in place of what a dead manager left there.
// Makes the directory. Fails where a living process listens.
base::Result<base::Fd> listen_for_bus(const std::string& path);

class BusFacade final : public ManagerObserver, private bus::ServerHandler {
 public:
  // Becomes the manager's observer until destroyed. `log` hears one sentence at a time.
  BusFacade(base::EventLoop& loop, Manager& manager, base::Fd listening_socket,
            std::function<void(const std::string&)> log, bus::ServerLimits limits = {});
  ~BusFacade() override;
  BusFacade(const BusFacade&) = delete;
  BusFacade& operator=(const BusFacade&) = delete;

  size_t connection_count() const { return server_.connection_count(); }
  // Called when the last connection has ended.
  void set_on_quiet(Callback<void()> on_quiet) noexcept { on_quiet_ = on_quiet; }
  std::vector<bus::Peer> peers() const { return server_.peers(); }
  uint64_t queued_messages() const { return server_.queued_messages(); }
  // Answers a call that was deferred, if whoever called is still there.
  void answer_later(const bus::DeferredCall& call, const base::Status& status);
  void emit_unit_files_changed();
  // A real bus, whose socket is here while its unit (dbus.service) is active: there we have the
  // name that we have on our own socket, and answer the same calls.
  void set_system_bus(std::string socket_path);
  // A client on the real bus wants signals, or no more; on our own socket everybody has them.
  base::Status subscribe(const bus::Peer& peer);
  base::Status unsubscribe(const bus::Peer& peer);
  // Makes the client hear what the others say, and tells it so as a bus does.
  void make_monitor(const bus::Peer& peer, const std::string& unique_name);
  // The client wants the unit to stay loaded until it lets go, or is gone. Fails with the bus name
  // that systemd has for it.
  base::Status add_ref(const bus::Peer& peer, const std::string& unit);
  base::Status drop_ref(const bus::Peer& peer, const std::string& unit);
  // Whether units can be held for who calls: it has a name, of a bus or by a Hello to us.
  bool may_refer(const bus::Peer& peer) const;
  void on_hello(const bus::Peer& peer) { named_.insert(peer.connection); }

  void on_unit_new(const std::string& unit) override;
  void on_unit_removed(const std::string& unit) override;
  void on_unit_changed(const std::string& unit) override;
  void on_job_new(uint32_t id, const std::string& unit) override;
  void on_job_removed(uint32_t id, const std::string& unit, std::string_view result) override;
  void on_job_changed(uint32_t id) override;
  void on_reloading(bool active) override;
  void on_startup_finished(base::Micros userspace) override;

 private:
  using Fill = std::function<void(bus::MessageWriter&)>;

  // What an object path names; the job is kept here because the manager gives it by value.
  struct Object {
    const Unit* unit = nullptr;
    std::optional<JobView> job;
    BusSubject::Place place = BusSubject::Place::kManager;
    BusSubject subject(Manager& manager) const {
      return {manager, unit, job ? &*job : nullptr, place};
    }
  };

  void on_call(bus::MethodCall& call) override;
  void on_disconnected(const bus::Peer& peer) override;
  // `call` tells who asks, for the object that is the unit of whoever asks.
  std::optional<Object> find_object(std::string_view path, const bus::MethodCall& call);
  void dispatch(bus::MethodCall& call, const BusSubject& subject);
  void call_properties(bus::MethodCall& call, const BusSubject& subject);
  void get_property(bus::MethodCall& call, const BusSubject& subject);
  void get_all(bus::MethodCall& call, const BusSubject& subject);
  void set_property(bus::MethodCall& call, const BusSubject& subject);
  void introspect_path(bus::MethodCall& call);
  void emit_manager(std::string_view member, const Fill& fill);
  void emit_changed(std::string_view path, const BusInterface& interface,
                    const BusSubject& subject);

  void emit(std::string_view path, std::string_view interface, std::string_view member,
            const Fill& fill);
  bool is_heard() const;
  void look_for_system_bus();
  void watch_name_of(const Unit& unit);

  base::EventLoop& loop_;
  std::function<void(const std::string&)> log_;
  Callback<void()> on_quiet_;
  Manager& manager_;
  std::map<uint64_t, std::vector<std::string>> refs_;  // by connection, units
  std::set<uint64_t> named_;                           // connections that said Hello
  bus::Server server_;
  std::string system_bus_path_;  // empty: there is none to look for
  std::unique_ptr<bus::BusService> system_bus_;
  std::map<std::string, std::string> services_;  // by their BusName=, as the bus was asked for it
};

}  // namespace flotilla::init
