#include "fctl/commands.h"
#include "fctl/listing.h"

namespace flotilla::fctl {

int cmd_list_machines(Context& context) {
  const base::Result<std::vector<client::Machine>> machines = context.api.machines();
  if (!machines) {
    context.output.err_line("Error retrieving list of active machines from fleet API (" +
                            machines.error().message + ")");
    context.output.err_line("Possible issues:");
    context.output.err_line("  etcd is unhealthy and/or lost quorum");
    context.output.err_line("  connection cannot be established to any etcd servers");
    return 1;
  }
  const bool full = wants_full(context);
  const std::vector<Column<client::Machine>> columns = {
      {"machine",
       [full](const client::Machine& machine) {
         return full ? machine.id : machine.id.substr(0, 8) + "...";
       }},
      {"ip", [](const client::Machine& machine) { return or_dash(machine.primary_ip); }},
      {"metadata",
       [](const client::Machine& machine) {
         std::vector<std::string> pairs;
         for (const auto& [key, value] : machine.metadata) pairs.push_back(key + "=" + value);
         return or_dash(fmt::format("{}", fmt::join(pairs, ",")));
       }},
  };
  return print_list(context, "machine,ip,metadata", columns, *machines);
}

}  // namespace flotilla::fctl
