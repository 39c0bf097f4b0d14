#include "bus/systemd1_client.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/fd.h"
#include "bus/object_path.h"

namespace flotilla::bus {

using base::Error;
using base::Micros;
using base::Result;
using base::Status;

namespace {

// The library's own time limit is meant for answers from memory; these read and write many files.
constexpr Micros kQuick{25'000'000};
constexpr Micros kSlow{120'000'000};

Result<std::vector<UnitFileChange>> read_changes(MessageReader& reader) {
  FLOTILLA_ASSIGN(bool entered, reader.enter('a', "(sss)"));
  std::vector<UnitFileChange> changes;
  while (entered && !reader.at_end()) {
    FLOTILLA_ASSIGN(bool in, reader.enter('r', "sss"));
    if (!in) break;
    UnitFileChange change;
    FLOTILLA_ASSIGN(change.type, reader.string());
    FLOTILLA_ASSIGN(change.path, reader.string());
    FLOTILLA_ASSIGN(change.target, reader.string());
    FLOTILLA_TRY(reader.leave());
    changes.push_back(std::move(change));
  }
  FLOTILLA_TRY(reader.leave());
  return changes;
}

// a(ssssssouso): the answer of ListUnits and its kin.
Result<std::vector<UnitState>> read_units(MessageReader reader) {
  FLOTILLA_ASSIGN(bool entered, reader.enter('a', "(ssssssouso)"));
  std::vector<UnitState> units;
  while (entered && !reader.at_end()) {
    FLOTILLA_ASSIGN(bool in, reader.enter('r', "ssssssouso"));
    if (!in) break;
    UnitState unit;
    FLOTILLA_ASSIGN(unit.name, reader.string());
    FLOTILLA_ASSIGN(unit.description, reader.string());
    FLOTILLA_ASSIGN(unit.load_state, reader.string());
    FLOTILLA_ASSIGN(unit.active_state, reader.string());
    FLOTILLA_ASSIGN(unit.sub_state, reader.string());
    FLOTILLA_TRY(reader.skip("so"));
    FLOTILLA_ASSIGN(unit.job_id, reader.u32());
    FLOTILLA_ASSIGN(unit.job_type, reader.string());
    FLOTILLA_TRY(reader.skip("o"));
    FLOTILLA_TRY(reader.leave());
    units.push_back(std::move(unit));
  }
  FLOTILLA_TRY(reader.leave());
  return units;
}

Result<std::vector<UnitProcess>> read_processes(MessageReader reader) {
  FLOTILLA_ASSIGN(bool entered, reader.enter('a', "(sus)"));
  std::vector<UnitProcess> processes;
  while (entered && !reader.at_end()) {
    FLOTILLA_ASSIGN(bool in, reader.enter('r', "sus"));
    if (!in) break;
    UnitProcess process;
    FLOTILLA_ASSIGN(process.cgroup, reader.string());
    FLOTILLA_ASSIGN(process.pid, reader.u32());
    FLOTILLA_ASSIGN(process.command_line, reader.string());
    FLOTILLA_TRY(reader.leave());
    processes.push_back(std::move(process));
  }
  FLOTILLA_TRY(reader.leave());
  return processes;
}

// One state per name in the order of the names. The manager answers in that order but leaves out
// names that are none, and calls an alias by its unit's own name.
std::vector<UnitState> in_order_asked(const std::vector<std::string>& names,
                                      std::vector<UnitState> units) {
  std::vector<UnitState> states;
  for (size_t i = 0; i < names.size(); ++i) {
    UnitState state;
    if (units.size() == names.size()) {
      state = std::move(units[i]);
    } else {
      auto found = std::find_if(units.begin(), units.end(),
                                [&](const UnitState& unit) { return unit.name == names[i]; });
      if (found != units.end()) {
        state = *found;
      } else {
        state.load_state = "not-found";
        state.active_state = "inactive";
        state.sub_state = "dead";
        state.description = names[i];
      }
    }
    state.name = names[i];
    states.push_back(std::move(state));
  }
  return states;
}

Error not_connected() {
  return Error{base::Errc::kUnavailable, "no connection to the service manager", 0, {}};
}

}  // namespace

class Systemd1Client::Subscription final : public base::Registration {
 public:
  Subscription(Systemd1Client& client, uint64_t id)
      : client_(client), alive_(client.alive_), id_(id) {}
  ~Subscription() override {
    if (*alive_) client_.listeners_.erase(id_);
  }

 private:
  Systemd1Client& client_;
  std::shared_ptr<bool> alive_;
  uint64_t id_;
};

// Wakes the client when something appears in the directory of the socket.
class Systemd1Client::SocketWatch {
 public:
  SocketWatch(Systemd1Client& client, const std::string& socket_path)
      : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    const std::string directory = socket_path.substr(0, socket_path.rfind('/') + 1);
    if (!fd_ || ::inotify_add_watch(fd_.get(), directory.c_str(),
                                    IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR) < 0) {
      return;  // the timer alone will do
    }
    watch_ = client.loop_.watch(fd_.get(), EPOLLIN, [this, &client](uint32_t) {
      std::array<char, 4096> events;
      while (::read(fd_.get(), events.data(), events.size()) > 0) {
      }
      client.retry_now();  // destroys us
    });
  }

 private:
  base::Fd fd_;
  base::RegistrationPtr watch_;
};

Systemd1Client::Systemd1Client(base::EventLoop& loop, Systemd1ClientOptions options)
    : loop_(loop),
      options_(std::move(options)),
      alive_(std::make_shared<bool>(true)),
      pause_(options_.first_pause) {
  loop_.post([this, alive = alive_] {
    if (*alive) connect();
  });
}

Systemd1Client::~Systemd1Client() { *alive_ = false; }

base::RegistrationPtr Systemd1Client::subscribe(UnitManagerListener& listener) {
  const uint64_t id = next_listener_++;
  listeners_.emplace(id, &listener);
  if (connected_) {
    loop_.post([this, alive = alive_, id] {
      if (!*alive || !connected_) return;
      auto found = listeners_.find(id);
      if (found != listeners_.end()) found->second->on_connected();
    });
  }
  return std::make_unique<Subscription>(*this, id);
}

void Systemd1Client::notify(const std::function<void(UnitManagerListener&)>& tell) {
  // A listener may end any subscription, or the client, while it is told.
  const std::shared_ptr<bool> alive = alive_;
  for (uint64_t next = 0; *alive;) {
    auto found = listeners_.upper_bound(next);
    if (found == listeners_.end()) return;
    next = found->first;
    tell(*found->second);
  }
}

// --- The connection ---

void Systemd1Client::connect() {
  retry_.reset();
  Result<std::unique_ptr<Connection>> opened =
      Connection::open(loop_, options_.connection, [this](Error why) { on_closed(why); });
  if (!opened) {
    // Not even begun: nobody was told of a connection, so nobody is told of its end.
    retry_later();
    return;
  }
  connection_ = std::move(*opened);
  connection_->set_signal_handler([this](const Message& message) { on_signal(message); });
  ask_for_signals();
}

void Systemd1Client::retry_later() {
  retry_ = loop_.after(pause_, [this] { connect(); });
  pause_ = std::min(pause_ * 2, options_.longest_pause);
  if (!options_.connection.socket_path.empty()) {
    socket_watch_ = std::make_unique<SocketWatch>(*this, options_.connection.socket_path);
  }
}

void Systemd1Client::retry_now() {
  // The socket may exist before its owner listens: then the short pause is the right one.
  pause_ = options_.first_pause;
  socket_watch_.reset();
  retry_ = nullptr;
  connect();
}

void Systemd1Client::ask_for_signals() {
  if (options_.connection.kind != ConnectionOptions::Kind::kPeer) {
    auto ignore = [](const Status&) {};
    connection_->add_match(
        "type='signal',sender='org.freedesktop.systemd1',"
        "interface='org.freedesktop.systemd1.Manager'",
        ignore);
    connection_->add_match(
        "type='signal',sender='org.freedesktop.systemd1',member='PropertiesChanged',"
        "interface='org.freedesktop.DBus.Properties',"
        "path_namespace='/org/freedesktop/systemd1/unit'",
        ignore);
  }
  auto message =
      connection_->new_call(kSystemd1Service, kSystemd1Path, kManagerInterface, "Subscribe");
  if (!message) {
    on_subscribed(base::unexpected(std::move(message).error()));
    return;
  }
  connection_->call(std::move(*message), kQuick, [this](Result<Message> reply) {
    on_subscribed(reply ? Status() : base::unexpected(std::move(reply).error()));
  });
}

void Systemd1Client::on_subscribed(const Status& status) {
  if (!status && status.error().code == base::Errc::kUnavailable) return;  // on_closed() follows
  if (!status && status.error().bus_name != "org.freedesktop.systemd1.AlreadySubscribed") {
    loop_.post([this, alive = alive_, why = status.error()] {
      if (*alive && !connected_) on_closed(why);
    });
    return;
  }
  connected_ = true;
  pause_ = options_.first_pause;
  socket_watch_.reset();
  notify([](UnitManagerListener& listener) { listener.on_connected(); });
}

void Systemd1Client::on_closed(const Error& why) {
  const std::shared_ptr<bool> alive = alive_;
  const Error copy = why;
  connection_.reset();
  retry_later();
  lose_connection(copy);
}

void Systemd1Client::lose_connection(const Error& why) {
  const std::shared_ptr<bool> alive = alive_;
  auto jobs = std::exchange(jobs_, {});
  for (auto& [id, done] : jobs) {
    if (*alive) done(base::unexpected(why));
  }
  if (*alive && std::exchange(connected_, false)) {
    notify([&](UnitManagerListener& listener) { listener.on_disconnected(why); });
  }
}

// --- Signals ---

void Systemd1Client::on_signal(const Message& message) {
  if (message.interface() == kPropertiesInterface) {
    if (message.member() == "PropertiesChanged") on_properties_changed(message);
    return;
  }
  if (message.interface() != kManagerInterface || message.path() != kSystemd1Path) return;
  if (message.member() == "JobRemoved") {
    on_job_removed(message);
  } else if (message.member() == "UnitRemoved") {
    Result<std::string> unit = MessageReader(message).string();
    if (!unit) return;
    notify([&](UnitManagerListener& listener) { listener.on_unit_removed(*unit); });
  } else if (message.member() == "Reloading") {
    Result<bool> active = MessageReader(message).boolean();
    if (!active || *active) return;
    notify([](UnitManagerListener& listener) { listener.on_reloaded(); });
  }
}

void Systemd1Client::on_job_removed(const Message& message) {
  MessageReader reader(message);
  const Result<uint32_t> id = reader.u32();
  const Result<std::string> path = reader.object_path();
  const Result<std::string> unit = reader.string();
  const Result<std::string> word = reader.string();
  if (!id || !path || !unit || !word) return;
  const JobRemoved job{*id, *unit, job_result_from_string(*word)};
  const std::shared_ptr<bool> alive = alive_;
  if (auto found = jobs_.find(job.id); found != jobs_.end()) {
    Done<JobResult> done = std::move(found->second);
    jobs_.erase(found);
    done(job.result);
  }
  if (*alive) notify([&](UnitManagerListener& listener) { listener.on_job_removed(job); });
}

void Systemd1Client::on_properties_changed(const Message& message) {
  const std::optional<std::string> unit = unit_of_path(message.path());
  if (!unit) return;
  MessageReader reader(message);
  const Result<std::string> interface = reader.string();
  if (!interface || *interface != kUnitInterface) return;
  const Result<Properties> properties = reader.properties();
  if (!properties) return;
  UnitChange change;
  change.name = *unit;
  change.load_state = string_property(*properties, "LoadState");
  change.active_state = string_property(*properties, "ActiveState");
  change.sub_state = string_property(*properties, "SubState");
  if (change.load_state.empty() && change.active_state.empty() && change.sub_state.empty()) return;
  const uint64_t entered = unsigned_property(*properties, "ActiveEnterTimestamp", UINT64_MAX);
  if (entered != UINT64_MAX) change.active_enter_usec = entered;
  notify([&](UnitManagerListener& listener) { listener.on_unit_changed(change); });
}

// --- Calls ---

void Systemd1Client::call_method(std::string_view path, std::string_view interface,
                                 std::string_view member, Micros timeout, const Fill& fill,
                                 Connection::Reply done) {
  auto fail = [&](Error error) {
    loop_.post([alive = alive_, error = std::move(error), done] {
      if (*alive) done(base::unexpected(error));
    });
  };
  if (!connected_ || connection_ == nullptr) return fail(not_connected());
  auto message = connection_->new_call(kSystemd1Service, path, interface, member);
  if (!message) return fail(std::move(message).error());
  if (fill) fill(*message);
  connection_->call(std::move(*message), timeout, std::move(done));
}

template <typename T>
void Systemd1Client::call_manager(std::string_view member, Micros timeout, const Fill& fill,
                                  std::function<Result<T>(MessageReader)> parse, Done<T> done) {
  call_method(kSystemd1Path, kManagerInterface, member, timeout, fill,
              [parse = std::move(parse), done = std::move(done)](Result<Message> reply) {
                if (!reply) return done(base::unexpected(std::move(reply).error()));
                done(parse(MessageReader(*reply)));
              });
}

void Systemd1Client::call_for_nothing(std::string_view member, Micros timeout, const Fill& fill,
                                      Done<void> done) {
  call_manager<void>(
      member, timeout, fill, [](MessageReader) { return Status(); }, std::move(done));
}

void Systemd1Client::link_unit_files(std::vector<std::string> paths,
                                     Done<std::vector<UnitFileChange>> done) {
  call_manager<std::vector<UnitFileChange>>(
      "LinkUnitFiles", kSlow,
      [&](MessageWriter& body) { body.strings(paths).boolean(true).boolean(true); },
      [](MessageReader reader) { return read_changes(reader); }, std::move(done));
}

void Systemd1Client::enable_unit_files(std::vector<std::string> names, Done<EnableOutcome> done) {
  call_manager<EnableOutcome>(
      "EnableUnitFiles", kSlow,
      [&](MessageWriter& body) { body.strings(names).boolean(true).boolean(true); },
      [](MessageReader reader) -> Result<EnableOutcome> {
        EnableOutcome outcome;
        FLOTILLA_ASSIGN(outcome.carries_install_info, reader.boolean());
        FLOTILLA_ASSIGN(outcome.changes, read_changes(reader));
        return outcome;
      },
      std::move(done));
}

void Systemd1Client::disable_unit_files(std::vector<std::string> names,
                                        Done<std::vector<UnitFileChange>> done) {
  call_manager<std::vector<UnitFileChange>>(
      "DisableUnitFiles", kSlow, [&](MessageWriter& body) { body.strings(names).boolean(true); },
      [](MessageReader reader) { return read_changes(reader); }, std::move(done));
}

void Systemd1Client::reload_daemon(Done<void> done) {
  call_for_nothing("Reload", kSlow, nullptr, std::move(done));
}

void Systemd1Client::run_job(std::string_view member, std::string_view unit, JobMode mode,
                             Done<JobResult> done) {
  call_method(
      kSystemd1Path, kManagerInterface, member, kSlow,
      [&](MessageWriter& body) { body.string(unit).string(to_string(mode)); },
      [this, done = std::move(done)](Result<Message> reply) {
        if (!reply) return done(base::unexpected(std::move(reply).error()));
        Result<std::string> path = MessageReader(*reply).object_path();
        const std::optional<uint32_t> id = path ? job_of_path(*path) : std::nullopt;
        if (!id) return done(base::internal("the service manager answered with no job"));
        // Two requests may be merged into one job.
        Done<JobResult>& waiting = jobs_[*id];
        if (waiting) {
          waiting = [first = std::move(waiting), second = done](Result<JobResult> result) {
            first(result);
            second(std::move(result));
          };
        } else {
          waiting = done;
        }
      });
}

void Systemd1Client::start(std::string_view unit, JobMode mode, Done<JobResult> done) {
  run_job("StartUnit", unit, mode, std::move(done));
}
void Systemd1Client::stop(std::string_view unit, JobMode mode, Done<JobResult> done) {
  run_job("StopUnit", unit, mode, std::move(done));
}
void Systemd1Client::restart(std::string_view unit, JobMode mode, Done<JobResult> done) {
  run_job("RestartUnit", unit, mode, std::move(done));
}

void Systemd1Client::kill(std::string_view unit, KillWho who, int signal, Done<void> done) {
  call_for_nothing(
      "KillUnit", kQuick,
      [&](MessageWriter& body) { body.string(unit).string(to_string(who)).i32(signal); },
      std::move(done));
}

void Systemd1Client::reset_failed(std::string_view unit, Done<void> done) {
  call_for_nothing(
      "ResetFailedUnit", kQuick, [&](MessageWriter& body) { body.string(unit); }, std::move(done));
}

void Systemd1Client::list_units_by_names(std::vector<std::string> names,
                                         Done<std::vector<UnitState>> done) {
  auto parse = [names](MessageReader reader) -> Result<std::vector<UnitState>> {
    FLOTILLA_ASSIGN(std::vector<UnitState> units, read_units(reader));
    return in_order_asked(names, std::move(units));
  };
  call_manager<std::vector<UnitState>>(
      "ListUnitsByNames", kQuick, [&](MessageWriter& body) { body.strings(names); }, parse,
      std::move(done));
}

void Systemd1Client::list_units(Done<std::vector<UnitState>> done) {
  auto parse = [](MessageReader reader) -> Result<std::vector<UnitState>> {
    FLOTILLA_ASSIGN(std::vector<UnitState> units, read_units(reader));
    std::sort(units.begin(), units.end(),
              [](const UnitState& a, const UnitState& b) { return a.name < b.name; });
    return units;
  };
  call_manager<std::vector<UnitState>>("ListUnits", kQuick, nullptr, parse, std::move(done));
}

void Systemd1Client::get_properties(std::string_view unit, Done<Properties> done) {
  // An empty interface asks for the properties of all of them at once.
  call_method(
      unit_path(unit), kPropertiesInterface, "GetAll", kQuick,
      [](MessageWriter& body) { body.string(""); },
      [done = std::move(done)](Result<Message> reply) {
        if (!reply) return done(base::unexpected(std::move(reply).error()));
        done(MessageReader(*reply).properties());
      });
}

void Systemd1Client::get_processes(std::string_view unit, Done<std::vector<UnitProcess>> done) {
  call_manager<std::vector<UnitProcess>>(
      "GetUnitProcesses", kQuick, [&](MessageWriter& body) { body.string(unit); }, read_processes,
      std::move(done));
}

}  // namespace flotilla::bus
