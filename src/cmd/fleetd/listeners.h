// Listeners: the API's listening sockets. They outlive the daemon that serves them, so that one
// that takes over from another in this process loses no connection that is waiting.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace flotilla::fleetd {

struct ListeningSocket {
  base::Fd fd;
  bool is_tls = false;            // by its address
  bool is_inherited_tcp = false;  // what it speaks is for the configuration to say
  std::string far_address = {};   // of an inherited one that other machines may reach
};

// What is to know of one that was handed over.
ListeningSocket inherited_socket(base::Fd fd);

class Listeners {
 public:
  // A descriptor for each address: those handed over (LISTEN_FDS), whatever the addresses say, or
  // else one opened for each of them; the same socket as last time where it was open already.
  // Sockets that are not asked for any more are closed. After an error all stay as they were.
  base::Result<std::vector<ListeningSocket>> take(const std::vector<std::string>& addresses);
  // Whether they were handed over by a service manager. After take().
  bool are_inherited() const { return inherited_ && !inherited_->empty(); }

 private:
  std::optional<std::vector<base::Fd>> inherited_;
  std::map<std::string, base::Fd> open_;  // by address
};

}  // namespace flotilla::fleetd
