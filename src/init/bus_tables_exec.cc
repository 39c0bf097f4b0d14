#include "init/bus_tables_exec.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>

#include "base/fd.h"

namespace flotilla::init::bus_exec {
namespace {

const ExecSettings& exec(S s) { return *s.unit->settings.exec; }
const KillSettings& kill(S s) { return s.unit->settings.kill; }

std::string_view stream_word(const StreamSetting& stream) {
  using Kind = StreamSetting::Kind;
  switch (stream.kind) {
    case Kind::kInherit:
      return "inherit";
    case Kind::kNull:
      return "null";
    case Kind::kJournal:
      return stream.with_console ? "journal+console" : "journal";
    case Kind::kKmsg:
      return stream.with_console ? "kmsg+console" : "kmsg";
    case Kind::kFile:
      return "file";
    case Kind::kAppend:
      return "append";
    case Kind::kTruncate:
      return "truncate";
    case Kind::kTty:
      return stream.path_or_name.empty() ? std::string_view("tty") : stream.path_or_name;
    case Kind::kSocket:
      return "socket";
    case Kind::kFd:
      return "fd";
    case Kind::kData:
      return "data";
  }
  return "";
}

// What a process inherits where no OOMScoreAdjust= is set.
std::optional<int> own_oom_score_adjust() {
  base::Fd file(::open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC));
  char text[16];
  const ssize_t size = file ? ::read(file.get(), text, sizeof text) : -1;
  int value = 0;
  if (size <= 0 || std::from_chars(text, text + size, value).ec != std::errc()) return {};
  return value;
}

}  // namespace

void environment(S s, W w) { w.strings(exec(s).environment); }
void pass_environment(S s, W w) { w.strings(exec(s).pass_environment); }
void unset_environment(S s, W w) { w.strings(exec(s).unset_environment); }

void environment_files(S s, W w) {
  w.open_array("(sb)");
  for (const auto& [path, missing_ok] : exec(s).environment_files) {
    w.open_struct("sb").string(path).boolean(missing_ok).close();
  }
  w.close();
}

// Without a setting a process has what the manager has: so for umask, limits and nice.
void umask(S s, W w) {
  uint32_t mask = 0;
  if (exec(s).umask) {
    mask = *exec(s).umask;
  } else {
    mask = ::umask(0022);
    ::umask(static_cast<mode_t>(mask));
  }
  w.u32(mask);
}

void write_limit(S s, W w, int resource, Bound bound) {
  rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
  const std::optional<rlimit>& set = exec(s).limits[static_cast<size_t>(resource)];
  // What was never loaded never got the manager's defaults, and neither did a unit whose file was
  // not read to its end; such a one has no slice either.
  const UnitSettings& settings = s.unit->settings;
  const bool has_defaults =
      settings.load_state == LoadState::kLoaded ||
      (settings.load_state == LoadState::kBadSetting && !settings.slice.empty());
  if (set) {
    limit = *set;
  } else if (has_defaults && resource == RLIMIT_NOFILE && s.manager.inherited_descriptors()) {
    limit = *s.manager.inherited_descriptors();
  } else {
    ::getrlimit(static_cast<__rlimit_resource>(resource), &limit);
  }
  const rlim_t value = bound == Bound::kHard ? limit.rlim_max : limit.rlim_cur;
  w.u64(value == RLIM_INFINITY ? UINT64_MAX : value);
}

void nice(S s, W w) {
  errno = 0;
  w.i32(exec(s).nice.value_or(::getpriority(PRIO_PROCESS, 0)));
}

void oom_score_adjust(S s, W w) {
  const std::optional<int>& set = exec(s).oom_score_adjust;
  w.i32(set ? *set : own_oom_score_adjust().value_or(0));
}
bool has_oom_score_adjust(S s) {
  return exec(s).oom_score_adjust.has_value() || own_oom_score_adjust().has_value();
}

void working_directory(S s, W w) {
  w.string((exec(s).working_directory_missing_ok ? "!" : "") + exec(s).working_directory);
}
void root_directory(S s, W w) { w.string(exec(s).root_directory); }

void standard_input(S s, W w) { w.string(stream_word(exec(s).standard_input)); }
void standard_output(S s, W w) { w.string(stream_word(exec(s).standard_output)); }
void standard_error(S s, W w) { w.string(stream_word(exec(s).standard_error)); }
void syslog_identifier(S s, W w) { w.string(exec(s).syslog_identifier); }
void syslog_level(S s, W w) { w.i32(exec(s).syslog_level); }
void syslog_level_prefix(S s, W w) { w.boolean(exec(s).syslog_level_prefix); }
void user(S s, W w) { w.string(exec(s).user); }
void group(S s, W w) { w.string(exec(s).group); }
void supplementary_groups(S s, W w) { w.strings(exec(s).supplementary_groups); }
void ignore_sigpipe(S s, W w) { w.boolean(exec(s).ignore_sigpipe); }
void no_new_privileges(S s, W w) { w.boolean(exec(s).no_new_privileges); }

void kill_mode(S s, W w) {
  switch (kill(s).mode) {
    case KillMode::kControlGroup:
      w.string("control-group");
      return;
    case KillMode::kProcess:
      w.string("process");
      return;
    case KillMode::kMixed:
      w.string("mixed");
      return;
    case KillMode::kNone:
      w.string("none");
      return;
  }
}
void kill_signal(S s, W w) { w.i32(kill(s).kill_signal); }
void restart_kill_signal(S s, W w) {
  const KillSettings& settings = kill(s);
  w.i32(settings.restart_kill_signal != 0 ? settings.restart_kill_signal : settings.kill_signal);
}
void final_kill_signal(S s, W w) { w.i32(kill(s).final_kill_signal); }
void send_sigkill(S s, W w) { w.boolean(kill(s).send_sigkill); }
void send_sighup(S s, W w) { w.boolean(kill(s).send_sighup); }
void watchdog_signal(S s, W w) { w.i32(kill(s).watchdog_signal); }

}  // namespace flotilla::init::bus_exec
