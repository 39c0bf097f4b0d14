// The Spawner of the real world: clone3 with CLONE_VM and CLONE_VFORK on a stack of its own, so
// that a spawn costs the same however much memory and however many descriptors the manager has.
// begin() leaves out CLONE_VFORK where it can: one processor makes the next process while others
// take those before it to their programs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

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
  SpawnResult begin(const ExecSpec& spec) noexcept override;
  std::optional<SpawnResult> settle() noexcept override;

 private:
  enum class Follow : uint8_t { kToProgram, kNot };
  static constexpr size_t kStreams = 3;
  // A process that shares our memory still, while we go on.
  struct OnItsWay {
    OnItsWay();
    ~OnItsWay();
    std::byte* stack = nullptr;  // with a guard page at its low end
    // Low descriptors that stand for the standard streams meanwhile; /dev/null else.
    std::array<base::Fd, kStreams> slots;
    bool slots_are_used = false;
    std::unique_ptr<SpawnOrder> order;
    std::array<int, kStreams> sources{};
    pid_t pid = -1;
    // Zeroed by the kernel, which wakes who waits for it, when the process leaves our memory.
    int32_t is_here = 0;
    bool is_told = true;  // settle() has nothing to say
  };

  SpawnResult start(const ExecSpec& spec, Follow follow) noexcept;
  void await(OnItsWay& way) noexcept;
  void await_all() noexcept;
  void clear_slots(OnItsWay& way) noexcept;
  LinuxSpawner(base::Fd null, base::Fd null_input, CloneCall call) noexcept
      : call_(call), null_(std::move(null)), null_input_(std::move(null_input)) {}

  // The pid or -errno.
  static long start_child(const ExecSpec& spec, SpawnOrder& order, OnItsWay& way, Follow follow,
                          int* pidfd) noexcept;
  // In a copy of this process's memory, on a copy of its stack.
  static long start_copy(const ExecSpec& spec, SpawnOrder& order) noexcept;
  static long start_child_by_clone(const ExecSpec& spec, SpawnOrder& order, OnItsWay& way,
                                   int* pidfd) noexcept;

  const CloneCall call_;
  // /dev/null to write to and to read from, for standard streams that go nowhere.
  base::Fd null_, null_input_;
  int slots_end_ = 0;  // above the highest of all slots
  std::array<OnItsWay, kMostOnTheirWay> ways_;
  size_t next_ = 0;  // in ways_, the one that was begun first
};

}  // namespace flotilla::init
