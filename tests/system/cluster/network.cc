#include "cluster/network.h"

#include <sched.h>

#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "harness/command.h"

namespace flotilla::system_test {

namespace {

std::string port(int host) { return "port" + std::to_string(host); }

}  // namespace

void Network::ip(const std::string& arguments) {
  std::vector<std::string> command{"ip"};
  std::istringstream words(arguments);
  for (std::string word; words >> word;) command.push_back(word);
  const Outcome outcome = run_command(command);
  if (outcome.exit_code != 0) {
    throw std::runtime_error("ip " + arguments + ": " + outcome.err);
  }
}

Network::Network() {
  if (unshare(CLONE_NEWNET) != 0) throw std::runtime_error("unshare");
  ip("link set lo up");
  ip("link add switch type bridge");
  ip("addr add " + address(kOwnHost) + "/24 dev switch");
  ip("link set switch up");
}

void Network::plug(int host, pid_t process) {
  // One that has just been started may not have left this namespace yet.
  std::error_code ignored;
  const auto own = std::filesystem::read_symlink("/proc/self/ns/net");
  wait_until([&] {
    return std::filesystem::read_symlink("/proc/" + std::to_string(process) + "/ns/net", ignored) !=
           own;
  });
  // An end in a namespace that is gone takes the other with it, a moment later.
  run_command({"ip", "link", "del", port(host)});
  const std::string target = "--target=" + std::to_string(process);
  ip("link add " + port(host) + " type veth peer name eth0 netns " + std::to_string(process));
  ip("link set " + port(host) + " master switch up");
  const std::string setup =
      "ip addr add " + address(host) + "/24 dev eth0 && ip link set eth0 up && ip link set lo up";
  const Outcome outcome = run_command({"nsenter", target, "--net", "sh", "-c", setup});
  if (outcome.exit_code != 0) throw std::runtime_error(setup + ": " + outcome.err);
  if (cut_.count(host) != 0) cut(host);
}

void Network::cut(int host) {
  cut_.insert(host);
  ip("link set " + port(host) + " nomaster");
}

void Network::mend(int host) {
  cut_.erase(host);
  ip("link set " + port(host) + " master switch");
}

void Network::mend_all() {
  for (const int host : std::set<int>(cut_)) mend(host);
}

}  // namespace flotilla::system_test
