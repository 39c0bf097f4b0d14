// Object paths and signatures as bus clients may send them: whatever unescapes must escape to the
// same path again.
// libraries: flotilla_bus flotilla_init
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "bus/object_path.h"
#include "init/bus_introspect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace flotilla;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string escaped = bus::escape_path_element(text);
  if (bus::unescape_path_element(escaped) != text) std::abort();
  if (const auto unit = bus::unit_of_path(text)) {
    if (bus::unit_of_path(bus::unit_path(*unit)) != unit) std::abort();
  }
  if (const auto id = bus::job_of_path(text)) {
    if (bus::job_path(*id) != text) std::abort();
  }
  // Deep nesting is the tables' own affair; what is tried here is as long as a signature may be.
  if (size <= 255) {
    std::string joined;
    for (const std::string& type : init::split_signature(text)) joined += type;
    if (text.compare(0, joined.size(), joined) != 0) std::abort();
  }
  return 0;
}
