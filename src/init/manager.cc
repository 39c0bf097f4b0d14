#include "init/manager.h"

#include <algorithm>
#include <charconv>
#include <csignal>

#include "base/version.h"
#include "init/bus_unit_files.h"
#include "init/directives_values.h"
#include "init/manager_impl.h"
#include "unit/environment.h"
#include "unit/scalar.h"
#include "unit/words.h"

namespace flotilla::init {

using base::Errc;
using base::Result;
using base::Status;

Manager::Manager(ManagerOptions options, ManagerEdges edges)
    : impl_(std::make_unique<Impl>(std::move(options), edges)) {}
Manager::~Manager() = default;

void Manager::set_observer(ManagerObserver* observer) { impl_->observer = observer; }

// --- Units ---

const Unit* Manager::find_unit(std::string_view name) const { return impl_->find(name); }

Result<const Unit*> Manager::load_unit(std::string_view name) {
  FLOTILLA_ASSIGN(const Unit* unit, impl_->load(name));
  return unit;
}

const Unit* Manager::find_unit_by_pid(pid_t pid) const { return impl_->find_by_pid(pid); }

const Unit* Manager::find_unit_by_invocation(const std::array<uint8_t, 16>& id) const {
  for (const auto& unit : impl_->units) {
    if (unit && unit->invocation == id) return unit.get();
  }
  return nullptr;
}

std::vector<const Unit*> Manager::units() const {
  std::vector<const Unit*> all;
  for (const auto& unit : impl_->units) {
    if (unit) all.push_back(unit.get());
  }
  std::sort(all.begin(), all.end(), [](const Unit* a, const Unit* b) { return a->id < b->id; });
  return all;
}

std::vector<std::string> Manager::dependencies(const Unit& unit, Dependency kind) const {
  std::vector<std::string> names;
  for (const UnitId other : impl_->graph.dependencies(unit.graph_id, kind)) {
    names.push_back(impl_->graph.id(other));
  }
  return names;
}

std::vector<std::string> Manager::declared_dependencies(const Unit& unit, Dependency kind) const {
  std::vector<std::string> names;
  for (const UnitId other : impl_->graph.declared_by(unit.graph_id, kind)) {
    names.push_back(impl_->graph.id(other));
  }
  return names;
}

bool Manager::need_daemon_reload(const Unit& unit) const {
  return impl_->loader.is_outdated(unit.settings);
}

namespace {

const Manager::Impl::UnitFileFacts& unit_file_facts(Manager::Impl& impl, const Unit& unit) {
  static const Manager::Impl::UnitFileFacts kNone;
  if (unit.settings.fragment_directory.empty()) return kNone;
  const std::string& name = unit.id;
  const auto known = impl.unit_files.find(name);
  if (known != impl.unit_files.end()) return known->second;
  const UnitFileLinks links = unit_file_links(impl);
  Manager::Impl::UnitFileFacts facts{links.state_of(name).value_or("bad"),
                                     std::string(links.preset_of(name))};
  return impl.unit_files.emplace(name, std::move(facts)).first->second;
}

}  // namespace

std::string_view Manager::unit_file_state(const Unit& unit) const {
  return unit_file_facts(*impl_, unit).state;
}

std::string_view Manager::unit_file_preset(const Unit& unit) const {
  return unit_file_facts(*impl_, unit).preset;
}

// --- Requests ---

namespace {

Status not_loaded(std::string_view name) { return base::not_found("Unit {} not loaded.", name); }

}  // namespace

Status Manager::kill_unit(std::string_view name, KillWhom whom, int signal) {
  Unit* unit = impl_->find(name);
  if (unit == nullptr) return not_loaded(name);
  if (signal <= 0 || signal > SIGRTMAX) {
    return base::invalid("Signal number out of range.");
  }
  return impl_->kill(*unit, whom, signal);
}

Status Manager::reset_failed(std::string_view name) {
  Unit* unit = impl_->find(name);
  if (unit == nullptr) return not_loaded(name);
  return impl_->reset_failed(*unit);
}

void Manager::reset_failed_all() {
  for (const auto& unit : impl_->units) {
    if (unit) static_cast<void>(impl_->reset_failed(*unit));
  }
}

// The time of a directory may be too coarse to show that it changed.
void Manager::note_unit_files_changed() {
  impl_->loader.refresh();
  impl_->unit_files.clear();
}

Result<uint32_t> Manager::start_transient(const std::vector<TransientUnit>& wanted,
                                          std::string_view mode) {
  return impl_->start_transient(wanted, mode);
}

Status Manager::set_properties(std::string_view name, bool runtime,
                               const std::vector<PropertyText>& settings) {
  FLOTILLA_ASSIGN(Unit * unit, impl_->load(name));
  return impl_->set_properties(*unit, runtime, settings);
}

Status Manager::reload() {
  impl_->begin_reload(nullptr);
  return {};
}

void Manager::reload_then(std::function<void()> done) { impl_->begin_reload(std::move(done)); }

Status Manager::reexecute() {
  impl_->log(6, "Reexecuting.");
  impl_->reset_start_limits();
  impl_->edges.program.finish(FinalAction::kReexec, 0);
  return {};
}

Status Manager::set_environment(const std::vector<std::string>& assignments) {
  for (const std::string& assignment : assignments) {
    if (!unit::is_valid_assignment(assignment)) {
      return base::invalid("Invalid environment assignments");
    }
  }
  unit::Environment environment(impl_->client_environment);
  for (const std::string& assignment : assignments) environment.set_assignment(assignment);
  impl_->take_client_environment(environment.assignments());
  return {};
}

Status Manager::unset_environment(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!unit::is_valid_variable_name(name) && !unit::is_valid_assignment(name)) {
      return base::invalid("Invalid environment variable names or assignments");
    }
  }
  unit::Environment environment(impl_->client_environment);
  environment.unset_all(names);
  impl_->take_client_environment(environment.assignments());
  return {};
}

// --- The manager's own properties ---

std::string_view Manager::version() const {
  static const std::string text = fmt::format("252 (flotilla {})", base::kVersion);
  return text;
}

// In systemd's words for the libraries that it may be built with.
std::string_view Manager::features() const {
  return "+PAM -AUDIT -SELINUX -APPARMOR -IMA -SMACK +SECCOMP -GCRYPT -GNUTLS -OPENSSL -ACL -BLKID "
         "-CURL -ELFUTILS -FIDO2 -IDN2 -IDN -IPTC -KMOD -LIBCRYPTSETUP -LIBFDISK -PCRE2 -PWQUALITY "
         "-P11KIT -QRENCODE -TPM2 -BZIP2 -LZ4 -XZ -ZLIB -ZSTD -BPF_FRAMEWORK -XKBCOMMON +UTMP "
         "-SYSVINIT default-hierarchy=unified";
}

const ShownConf& Manager::shown_conf() const { return impl_->shown_conf; }

std::vector<std::string> Manager::environment() const { return impl_->options.environment; }

std::vector<std::string> Manager::unit_path() const {
  std::vector<std::string> paths;
  for (const UnitDirectory& directory : impl_->options.unit_directories) {
    paths.push_back(directory.path);
  }
  return paths;
}

std::string Manager::default_target() const {
  const Unit* unit = impl_->find("default.target");
  return unit == nullptr ? impl_->options.default_unit : unit->id;
}

Timestamps Manager::userspace_time() const { return impl_->userspace; }
Timestamps Manager::finish_time() const { return impl_->boot_finish; }
Timestamps Manager::units_load_start_time() const { return impl_->units_load_start; }
Timestamps Manager::units_load_finish_time() const { return impl_->units_load_finish; }

uint32_t Manager::n_names() const {
  uint32_t count = 0;
  for (const auto& unit : impl_->units) {
    if (unit) count += 1 + static_cast<uint32_t>(unit->settings.extras->aliases.size());
  }
  return count;
}

uint32_t Manager::n_jobs() const { return static_cast<uint32_t>(impl_->jobs.size()); }
uint32_t Manager::n_installed_jobs() const { return impl_->n_installed_jobs; }
uint32_t Manager::n_failed_jobs() const { return impl_->n_failed_jobs; }

uint32_t Manager::n_failed_units() const {
  return static_cast<uint32_t>(std::count_if(
      impl_->units.begin(), impl_->units.end(),
      [](const auto& unit) { return unit && unit->active() == ActiveState::kFailed; }));
}

std::string_view Manager::virtualization() const {
  const ConditionWorld& world = impl_->world();
  static constexpr std::string_view kContainers[] = {
      "docker", "lxc", "lxc-libvirt", "openvz", "podman", "proot", "rkt", "systemd-nspawn", "wsl"};
  if (world.virtualization == "none") return {};
  const bool is_known = std::find(std::begin(kContainers), std::end(kContainers),
                                  world.virtualization) != std::end(kContainers);
  if (world.is_container && !is_known) return "container-other";
  return world.virtualization;
}

Timestamps Manager::kernel_time() const {
  if (!impl_->options.is_pid1 || impl_->world().is_container) return {};
  const Timestamps now = impl_->now();
  Timestamps boot;
  boot.wall.since_epoch = now.wall.since_epoch - now.monotonic.since_epoch;
  return boot;
}

std::string_view Manager::architecture() const {
  const auto& architecture = impl_->options.host_values.architecture;
  return architecture ? std::string_view(*architecture) : std::string_view();
}
void Manager::set_bus_name_owned(std::string_view unit, bool is_owned) {
  Unit* service = impl_->find(unit);
  if (service == nullptr || !service->service) return;
  if (service->service->state.bus_name_owned == is_owned) return;
  using Kind = ServiceEvent::Kind;
  impl_->feed(*service, ServiceEvent::of(is_owned ? Kind::kBusNameAcquired : Kind::kBusNameLost));
}

UnitSettings Manager::default_service() const { return impl_->loader.default_service(); }

const std::optional<rlimit>& Manager::inherited_descriptors() const {
  return impl_->options.inherited_descriptors;
}
bool Manager::show_status() const { return impl_->show_status.value_or(false); }

base::Status Manager::set_show_status(std::string_view wish) {
  const auto flag = unit::parse_boolean(wish);
  const bool is_word = wish == "auto" || wish == "temporary" || wish == "error";
  if (!wish.empty() && !flag && !is_word) {
    return base::invalid("Invalid show status '{}'", wish);
  }
  impl_->show_status.reset();
  if (flag) impl_->show_status = *flag;
  if (wish == "temporary") impl_->show_status = true;
  return {};
}

std::string Manager::tainted() const {
  const base::FileTree& host = impl_->edges.host;
  std::string words;
  const auto add = [&](std::string_view word) {
    words.append(words.empty() ? "" : ":").append(word);
  };
  const auto bin = host.read_link("/bin");
  if (!bin || (*bin != "usr/bin" && *bin != "/usr/bin")) add("unmerged-usr");
  if (impl_->edges.tracker.kind() != TrackingKind::kCgroup) add("cgroups-missing");
  const auto var_run = host.canonical("/var/run");
  if (var_run && *var_run != "/run") add("var-run-bad");
  for (const char* kind : {"uid", "gid"}) {
    const auto text = host.read(fmt::format("/proc/sys/kernel/overflow{}", kind), 64);
    if (text && unit::trim(*text) != "65534") add(fmt::format("overflow{}-not-65534", kind));
  }
  return words;
}

int Manager::oom_score_adjust() const {
  const auto text = impl_->edges.host.read("/proc/self/oom_score_adj", 64);
  const std::string_view number = text ? unit::trim(*text) : std::string_view();
  int value = 0;
  std::from_chars(number.data(), number.data() + number.size(), value);
  return value;
}

const Timestamps& Manager::generators_start_time() const { return impl_->generators_begin; }
const Timestamps& Manager::generators_finish_time() const { return impl_->generators_end; }
const Timestamps& Manager::units_reload_time() const { return impl_->units_reload; }

std::vector<std::pair<uint32_t, std::string>> Manager::dynamic_users() const {
  std::vector<std::pair<uint32_t, std::string>> users;
  for (const auto& unit : impl_->units) {
    if (!unit || !unit->service || !unit->service->extras->sandbox) continue;
    const SandboxRuntime& sandbox = *unit->service->extras->sandbox;
    for (const DynamicUser* user : {sandbox.user.get(), sandbox.group.get()}) {
      if (user != nullptr && !user->is_refused) users.emplace_back(user->uid, user->name);
    }
  }
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());
  return users;
}
bool Manager::is_user_manager() const { return impl_->options.scope == ManagerScope::kUser; }
std::string_view Manager::process_tracking() const {
  return to_string(impl_->edges.tracker.kind());
}
std::string Manager::control_group() const { return impl_->options.control_group; }
int Manager::exit_code() const { return impl_->exit_code; }

}  // namespace flotilla::init
