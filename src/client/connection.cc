#include "client/connection.h"

#include <netdb.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "tls/blocking_tunnel.h"

extern char** environ;  // NOLINT: POSIX declares it nowhere

namespace flotilla::client {
namespace {

base::Unexpected cannot_connect(const Endpoint& endpoint, const std::string& why) {
  return base::unavailable("cannot connect to the API at {}: {}; is fleetd running?",
                           describe(endpoint), why);
}

int connect_fd(int fd, const sockaddr* address, socklen_t size) {
  int result = 0;
  do {
    result = connect(fd, address, size);
  } while (result < 0 && errno == EINTR);
  return result;
}

base::Result<base::Fd> open_unix(const Endpoint& endpoint) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (endpoint.path.size() >= sizeof address.sun_path) {
    return base::invalid("the path of the API's socket is too long ({} bytes at most): {}",
                         sizeof address.sun_path - 1, endpoint.path);
  }
  std::memcpy(address.sun_path, endpoint.path.c_str(), endpoint.path.size() + 1);
  base::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || connect_fd(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
    return cannot_connect(endpoint, base::describe_errno(errno));
  }
  return fd;
}

base::Result<base::Fd> open_tcp(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = getaddrinfo(endpoint.host.c_str(), endpoint.port.c_str(), &hints, &list)) {
    return cannot_connect(endpoint, gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
  int error_number = EHOSTUNREACH;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    base::Fd fd(socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol));
    if (fd && connect_fd(fd.get(), one->ai_addr, one->ai_addrlen) == 0) return fd;
    error_number = errno;
  }
  return cannot_connect(endpoint, base::describe_errno(error_number));
}

base::Result<std::pair<base::Fd, pid_t>> open_command(const Endpoint& endpoint) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
    return base::system_error(errno, "make a pair of sockets");
  }
  base::Fd ours(ends[0]);
  const base::Fd theirs(ends[1]);
  std::vector<char*> words;
  for (const std::string& word : endpoint.command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
  pid_t child = -1;
  const int error = posix_spawnp(&child, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return base::unavailable("cannot run {}: {}", endpoint.command[0], base::describe_errno(error));
  }
  return std::pair(std::move(ours), child);
}

}  // namespace

base::Result<Connection> Connection::open(const Endpoint& endpoint) {
  if (endpoint.kind == Endpoint::Kind::kCommand) {
    FLOTILLA_ASSIGN(auto pair, open_command(endpoint));
    Connection connection(std::move(pair.first), pair.second);
    if (endpoint.is_tls) FLOTILLA_TRY(connection.encrypt(endpoint));
    return connection;
  }
  FLOTILLA_ASSIGN(base::Fd fd, endpoint.kind == Endpoint::Kind::kUnix ? open_unix(endpoint)
                                                                      : open_tcp(endpoint));
  Connection connection(std::move(fd), -1);
  if (endpoint.is_tls) FLOTILLA_TRY(connection.encrypt(endpoint));
  return connection;
}

base::Status Connection::encrypt(const Endpoint& endpoint) {
  FLOTILLA_ASSIGN(std::shared_ptr<const tls::Context> context,
                  tls::Context::for_client(endpoint.tls));
  auto tunnel = tls::BlockingTunnel::connect(std::move(context), std::move(fd_), endpoint.host);
  if (!tunnel) {
    return base::unavailable("the API at {} cannot be used: {}", describe(endpoint),
                             tunnel.error().message);
  }
  tunnel_ = std::move(*tunnel);
  fd_ = tunnel_->take_plain();
  return {};
}

std::string Connection::failure() const { return tunnel_ ? tunnel_->failure() : std::string(); }

Connection::Connection(base::Fd fd, pid_t child) : fd_(std::move(fd)), child_(child) {}

Connection::Connection(Connection&& other) noexcept
    : tunnel_(std::move(other.tunnel_)),
      fd_(std::move(other.fd_)),
      child_(std::exchange(other.child_, -1)) {}

Connection& Connection::operator=(Connection&& other) noexcept {
  if (this != &other) {
    close();
    tunnel_ = std::move(other.tunnel_);
    fd_ = std::move(other.fd_);
    child_ = std::exchange(other.child_, -1);
  }
  return *this;
}

Connection::~Connection() { close(); }

void Connection::close() noexcept {
  fd_.reset();
  tunnel_.reset();
  if (child_ <= 0) return;
  // It may be waiting for a peer that has gone; it holds nothing that could be lost.
  kill(child_, SIGTERM);
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
}

}  // namespace flotilla::client
