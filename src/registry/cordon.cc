#include "registry/cordon.h"

namespace flotilla::registry {

Cordon cordon_of(const Metadata& metadata) {
  const auto found = metadata.find(std::string(kCordonKey));
  if (found == metadata.end() || found->second.empty()) return Cordon::kOpen;
  return found->second == "drain" ? Cordon::kDraining : Cordon::kCordoned;
}

}  // namespace flotilla::registry
