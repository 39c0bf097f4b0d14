#include "cmd/fleetd/identity.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

namespace flotilla::fleetd {

namespace {

base::Result<std::string> random_id() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return base::system_error(errno, "read random bytes");
  }
  std::string id;
  for (const unsigned char byte : bytes) id += fmt::format("{:02x}", byte);
  return id;
}

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

bool is_id(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// The id in the file; made and kept there if there is none.
base::Result<std::string> kept_id(const std::string& path) {
  if (std::string kept = first_line(path); is_id(kept)) return kept;
  FLOTILLA_ASSIGN(const std::string id, random_id());
  const std::string temporary = path + ".new";
  const std::string line = id + "\n";
  const base::Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  const bool is_written =
      fd && ::write(fd.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
      ::fsync(fd.get()) == 0 && ::rename(temporary.c_str(), path.c_str()) == 0;
  if (!is_written) return base::system_error(errno, "write {}", path);
  return id;
}

base::Result<std::string> machine_id(const Config& config) {
  if (!config.machine_id.empty()) {
    if (config.machine_id.find('/') != std::string::npos || config.machine_id.size() > 128) {
      return base::invalid("machine_id: expected up to 128 characters without \"/\", got \"{}\"",
                           config.machine_id);
    }
    return config.machine_id;
  }
  if (std::string id = first_line("/etc/machine-id"); is_id(id)) return id;
  return kept_id(config.state_dir + "/machine-id");
}

}  // namespace

base::Result<base::Fd> lock_state_dir(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return base::system_error(error.value(), "make {}", directory);
  const std::string path = directory + "/lock";
  base::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return base::system_error(errno, "open {}", path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return base::unavailable("{} belongs to another fleetd that is running", directory);
    }
    return base::system_error(errno, "lock {}", path);
  }
  return fd;
}

std::string default_public_ip() {
  const base::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return {};
  // Connecting a datagram socket sends nothing; it makes the kernel choose the route.
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  ::inet_pton(AF_INET, "192.0.2.1", &address.sin_addr);
  socklen_t size = sizeof address;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return {};
  }
  const uint32_t host = ntohl(address.sin_addr.s_addr);
  const bool is_loopback = host >> 24 == 127;
  const bool is_link_local = host >> 16 == 0xa9fe;
  std::array<char, INET_ADDRSTRLEN> text{};
  if (host == 0 || is_loopback || is_link_local ||
      ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size()) == nullptr) {
    return {};
  }
  return text.data();
}

base::Result<registry::Machine> make_machine(const Config& config) {
  registry::Machine machine;
  FLOTILLA_ASSIGN(machine.id, machine_id(config));
  FLOTILLA_ASSIGN(machine.state_id, kept_id(config.state_dir + "/id"));
  FLOTILLA_ASSIGN(machine.nonce, random_id());
  machine.boot_id = first_line("/proc/sys/kernel/random/boot_id");
  machine.public_ip = config.public_ip.empty() ? default_public_ip() : config.public_ip;
  machine.api_address = config.api_address;
  machine.metadata = config.metadata;
  machine.version = FLOTILLA_VERSION;
  machine.cpus = static_cast<uint32_t>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L));
  machine.memory_bytes = static_cast<uint64_t>(std::max(::sysconf(_SC_PHYS_PAGES), 0L)) *
                         static_cast<uint64_t>(std::max(::sysconf(_SC_PAGESIZE), 0L));
  struct statvfs disk {};
  if (::statvfs(config.state_dir.c_str(), &disk) == 0) {
    machine.disk_bytes = uint64_t{disk.f_blocks} * disk.f_frsize;
  }
  return machine;
}

}  // namespace flotilla::fleetd
