// libraries: flotilla_unit
// Any bytes as a unit file of fleet. What was serialised once and reads back stays the same.
#include <cstdlib>

#include "unit/fleet_file.h"
#include "unit/fleet_name.h"
#include "unit/fleet_requirements.h"

namespace {

using namespace flotilla::unit;  // NOLINT: a program of one file

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)validate_fleet_name(bytes);
  const auto options = parse_fleet_file(bytes);
  if (!options) return 0;
  require(hash_hex(*options).size() == 40);
  (void)validate_fleet_options(*options);
  const FleetRequirements wants = extract_requirements(*options, "fuzz@1.service");
  (void)wants.conflicts_with("fuzz@2.service");
  (void)wants.wants_to_replace("fuzz@2.service");
  const auto again = parse_fleet_file(serialize(*options));
  if (!again) return 0;
  const std::string text = serialize(*again);
  const auto third = parse_fleet_file(text);
  if (third) require(serialize(*third) == text);
  return 0;
}
