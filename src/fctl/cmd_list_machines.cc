#include "fctl/commands.h"
#include "fctl/listing.h"

namespace flotilla::fctl {
namespace {

using client::Machine;

Document::Fields entity_of(const Machine& machine) {
  Document::Fields fields;
  add_field(fields, "id", machine.id);
  Document::Fields metadata;
  for (const auto& [key, value] : machine.metadata) metadata.emplace_back(key, Document(value));
  if (!metadata.empty()) fields.emplace_back("metadata", Document(std::move(metadata)));
  add_field(fields, "primaryIP", machine.primary_ip);
  return fields;
}

base::Result<Printed> render_machines(Context& context) {
  const base::Result<std::vector<Machine>> machines = context.api.machines();
  if (!machines) {
    return base::unavailable(
        "Error retrieving list of active machines from fleet API ({})\nPossible issues:\n"
        "  etcd is unhealthy and/or lost quorum\n"
        "  connection cannot be established to any etcd servers",
        machines.error().message);
  }
  const bool full = wants_full(context);
  const auto metadata = [](const Machine& machine) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : machine.metadata) pairs.push_back(key + "=" + value);
    return or_dash(fmt::format("{}", fmt::join(pairs, ",")));
  };
  Listing<Machine> listing;
  listing.fields = listing.wide_fields = "machine,ip,metadata";
  listing.key = "machines";
  listing.columns = {
      {"machine",
       [full](const Machine& machine) {
         return full ? machine.id : machine.id.substr(0, 8) + "...";
       }},
      {"ip", [](const Machine& machine) { return or_dash(machine.primary_ip); }},
      {"metadata", metadata},
  };
  listing.name = [](const Machine& machine) { return machine.id; };
  listing.entity = entity_of;
  return render_list(context, listing, *machines);
}

}  // namespace

int cmd_list_machines(Context& context) {
  return print_list(context, [&] { return render_machines(context); });
}

}  // namespace flotilla::fctl
