#include "unit/exit_status.h"

#include <array>
#include <charconv>
#include <string>

#include "unit/escape.h"
#include "unit/signal_name.h"
#include "unit/words.h"

namespace flotilla::unit {
namespace {

struct Entry {
  int status;
  std::string_view name;
};

// Those of libc, of LSB init scripts, of BSD's sysexits.h, and of the service manager itself.
constexpr std::array kStatuses = {
    Entry{0, "SUCCESS"},
    Entry{1, "FAILURE"},
    Entry{2, "INVALIDARGUMENT"},
    Entry{3, "NOTIMPLEMENTED"},
    Entry{4, "NOPERMISSION"},
    Entry{5, "NOTINSTALLED"},
    Entry{6, "NOTCONFIGURED"},
    Entry{7, "NOTRUNNING"},
    Entry{64, "USAGE"},
    Entry{65, "DATAERR"},
    Entry{66, "NOINPUT"},
    Entry{67, "NOUSER"},
    Entry{68, "NOHOST"},
    Entry{69, "UNAVAILABLE"},
    Entry{70, "SOFTWARE"},
    Entry{71, "OSERR"},
    Entry{72, "OSFILE"},
    Entry{73, "CANTCREAT"},
    Entry{74, "IOERR"},
    Entry{75, "TEMPFAIL"},
    Entry{76, "PROTOCOL"},
    Entry{77, "NOPERM"},
    Entry{78, "CONFIG"},
    Entry{200, "CHDIR"},
    Entry{201, "NICE"},
    Entry{202, "FDS"},
    Entry{203, "EXEC"},
    Entry{204, "MEMORY"},
    Entry{205, "LIMITS"},
    Entry{206, "OOM_ADJUST"},
    Entry{207, "SIGNAL_MASK"},
    Entry{208, "STDIN"},
    Entry{209, "STDOUT"},
    Entry{210, "CHROOT"},
    Entry{211, "IOPRIO"},
    Entry{212, "TIMERSLACK"},
    Entry{213, "SECUREBITS"},
    Entry{214, "SETSCHEDULER"},
    Entry{215, "CPUAFFINITY"},
    Entry{216, "GROUP"},
    Entry{217, "USER"},
    Entry{218, "CAPABILITIES"},
    Entry{219, "CGROUP"},
    Entry{220, "SETSID"},
    Entry{221, "CONFIRM"},
    Entry{222, "STDERR"},
    Entry{224, "PAM"},
    Entry{225, "NETWORK"},
    Entry{226, "NAMESPACE"},
    Entry{227, "NO_NEW_PRIVILEGES"},
    Entry{228, "SECCOMP"},
    Entry{229, "SELINUX_CONTEXT"},
    Entry{230, "PERSONALITY"},
    Entry{231, "APPARMOR"},
    Entry{232, "ADDRESS_FAMILIES"},
    Entry{233, "RUNTIME_DIRECTORY"},
    Entry{235, "CHOWN"},
    Entry{236, "SMACK_PROCESS_LABEL"},
    Entry{237, "KEYRING"},
    Entry{238, "STATE_DIRECTORY"},
    Entry{239, "CACHE_DIRECTORY"},
    Entry{240, "LOGS_DIRECTORY"},
    Entry{241, "CONFIGURATION_DIRECTORY"},
    Entry{242, "NUMA_POLICY"},
    Entry{243, "CREDENTIALS"},
    Entry{244, "BPF"},
    Entry{255, "EXCEPTION"},
};

}  // namespace

std::optional<int> find_exit_status(std::string_view text) {
  int number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && stop == end) {
    if (number < 0 || number > 255) return std::nullopt;
    return number;
  }
  for (const Entry& entry : kStatuses) {
    if (entry.name == text) return entry.status;
  }
  return std::nullopt;
}

std::string_view exit_status_name(int status) noexcept {
  for (const Entry& entry : kStatuses) {
    if (entry.status == status) return entry.name;
  }
  return {};
}

void read_exit_status_set(std::string_view value, const Reporter& reporter, ExitStatusSet& set) {
  if (trim(value).empty()) {
    set = {};
    return;
  }
  WordRules rules;
  rules.escapes = WordRules::Escapes::kDrop;
  for (;;) {
    auto word = take_word(value, rules);
    if (!word) {
      reporter.warn("exit statuses: {}, the rest of the line is ignored", word.error().message);
      return;
    }
    if (!*word) return;
    if (const auto status = find_exit_status(**word)) {
      set.statuses.set(static_cast<std::size_t>(*status));
    } else if (const auto signal = find_signal(**word);
               signal && **word != std::to_string(*signal)) {
      set.signals.set(static_cast<std::size_t>(*signal));
    } else {
      reporter.warn("expected an exit status or a signal, got \"{}\", it is ignored",
                    printable(**word));
    }
  }
}

}  // namespace flotilla::unit
