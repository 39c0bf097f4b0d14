// What the tests' services run. Options, in the order in which they are carried out:
//   --append=FILE   appends "PID\n" to FILE: one line per start
//   --print=TEXT    one line on stdout
//   --detach=DIR    ends, and goes on as a daemon in DIR with nothing on its standard streams
//   --syslog=TEXT   one datagram to /dev/log ("<28>name: text")
//   --journal=TEXT  one entry to the journal: "NAME=VALUE\n" as often as there are fields
//   --notify=TEXT   sends TEXT to $NOTIFY_SOCKET ("READY=1"); may repeat
//   --lines=FILE    from then on: for each line that comes to the FIFO FILE, prints it
//   --exit=CODE     ends at once
//   --on-term=CODE  ends with CODE at SIGTERM (0 without it; -1: takes no notice)
//   --on-hup=FILE   appends "reload\n" to FILE at SIGHUP
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

void append(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0 || write(fd, text.data(), text.size()) < 0) _exit(101);
  close(fd);
}

void send_to(const char* path, const std::string& text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path == nullptr || strlen(path) >= sizeof(address.sun_path)) _exit(102);
  strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto* const to = reinterpret_cast<const sockaddr*>(&address);
  if (sendto(fd, text.data(), text.size(), 0, to, sizeof(address)) < 0) _exit(103);
  close(fd);
}

void detach(const std::string& directory) {
  const pid_t pid = fork();
  if (pid != 0) _exit(pid < 0 ? 107 : 0);
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (setsid() < 0 || chdir(directory.c_str()) != 0 || nothing < 0) _exit(108);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nothing, fd);
}

void print_lines(const std::string& path) {
  // Held open for writing too: the end of one writer is not the end.
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  FILE* const file = fd < 0 ? nullptr : fdopen(fd, "r");
  char line[4096];
  while (file != nullptr && fgets(line, sizeof(line), file) != nullptr) {
    if (write(STDOUT_FILENO, line, strlen(line)) < 0) _exit(104);
  }
  _exit(105);
}

}  // namespace

int main(int argc, char** argv) {
  int on_term = 0;
  std::string on_hup;
  // Blocked before anything is told to anybody: whoever knows of us may signal us.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  for (int i = 1; i < argc; ++i) {
    if (strncmp(argv[i], "--lines=", 8) != 0) continue;
    sigemptyset(&set);
  }
  sigprocmask(SIG_SETMASK, &set, nullptr);
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const size_t equals = argument.find('=');
    if (equals == std::string_view::npos) return 100;
    const std::string_view key = argument.substr(0, equals);
    const std::string value(argument.substr(equals + 1));
    if (key == "--append") {
      append(value, std::to_string(getpid()) + "\n");
    } else if (key == "--print") {
      puts(value.c_str());
      fflush(stdout);
    } else if (key == "--notify") {
      send_to(getenv("NOTIFY_SOCKET"), value);
    } else if (key == "--detach") {
      detach(value);
    } else if (key == "--syslog") {
      send_to("/dev/log", value);
    } else if (key == "--journal") {
      send_to("/run/systemd/journal/socket", value);
    } else if (key == "--exit") {
      return atoi(value.c_str());
    } else if (key == "--lines") {
      print_lines(value);
    } else if (key == "--on-term") {
      on_term = atoi(value.c_str());
    } else if (key == "--on-hup") {
      on_hup = value;
    } else {
      return 100;
    }
  }
  for (;;) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) return 106;
    if (signal == SIGTERM && on_term >= 0) return on_term;
    if (signal == SIGHUP && !on_hup.empty()) append(on_hup, "reload\n");
  }
}
