// A client of a manager's private socket for benchmarks: one connection that is kept, each call
// waited for.
#pragma once

#include <memory>
#include <string>

#include "bus/poll_event_loop.h"
#include "bus/systemd1_client.h"

namespace flotilla::bench {

class Client {
 public:
  // Connects to the manager of the machine in this folder; ends the program where nobody answers.
  explicit Client(const std::string& folder);

  // Each returns when the job has ended; ends the program if it did not end well.
  void start(const std::string& unit);
  void stop(const std::string& unit);
  // How many units the manager knows.
  size_t list_units();

 private:
  template <typename T, typename Call>
  T wait_for(const std::string& what, Call&& call);

  bus::PollEventLoop loop_;
  bus::Systemd1Client client_;
};

}  // namespace flotilla::bench
