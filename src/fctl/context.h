// What a verb works with: handed to every verb, owned by run().
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "client/fleet_api.h"
#include "fctl/environment.h"
#include "fctl/flags.h"

namespace flotilla::fctl {

struct Context {
  client::FleetApi& api;
  const Environment& environment;
  const Flags& flags;
  std::vector<std::string> arguments;  // patterns are names of units by now
  Output& output = environment.output;
  Pacer& pacer = environment.pacer;
};

// How long a verb waits for its units: attempts of two seconds each.
struct Patience {
  enum class Kind { kNone, kAttempts, kForever };
  Kind kind = Kind::kForever;
  int attempts = 0;
};

// From --no-block and --block-attempts.
Patience patience_of(const Flags& flags);

}  // namespace flotilla::fctl
