// Network: a switch in a network namespace of the test's own, to which hosts (the namespaces of
// other processes) are plugged. What it makes is gone with the test process. Needs root.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>

namespace flotilla::system_test {

class Network {
 public:
  static constexpr int kOwnHost = 1;  // the test itself

  // Moves this process into a network namespace of its own, once.
  Network();

  static std::string address(int host) { return "10.77.0." + std::to_string(host); }
  // Gives the namespace of `process` the address of that host. Takes the place of an earlier one.
  void plug(int host, pid_t process);
  // Nothing comes or goes any more, and nobody is told so; until mend().
  void cut(int host);
  void mend(int host);
  void mend_all();

 private:
  static void ip(const std::string& arguments);

  std::set<int> cut_;
};

}  // namespace flotilla::system_test
