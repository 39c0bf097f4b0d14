#include "fctl/context.h"

namespace flotilla::fctl {

Patience patience_of(const Flags& flags) {
  if (flags.is_set("no-block")) return Patience{Patience::Kind::kNone, 0};
  const int attempts = flags.number("block-attempts");
  if (attempts < 0) return Patience{Patience::Kind::kNone, 0};
  if (attempts == 0) return Patience{Patience::Kind::kForever, 0};
  return Patience{Patience::Kind::kAttempts, attempts};
}

}  // namespace flotilla::fctl
