// The Spawner of the real world: clone3 with CLONE_VM and CLONE_VFORK on a stack of its own, so
// that a spawn costs the same however much memory and however many descriptors the manager has.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "base/fd.h"
#include "base/result.h"
#include "init/spawner.h"

namespace flotilla::init {

struct SpawnOrder;

class LinuxSpawner final : public Spawner {
 public:
  // The system call that makes processes: clone3, or clone where a filter (that of older container
  // run-times) or the kernel knows only that.
  enum class CloneCall { kClone3, kClone };
  // Which of them works here.
  static CloneCall probe() noexcept;

  // Blocks all signals of this process that are not its own faults, for good: the child must not be
  // stopped by one while the manager waits for its exec. Also ignores SIGPIPE.
  static base::Result<std::unique_ptr<LinuxSpawner>> create(CloneCall call = probe());
  ~LinuxSpawner() override;
  LinuxSpawner(const LinuxSpawner&) = delete;
  LinuxSpawner& operator=(const LinuxSpawner&) = delete;

  SpawnResult spawn(const ExecSpec& spec) noexcept override;

 private:
  LinuxSpawner(std::byte* stack, base::Fd null, base::Fd null_input, CloneCall call) noexcept
      : call_(call), stack_(stack), null_(std::move(null)), null_input_(std::move(null_input)) {}

  // The pid or -errno.
  long start_child(const ExecSpec& spec, SpawnOrder& order, int* pidfd) noexcept;
  // In a copy of this process's memory, on a copy of its stack.
  static long start_copy(const ExecSpec& spec, SpawnOrder& order) noexcept;
  long start_child_by_clone(const ExecSpec& spec, SpawnOrder& order, int* pidfd) noexcept;

  const CloneCall call_;
  std::byte* stack_;  // with a guard page at its low end
  // /dev/null to write to and to read from, for standard streams that go nowhere.
  base::Fd null_, null_input_;
  // Low descriptors that stand for the standard streams during a spawn; /dev/null else.
  static constexpr size_t kSlots = 3;
  std::array<base::Fd, kSlots> slots_;
  int slots_end_ = 0;  // above the highest of them
};

}  // namespace flotilla::init
