// libraries: flotilla_init
// Notify messages and what the side file says of stored descriptors: bytes that may be anything.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "init/fd_store.h"
#include "init/notify.h"
#include "unit/utf8.h"

using namespace flotilla::init;

namespace {

bool is_inside(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const NotifyMessage message = parse_notify(text);
  if (message.status && !is_inside(*message.status, text)) std::abort();
  if (message.status && !flotilla::unit::is_valid_utf8(*message.status)) std::abort();
  if (message.fd_name && !is_inside(*message.fd_name, text)) std::abort();
  if (message.main_pid && *message.main_pid <= 0) std::abort();
  if (message.error_number && *message.error_number < 0) std::abort();
  if (message.watchdog_usec && message.watchdog_usec->count() < 0) std::abort();
  if (message.damaged_count > message.damaged.size()) std::abort();
  for (size_t i = 0; i < message.damaged_count; ++i) {
    if (!is_inside(message.damaged[i].key, text)) std::abort();
    if (!is_inside(message.damaged[i].value, text)) std::abort();
  }
  for (const FdStoreLine& line : parse_fd_store(text)) {
    if (!is_fd_name(line.name)) std::abort();
  }
  return 0;
}
