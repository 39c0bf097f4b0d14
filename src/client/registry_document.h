// The registry of a cluster as one JSON document: what `fleetctl export` writes and `fleetctl
// import` reads. The format is a page of the documentation (docs/moving.md). Pure; documents come
// from anybody.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/schema.h"

namespace flotilla::client {

struct RegistryDocument {
  std::vector<Unit> units;        // name, desired state, options, and the machine if there is one
  std::vector<Machine> machines;  // id and the edits of its metadata, "" for a hidden key
};

// One line for each unit and machine.
std::string to_json(const RegistryDocument& document);
// kInvalid with what is wrong with it, and where; kUnsupported for a format that is newer.
base::Result<RegistryDocument> parse_registry_document(std::string_view text);

}  // namespace flotilla::client
