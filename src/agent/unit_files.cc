#include "agent/unit_files.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "agent/lease_unit.h"
#include "base/fd.h"
#include "unit/fleet_name.h"

namespace flotilla::agent {

namespace {

constexpr size_t kMaxUnitFileBytes = size_t{2} * 1024 * 1024;
// What the agent runs; a unit of another type is never scheduled to be loaded.
constexpr std::array<std::string_view, 7> kSuffixes{".service", ".socket", ".timer",    ".path",
                                                    ".device",  ".mount",  ".automount"};

bool is_unit_file_name(const std::string& name) {
  const auto split = unit::split_fleet_name(name);
  return split && unit::validate_fleet_name(name).has_value() &&
         std::find(kSuffixes.begin(), kSuffixes.end(), split->suffix) != kSuffixes.end();
}

base::Result<std::string> read_file(const std::string& path) {
  const base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return base::system_error(errno, "open {}", path);
  std::string bytes;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::system_error(errno, "read {}", path);
    if (n == 0) return bytes;
    bytes.append(buffer.data(), static_cast<size_t>(n));
    if (bytes.size() > kMaxUnitFileBytes) return base::too_large("{} is too large", path);
  }
}

base::Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::system_error(errno, "write");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

std::string text_of_file(const std::string& path) {
  base::Result<std::string> text = read_file(path);
  if (text) return std::move(*text);
  SPDLOG_WARN("{}", text.error().message);
  return {};
}

}  // namespace

UnitFiles::UnitFiles(std::string directory) : directory_(std::move(directory)) {
  while (directory_.size() > 1 && directory_.back() == '/') directory_.pop_back();
}

base::Status UnitFiles::prepare() {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) return base::system_error(error.value(), "make {}", directory_);
  return {};
}

base::Result<std::map<std::string, std::string>> UnitFiles::list() const {
  std::map<std::string, std::string> units;
  std::error_code error;
  std::filesystem::directory_iterator entries(directory_, error);
  if (error) return base::system_error(error.value(), "list {}", directory_);
  while (!error && entries != std::filesystem::directory_iterator()) {
    const std::string name = entries->path().filename().string();
    if (name == kLeaseUnit) {
      // The agent's own.
    } else if (is_unit_file_name(name)) {
      units.emplace(name, text_of_file(entries->path().string()));
    } else if (name.front() != '.') {
      SPDLOG_WARN("{}: not the file of a unit; left alone", entries->path().string());
    }
    entries.increment(error);
  }
  if (error) return base::system_error(error.value(), "list {}", directory_);
  return units;
}

base::Status UnitFiles::write(const std::string& unit, std::string_view text) {
  if (!is_unit_file_name(unit) || unit == kLeaseUnit) {
    return base::invalid("{}: this agent cannot run units of this name", unit);
  }
  const std::string path = path_of(unit);
  // The name of the unit alone may be as long as a name can be.
  const std::string temporary = directory_ + "/.#" + unit.substr(0, 200);
  base::Fd fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return base::system_error(errno, "open {}", temporary);
  ::fchmod(fd.get(), 0644);  // whatever the umask is: the service manager may be another user
  base::Status status = write_all(fd.get(), text);
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = base::system_error(errno, "rename to");
  }
  if (status) return {};
  ::unlink(temporary.c_str());
  return base::in_context(std::move(status).error(), "{}", path);
}

base::Status UnitFiles::remove(const std::string& unit) {
  const std::string path = path_of(unit);
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return base::system_error(errno, "remove {}", path);
}

}  // namespace flotilla::agent
