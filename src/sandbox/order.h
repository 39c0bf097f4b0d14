// What the manager asks flotilla-exec to do: everything about one process that is still to be done
// when the helper starts, and then the program to run. Travels in a file descriptor, in a form
// that only the two programs of one build need to understand (see order.cc).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/mount_plan.h"
#include "sandbox/settings.h"
#include "sandbox/utmp.h"

namespace flotilla::sandbox {

struct Limit {
  int32_t resource = 0;
  uint64_t soft = 0, hard = 0;
};

struct Order {
  static constexpr uint32_t kKeepId = UINT32_MAX;
  static constexpr int32_t kKeep = INT32_MIN;

  std::string unit;
  std::string program;
  std::vector<std::string> arguments, environment;
  // Variables whose value is the process's own pid: "SYSTEMD_EXEC_PID=".
  std::vector<std::string> pid_variables;

  // Names that /etc/passwd and /etc/group do not have, for NSS to find. Empty: the ids below.
  std::string user, group;
  std::vector<std::string> supplementary_groups;
  bool applies_user = true;  // false for "!" and "+": the user is looked up, and stays as it is
  uint32_t uid = kKeepId, gid = kKeepId;
  bool set_groups = false;
  std::vector<uint32_t> groups;

  std::vector<Limit> limits;
  int32_t umask = 0022;
  std::string working_directory;  // empty: "/"; "~": the home of a user that NSS finds
  bool working_directory_missing_ok = false;
  bool no_new_privileges = false;
  bool ignore_sigpipe = true;
  // Capabilities by number as bits. The bounding set is lowered to this; all ones: left as it is.
  uint64_t bounding_set = UINT64_MAX;
  uint64_t ambient_set = 0;
  int32_t secure_bits = 0;
  int32_t personality = -1;

  bool applies_sandbox = true;  // false for "+"
  Settings settings;
  MountFacts mounts;
  std::string staging_directory;       // where the new tree is put together
  std::string inaccessible_directory;  // where nodes are that nobody can get at
  // Places that LoadCredential= of a relative name is looked up in.
  std::vector<std::string> credential_stores;
  bool writes_credentials = false;  // for the main process; others find what it wrote

  // UtmpIdentifier=; without one no record is made.
  UtmpFiles utmp_files;
  UtmpStart utmp;

  // Descriptors of the helper: those the program gets end here, and behind them stand the order,
  // the pipe for the report, and where wanted the two pairs of sockets in which namespaces are
  // kept.
  uint32_t passed_fds = 0;
  int32_t network_store = -1, ipc_store = -1;  // each the first of two descriptors
};

std::string encode_order(const Order& order);
// Never crashes on what is no order; fails with kInvalid.
base::Result<Order> decode_order(std::string_view bytes);

inline constexpr size_t kMaxOrderBytes = size_t{32} << 20;

// What the helper tells through its pipe, each at once and of at most kMaxReport bytes.
struct Report {
  enum class Kind : uint8_t {
    kWarning,      // the process goes on
    kFailure,      // it ends with exit_code
    kAboutToExec,  // the last step; when the pipe closes after this, the program runs
  };
  Kind kind = Kind::kFailure;
  int32_t exit_code = 0;
  int32_t error = 0;  // of the last step; 0: the message says all
  std::string message;
};
inline constexpr size_t kMaxReport = 4096;
std::string encode_report(const Report& report);
// Several may stand behind each other; takes the first off. Fails where there is none whole.
base::Result<Report> take_report(std::string_view& bytes);

}  // namespace flotilla::sandbox
