#include "sandbox/utmp.h"

#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>
#include <utmpx.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/fd.h"

namespace flotilla::sandbox {
namespace {

constexpr off_t kMaxRecords = 65536;

// The fields need no NUL where they are full.
template <size_t Size>
void set_text(char (&field)[Size], std::string_view text) {
  std::memset(field, 0, Size);
  std::memcpy(field, text.data(), std::min(Size, text.size()));
}

void set_id(utmpx& record, std::string_view id) {
  constexpr size_t kSize = sizeof record.ut_id;
  set_text(record.ut_id, id.size() > kSize ? id.substr(id.size() - kSize) : id);
}

void set_time(utmpx& record) {
  timeval now{};
  ::gettimeofday(&now, nullptr);
  record.ut_tv.tv_sec = static_cast<decltype(record.ut_tv.tv_sec)>(now.tv_sec);
  record.ut_tv.tv_usec = static_cast<decltype(record.ut_tv.tv_usec)>(now.tv_usec);
}

void append(const std::string& wtmp, const utmpx& record) {
  const base::Fd file(::open(wtmp.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (file) static_cast<void>(!::write(file.get(), &record, sizeof record));
}

bool is_of_process(short type) {
  return type == INIT_PROCESS || type == LOGIN_PROCESS || type == USER_PROCESS;
}

}  // namespace

void write_utmp_start(const UtmpFiles& files, const UtmpStart& start) {
  utmpx record{};
  record.ut_pid = ::getpid();
  record.ut_session = ::getsid(0);
  set_id(record, start.id);
  set_text(record.ut_line, start.line);
  const auto put = [&](short type) {
    record.ut_type = type;
    set_time(record);
    if (::utmpxname(files.utmp.c_str()) == 0) {
      ::setutxent();
      ::pututxline(&record);
      ::endutxent();
    }
    append(files.wtmp, record);
  };
  put(INIT_PROCESS);
  if (start.kind == UtmpKind::kInit) return;
  put(LOGIN_PROCESS);
  if (start.kind == UtmpKind::kLogin) return;
  set_text(record.ut_user, start.user);
  put(USER_PROCESS);
}

void write_utmp_end(const UtmpFiles& files, const std::string& id, pid_t pid, int code,
                    int status) {
  const base::Fd file(::open(files.utmp.c_str(), O_RDWR | O_CLOEXEC));
  if (!file) return;
  utmpx wanted{}, record{};
  set_id(wanted, id);
  for (off_t i = 0; i < kMaxRecords; ++i) {
    const off_t offset = i * static_cast<off_t>(sizeof record);
    if (::pread(file.get(), &record, sizeof record, offset) != sizeof record) return;
    const bool is_it = is_of_process(record.ut_type) && record.ut_pid == pid &&
                       std::memcmp(record.ut_id, wanted.ut_id, sizeof record.ut_id) == 0;
    if (!is_it) continue;
    record.ut_type = DEAD_PROCESS;
    record.ut_exit.e_termination = static_cast<short>(code);
    record.ut_exit.e_exit = static_cast<short>(status);
    utmpx last = record;
    set_text(record.ut_user, "");
    set_text(record.ut_host, "");
    record.ut_tv = {};
    static_cast<void>(!::pwrite(file.get(), &record, sizeof record, offset));
    set_time(last);
    append(files.wtmp, last);
    return;
  }
}

}  // namespace flotilla::sandbox
