#include "client/registry_document.h"
#include "fctl/commands.h"

namespace flotilla::fctl {

namespace {

int fail(Context& context, const std::string& why) {
  context.output.err_line("Error exporting the registry: " + why);
  return 1;
}

}  // namespace

int cmd_export(Context& context) {
  if (context.arguments.size() != 1) {
    context.output.err_line("One file must be provided; - is standard output.");
    return 1;
  }
  client::RegistryDocument document;
  base::Result<std::vector<client::Machine>> edits = context.api.metadata_edits();
  if (!edits && edits.error().code == base::Errc::kUnsupported) {
    return fail(context, "the fleetd at this endpoint is older");
  }
  if (!edits) return fail(context, edits.error().message);
  base::Result<std::vector<client::Unit>> units = context.api.units();
  if (!units) return fail(context, units.error().message);
  document.machines = std::move(*edits);
  document.units = std::move(*units);
  const std::string text = to_json(document);
  const std::string& path = context.arguments[0];
  if (path == "-") {
    context.output.out(text);
    return 0;
  }
  if (const base::Status written = context.environment.write_document(path, text); !written) {
    return fail(context, written.error().message);
  }
  context.output.out_line(fmt::format("Exported {} units and the metadata of {} machines to {}",
                                      document.units.size(), document.machines.size(), path));
  return 0;
}

}  // namespace flotilla::fctl
