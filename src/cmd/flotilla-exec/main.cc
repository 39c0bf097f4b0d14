// flotilla-exec: what is left to do between a spawned process and its program, where the manager's
// own fast path does not reach. Started by flotilla-init alone:
//
//   flotilla-exec run FD       carries out the order in FD, whose report goes to FD + 1
//   flotilla-exec remove PATH...   removes directories with all that is in them
//   flotilla-exec remove-ipc UID GID   removes the IPC objects they have left
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/version.h"
#include "sandbox/ipc_objects.h"
#include "sandbox/run_order.h"

using namespace flotilla;

namespace {

std::string read_order(int fd) {
  std::string bytes;
  struct stat info {};
  if (::fstat(fd, &info) != 0 || info.st_size <= 0 ||
      static_cast<size_t>(info.st_size) > sandbox::kMaxOrderBytes) {
    return bytes;
  }
  bytes.resize(static_cast<size_t>(info.st_size));
  const ssize_t size = ::pread(fd, bytes.data(), bytes.size(), 0);
  bytes.resize(size < 0 ? 0 : static_cast<size_t>(size));
  return bytes;
}

// As the program will be named, in brackets, so that a process list shows what is coming.
void name_process(const std::string& program) {
  const std::string name = program.substr(program.rfind('/') + 1);
  ::prctl(PR_SET_NAME, ("(" + name.substr(0, 13) + ")").c_str(), 0, 0, 0);
}

int run(int fd) {
  const int report_fd = fd + 1;
  // The program gets what stands below, and nothing of the helper's.
  ::syscall(SYS_close_range, static_cast<unsigned>(fd), ~0U, CLOSE_RANGE_CLOEXEC);
  ::signal(SIGPIPE, SIG_IGN);
  const auto order = sandbox::decode_order(read_order(fd));
  sandbox::Report report;
  if (order) {
    ::close(fd);
    name_process(order->program);
    report = sandbox::run_order(*order, report_fd);
  } else {
    report.exit_code = 1;
    report.message = order.error().message;
  }
  const std::string bytes = sandbox::encode_report(report);
  static_cast<void>(!::write(report_fd, bytes.data(), bytes.size()));
  return report.exit_code;
}

int remove(char** paths) {
  for (; *paths != nullptr; ++paths) {
    std::error_code error;
    std::filesystem::remove_all(*paths, error);
  }
  return 0;
}

bool parse_number(const char* text, uint32_t& number) {
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  return error == std::errc() && stop == end;
}

int show_usage() {
  std::fputs(
      "usage: flotilla-exec run FD | remove PATH... | remove-ipc UID GID | --version\n"
      "A helper of flotilla-init, of no use to anybody else.\n",
      stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("flotilla-exec %.*s\n", static_cast<int>(std::string_view(base::kVersion).size()),
                std::string_view(base::kVersion).data());
    return 0;
  }
  if (argc >= 3 && std::strcmp(argv[1], "remove") == 0) return remove(argv + 2);
  if (argc == 4 && std::strcmp(argv[1], "remove-ipc") == 0) {
    uint32_t uid = 0, gid = 0;
    if (!parse_number(argv[2], uid) || !parse_number(argv[3], gid)) return show_usage();
    sandbox::remove_ipc_objects(uid, gid);
    return 0;
  }
  uint32_t fd = 0;
  if (argc != 3 || std::strcmp(argv[1], "run") != 0 || !parse_number(argv[2], fd) || fd < 3 ||
      fd > 65536) {
    return show_usage();
  }
  return run(static_cast<int>(fd));
}
