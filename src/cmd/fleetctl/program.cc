#include "cmd/fleetctl/program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "client/etcd_probe.h"
#include "client/http_fleet_api.h"
#include "client/traced_transport.h"
#include "cmd/fleetctl/processes.h"
#include "fctl/run.h"

namespace {

using flotilla::base::Result;

// No unit file is larger; a device or an endless pipe is not read to its end.
constexpr size_t kMaxUnitFile = size_t{1} << 20;
constexpr size_t kMaxDocument = size_t{1} << 30;

Result<std::string> read_all(int fd, const std::string& path, size_t limit) {
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return flotilla::base::system_error(errno, "read {}", path);
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > limit) {
      return flotilla::base::too_large("{} has more than {} MiB; unit files are smaller", path,
                                       limit >> 20);
    }
  }
}

Result<std::string> read_file(const std::string& path) {
  const flotilla::base::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return flotilla::base::system_error(errno, "open {}", path);
  struct stat info {};
  if (fstat(fd.get(), &info) == 0 && S_ISDIR(info.st_mode)) {
    return flotilla::base::system_error(EISDIR, "read {}", path);
  }
  return read_all(fd.get(), path, kMaxUnitFile);
}

Result<std::string> read_document(const std::string& path) {
  if (path == "-") return read_all(STDIN_FILENO, "standard input", kMaxDocument);
  const flotilla::base::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return flotilla::base::system_error(errno, "open {}", path);
  return read_all(fd.get(), path, kMaxDocument);
}

flotilla::base::Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return flotilla::base::system_error(errno, "write {}", path);
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return {};
}

// A half-written file is never under the name.
flotilla::base::Status write_document(const std::string& path, const std::string& text) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {  // a pipe, a terminal
    const flotilla::base::Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return flotilla::base::system_error(errno, "open {}", path);
    return write_all(fd.get(), text, path);
  }
  std::string temporary = path + ".XXXXXX";
  const flotilla::base::Fd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return flotilla::base::system_error(errno, "write {}", path);
  flotilla::base::Status status = write_all(fd.get(), text, path);
  if (status && (fsync(fd.get()) != 0 || rename(temporary.c_str(), path.c_str()) != 0)) {
    status = flotilla::base::system_error(errno, "write {}", path);
  }
  if (!status) unlink(temporary.c_str());
  return status;
}

Result<std::shared_ptr<flotilla::client::FleetApi>> connect(
    const std::vector<flotilla::client::Endpoint>& endpoints, const flotilla::fctl::Trace& trace) {
  namespace client = flotilla::client;
  return std::shared_ptr<client::FleetApi>(std::make_shared<client::HttpFleetApi>(
      client::traced(std::make_unique<client::HttpTransport>(endpoints), trace)));
}

bool is_etcd(const std::vector<flotilla::client::Endpoint>& endpoints) {
  flotilla::client::HttpTransport transport(endpoints);
  return flotilla::client::is_etcd(transport);
}

flotilla::base::Status make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return flotilla::base::unavailable("make folder {}: {}", path, error.message());
  return {};
}

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

}  // namespace

namespace flotilla::cmd {

int run_fleetctl(int argc, char** argv, fctl::Pacer& pacer, const ConnectEtcd& connect_etcd) {
  fctl::StdOutput output;
  return fctl::run(std::vector<std::string>(argv + 1, argv + argc),
                   {output, pacer, variable, read_file, connect, execute, make_folder, is_etcd,
                    connect_etcd, read_document, write_document});
}

}  // namespace flotilla::cmd
