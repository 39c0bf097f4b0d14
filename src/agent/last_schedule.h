// LastSchedule: what this machine was to run when the store was last heard, in a file of the state
// directory, so that a machine that boots while the store is away starts what it had. Written when
// that changes, by atomic replacement, at most once a second and off the loop's thread. Its form
// stands in docs/registry.md.
//
// Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/assignments.h"
#include "base/event_loop.h"
#include "overlord/executor.h"

namespace flotilla::agent {

std::string encode_schedule(const std::string& machine, const AssignedUnits& assigned);
// kInvalid for what is no whole file of this machine, with the reason.
base::Result<AssignedUnits> decode_schedule(const std::string& machine, std::string_view text);

class LastSchedule {
 public:
  // Requires: loop and executor outlive it.
  LastSchedule(base::EventLoop& loop, overlord::Executor& executor, std::string path,
               std::string machine);
  ~LastSchedule();

  // Blocks. A file that cannot be used is logged and counts as none; so does a missing one.
  std::optional<AssignedUnits> load() const;
  // `current` is asked when it is time to write.
  void save_soon(std::function<const AssignedUnits&()> current);
  // Blocks: writes what is still to be written.
  void flush();

 private:
  void write();

  base::EventLoop& loop_;
  overlord::Executor& executor_;
  const std::string path_;
  const std::string machine_;
  std::function<const AssignedUnits&()> current_;
  std::string written_;  // text of the file, as far as known
  bool is_writing_ = false;
  bool is_due_ = false;
  base::RegistrationPtr timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::agent
