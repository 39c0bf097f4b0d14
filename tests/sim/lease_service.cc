#include "sim/lease_service.h"

#include <fstream>
#include <sstream>

#include "agent/lease_unit.h"

namespace flotilla::sim {

namespace {

using bus::Done;

// A connection of its own to the one service manager.
class Connection final : public bus::UnitManager {
 public:
  explicit Connection(bus::UnitManager& manager) : manager_(manager) {}

  bool is_connected() const override { return manager_.is_connected(); }
  base::RegistrationPtr subscribe(bus::UnitManagerListener& listener) override {
    return manager_.subscribe(listener);
  }
  void link_unit_files(std::vector<std::string> paths,
                       Done<std::vector<bus::UnitFileChange>> done) override {
    manager_.link_unit_files(std::move(paths), std::move(done));
  }
  void enable_unit_files(std::vector<std::string> names, Done<bus::EnableOutcome> done) override {
    manager_.enable_unit_files(std::move(names), std::move(done));
  }
  void disable_unit_files(std::vector<std::string> names,
                          Done<std::vector<bus::UnitFileChange>> done) override {
    manager_.disable_unit_files(std::move(names), std::move(done));
  }
  void reload_daemon(Done<void> done) override { manager_.reload_daemon(std::move(done)); }
  void start(std::string_view unit, bus::JobMode mode, Done<bus::JobResult> done) override {
    manager_.start(unit, mode, std::move(done));
  }
  void stop(std::string_view unit, bus::JobMode mode, Done<bus::JobResult> done) override {
    manager_.stop(unit, mode, std::move(done));
  }
  void restart(std::string_view unit, bus::JobMode mode, Done<bus::JobResult> done) override {
    manager_.restart(unit, mode, std::move(done));
  }
  void kill(std::string_view unit, bus::KillWho who, int signal, Done<void> done) override {
    manager_.kill(unit, who, signal, std::move(done));
  }
  void reset_failed(std::string_view unit, Done<void> done) override {
    manager_.reset_failed(unit, std::move(done));
  }
  void list_units_by_names(std::vector<std::string> names,
                           Done<std::vector<bus::UnitState>> done) override {
    manager_.list_units_by_names(std::move(names), std::move(done));
  }
  void list_units(Done<std::vector<bus::UnitState>> done) override {
    manager_.list_units(std::move(done));
  }
  void get_properties(std::string_view unit, Done<bus::Properties> done) override {
    manager_.get_properties(unit, std::move(done));
  }
  void get_processes(std::string_view unit, Done<std::vector<bus::UnitProcess>> done) override {
    manager_.get_processes(unit, std::move(done));
  }

 private:
  bus::UnitManager& manager_;
};

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

LeaseService::LeaseService(MachineLoop& loop, bus::FakeUnitManager& manager, std::string directory,
                           std::string boot_id)
    : loop_(loop),
      manager_(manager),
      directory_(std::move(directory)),
      boot_id_(std::move(boot_id)) {}

LeaseService::~LeaseService() { *alive_ = false; }

bool LeaseService::is_bound(const std::string& unit) const {
  return read_file(directory_ + "/" + unit).find("BindsTo=" + std::string(agent::kLeaseUnit)) !=
         std::string::npos;
}

void LeaseService::on_unit_changed(const std::string& unit) {
  if (unit == agent::kLeaseUnit) return;
  const std::string active = manager_.state_of(unit).active_state;
  const bool runs = active == "active" || active == "activating";
  if (runs == bound_.contains(unit) || (runs && !is_bound(unit))) return;
  if (runs) {
    bound_.insert(unit);
  } else {
    bound_.erase(unit);
  }
  tell_bound();
  if (runs && !guard_) start();
}

void LeaseService::tell_bound() {
  bus::Value list{"as", std::vector<bus::Value>()};
  for (const std::string& unit : bound_) {
    std::get<std::vector<bus::Value>>(list.data).push_back({"s", unit});
  }
  manager_.set_property(agent::kLeaseUnit, "BoundBy", list);
}

void LeaseService::start() {
  agent::LeaseGuardParts parts{
      loop_,
      boot_id_,
      agent::kLeaseUnit,
      [this] { return agent::decode_lease_record(read_file(directory_ + "/.lease")); },
      [this](base::BoottimeTime at) {
        timer_ = loop_.after(at - loop_.clock().boottime(), [this] { look(); });
      },
      [this] { return std::make_unique<Connection>(manager_); },
      [](std::string_view) {},
      [this](int exit_code) { end(exit_code); }};
  guard_ = std::make_unique<agent::LeaseGuard>(std::move(parts));
  manager_.start(agent::kLeaseUnit, bus::JobMode::kReplace, [](const auto&) {});
  look();
}

// When it is time, and, instead of inotify, now and then.
void LeaseService::look() {
  if (!guard_) return;
  poll_ = loop_.after(std::chrono::milliseconds(500), [this] { look(); });
  guard_->look();
}

// The service manager stops what is bound to it.
void LeaseService::end(int exit_code) {
  // Not from inside.
  loop_.post([this, alive = alive_, exit_code] {
    if (!*alive || !guard_) return;
    guard_.reset();
    timer_.reset();
    poll_.reset();
    manager_.end_process(agent::kLeaseUnit, exit_code != 0);
    for (const std::string& unit : std::set<std::string>(bound_)) {
      manager_.stop(unit, bus::JobMode::kReplace, [](const auto&) {});
    }
  });
}

}  // namespace flotilla::sim
