// The unit arguments of a verb: their names, and the lazy creation of units that are not in the
// registry yet (from a local file, or from a template in the registry or beside it).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fctl/context.h"

namespace flotilla::fctl {

// ".service" is appended to what does not end in a type that fleetctl knows.
std::string with_default_type(std::string_view argument);
// The base name of the argument with its type: what the unit is called.
std::string unit_name_of(std::string_view argument);
// The names of all arguments, in order.
std::vector<std::string> unit_names_of(const std::vector<std::string>& arguments);

// The command a unit is created for decides whether --replace may overwrite it in its present
// state.
enum class Purpose { kSubmit, kLoad, kStart, kRestart };

// Makes sure that every argument's unit is in the registry; waits until a new one shows its state
// and prints "Unit X inactive". Warns where a local file differs; overwrites it with --replace. The
// first error stops the rest; units made before it stay.
base::Status create_units_lazily(Context& context, Purpose purpose);

// The units of the arguments that are in the registry, sorted by name as the registry lists them.
// Unknown ones are left out.
base::Result<std::vector<client::Unit>> find_units(Context& context);

// The local file that an argument stands for: its own, or that of its template. `kind` is what
// fleetctl calls it: "unit file", "template unit file".
struct LocalFile {
  std::optional<std::vector<unit::UnitOption>> options;
  std::string_view kind = "unit file";
};
base::Result<LocalFile> find_local_file(Context& context, const std::string& path,
                                        const std::string& name);

// What fleetctl says where the local file is another than the registry's; nothing where it is not.
void warn_if_different(Context& context, const std::vector<unit::UnitOption>& stored,
                       const std::vector<unit::UnitOption>& local, const std::string& name,
                       const std::string& path, std::string_view kind);

// Whether two texts are the same to fleet: by their hashes.
bool same_options(const std::vector<unit::UnitOption>& a, const std::vector<unit::UnitOption>& b);

// On a terminal, names the units of the registry that a mistyped name may have meant.
void suggest_units(Context& context, const std::string& name);

// Whether [X-Fleet] makes it a unit that runs on every machine.
bool is_global(const client::Unit& unit);

}  // namespace flotilla::fctl
