// import: what is here already as the document has it is left alone; what is here and is another
// one makes it refuse before it has changed anything.
#include <map>

#include "client/registry_document.h"
#include "fctl/commands.h"

namespace flotilla::fctl {

namespace {

struct Present {
  std::map<std::string, client::Unit> units;
  std::map<std::string, std::map<std::string, std::string>> edits;  // machine -> key -> value
};

int fail(Context& context, const std::string& why) {
  context.output.err_line("Error importing the registry: " + why);
  return 1;
}

base::Result<Present> look(Context& context) {
  Present present;
  FLOTILLA_ASSIGN(std::vector<client::Unit> units, context.api.units());
  for (client::Unit& unit : units) {
    std::string name = unit.name;
    present.units.emplace(std::move(name), std::move(unit));
  }
  base::Result<std::vector<client::Machine>> edits = context.api.metadata_edits();
  if (!edits && edits.error().code == base::Errc::kUnsupported) {
    return base::unsupported("the fleetd at this endpoint is older");
  }
  if (!edits) return base::unexpected(edits.error());
  for (client::Machine& machine : *edits) present.edits[machine.id] = std::move(machine.metadata);
  return present;
}

std::vector<std::string> conflicts_of(const client::RegistryDocument& document,
                                      const Present& present) {
  std::vector<std::string> conflicts;
  for (const client::Machine& machine : document.machines) {
    const auto here = present.edits.find(machine.id);
    if (here == present.edits.end()) continue;
    for (const auto& [key, value] : machine.metadata) {
      const auto found = here->second.find(key);
      if (found == here->second.end() || found->second == value) continue;
      conflicts.push_back(fmt::format("Machine {} has {}=\"{}\" in the cluster, not \"{}\"",
                                      machine.id, key, found->second, value));
    }
  }
  for (const client::Unit& unit : document.units) {
    const auto here = present.units.find(unit.name);
    if (here == present.units.end()) continue;
    if (here->second.options != unit.options) {
      conflicts.push_back("Unit " + unit.name + " is in the cluster with other contents");
    } else if (here->second.desired_state != unit.desired_state) {
      conflicts.push_back(fmt::format("Unit {} has the desired state {} in the cluster, not {}",
                                      unit.name, here->second.desired_state, unit.desired_state));
    }
  }
  return conflicts;
}

// Before the units: where they may run depends on it.
bool import_metadata(Context& context, const client::Machine& machine, const Present& present) {
  size_t changed = 0;
  for (const auto& [key, value] : machine.metadata) {
    if (const auto here = present.edits.find(machine.id); here != present.edits.end()) {
      const auto found = here->second.find(key);
      if (found != here->second.end() && found->second == value) continue;
    }
    if (const base::Status set = context.api.edit_metadata(machine.id, key, value); !set) {
      context.output.err_line(fmt::format("Error importing {} of machine {}: {}", key, machine.id,
                                          set.error().message));
      return false;
    }
    ++changed;
  }
  if (changed != 0) context.output.out_line("Imported metadata of machine " + machine.id);
  return true;
}

bool import_unit(Context& context, const client::Unit& unit) {
  const base::Result<bool> done = context.api.import_unit(unit, context.flags.is_set("replace"));
  if (!done) {
    context.output.err_line("Error importing unit " + unit.name + ": " + done.error().message);
    return false;
  }
  context.output.out_line(*done ? fmt::format("Imported unit {} {}", unit.name, unit.desired_state)
                                : "Unit " + unit.name + " is in the cluster already");
  return true;
}

}  // namespace

int cmd_import(Context& context) {
  if (context.arguments.size() != 1) {
    context.output.err_line("One file must be provided; - is standard input.");
    return 1;
  }
  const std::string& path = context.arguments[0];
  const base::Result<std::string> text = context.environment.read_document(path);
  if (!text) return fail(context, text.error().message);
  const auto document = client::parse_registry_document(*text);
  if (!document) return fail(context, path + ": " + document.error().message);
  const base::Result<Present> present = look(context);
  if (!present) return fail(context, present.error().message);
  if (!context.flags.is_set("replace")) {
    const std::vector<std::string> conflicts = conflicts_of(*document, *present);
    for (const std::string& conflict : conflicts) context.output.err_line(conflict);
    if (!conflicts.empty()) {
      return fail(context, "nothing was imported; --replace takes what the document says");
    }
  }
  bool is_fine = true;
  for (const client::Machine& machine : document->machines) {
    is_fine &= import_metadata(context, machine, *present);
  }
  for (const client::Unit& unit : document->units) is_fine &= import_unit(context, unit);
  return is_fine ? 0 : 1;
}

}  // namespace flotilla::fctl
