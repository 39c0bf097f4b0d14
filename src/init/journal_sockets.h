// The sockets that programs log to by themselves: /run/systemd/journal/{dev-log,socket,stdout}, as
// systemd-journald has them, and the link /dev/log. PID 1 makes them where no journal runs; the
// keeper has copies, so that a program which is connected stays so when a manager or log process
// dies.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "logs/protocol.h"

namespace flotilla::init {

class KeeperPort;
class LogStreams;

class JournalSockets {
 public:
  // `runtime`: host path of /run.
  explicit JournalSockets(const std::string& runtime) : directory_(runtime + "/systemd/journal") {}

  // What the keeper held for the manager before; leaves alone what is not of these names.
  void take_back(std::string_view kept_name, base::Fd& fd) noexcept;
  // Makes those that are not there. Where another program listens already, nothing is made.
  base::Status open(KeeperPort& keeper);
  void hand_over(LogStreams& logs);

 private:
  // False: another program has it.
  base::Result<bool> make(size_t which);
  void link_dev_log() const noexcept;

  std::string directory_;
  std::array<base::Fd, logs::kInletCount> sockets_;
};

}  // namespace flotilla::init
