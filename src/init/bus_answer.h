// Ways to answer a bus request, and the error names that several methods use.
#pragma once

#include <functional>
#include <string_view>

#include "init/bus_table.h"

namespace flotilla::init {

inline constexpr std::string_view kBusNoSuchUnit = "org.freedesktop.systemd1.NoSuchUnit";
inline constexpr std::string_view kBusNoSuchJob = "org.freedesktop.systemd1.NoSuchJob";
inline constexpr std::string_view kBusInvalidArgs = "org.freedesktop.DBus.Error.InvalidArgs";
inline constexpr std::string_view kBusNotSupported = "org.freedesktop.DBus.Error.NotSupported";
inline constexpr std::string_view kBusAccessDenied = "org.freedesktop.DBus.Error.AccessDenied";

template <typename Fill>
void answer_with(BusRequest& request, Fill&& fill) {
  base::Result<bus::MessageWriter> reply = request.call.new_reply();
  if (!reply) return request.call.send_error(reply.error());
  fill(*reply);
  request.call.send(std::move(*reply));
}

inline void answer_error(BusRequest& request, std::string_view name, std::string_view text) {
  request.call.send_error(name, text);
}

// Nothing to say but that it was done, or the error.
inline void answer_status(BusRequest& request, const base::Status& status) {
  if (status) {
    request.call.send_empty();
  } else {
    request.call.send_error(status.error());
  }
}

}  // namespace flotilla::init
