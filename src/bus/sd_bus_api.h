// The functions of libsystemd that bus/ calls, found at run time: programs start without the
// library and its pages, and only the first bus connection opens it. Included by bus/*.cc only.
#pragma once

#include <systemd/sd-bus.h>

#include "base/result.h"

namespace flotilla::bus {

#define FLOTILLA_SD_BUS_FUNCTIONS(X)  \
  X(sd_bus_new)                       \
  X(sd_bus_ref)                       \
  X(sd_bus_unref)                     \
  X(sd_bus_close)                     \
  X(sd_bus_flush)                     \
  X(sd_bus_start)                     \
  X(sd_bus_set_address)               \
  X(sd_bus_set_fd)                    \
  X(sd_bus_set_bus_client)            \
  X(sd_bus_set_server)                \
  X(sd_bus_set_trusted)               \
  X(sd_bus_set_sender)                \
  X(sd_bus_set_connected_signal)      \
  X(sd_bus_set_method_call_timeout)   \
  X(sd_bus_negotiate_creds)           \
  X(sd_bus_negotiate_fds)             \
  X(sd_bus_get_fd)                    \
  X(sd_bus_get_events)                \
  X(sd_bus_get_timeout)               \
  X(sd_bus_get_n_queued_write)        \
  X(sd_bus_process)                   \
  X(sd_bus_is_ready)                  \
  X(sd_bus_send)                      \
  X(sd_bus_call_async)                \
  X(sd_bus_add_fallback)              \
  X(sd_bus_add_filter)                \
  X(sd_bus_add_match_async)           \
  X(sd_bus_slot_unref)                \
  X(sd_bus_message_ref)               \
  X(sd_bus_message_unref)             \
  X(sd_bus_message_new_method_call)   \
  X(sd_bus_message_new_signal)        \
  X(sd_bus_message_new_method_return) \
  X(sd_bus_message_new_method_error)  \
  X(sd_bus_message_get_type)          \
  X(sd_bus_message_get_path)          \
  X(sd_bus_message_get_interface)     \
  X(sd_bus_message_get_member)        \
  X(sd_bus_message_get_sender)        \
  X(sd_bus_message_get_destination)   \
  X(sd_bus_message_get_signature)     \
  X(sd_bus_message_get_error)         \
  X(sd_bus_message_get_errno)         \
  X(sd_bus_message_get_expect_reply)  \
  X(sd_bus_message_append_basic)      \
  X(sd_bus_message_append_array)      \
  X(sd_bus_message_open_container)    \
  X(sd_bus_message_close_container)   \
  X(sd_bus_message_read_basic)        \
  X(sd_bus_message_read_array)        \
  X(sd_bus_message_enter_container)   \
  X(sd_bus_message_exit_container)    \
  X(sd_bus_message_peek_type)         \
  X(sd_bus_message_at_end)            \
  X(sd_bus_message_skip)              \
  X(sd_bus_error_free)                \
  X(sd_bus_object_path_is_valid)

struct SdBusApi {
#define FLOTILLA_DECLARE(name) decltype(&::name) name = nullptr;
  FLOTILLA_SD_BUS_FUNCTIONS(FLOTILLA_DECLARE)
#undef FLOTILLA_DECLARE
};

// Opens the library at the first call. Fails with kUnavailable and says which package to install;
// the next call tries again. One thread only, as everything here.
base::Result<const SdBusApi*> load_sd_bus_api();

// The opened library. Requires: load_sd_bus_api() has succeeded, which holds for whoever has an
// sd_bus or an sd_bus_message in hand.
const SdBusApi& sd_bus_api();

}  // namespace flotilla::bus
