#include "sandbox/pam.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>

namespace flotilla::sandbox {
namespace {

using base::Result;
using base::Status;

// libpam's binary interface, which has been the same since the X/Open paper.
struct PamMessage {
  int style;
  const char* text;
};
struct PamResponse {
  char* text;
  int code;
};
struct PamConversation {
  int (*function)(int count, const PamMessage** messages, PamResponse** responses, void* data);
  void* data;
};
using PamHandle = void;
constexpr int kSuccess = 0, kConversationError = 19;
constexpr int kSilent = 0x8000, kEstablish = 0x0002, kDelete = 0x0004, kDataSilent = 0x40000000;

struct Library {
  int (*start)(const char*, const char*, const PamConversation*, PamHandle**);
  int (*end)(PamHandle*, int);
  int (*account)(PamHandle*, int);
  int (*credentials)(PamHandle*, int);
  int (*open)(PamHandle*, int);
  int (*close)(PamHandle*, int);
  int (*put_variable)(PamHandle*, const char*);
  char** (*variables)(PamHandle*);
  const char* (*describe)(PamHandle*, int);
};

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

Result<Library> open_library() {
  void* const library = ::dlopen("libpam.so.0", RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    return base::unsupported("Failed to set up PAM session: libpam is not installed");
  }
  Library pam{};
  const bool is_whole =
      find(library, "pam_start", pam.start) && find(library, "pam_end", pam.end) &&
      find(library, "pam_acct_mgmt", pam.account) &&
      find(library, "pam_setcred", pam.credentials) &&
      find(library, "pam_open_session", pam.open) &&
      find(library, "pam_close_session", pam.close) &&
      find(library, "pam_putenv", pam.put_variable) &&
      find(library, "pam_getenvlist", pam.variables) && find(library, "pam_strerror", pam.describe);
  if (!is_whole) return base::unsupported("Failed to set up PAM session: libpam is incomplete");
  return pam;
}

// There is nobody to ask.
int refuse_conversation(int, const PamMessage**, PamResponse**, void*) {
  return kConversationError;
}

// Stays until the service's process ends; then closes the session as its user.
[[noreturn]] void guard_session(const Library& pam, PamHandle* handle, pid_t parent, uid_t uid,
                                gid_t gid) {
  ::prctl(PR_SET_NAME, "(sd-pam)", 0, 0, 0);
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  ::syscall(SYS_close_range, 0U, ~0U, 0U);
  if (gid != static_cast<gid_t>(-1)) static_cast<void>(::setresgid(gid, gid, gid));
  if (uid != static_cast<uid_t>(-1)) static_cast<void>(::setresuid(uid, uid, uid));
  ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  while (::getppid() == parent) {
    int signal = 0;
    if (::sigwait(&end, &signal) != 0) break;
    // A signal to the whole group arrives here too; the service may need its session still.
  }
  const int code = pam.close(handle, kDataSilent);
  static_cast<void>(pam.credentials(handle, kDelete | kSilent));
  pam.end(handle, code | kDataSilent);
  ::_exit(0);
}

}  // namespace

Status open_pam_session(const std::string& service, const std::string& user, uid_t uid, gid_t gid,
                        std::vector<std::string>& environment) {
  FLOTILLA_ASSIGN(const Library pam, open_library());
  static const PamConversation kConversation{refuse_conversation, nullptr};
  PamHandle* handle = nullptr;
  int code = pam.start(service.c_str(), user.c_str(), &kConversation, &handle);
  if (code != kSuccess) {
    return base::internal("Failed to set up PAM session: pam_start() failed with {}", code);
  }
  const auto fail = [&](const char* step) {
    Status failure =
        base::denied("Failed to set up PAM session: {}: {}", step, pam.describe(handle, code));
    pam.end(handle, code | kDataSilent);
    return failure;
  };
  for (const std::string& assignment : environment) {
    code = pam.put_variable(handle, assignment.c_str());
    if (code != kSuccess) return fail("the environment");
  }
  code = pam.account(handle, kSilent);
  if (code != kSuccess) return fail("the account");
  code = pam.credentials(handle, kEstablish | kSilent);
  // Modules that keep none say so by failing.
  code = pam.open(handle, kSilent);
  if (code != kSuccess) return fail("the session");
  char** const variables = pam.variables(handle);
  if (variables == nullptr) return fail("the environment");
  environment.clear();
  for (char** one = variables; *one != nullptr; ++one) {
    environment.emplace_back(*one);
    std::free(*one);
  }
  std::free(variables);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return base::system_error(errno, "Failed to set up PAM session: fork");
  if (child == 0) guard_session(pam, handle, parent, uid, gid);
  return {};
}

}  // namespace flotilla::sandbox
