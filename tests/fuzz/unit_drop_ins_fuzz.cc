// libraries: flotilla_init
// Any bytes as a search path: files of a unit, its drop-ins, its template, links between them. The
// loader must make a unit of it, tell what changed, and enabling must leave no more than links.
#include <cstdlib>
#include <string>
#include <vector>

#include "base/memory_file_tree.h"
#include "init/bus_unit_files.h"
#include "init/unit_file_state.h"
#include "init/unit_loader.h"

namespace {

using namespace flotilla;        // NOLINT: a program of one file
using namespace flotilla::init;  // NOLINT

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr const char* kPlaces[] = {
    "/etc/u/a-b@x.service",         "/etc/u/a-b@.service",
    "/usr/lib/u/a-b@.service",      "/etc/u/a-b@x.service.d/1.conf",
    "/etc/u/a-b@.service.d/2.conf", "/usr/lib/u/a-.service.d/1.conf",
    "/usr/lib/u/service.d/3.conf",  "/etc/u/c.target",
    "/usr/lib/u/c.target",          "/usr/lib/u/d.slice",
};
constexpr const char* kLinks[] = {"/etc/u/alias@.service", "/etc/u/c.target.wants/a-b@x.service",
                                  "/etc/u/c.target.requires/a-b@.service", "/usr/lib/u/e.target"};

// Each part of the input begins with one byte that says where it goes.
void lay_out(std::string_view bytes, base::MemoryFileTree& tree) {
  constexpr size_t kFiles = std::size(kPlaces);
  while (!bytes.empty()) {
    const auto where = static_cast<unsigned char>(bytes[0]) % (kFiles + std::size(kLinks));
    bytes.remove_prefix(1);
    const std::string part(bytes.substr(0, bytes.find('\x01')));
    bytes.remove_prefix(std::min(bytes.size(), part.size() + 1));
    if (where < kFiles) {
      tree.add_file(kPlaces[where], part);
      continue;
    }
    const std::string link = kLinks[where - kFiles];
    if (!tree.make_directories(link.substr(0, link.rfind('/')), 0755)) continue;
    const bool is_path = !part.empty() && part.find('\0') == std::string::npos;
    (void)tree.make_symlink(is_path ? part : "/usr/lib/u/a-b@.service", link);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  base::MemoryFileTree tree;
  lay_out(bytes, tree);
  const std::vector<UnitDirectory> path{{"/etc/u", &tree}, {"/usr/lib/u", &tree}};
  UnitLoader loader(
      {path, unit::HostValues::of_system_manager(), ManagerScope::kSystem, "system.slice"});
  for (const char* name : {"a-b@x.service", "alias@x.service", "c.target", "e.target", "d.slice"}) {
    const UnitSettings settings = loader.load(unit::UnitName::parse(name).value());
    require(settings.load_state != LoadState::kStub);
    const bool has_failed = settings.load_state != LoadState::kLoaded;
    require(has_failed == !settings.extras->load_error.empty());
    require(!loader.is_outdated(settings) || has_failed);
    loader.refresh();
    loader.remember(settings, base::WallTime{base::Micros(INT64_MAX / 2)});
    (void)loader.is_unchanged(settings);
  }
  const unit::HostValues host = unit::HostValues::of_system_manager();
  UnitFileLinks links(tree, {path, "/run/u", "/etc/u", {}, &host});
  const auto before = links.list();
  for (const UnitFileState& file : before) require(!file.state.empty());
  (void)links.enable({"a-b@x.service"}, UnitFileLinks::Lifetime::kRuntime,
                     UnitFileLinks::Force::kNo);
  (void)links.preset_all(UnitFileLinks::Lifetime::kRuntime, UnitFileLinks::PresetMode::kFull,
                         UnitFileLinks::Force::kNo);
  (void)links.disable({"a-b@.service"}, UnitFileLinks::Lifetime::kRuntime);
  (void)links.revert({"a-b@x.service"});
  return 0;
}
