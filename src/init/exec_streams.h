// The standard streams of a process: which of them goes where, decided purely, and the descriptors
// for those that are no log. Owned by PreparedExec; loop thread only.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/file_tree.h"
#include "init/spawner.h"
#include "init/unit_settings.h"

namespace flotilla::init {

// Where a stream really comes from or goes to, after all that one setting says about another.
struct StreamPlan {
  enum class End : uint8_t {
    kNull,
    kFile,      // as the setting names it
    kTerminal,  // TTYPath=
    kData,
    kLog,
    kKmsg,
    kSocket,
    kNamed,
    kInput,   // the same as standard input
    kOutput,  // the same as standard output
  };
  End input = End::kNull, output = End::kNull, error = End::kNull;
  friend bool operator==(const StreamPlan&, const StreamPlan&) = default;
};

// `has_terminal_input`: the command is one of those that may have the terminal (ExecStart= and what
// comes before it).
StreamPlan plan_streams(const ExecSettings& exec, bool has_terminal_input, bool has_socket);

// Whether a terminal is among them, so that $TERM matters.
bool needs_term(const ExecSettings& exec);
// TTYPath=, or the console.
const std::string& tty_path_of(const ExecSettings& exec);

struct StreamInputs {
  const ExecSettings& exec;
  const base::FileTree& host;
  bool has_terminal_input = false;
  int socket_fd = -1;
  bool needs_socket = false;  // without one there is nothing to start
  std::span<const std::pair<std::string, int>> named_fds{};
  uid_t terminal_owner = UINT32_MAX;  // who gets the terminal; UINT32_MAX: it stays as it is
};

class PreparedStreams {
 public:
  struct Failure {
    SpawnStage stage = SpawnStage::kNone;  // kNone: no process can be tried
    int error = 0;
    std::string message;
  };

  // Fills the stream descriptors of `spec`; those of a log are left to the caller.
  bool open(const StreamInputs& inputs, ExecSpec& spec, Failure& failure);
  const StreamPlan& plan() const noexcept { return plan_; }
  // Whether the same descriptors serve another start.
  bool is_reusable() const noexcept { return reusable_; }

 private:
  int open_end(const StreamInputs& inputs, int stream, StreamPlan::End end, base::Fd& fd);

  StreamPlan plan_;
  bool reusable_ = true;
  base::Fd fds_[3];
};

}  // namespace flotilla::init
