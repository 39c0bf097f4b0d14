#include "init/manager_program.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <set>
#include <utility>

#include "init/cgroup.h"
#include "init/earlier_life.h"
#include "init/idle_memory.h"
#include "init/journal_sockets.h"
#include "init/manager_program_impl.h"
#include "init/manager_surroundings.h"
#include "init/mount_point.h"

namespace flotilla::init {
namespace {

using base::Result;
using base::RootedFileTree;
using base::Status;

constexpr const char kNotifyName[] = "notify";
constexpr const char kBusName[] = "private";
constexpr int kLockTries = 500;
constexpr useconds_t kLockPauseUsec = 10'000;
constexpr base::Micros kGraceOfEarlierLife{5'000'000};

std::string cgroup_name(pid_t keeper) { return fmt::format("flotilla-{}", keeper); }

}  // namespace

Status ManagerProgram::open_trees() {
  if (options_.scope == ManagerScope::kUser) {
    runtime_ = from_environment("XDG_RUNTIME_DIR");
    if (runtime_.empty()) return base::invalid("--user needs XDG_RUNTIME_DIR");
  }
  FLOTILLA_ASSIGN(tree_, RootedFileTree::open(options_.root));
  FLOTILLA_ASSIGN(host_, RootedFileTree::open("/"));
  return {};
}

// A process that the manager before was just starting shares its descriptors until it has exec'ed,
// and with them the lock.
Result<std::unique_ptr<StateFile>> ManagerProgram::open_state(const std::string& path,
                                                              const BootId& boot) {
  for (int tries = 0;; ++tries) {
    auto opened = StateFile::open(path, boot, problems_);
    const bool may_pass = !opened && opened.error().code == base::Errc::kConflict;
    if (!may_pass || inheritance_.start_number == 0 || tries >= kLockTries) return opened;
    usleep(kLockPauseUsec);
  }
}

Status ManagerProgram::open_runtime() {
  FLOTILLA_TRY(tree_->make_directories(runtime_ + "/systemd", 0755));
  FLOTILLA_TRY(tree_->make_directories(runtime_ + "/flotilla", 0755));
  runtime_on_host_ = tree_->host_path(runtime_);
  if (is_pid1_) {
    // sd_booted() asks for this directory.
    FLOTILLA_TRY(tree_->make_directories("/run/systemd/system", 0755));
    // It is closed to units that have no credentials, also to those that start before the others.
    FLOTILLA_TRY(tree_->make_directories("/run/credentials", 0755));
  }
  FLOTILLA_ASSIGN(const BootId boot, read_boot_id());
  for (const uint8_t byte : boot) boot_id_ += fmt::format("{:02x}", byte);
  const std::string state = runtime_host_path() + "/flotilla/state";
  FLOTILLA_ASSIGN(state_, open_state(state, boot));
  auto side = StateSideFile::open(state + ".side", boot, problems_);
  if (side) {
    side_ = std::move(*side);
  } else {
    problems_.push_back(side.error().message);
  }
  // Also where an earlier manager of this keeper died in the middle of that.
  const bool is_of_earlier_life = is_first() || state_->manager().keeper_pid != getppid();
  if (state_->is_inherited() && is_of_earlier_life) end_life_before();
  state_->edit_manager()->keeper_pid = getppid();
  return {};
}

// A new keeper means a new life: the exits of processes of an earlier one come to nobody.
void ManagerProgram::end_life_before() {
  const EarlierLife life = EarlierLife::of(*state_);
  // PID 1 is the keeper of every life.
  if (life.keeper == getppid()) state_->edit_manager()->keeper_pid = 0;
  std::string cgroup;
  const auto keeper = read_process_stat(life.keeper);
  const bool keeper_is_gone = life.keeper == getppid() || !keeper || keeper->is_dead();
  if (const auto place = find_own_cgroup2(); place && life.keeper > 1 && keeper_is_gone) {
    cgroup = place->mount_point + (place->own_path == "/" ? "" : place->own_path) + "/" +
             cgroup_name(life.keeper);
  }
  const size_t count = end_earlier_life(life, cgroup, kGraceOfEarlierLife);
  if (count != 0) {
    problems_.push_back(fmt::format("ended {} processes of an earlier life of the manager", count));
  }
  state_->clear();
  if (!side_) return;
  std::set<std::string> units;
  for (const auto& [key, text] : side_->entries()) units.insert(key.first);
  for (const std::string& unit : units) static_cast<void>(side_->erase_unit(unit));
}

Status ManagerProgram::make_edges() {
  FLOTILLA_ASSIGN(loop_, Loop::create());
  FLOTILLA_ASSIGN(spawner_, LinuxSpawner::create());
  FLOTILLA_ASSIGN(
      children_,
      Children::create(
          *loop_, Callback<void()>::to<&ManagerProgram::before_exits>(*this),
          Callback<void(const ChildExit&)>::to<&ManagerProgram::on_unknown_exit>(*this)));
  processes_ = std::make_unique<LinuxProcesses>(*children_);
  paths_ = std::make_unique<InotifyPaths>(*loop_);
  // The keeper stays when managers come and go, so its pid is the name of both.
  const std::string name = is_pid1_ ? std::string() : cgroup_name(getppid());
  tracker_ = make_process_tracker(*loop_, name, tracking_reason_);

  LogStreamsOptions log_options;
  log_options.program = find_log_program(options_);
  log_options.directory = tree_->host_path(
      options_.scope == ManagerScope::kUser ? runtime_ + "/flotilla/log" : "/var/log/flotilla");
  // Beside another PID 1 this is no place of ours.
  if (is_pid1_ || options_.scope == ManagerScope::kUser) {
    const std::string units = runtime_host_path() + "/systemd/units";
    links_ = std::make_unique<UnitLinks>(
        units, is_pid1_ ? UnitLinks::Kinds::kAll : UnitLinks::Kinds::kInvocation);
    if (is_pid1_) log_options.units = units;
  }
  logs_ = std::make_unique<LogStreams>(*loop_, *spawner_, *processes_, keeper_, log_options);
  make_helper();
  return {};
}

void ManagerProgram::make_helper() {
  SandboxPaths paths;
  paths.runtime = runtime_host_path();
  if (const std::string own = from_environment("CREDENTIALS_DIRECTORY"); !own.empty()) {
    paths.credential_stores.push_back(own);
  }
  for (const char* store :
       {"/etc/credstore", "/run/credstore", "/usr/local/lib/credstore", "/usr/lib/credstore"}) {
    paths.credential_stores.push_back(tree_->host_path(store));
  }
  users_ = std::make_unique<UserDb>(*host_);
  helper_ = std::make_unique<LinuxExecHelper>(
      *loop_, *spawner_, *users_, find_own_program("flotilla-exec"), std::move(paths), boot_id_);
}

void ManagerProgram::take_inheritance() {
  for (KeeperLink::Inheritance::Kept& kept : inheritance_.fds) {
    if (kept.name.compare(0, 3, "log") == 0) logs_->take_back(kept.name, std::move(kept.fd));
  }
  if (!is_pid1_ || find_log_program(options_).empty()) return;
  JournalSockets journal(runtime_host_path());
  for (KeeperLink::Inheritance::Kept& kept : inheritance_.fds) {
    journal.take_back(kept.name, kept.fd);
  }
  if (const auto opened = journal.open(keeper_); !opened) {
    problems_.push_back(opened.error().message);
  }
  journal.hand_over(*logs_);
}

ManagerOptions ManagerProgram::manager_options() {
  ManagerOptions options;
  options.scope = options_.scope;
  options.unit_directories = unit_directories(options_, *tree_, *host_);
  options.host_values = host_values(options_, *tree_, *host_, boot_id_);
  if (!options_.unit.empty()) options.default_unit = options_.unit;
  options.environment = service_environment(options_, is_pid1_);
  options.notify_socket = runtime_host_path() + "/systemd/notify";
  options.runtime_directory = runtime_;
  if (options_.scope == ManagerScope::kUser) {
    std::string config = from_environment("XDG_CONFIG_HOME");
    if (config.empty()) config = from_environment("HOME") + "/.config";
    options.config_directory = config + "/systemd/user";
    options.runtime_unit_directory = runtime_ + "/systemd/user";
  }
  options.inherited_descriptors = inherited_descriptors_;
  if (const auto* cgroups = dynamic_cast<const CgroupTracker*>(tracker_.get())) {
    options.control_group = cgroups->root_path();
  }
  options.log_level = options_.log_level;
  options.is_pid1 = is_pid1_;
  options.lists_mounts = owns_mounts(options_.scope, is_pid1_);
  return options;
}

Status ManagerProgram::make_manager() {
  manager_ = std::make_unique<Manager>(
      manager_options(),
      ManagerEdges{*loop_, *spawner_, *tracker_, *processes_, *tree_, *host_, *state_, side_.get(),
                   *logs_, *this, *paths_, &keeper_, helper_.get(), links_.get()});
  logs_->set_level(manager_->impl().options.log_level);
  for (const std::string& problem : problems_) manager_->impl().log(4, problem);
  if (!tracking_reason_.empty()) manager_->impl().log(6, tracking_reason_);
  if (inheritance_.previous_crashed) manager_->impl().log(3, "The manager before crashed.");

  base::Fd inherited;
  for (KeeperLink::Inheritance::Kept& kept : inheritance_.fds) {
    if (kept.name == kNotifyName) inherited = std::move(kept.fd);
    if (Manager::Impl::is_kept_for_fd_store(kept.name)) {
      manager_->impl().take_back_stored(kept.name, std::move(kept.fd));
    }
  }
  if (inherited) {
    FLOTILLA_ASSIGN(notify_, NotifySocket::adopt(std::move(inherited)));
  } else {
    FLOTILLA_ASSIGN(notify_, NotifySocket::create(manager_->impl().options.notify_socket));
    to_keep_.push_back({kNotifyName, notify_->fd()});
  }
  FLOTILLA_TRY(notify_->attach(
      *loop_,
      Callback<void(const NotifySender&, const NotifyMessage&)>::to<&Manager::Impl::on_notify>(
          manager_->impl()),
      Callback<void(std::string_view)>::to<&ManagerProgram::on_notify_problem>(*this),
      state_->notify_attempts()));
  return {};
}

Status ManagerProgram::open_bus() {
  base::Fd listening;
  for (KeeperLink::Inheritance::Kept& kept : inheritance_.fds) {
    if (kept.name == kBusName) listening = std::move(kept.fd);
  }
  if (!listening) {
    FLOTILLA_ASSIGN(listening, listen_for_bus(runtime_host_path() + "/systemd/private"));
    to_keep_.push_back({kBusName, listening.get()});
  }
  bus_loop_ = std::make_unique<BusLoop>(*loop_);
  bus_ = std::make_unique<BusFacade>(
      *bus_loop_, *manager_, std::move(listening),
      [this](const std::string& text) { manager_->impl().log(5, text); });
  bus_->set_on_quiet(Callback<void()>::to<&ManagerProgram::rest_soon>(*this));
  if (options_.scope == ManagerScope::kSystem) {
    bus_->set_system_bus(runtime_host_path() + "/dbus/system_bus_socket");
  } else {
    bus_->set_system_bus(runtime_host_path() + "/bus");
  }
  return {};
}

// In one message, and not before the first service: each wakes the keeper. A manager that dies
// before that leaves to the next to make them anew.
void ManagerProgram::keep_sockets() {
  if (to_keep_.empty()) return;
  const Status stored = keeper_.store(std::exchange(to_keep_, {}));
  if (!stored) manager_->impl().log(3, stored.error().message);
}

Result<int> ManagerProgram::run() {
  is_pid1_ = getppid() == 1 && options_.root == "/" && options_.scope == ManagerScope::kSystem;
  if (is_pid1_) mount_basics();
  signal(SIGPIPE, SIG_IGN);
  inherited_descriptors_ = raise_descriptor_limit(is_pid1_);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  umask(0022);
  FLOTILLA_ASSIGN(inheritance_, keeper_.receive_inheritance());
  start_number_ = inheritance_.start_number;
  FLOTILLA_TRY(open_trees());
  FLOTILLA_TRY(open_runtime());
  FLOTILLA_TRY(make_edges());
  FLOTILLA_TRY(watch_signals());
  take_inheritance();
  FLOTILLA_TRY(make_manager());
  const bool adopted = manager_->impl().adopt();
  logs_->drop_unclaimed();
  manager_->impl().drop_unclaimed_stored();
  for (const KeeperExit& exit : inheritance_.exits) on_keeper_exit(exit);
  if (adopted) manager_->impl().look_for_gone_processes();
  FLOTILLA_TRY(keeper_.attach(
      *loop_, Callback<void(const KeeperExit&)>::to<&ManagerProgram::on_keeper_exit>(*this),
      Callback<void()>::to<&ManagerProgram::on_keeper_gone>(*this)));
  FLOTILLA_TRY(open_bus());
  inheritance_ = {};
  if (!adopted) manager_->impl().boot();
  return loop_->run();
}

void ManagerProgram::on_turn() {
  tracker_->check_empty();
  manager_->impl().run_turn();
  keep_sockets();
  if (last_exit_ != 0) keeper_.acknowledge(std::exchange(last_exit_, 0));
  if (!has_booted_ && manager_->impl().boot_finish.is_set()) {
    has_booted_ = true;
    rest_soon();
  }
}

void ManagerProgram::on_rest() {
  state_->release_pages();
  manager_->impl().give_back_room();
  logs_->rest();
  release_idle_memory();
}

void ManagerProgram::on_keeper_exit(const KeeperExit& exit) {
  before_exits();
  children_->deliver(exit.exit);
  last_exit_ = exit.sequence;
  request_turn();
}

void ManagerProgram::before_exits() {
  if (notify_) notify_->drain();
}

void ManagerProgram::on_unknown_exit(const ChildExit&) { request_turn(); }

// Without a keeper nobody would start us again: end in good order while that can be done.
void ManagerProgram::on_keeper_gone() {
  manager_->impl().log(1, "The keeper is gone; stopping all services.");
  children_->watch_strangers(*loop_);
  manager_->impl().begin_shutdown(FinalAction::kExit, 1);
}

// The cgroups that were made for this manager; those of units are gone with them.
void ManagerProgram::remove_cgroups() {
  const auto* cgroups = dynamic_cast<const CgroupTracker*>(tracker_.get());
  if (cgroups == nullptr || is_pid1_) return;
  const auto place = find_own_cgroup2();
  if (!place || cgroups->root_path() == "/") return;
  std::vector<std::string> paths{place->mount_point + cgroups->root_path()};
  for (size_t i = 0; i < paths.size(); ++i) {
    const auto entries = host_->list(paths[i]);
    if (!entries) continue;
    for (const base::DirectoryEntry& entry : *entries) {
      if (entry.kind == base::FileKind::kDirectory) paths.push_back(paths[i] + "/" + entry.name);
    }
  }
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) rmdir(path->c_str());
}

void ManagerProgram::remove_file(const std::string& path) { unlink(path.c_str()); }

void ManagerProgram::finish(FinalAction action, int exit_code) {
  if (action == FinalAction::kReexec) {
    logs_->flush();
    keep_sockets();
    if (const auto asked = keeper_.request_reexec(); !asked) {
      manager_->impl().log(3, asked.error().message);
      return;
    }
    return loop_->exit(0);
  }
  const auto end = action == FinalAction::kReboot     ? MachineEnd::kReboot
                   : action == FinalAction::kPoweroff ? MachineEnd::kPoweroff
                   : action == FinalAction::kHalt     ? MachineEnd::kHalt
                                                      : MachineEnd::kNone;
  // From here on the keeper ends, however we do: a next manager would boot again.
  static_cast<void>(keeper_.request_shutdown(exit_code, end));
  logs_->shut_down();
  // Nothing is left that a later manager could take over.
  for (const char* name : {"/flotilla/state", "/flotilla/state.side"}) {
    static_cast<void>(tree_->remove(runtime_ + name));
  }
  remove_cgroups();
  loop_->exit(exit_code);
}

int run_manager(const ProgramOptions& options, int link_fd) {
  auto program = std::make_unique<ManagerProgram>(options, link_fd);
  const auto code = program->run();
  if (code) return *code;
  fmt::print(stderr, "flotilla-init: fatal: {}\n", code.error().message);
  // The first manager would fail the same way again; a later one has services to come back to, and
  // the keeper tries until it gives up.
  if (program->is_first())
    static_cast<void>(program->keeper().request_shutdown(1, MachineEnd::kNone));
  return 1;
}

}  // namespace flotilla::init
