// What load and start share: create what is missing, then set the desired state of the rest.
#pragma once

#include <string>
#include <vector>

#include "fctl/context.h"
#include "fctl/unit_args.h"

namespace flotilla::fctl {

struct Raised {
  int exit_code = 0;  // not 0: what there was to say has been said
  std::vector<std::string>
      units;  // those whose state was changed, without globals: to be waited for
};

// `verb` is "load" or "start", `doing` "loading" or "starting", for the texts.
Raised raise_units(Context& context, Purpose purpose, const std::string& state,
                   const std::string& verb, const std::string& doing);

}  // namespace flotilla::fctl
