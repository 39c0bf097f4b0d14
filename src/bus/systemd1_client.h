// Systemd1Client: the unit manager seam over D-Bus: flotilla-init or systemd by its private socket,
// or systemd by the system or user bus. Connects by itself, subscribes, and when the connection
// breaks tries again with a growing pause, at once when the socket appears anew.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "bus/connection.h"
#include "bus/unit_manager.h"

namespace flotilla::bus {

struct Systemd1ClientOptions {
  ConnectionOptions connection;
  base::Micros first_pause{100'000};
  base::Micros longest_pause{5'000'000};
};

class Systemd1Client final : public UnitManager {
 public:
  Systemd1Client(base::EventLoop& loop, Systemd1ClientOptions options);
  ~Systemd1Client() override;

  bool is_connected() const override { return connected_; }
  base::RegistrationPtr subscribe(UnitManagerListener& listener) override;

  void link_unit_files(std::vector<std::string> paths,
                       Done<std::vector<UnitFileChange>> done) override;
  void enable_unit_files(std::vector<std::string> names, Done<EnableOutcome> done) override;
  void disable_unit_files(std::vector<std::string> names,
                          Done<std::vector<UnitFileChange>> done) override;
  void reload_daemon(Done<void> done) override;
  void start(std::string_view unit, JobMode mode, Done<JobResult> done) override;
  void stop(std::string_view unit, JobMode mode, Done<JobResult> done) override;
  void restart(std::string_view unit, JobMode mode, Done<JobResult> done) override;
  void kill(std::string_view unit, KillWho who, int signal, Done<void> done) override;
  void reset_failed(std::string_view unit, Done<void> done) override;
  void list_units_by_names(std::vector<std::string> names,
                           Done<std::vector<UnitState>> done) override;
  void list_units(Done<std::vector<UnitState>> done) override;
  void get_properties(std::string_view unit, Done<Properties> done) override;
  void get_processes(std::string_view unit, Done<std::vector<UnitProcess>> done) override;

 private:
  class Subscription;
  class SocketWatch;
  using Fill = std::function<void(MessageWriter&)>;

  void connect();
  void retry_later();
  void retry_now();
  void ask_for_signals();
  void on_subscribed(const base::Status& status);
  void on_closed(const base::Error& why);
  void lose_connection(const base::Error& why);

  void on_signal(const Message& message);
  void on_job_removed(const Message& message);
  void on_properties_changed(const Message& message);
  void notify(const std::function<void(UnitManagerListener&)>& tell);

  // Calls a method of the manager object; `parse` turns the reply into what `done` gets.
  template <typename T>
  void call_manager(std::string_view member, base::Micros timeout, const Fill& fill,
                    std::function<base::Result<T>(MessageReader)> parse, Done<T> done);
  void call_method(std::string_view path, std::string_view interface, std::string_view member,
                   base::Micros timeout, const Fill& fill, Connection::Reply done);
  void call_for_nothing(std::string_view member, base::Micros timeout, const Fill& fill,
                        Done<void> done);
  void run_job(std::string_view member, std::string_view unit, JobMode mode, Done<JobResult> done);

  base::EventLoop& loop_;
  Systemd1ClientOptions options_;
  std::shared_ptr<bool> alive_;
  std::unique_ptr<Connection> connection_;
  bool connected_ = false;
  base::Micros pause_;
  base::RegistrationPtr retry_;
  std::unique_ptr<SocketWatch> socket_watch_;
  std::map<uint32_t, Done<JobResult>> jobs_;
  uint64_t next_listener_ = 1;
  std::map<uint64_t, UnitManagerListener*> listeners_;
};

}  // namespace flotilla::bus
