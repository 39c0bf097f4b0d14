// The inside of a Context, for tunnel.cc.
#pragma once

#include <boost/asio/ssl/context.hpp>

#include "tls/context.h"

namespace flotilla::tls {

struct Context::Impl {
  boost::asio::ssl::context ssl;
};

}  // namespace flotilla::tls
