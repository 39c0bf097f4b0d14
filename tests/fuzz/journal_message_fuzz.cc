// libraries: flotilla_logs
// What programs send to the sockets of the journal: bytes that may be anything.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "logs/journal_message.h"
#include "logs/protocol.h"

using namespace flotilla::logs;

namespace {

bool is_inside(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check(const JournalMessage& message, std::string_view whole) {
  if (!is_inside(message.text, whole) || !is_inside(message.identifier, whole)) std::abort();
  if (message.identifier.size() > kMaxIdentifier || message.priority > kPriorityMax) std::abort();
  if (message.facility < -1 || message.facility > 127) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(parse_syslog(bytes), bytes);
  std::string_view rest = bytes;
  size_t left = rest.size() + 1;
  for (JournalMessage message; next_native_entry(rest, message);) {
    check(message, bytes);
    if (rest.size() >= left) std::abort();
    left = rest.size();
  }
  StreamGreeting greeting;
  if (parse_greeting(bytes, greeting) == GreetingState::kWhole && greeting.size > size)
    std::abort();
  const std::string_view unit = unit_of_cgroup(bytes, "/own");
  if (!unit.empty() && !is_valid_unit_name(unit)) std::abort();
  return 0;
}
