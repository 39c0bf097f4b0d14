// The io_context inside an AsioLoop, for those few files that speak Asio themselves. Its handlers
// run on the loop thread, between the loop's own callbacks.
#pragma once

#include <boost/asio/io_context.hpp>

#include "overlord/loop.h"

namespace flotilla::overlord {

boost::asio::io_context& io_context_of(AsioLoop& loop);

}  // namespace flotilla::overlord
