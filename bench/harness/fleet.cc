#include "harness/fleet.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "harness/harness.h"

namespace flotilla::bench {
namespace {

std::string socket_path(const std::string& folder) { return folder + "/fleet.sock"; }

int connect_to(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) die("the path of the socket is too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

struct Answer {
  int status = 0;
  std::string body;
};

// One request on the connection kept for this process; an empty answer if there is none.
Answer request(const std::string& folder, const std::string& head_and_body) {
  static int connection = -1;
  if (connection < 0) connection = connect_to(socket_path(folder));
  if (connection < 0) return {};
  const auto lost = [] {
    close(connection);
    connection = -1;
    return Answer{};
  };
  if (send(connection, head_and_body.data(), head_and_body.size(), MSG_NOSIGNAL) < 0) return lost();
  std::string answer;
  size_t body_at = std::string::npos;
  size_t wanted = 0;
  while (body_at == std::string::npos || answer.size() < body_at + wanted) {
    char buffer[65536];
    const ssize_t got = read(connection, buffer, sizeof buffer);
    if (got <= 0) return lost();
    answer.append(buffer, static_cast<size_t>(got));
    if (body_at == std::string::npos) {
      const size_t end = answer.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      body_at = end + 4;
      const size_t length = answer.find("Content-Length: ");
      if (length != std::string::npos && length < end) {
        wanted = static_cast<size_t>(std::atol(answer.c_str() + length + 16));
      }
    }
  }
  return {std::atoi(answer.c_str() + 9), answer.substr(body_at)};
}

}  // namespace

UnitFile fleetd_unit(const std::string& folder, const std::string& registry) {
  write_file(folder + "/fleet.conf",
             "registry=" + (registry.empty() ? "sqlite:" + folder + "/fleet.db" : registry) +
                 "\nlisten=" + socket_path(folder) +
                 "\npublic_ip=127.0.0.1\nunits_directory=" + folder + "/run/fleet/units\n");
  return {"fleetd.service",
          "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\nExecStart=" + program("fleetd") +
              " --config " + folder + "/fleet.conf --state-dir " + folder +
              "/fleet --manager-socket " + folder + "/run/systemd/private\n"};
}

std::string get(const std::string& folder, const std::string& path) {
  const Answer answer = request(folder, "GET " + path + " HTTP/1.1\r\nHost: bench\r\n\r\n");
  return answer.status == 200 ? answer.body : std::string();
}

int put(const std::string& folder, const std::string& path, const std::string& body) {
  return request(
             folder,
             "PUT " + path +
                 " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n" + body)
      .status;
}

void wait_for_api(const std::string& folder) {
  const uint64_t deadline = now_ns() + 30'000'000'000U;
  while (get(folder, "/fleet/v1/machines").find("\"id\"") == std::string::npos) {
    if (now_ns() > deadline) die("fleetd did not answer within 30 s");
    usleep(20000);
  }
}

}  // namespace flotilla::bench
