// TlsFront: the listening sockets on which the API is spoken over TLS. Gives each connection to the
// Server once its handshake is done, with the role of whoever's certificate it was.
//
// Owned by fleetd's composition; loop thread only. At most 2,000 connections at a time; who comes
// then waits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/server.h"
#include "base/fd.h"
#include "overlord/loop.h"
#include "tls/context.h"

namespace flotilla::api {

class TlsFront {
 public:
  // `admins` are the names in certificates that may change things; none: all may. Requires: loop
  // and server outlive it; the listeners are non-blocking listening sockets.
  TlsFront(overlord::AsioLoop& loop, Server& server, std::shared_ptr<const tls::Context> context,
           std::vector<base::Fd> listeners, std::vector<std::string> admins);
  // Closes every connection.
  ~TlsFront();
  TlsFront(const TlsFront&) = delete;
  TlsFront& operator=(const TlsFront&) = delete;

  // Takes no connections any more: whoever comes waits for the next daemon.
  void stop_accepting();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// Pure.
Role role_of(const std::vector<std::string>& names, const std::vector<std::string>& admins);

}  // namespace flotilla::api
