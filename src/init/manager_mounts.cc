// Mounts: when the manager looks at what is mounted, and what it makes of it.
//
// Nobody looks before there is need: the first .mount unit that is loaded makes the table read and
// watched, and the first client of the bus (or the shutdown) makes a unit of every mount. A service
// that needs a path is ordered behind the mount units on its way that are loaded or have files, and
// requires the latter; so it is with those that come later.
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>

#include "init/loop.h"
#include "init/manager_impl.h"
#include "init/manager_state_flags.h"
#include "init/mount_point.h"
#include "init/mount_table.h"

namespace flotilla::init {
namespace {

using unit::UnitName;
using unit::UnitType;
using Kind = ServiceEvent::Kind;

constexpr char kMountinfo[] = "/proc/self/mountinfo";
constexpr size_t kMaxMountinfo = size_t{16} << 20;
constexpr std::string_view kRootMount = "-.mount";

bool is_at_or_below(std::string_view path, std::string_view top) {
  if (top == "/") return true;
  return path.substr(0, top.size()) == top &&
         (path.size() == top.size() || path[top.size()] == '/');
}

const std::string& where_of(const Unit& unit) { return unit.settings.extras->mount->where; }

}  // namespace

struct Manager::Impl::Mounts {
  explicit Mounts(Impl& owner)
      : impl(owner),
        source(Priority::kTracking, Callback<void(uint32_t)>::to<&Mounts::on_change>(*this)) {}
  void on_change(uint32_t) { impl.refresh_mounts(); }

  Impl& impl;
  MountTable table;
  base::Fd fd;  // outlives its watch
  FdSource source;
  bool is_first_look = true;
  bool is_listed = false;
};

// --- The table ---

void Manager::Impl::know_mounts() {
  if (mounts_) return;
  mounts_ = std::make_shared<Mounts>(*this);
  loader.set_mounts(&mounts_->table);
  mounts_->fd.reset(open(edges.host.host_path(kMountinfo).c_str(), O_RDONLY | O_CLOEXEC));
  // Before the first look: what changes behind it is told.
  if (mounts_->fd) {
    static_cast<void>(edges.program.watch(mounts_->source, mounts_->fd.get(), EPOLLPRI));
  }
  refresh_mounts();
  mounts_->is_first_look = false;
}

void Manager::Impl::list_mounts() {
  if (!options.lists_mounts || (mounts_ && mounts_->is_listed)) return;
  know_mounts();
  mounts_->is_listed = true;
  mounts_->is_first_look = true;
  static_cast<void>(load(kRootMount));
  std::vector<std::string> names;
  for (const auto& [where, line] : mounts_->table.lines()) names.push_back(mount_unit_of(where));
  for (const std::string& name : names) {
    // A path too long for the name of a file is of no unit.
    if (!name.empty()) static_cast<void>(load(name));
  }
  mounts_->is_first_look = false;
}

void Manager::Impl::refresh_mounts() {
  if (!mounts_) return;
  const auto text = edges.host.read(kMountinfo, kMaxMountinfo);
  if (!text) return;
  const MountTable::Changes changes = mounts_->table.take(*text);
  if (mounts_->is_first_look) return;
  for (const std::string& where : changes.gone) on_unmounted(where);
  for (const std::string& where : changes.changed) on_mounted(where);
}

const MountLine* Manager::Impl::mount_line(const Unit& unit) const {
  return mounts_ && is_mount(unit) ? mounts_->table.find(where_of(unit)) : nullptr;
}

bool Manager::Impl::is_mounted(const Unit& unit) const {
  return unit.id == kRootMount || mount_line(unit) != nullptr;
}

// --- What others mount and unmount ---

void Manager::Impl::on_mounted(const std::string& where) {
  const std::string name = mount_unit_of(where);
  Unit* unit = find(name);
  if (unit == nullptr && (!mounts_->is_listed || name.empty())) return;
  if (unit == nullptr || unit->settings.load_state == LoadState::kNotFound) {
    static_cast<void>(load(name));
    return;
  }
  if (unit->service) return feed(*unit, ServiceEvent::of(Kind::kMounted));
  note_changed(*unit);
  if (unit->simple_active || unit->settings.load_state != LoadState::kLoaded) return;
  begin_run(*unit);
  unit->simple_active = true;
  change_state(*unit, ActiveState::kActive, false);
}

void Manager::Impl::on_unmounted(const std::string& where) {
  Unit* unit = find(mount_unit_of(where));
  if (unit == nullptr || unit->id == kRootMount) return;
  if (unit->service) return feed(*unit, ServiceEvent::of(Kind::kUnmounted));
  if (!unit->simple_active) return;
  edges.logs.message(unit->id, 6, unit->id + ": Deactivated successfully.");
  unit->simple_active = false;
  change_state(*unit, ActiveState::kInactive, false);
}

// --- Units ---

// Loaded, or loaded anew: it is what the kernel says, and began with the manager if it was there
// before anybody looked.
void Manager::Impl::take_mount(Unit& unit) {
  const bool is_new = !unit.service && !unit.simple_active &&
                      unit.settings.load_state == LoadState::kLoaded && is_mounted(unit);
  if (!is_new) return;
  begin_run(unit);
  unit.simple_active = true;
  unit.note_active_since(mounts_ && mounts_->is_first_look ? userspace : now());
  active_states[unit.graph_id] = ActiveState::kActive;
}

// From its first job on a mount has what a service has.
void Manager::Impl::ensure_mount_runtime(Unit& unit) {
  if (unit.service) return;
  unit.service = std::make_unique<ServiceRuntime>(*this, unit);
  unit.service->state.sub = unit.simple_active ? ServiceSubState::kMounted : ServiceSubState::kDead;
  unit.simple_active = false;
}

void Manager::Impl::adopt_mount(Unit& unit, const UnitRecord& record) {
  // What was only seen to be mounted is seen again.
  if (record.sub_state == 0 && (record.flags & kSpawnPending) == 0) return;
  ensure_mount_runtime(unit);
}

bool Manager::Impl::prepare_mount(const Unit& unit) {
  const MountSettings& mount = *unit.settings.extras->mount;
  if (mount.what.substr(0, 1) == "/" && is_bind_mount(mount.options, mount.type)) {
    static_cast<void>(make_mount_point(mount.what, mount.directory_mode));
  }
  if (const auto made = make_mount_point(mount.where, mount.directory_mode); !made) {
    edges.logs.message(unit.id, 3, fmt::format("{}: {}", unit.id, made.error().message));
    return false;
  }
  if (is_filled_directory(mount.where)) {
    edges.logs.message(unit.id, 5,
                       fmt::format("{}: Directory {} to mount over is not empty, mounting anyway.",
                                   unit.id, mount.where));
  }
  return true;
}

// --- Who needs what ---

void Manager::Impl::link_to_mount(UnitId unit, const Unit& mount) {
  if (unit == mount.graph_id || mount.settings.load_state != LoadState::kLoaded) return;
  graph.add(unit, Dependency::kAfter, mount.graph_id);
  if (!mount.settings.fragment_directory.empty()) {
    graph.add(unit, Dependency::kRequires, mount.graph_id);
  }
}

void Manager::Impl::link_mounts(Unit& unit) {
  // What cannot be used is in nobody's way.
  if (unit.settings.load_state != LoadState::kLoaded) return;
  if (unit.settings.extras.is_set()) {
    for (const std::string& path : unit.settings.extras->requires_mounts_for) {
      for (const std::string& above : paths_above(path)) {
        const Unit* mount = find(mount_unit_of(above));
        if (mount != nullptr) link_to_mount(unit.graph_id, *mount);
      }
    }
  }
  if (!is_mount(unit)) return;
  const std::string& where = where_of(unit);
  for (const auto& other : units) {
    if (!other || !other->settings.extras.is_set()) continue;
    if (other->settings.load_state != LoadState::kLoaded) continue;
    const auto& paths = other->settings.extras->requires_mounts_for;
    if (std::any_of(paths.begin(), paths.end(),
                    [&](const std::string& path) { return is_at_or_below(path, where); })) {
      link_to_mount(other->graph_id, unit);
    }
  }
}

// Mounts that have files and are on the way to what the unit needs.
std::vector<UnitName> Manager::Impl::mounts_to_load(const Unit& unit) const {
  std::vector<UnitName> names;
  if (!unit.settings.extras.is_set() || unit.settings.load_state != LoadState::kLoaded) {
    return names;
  }
  for (const std::string& path : unit.settings.extras->requires_mounts_for) {
    for (const std::string& above : paths_above(path)) {
      auto name = UnitName::from_path(above, UnitType::kMount);
      if (name && loader.index().has(name->str()) && find(name->str()) == nullptr) {
        names.push_back(std::move(*name));
      }
    }
  }
  return names;
}

void Manager::list_mounts() { impl_->list_mounts(); }

const MountLine* Manager::mount_line(const Unit& unit) const { return impl_->mount_line(unit); }

}  // namespace flotilla::init
