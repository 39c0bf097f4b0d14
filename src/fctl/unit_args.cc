#include "fctl/unit_args.h"

#include <array>
#include <cerrno>
#include <optional>

#include "fctl/log_line.h"
#include "fctl/waiting.h"
#include "unit/fleet_file.h"
#include "unit/fleet_name.h"
#include "unit/fleet_requirements.h"

namespace flotilla::fctl {
namespace {

using Options = std::vector<unit::UnitOption>;

bool same_options(const Options& a, const Options& b) {
  return unit::hash_hex(a) == unit::hash_hex(b);
}

std::string sibling_of(const std::string& path, const std::string& name) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? name : path.substr(0, slash + 1) + name;
}

// nullopt if there is no such file.
base::Result<std::optional<Options>> read_unit_file(Context& context, const std::string& path) {
  base::Result<std::string> text = context.read_file(path);
  if (!text) {
    // The longest names of units are longer than any file's.
    const bool cannot_exist = text.error().error_number == ENAMETOOLONG;
    if (cannot_exist || text.error().code == base::Errc::kNotFound) return std::optional<Options>();
    return base::invalid("failed getting Unit({}) from file: {}", path, text.error().message);
  }
  base::Result<Options> options = unit::parse_fleet_file(*text);
  if (!options)
    return base::invalid("failed getting Unit({}) from file: {}", path, options.error().message);
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

void warn_if_different(Context& context, const Options& stored, const Options& local,
                       const std::string& name, const std::string& path, std::string_view kind) {
  if (same_options(stored, local)) return;
  context.output.err_line(fmt::format(
      "WARNING: Unit {} in registry differs from local {} {}. Add --replace to override.", name,
      kind, path));
}

// What an argument that is not in the registry stands for.
base::Result<Options> find_options(Context& context, const std::string& path,
                                   const std::string& name) {
  FLOTILLA_ASSIGN(std::optional<Options> local, read_unit_file(context, path));
  if (local) return std::move(*local);

  const std::optional<unit::FleetName> parts = unit::split_fleet_name(name);
  if (!parts || !parts->is_instance()) {
    return base::not_found("unable to find Unit({}) in Registry or on filesystem", name);
  }
  const std::string template_path = sibling_of(path, parts->template_name);
  FLOTILLA_ASSIGN(std::optional<client::Unit> stored, registered(context, parts->template_name));
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

// The local file an existing unit is compared with: its own, or its template's. nullopt if there is
// none.
struct LocalFile {
  std::optional<Options> options;
  std::string_view kind = "unit file";
};

base::Result<LocalFile> find_local(Context& context, const std::string& path,
                                   const std::string& name) {
  FLOTILLA_ASSIGN(std::optional<Options> local, read_unit_file(context, path));
  if (local) return LocalFile{std::move(local), "unit file"};
  const std::optional<unit::FleetName> parts = unit::split_fleet_name(name);
  if (!parts || !parts->is_instance()) return LocalFile{};
  FLOTILLA_ASSIGN(std::optional<Options> beside,
                  read_unit_file(context, sibling_of(path, parts->template_name)));
  return LocalFile{std::move(beside), "template unit file"};
}

bool may_replace(Purpose purpose, const std::string& desired_state) {
  switch (purpose) {
    case Purpose::kSubmit:
      return desired_state == "inactive";
    case Purpose::kLoad:
      return desired_state == "inactive" || desired_state == "loaded";
    case Purpose::kStart:
      return true;
  }
  return false;
}

// The options to overwrite an existing unit with, or nullopt if it is to stay as it is.
base::Result<std::optional<Options>> find_replacement(Context& context, Purpose purpose,
                                                      const std::string& path,
                                                      const client::Unit& stored) {
  FLOTILLA_ASSIGN(LocalFile local, find_local(context, path, stored.name));
  if (!context.flags.is_set("replace")) {
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

base::Status create(Context& context, const std::string& name, Options options) {
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
  if (base::Status created = context.api.create_unit(unit); !created) {
    return base::in_context(std::move(created).error(), "failed creating unit {}", name);
  }
  return {};
}

}  // namespace

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
  FLOTILLA_ASSIGN(Patience patience, patience_of(context.flags));
  if (patience.kind == Patience::Kind::kNone) patience = {Patience::Kind::kAttempts, 1};
  std::vector<std::string> created;
  for (const std::string& argument : context.arguments) {
    const std::string path = with_default_type(argument);
    const std::string name = unit_name_of(argument);
    FLOTILLA_TRY(unit::validate_fleet_name(name));
    FLOTILLA_ASSIGN(const std::optional<client::Unit> stored, registered(context, name));
    std::optional<Options> options;
    if (stored) {
      FLOTILLA_ASSIGN(options, find_replacement(context, purpose, path, *stored));
      if (!options) continue;
    } else {
      FLOTILLA_ASSIGN(options, find_options(context, path, name));
    }
    FLOTILLA_TRY(create(context, name, std::move(*options)));
    created.push_back(name);
  }
  return wait_for_states(context, created, "inactive", patience);
}

base::Result<std::vector<client::Unit>> find_units(Context& context) {
  std::vector<client::Unit> found;
  // A few names are asked for one by one; the whole list costs one request for each hundred units.
  for (const std::string& name : unit_names_of(context.arguments)) {
    FLOTILLA_ASSIGN(std::optional<client::Unit> unit, context.api.unit(name));
    if (unit) found.push_back(std::move(*unit));
  }
  return found;
}

bool is_global(const client::Unit& unit) {
  return unit::extract_requirements(unit.options, unit.name).global;
}

}  // namespace flotilla::fctl
