#include "fctl/unit_args.h"

#include <array>
#include <cerrno>
#include <map>
#include <set>

#include "fctl/log_line.h"
#include "fctl/waiting.h"
#include "unit/fleet_file.h"
#include "unit/fleet_name.h"
#include "unit/fleet_requirements.h"

namespace flotilla::fctl {
namespace {

using Options = std::vector<unit::UnitOption>;

std::string sibling_of(const std::string& path, const std::string& name) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? name : path.substr(0, slash + 1) + name;
}

// nullopt if there is no such file.
base::Result<std::optional<Options>> read_unit_file(Context& context, const std::string& path) {
  base::Result<std::string> text = context.environment.read_file(path);
  if (!text) {
    // The longest names of units are longer than any file's.
    const bool cannot_exist = text.error().error_number == ENAMETOOLONG;
    if (cannot_exist || text.error().code == base::Errc::kNotFound) return std::optional<Options>();
    return base::invalid("failed getting Unit({}) from file: {}", path, text.error().message);
  }
  base::Result<Options> options = unit::parse_fleet_file(*text);
  if (!options)
    return base::invalid("failed getting Unit({}) from file: {}", path, options.error().message);
  // As the registry will have it: a last line that ends in a backslash is another one there.
  if (auto stored = unit::parse_fleet_file(unit::serialize(*options))) options = std::move(*stored);
  return std::optional<Options>(std::move(*options));
}

base::Result<std::optional<client::Unit>> registered(Context& context, const std::string& name) {
  base::Result<std::optional<client::Unit>> unit = context.api.unit(name);
  if (!unit) {
    return base::unavailable("error retrieving Unit({}) from Registry: {}", name,
                             unit.error().message);
  }
  return unit;
}

// What the registry has, asked for each name once.
using Known = std::map<std::string, std::optional<client::Unit>>;

base::Result<std::optional<client::Unit>> known_unit(Context& context, Known& known,
                                                     const std::string& name) {
  const auto found = known.find(name);
  if (found != known.end()) return found->second;
  FLOTILLA_ASSIGN(std::optional<client::Unit> unit, registered(context, name));
  known.emplace(name, unit);
  return unit;
}

// What an argument that is not in the registry stands for.
base::Result<Options> find_options(Context& context, Known& known, const std::string& path,
                                   const std::string& name) {
  FLOTILLA_ASSIGN(std::optional<Options> local, read_unit_file(context, path));
  if (local) return std::move(*local);

  const std::optional<unit::FleetName> parts = unit::split_fleet_name(name);
  if (!parts || !parts->is_instance()) {
    return base::not_found("unable to find Unit({}) in Registry or on filesystem", name);
  }
  const std::string template_path = sibling_of(path, parts->template_name);
  FLOTILLA_ASSIGN(std::optional<client::Unit> stored,
                  known_unit(context, known, parts->template_name));
  FLOTILLA_ASSIGN(std::optional<Options> beside, read_unit_file(context, template_path));
  if (stored) {
    if (beside) {
      warn_if_different(context, stored->options, *beside, parts->template_name, path,
                        "template unit file");
    }
    return std::move(stored->options);
  }
  if (beside) return std::move(*beside);
  return base::not_found(
      "failed getting Unit({}) from template: unable to find template Unit({}) in Registry or on "
      "filesystem",
      path, parts->template_name);
}

bool may_replace(Purpose purpose, const std::string& desired_state) {
  switch (purpose) {
    case Purpose::kSubmit:
      return desired_state == "inactive";
    case Purpose::kLoad:
      return desired_state == "inactive" || desired_state == "loaded";
    case Purpose::kStart:
    case Purpose::kRestart:
      return true;
  }
  return false;
}

// The options to overwrite an existing unit with, or nullopt if it is to stay as it is.
base::Result<std::optional<Options>> find_replacement(Context& context, Purpose purpose,
                                                      const std::string& path,
                                                      const client::Unit& stored) {
  FLOTILLA_ASSIGN(LocalFile local, find_local_file(context, path, stored.name));
  if (!context.flags.is_set("replace") || purpose == Purpose::kRestart) {
    if (local.options) {
      warn_if_different(context, stored.options, *local.options, stored.name, path, local.kind);
    }
    return std::optional<Options>();
  }
  if (!local.options) {
    const std::optional<unit::FleetName> parts = unit::split_fleet_name(stored.name);
    if (parts && parts->is_instance()) return std::optional<Options>();
    return base::not_found("error Unit {} does not seem to be a template unit", path);
  }
  if (same_options(stored.options, *local.options)) {
    context.output.out_line("Found same Unit(" + stored.name + ") in Registry, nothing to do");
    return std::optional<Options>();
  }
  if (!may_replace(purpose, stored.desired_state)) {
    context.output.err_line(
        fmt::format("Warning: can not replace Unit({}) in state '{}', use the appropriate command",
                    stored.name, stored.desired_state));
    return std::optional<Options>();
  }
  return std::move(local.options);
}

// Checks what is to be created, as the API would.
base::Result<client::Unit> prepare(Context& context, const std::string& name, Options options) {
  FLOTILLA_TRY(unit::validate_fleet_options(options));
  const unit::FleetRequirements requirements = unit::extract_requirements(options, name);
  if (!requirements.unknown.empty()) {
    context.output.err_line(
        warning_line(fmt::format("Unit {}: unrecognized requirement in [X-Fleet] section: \"{}\"",
                                 name, requirements.unknown.front())));
  }
  client::Unit unit;
  unit.name = name;
  unit.desired_state = "inactive";
  unit.options = std::move(options);
  return unit;
}

// The unit that an argument asks to create or to overwrite; nullopt if there is nothing to do.
base::Result<std::optional<client::Unit>> unit_to_create(Context& context, Purpose purpose,
                                                         Known& known,
                                                         const std::string& argument) {
  const std::string path = with_default_type(argument);
  const std::string name = unit_name_of(argument);
  FLOTILLA_TRY(unit::validate_fleet_name(name));
  FLOTILLA_ASSIGN(const std::optional<client::Unit> stored, known_unit(context, known, name));
  std::optional<Options> options;
  if (stored) {
    FLOTILLA_ASSIGN(options, find_replacement(context, purpose, path, *stored));
    if (!options) return std::optional<client::Unit>();
  } else {
    FLOTILLA_ASSIGN(options, find_options(context, known, path, name));
  }
  FLOTILLA_ASSIGN(client::Unit unit, prepare(context, name, std::move(*options)));
  known[name] = unit;
  return std::optional<client::Unit>(std::move(unit));
}

// Asks for all arguments at once, so that a long list costs few round trips.
base::Result<Known> look_up_all(Context& context) {
  std::vector<std::string> names = unit_names_of(context.arguments);
  Known known;
  if (names.size() < 2) return known;
  FLOTILLA_ASSIGN(std::vector<std::optional<client::Unit>> units, context.api.units_named(names));
  for (size_t i = 0; i < names.size(); ++i) {
    known.emplace(std::move(names[i]), std::move(units[i]));
  }
  return known;
}

base::Status create_all(Context& context, const std::vector<client::Unit>& units) {
  std::vector<base::Status> results = context.api.create_units(units);
  for (size_t i = 0; i < units.size(); ++i) {
    if (!results[i]) {
      return base::in_context(std::move(results[i]).error(), "failed creating unit {}",
                              units[i].name);
    }
  }
  return {};
}

}  // namespace

bool same_options(const Options& a, const Options& b) {
  return unit::hash_hex(a) == unit::hash_hex(b);
}

void warn_if_different(Context& context, const Options& stored, const Options& local,
                       const std::string& name, const std::string& path, std::string_view kind) {
  if (same_options(stored, local)) return;
  context.output.err_line(fmt::format(
      "WARNING: Unit {} in registry differs from local {} {}. Add --replace to override.", name,
      kind, path));
}

base::Result<LocalFile> find_local_file(Context& context, const std::string& path,
                                        const std::string& name) {
  FLOTILLA_ASSIGN(std::optional<Options> local, read_unit_file(context, path));
  if (local) return LocalFile{std::move(local), "unit file"};
  const std::optional<unit::FleetName> parts = unit::split_fleet_name(name);
  if (!parts || !parts->is_instance()) return LocalFile{};
  FLOTILLA_ASSIGN(std::optional<Options> beside,
                  read_unit_file(context, sibling_of(path, parts->template_name)));
  return LocalFile{std::move(beside), "template unit file"};
}

std::string with_default_type(std::string_view argument) {
  static constexpr std::array<std::string_view, 7> kTypes = {
      ".service", ".socket", ".timer", ".path", ".device", ".mount", ".automount"};
  for (const std::string_view type : kTypes) {
    if (argument.size() >= type.size() && argument.substr(argument.size() - type.size()) == type) {
      return std::string(argument);
    }
  }
  return std::string(argument) + ".service";
}

std::string unit_name_of(std::string_view argument) {
  const std::string path = with_default_type(argument);
  return path.substr(path.rfind('/') + 1);
}

std::vector<std::string> unit_names_of(const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  for (const std::string& argument : arguments) names.push_back(unit_name_of(argument));
  return names;
}

base::Status create_units_lazily(Context& context, Purpose purpose) {
  Patience patience = patience_of(context.flags);
  if (patience.kind == Patience::Kind::kNone) patience = {Patience::Kind::kAttempts, 1};
  base::Result<Known> known = look_up_all(context);
  if (!known) known = Known();  // each is asked for by itself, and the error has its unit's name
  std::vector<client::Unit> units;
  std::vector<std::string> names;
  for (const std::string& argument : context.arguments) {
    base::Result<std::optional<client::Unit>> unit =
        unit_to_create(context, purpose, *known, argument);
    if (!unit) {
      // The first error stops the rest; what came before it is made.
      FLOTILLA_TRY(create_all(context, units));
      return base::unexpected(std::move(unit).error());
    }
    if (!*unit) continue;
    names.push_back((*unit)->name);
    units.push_back(std::move(**unit));
  }
  FLOTILLA_TRY(create_all(context, units));
  return wait_until_created(context, names, patience);
}

base::Result<std::vector<client::Unit>> find_units(Context& context) {
  const std::vector<std::string> given = unit_names_of(context.arguments);
  const std::set<std::string> sorted(given.begin(), given.end());
  FLOTILLA_ASSIGN(std::vector<std::optional<client::Unit>> units,
                  context.api.units_named({sorted.begin(), sorted.end()}));
  std::vector<client::Unit> found;
  for (std::optional<client::Unit>& unit : units) {
    if (unit) found.push_back(std::move(*unit));
  }
  return found;
}

void suggest_units(Context& context, const std::string& name) {
  if (!context.output.is_terminal()) return;
  const base::Result<std::vector<client::Unit>> units = context.api.units_without_options();
  if (!units) return;
  for (const client::Unit& unit : *units) {
    if (edit_distance(unit.name, name) <= 2) {
      context.output.err_line("Did you mean " + unit.name + "?");
    }
  }
}

bool is_global(const client::Unit& unit) {
  return unit::extract_requirements(unit.options, unit.name).global;
}

}  // namespace flotilla::fctl
