#include "init/terminal.h"

#include <fcntl.h>
#include <linux/kd.h>
#include <linux/vt.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

namespace flotilla::init {
namespace {

constexpr mode_t kOwnMode = 0620;
constexpr gid_t kTerminalGroup = 5;

// The number of "/dev/tty9"; 0: it is none of those.
int virtual_terminal_number(std::string_view path) noexcept {
  constexpr std::string_view kPrefix = "/dev/tty";
  if (path.substr(0, kPrefix.size()) != kPrefix) return 0;
  path.remove_prefix(kPrefix.size());
  int number = 0;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), number);
  return error == std::errc() && end == path.data() + path.size() && number > 0 && number < 64
             ? number
             : 0;
}

void make_sane(termios& state) noexcept {
  state.c_iflag &= ~static_cast<tcflag_t>(IGNBRK | BRKINT | ISTRIP | INLCR | IGNCR | IUCLC);
  state.c_iflag |= ICRNL | IMAXBEL | IUTF8;
  state.c_oflag |= ONLCR | OPOST;
  state.c_cflag |= CREAD;
  state.c_lflag = ISIG | ICANON | IEXTEN | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE;
  constexpr std::pair<int, cc_t> kKeys[] = {
      {VINTR, 3},     {VQUIT, 28}, {VERASE, 127}, {VKILL, 21},  {VEOF, 4},
      {VSTART, 17},   {VSTOP, 19}, {VSUSP, 26},   {VLNEXT, 22}, {VWERASE, 23},
      {VREPRINT, 18}, {VEOL, 0},   {VEOL2, 0},    {VTIME, 0},   {VMIN, 1},
  };
  for (const auto& [key, character] : kKeys) state.c_cc[key] = character;
}

}  // namespace

base::Fd open_terminal(const std::string& path, int access_mode) noexcept {
  base::Fd fd(open(path.c_str(), access_mode | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fd;
  if (isatty(fd.get()) == 0) {
    fd.reset();
    errno = ENOTTY;
    return fd;
  }
  static_cast<void>(fcntl(fd.get(), F_SETFL, access_mode));
  return fd;
}

void reset_terminal(const std::string& path) noexcept {
  const base::Fd fd = open_terminal(path, O_RDWR);
  if (!fd) return;
  ioctl(fd.get(), TIOCNXCL);
  ioctl(fd.get(), KDSETMODE, KD_TEXT);
  ioctl(fd.get(), KDSKBMODE, K_UNICODE);
  termios state{};
  if (tcgetattr(fd.get(), &state) == 0) {
    make_sane(state);
    static_cast<void>(tcsetattr(fd.get(), TCSANOW, &state));
  }
  static_cast<void>(tcflush(fd.get(), TCIOFLUSH));
}

void hang_up_terminal(const std::string& path) noexcept {
  if (const base::Fd fd = open_terminal(path, O_RDWR)) ioctl(fd.get(), TIOCVHANGUP);
}

void disallocate_terminal(const std::string& path) noexcept {
  const int number = virtual_terminal_number(path);
  if (number == 0) return;
  if (const base::Fd manager = open_terminal("/dev/tty0", O_RDWR)) {
    if (ioctl(manager.get(), VT_DISALLOCATE, number) == 0 || errno != EBUSY) return;
  }
  // It is in view: its text goes at least, from the scroll-back too.
  const base::Fd fd = open_terminal(path, O_RDWR);
  constexpr std::string_view kClear = "\033[r\033[H\033[3J";
  if (fd) static_cast<void>(!write(fd.get(), kClear.data(), kClear.size()));
}

void set_terminal_size(int fd, std::optional<uint32_t> rows,
                       std::optional<uint32_t> columns) noexcept {
  if (!rows && !columns) return;
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return;
  if (rows) size.ws_row = static_cast<unsigned short>(*rows);
  if (columns) size.ws_col = static_cast<unsigned short>(*columns);
  ioctl(fd, TIOCSWINSZ, &size);
}

int give_terminal(int fd, uid_t owner) noexcept {
  if (isatty(fd) == 0) return 0;
  struct stat state {};
  if (fchmod(fd, kOwnMode) == 0 && fchown(fd, owner, static_cast<gid_t>(-1)) == 0) return 0;
  const int error = errno;
  // What counts is what came of it.
  const bool is_given =
      fstat(fd, &state) == 0 && state.st_uid == owner && (state.st_mode & 0777) == kOwnMode;
  return is_given ? 0 : error;
}

void take_terminal_back(const std::string& path) noexcept {
  const base::Fd fd = open_terminal(path, O_RDWR);
  if (!fd) return;
  static_cast<void>(!fchown(fd.get(), 0, kTerminalGroup));
  static_cast<void>(!fchmod(fd.get(), kOwnMode));
}

std::string default_term(const std::string& tty_path) {
  return virtual_terminal_number(tty_path) != 0 || tty_path == "/dev/tty0" ? "linux" : "vt220";
}

}  // namespace flotilla::init
