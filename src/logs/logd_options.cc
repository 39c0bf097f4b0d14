#include "logs/logd_options.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "logs/unit_log.h"

namespace flotilla::logs {
namespace {

constexpr char kBelowRoot[] = "/var/log/flotilla";
constexpr std::uint64_t kMaxKeptSegments = 1'000'000;

// Returns the text behind "NAME=", or null if the argument is another option.
const char* value_of(const char* argument, const char* name) noexcept {
  const std::size_t size = std::strlen(name);
  return std::strncmp(argument, name, size) == 0 ? argument + size : nullptr;
}

void refuse(LogdOptions& out, const char* what, const char* got) noexcept {
  out.action = LogdOptions::Action::kWrong;
  std::snprintf(out.problem, sizeof(out.problem), "%s, got \"%.100s\"", what, got);
}

// A number with an optional K, M or G (powers of 1024).
bool parse_size(const char* text, std::uint64_t& out) noexcept {
  if (*text < '0' || *text > '9') return false;
  errno = 0;
  char* end = nullptr;
  const unsigned long long number = std::strtoull(text, &end, 10);
  if (errno != 0) return false;
  int shift = 0;
  if (*end == 'K') shift = 10;
  if (*end == 'M') shift = 20;
  if (*end == 'G') shift = 30;
  if (shift != 0) ++end;
  if (*end != '\0' || number > (UINT64_MAX >> shift)) return false;
  out = static_cast<std::uint64_t>(number) << shift;
  return true;
}

void set_directory(LogdOptions& out, const char* base, const char* below) noexcept {
  std::size_t size = std::strlen(base);
  while (size > 1 && base[size - 1] == '/') --size;
  if (size == 1 && base[0] == '/' && below[0] != '\0') size = 0;
  if (size + std::strlen(below) >= sizeof(out.directory)) {
    refuse(out, "expected a shorter directory name", base);
    return;
  }
  std::memcpy(out.directory, base, size);
  std::memcpy(out.directory + size, below, std::strlen(below) + 1);
}

void parse_option(const char* argument, LogdOptions& out) noexcept {
  if (std::strcmp(argument, "--help") == 0) {
    out.action = LogdOptions::Action::kHelp;
  } else if (std::strcmp(argument, "--version") == 0) {
    out.action = LogdOptions::Action::kVersion;
  } else if (const char* root = value_of(argument, "--root=")) {
    if (root[0] == '\0') return refuse(out, "--root=: expected a directory", root);
    set_directory(out, root, kBelowRoot);
  } else if (const char* directory = value_of(argument, "--directory=")) {
    if (directory[0] == '\0') return refuse(out, "--directory=: expected a directory", directory);
    set_directory(out, directory, "");
  } else if (const char* units = value_of(argument, "--units=")) {
    if (units[0] != '/' || std::strlen(units) >= sizeof(out.units)) {
      return refuse(out, "--units=: expected the path of a directory", units);
    }
    std::memcpy(out.units, units, std::strlen(units) + 1);
  } else if (const char* size = value_of(argument, "--max-segment-size=")) {
    if (!parse_size(size, out.max_segment_size) || out.max_segment_size < kMinSegmentSize ||
        out.max_segment_size > kMaxSegmentSize) {
      refuse(out, "--max-segment-size=: expected a size from 4K to 1G", size);
    }
  } else if (const char* count = value_of(argument, "--keep-segments=")) {
    std::uint64_t number = 0;
    if (!parse_size(count, number) || number < 1 || number > kMaxKeptSegments) {
      return refuse(out, "--keep-segments=: expected a number from 1 to 1000000", count);
    }
    out.keep_segments = static_cast<std::uint32_t>(number);
  } else {
    refuse(out, "expected an option of --help", argument);
  }
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

const char kLogdUsage[] =
    "Usage: flotilla-logd [--root=DIR | --directory=DIR] [OPTION]...\n"
    "Writes what services print to the logs of their units. Started by flotilla-init, with the\n"
    "control socket on descriptor 3.\n"
    "\n"
    "  --root=DIR               keep the logs under DIR/var/log/flotilla (default: /)\n"
    "  --directory=DIR          keep the logs in DIR itself\n"
    "  --units=DIR              where flotilla-init says how much the programs of a unit may log "
    "by\n"
    "                           themselves (default: nowhere, nothing is limited)\n"
    "  --max-segment-size=SIZE  begin a new file at this size, 4K to 1G (default: 8M)\n"
    "  --keep-segments=N        files kept of each unit, with the current one (default: 4)\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage.\n";

void parse_logd_options(int argc, const char* const* argv, LogdOptions& out) noexcept {
  for (int i = 1; i < argc && out.action == LogdOptions::Action::kRun; ++i) {
    parse_option(argv[i], out);
  }
}

int make_directories(const char* path) noexcept {
  char part[sizeof(LogdOptions::directory)];
  const std::size_t size = std::strlen(path);
  if (size == 0 || size >= sizeof(part)) return size == 0 ? ENOENT : ENAMETOOLONG;
  std::memcpy(part, path, size + 1);
  for (std::size_t i = 1; i <= size; ++i) {
    if (part[i] != '/' && part[i] != '\0') continue;
    const char end = part[i];
    part[i] = '\0';
    if (::mkdir(part, 0755) != 0 && errno != EEXIST) return errno;
    part[i] = end;
  }
  return 0;
}

void load_boot_id(std::uint8_t (&out)[16]) noexcept {
  std::memset(out, 0, sizeof(out));
  const int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char text[64];
  const ssize_t got = ::read(fd, text, sizeof(text));
  ::close(fd);
  std::size_t digits = 0;
  for (ssize_t i = 0; i < got && digits < 32; ++i) {
    const int digit = hex_digit(text[i]);
    if (digit < 0) continue;
    auto& byte = out[digits++ / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | digit);
  }
}

}  // namespace flotilla::logs
