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
#include "client/http_fleet_api.h"
#include "cmd/fleetctl/processes.h"
#include "fctl/run.h"

namespace {

using flotilla::base::Result;

// No unit file is larger; a device or an endless pipe is not read to its end.
constexpr size_t kMaxUnitFile = size_t{1} << 20;

Result<std::string> read_file(const std::string& path) {
  const flotilla::base::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return flotilla::base::system_error(errno, "open {}", path);
  struct stat info {};
  if (fstat(fd.get(), &info) == 0 && S_ISDIR(info.st_mode)) {
    return flotilla::base::system_error(EISDIR, "read {}", path);
  }
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t got = read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return flotilla::base::system_error(errno, "read {}", path);
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMaxUnitFile) {
      return flotilla::base::too_large("{} has more than 1 MiB; unit files are smaller", path);
    }
  }
}

Result<std::shared_ptr<flotilla::client::FleetApi>> connect(
    const std::vector<flotilla::client::Endpoint>& endpoints) {
  return std::shared_ptr<flotilla::client::FleetApi>(
      std::make_shared<flotilla::client::HttpFleetApi>(endpoints));
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

int main(int argc, char** argv) {
  flotilla::fctl::StdOutput output;
  flotilla::fctl::SystemPacer pacer;
  return flotilla::fctl::run(
      std::vector<std::string>(argv + 1, argv + argc),
      {output, pacer, variable, read_file, connect, flotilla::cmd::execute, make_folder});
}
