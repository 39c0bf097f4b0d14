// What a verb works with: handed to every verb, owned by main (or a test).
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/fleet_api.h"
#include "fctl/flags.h"
#include "fctl/output.h"
#include "fctl/pacer.h"

namespace flotilla::fctl {

struct Context {
  client::FleetApi& api;
  Output& output;
  Pacer& pacer;
  // The text of a local file; kNotFound if there is none.
  std::function<base::Result<std::string>(const std::string& path)> read_file;
  const Flags& flags;
  const std::vector<std::string>& arguments;
};

// How long a verb waits for its units: attempts of two seconds each.
struct Patience {
  enum class Kind { kNone, kAttempts, kForever };
  Kind kind = Kind::kForever;
  int attempts = 0;
};

// From --no-block and --block-attempts. Errors: kInvalid for a value that is no number.
base::Result<Patience> patience_of(const Flags& flags);

}  // namespace flotilla::fctl
