#include "unit/signal_name.h"

#include <array>
#include <charconv>
#include <csignal>

namespace flotilla::unit {
namespace {

struct Entry {
  int number;
  std::string_view name;
};

constexpr std::array kSignals = {
    Entry{SIGHUP, "HUP"},       Entry{SIGINT, "INT"},       Entry{SIGQUIT, "QUIT"},
    Entry{SIGILL, "ILL"},       Entry{SIGTRAP, "TRAP"},     Entry{SIGABRT, "ABRT"},
    Entry{SIGBUS, "BUS"},       Entry{SIGFPE, "FPE"},       Entry{SIGKILL, "KILL"},
    Entry{SIGUSR1, "USR1"},     Entry{SIGSEGV, "SEGV"},     Entry{SIGUSR2, "USR2"},
    Entry{SIGPIPE, "PIPE"},     Entry{SIGALRM, "ALRM"},     Entry{SIGTERM, "TERM"},
    Entry{SIGSTKFLT, "STKFLT"}, Entry{SIGCHLD, "CHLD"},     Entry{SIGCONT, "CONT"},
    Entry{SIGSTOP, "STOP"},     Entry{SIGTSTP, "TSTP"},     Entry{SIGTTIN, "TTIN"},
    Entry{SIGTTOU, "TTOU"},     Entry{SIGURG, "URG"},       Entry{SIGXCPU, "XCPU"},
    Entry{SIGXFSZ, "XFSZ"},     Entry{SIGVTALRM, "VTALRM"}, Entry{SIGPROF, "PROF"},
    Entry{SIGWINCH, "WINCH"},   Entry{SIGIO, "IO"},         Entry{SIGPWR, "PWR"},
    Entry{SIGSYS, "SYS"},       Entry{SIGIO, "POLL"},  // a second name for the same
};

std::optional<int> parse_number(std::string_view text) {
  int number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || number < 0) return std::nullopt;
  return number;
}

}  // namespace

std::optional<int> find_signal(std::string_view text) {
  std::optional<int> number = parse_number(text);
  if (!number) {
    if (text.starts_with("SIG")) text.remove_prefix(3);
    for (const Entry& entry : kSignals) {
      if (entry.name == text) return entry.number;
    }
    const bool from_low = text.starts_with("RTMIN");
    if (!from_low && !text.starts_with("RTMAX")) return std::nullopt;
    const std::string_view rest = text.substr(5);
    const int origin = from_low ? SIGRTMIN : SIGRTMAX;
    if (rest.empty()) return origin;
    if (rest.front() != (from_low ? '+' : '-')) return std::nullopt;
    const auto offset = parse_number(rest.substr(1));
    if (!offset || *offset > SIGRTMAX - SIGRTMIN) return std::nullopt;
    return from_low ? origin + *offset : origin - *offset;
  }
  if (*number < 1 || *number > SIGRTMAX) return std::nullopt;
  return number;
}

std::string signal_name(int signal) {
  for (const Entry& entry : kSignals) {
    if (entry.number == signal) return std::string(entry.name);
  }
  if (signal >= SIGRTMIN && signal <= SIGRTMAX) return "RTMIN+" + std::to_string(signal - SIGRTMIN);
  return std::to_string(signal);
}

}  // namespace flotilla::unit
