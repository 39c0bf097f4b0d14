// The keeper: the process that flotilla-init stays behind as, parent of the manager. It is PID 1 or
// the plain daemon; it restarts the manager when that dies, keeps descriptors for it, and reaps
// what falls to it: raw system calls, no heap, a few hundred lines, so that nothing in it can fail.
//
// The manager is a fork of the keeper, which has no heap yet: the first start and every restart
// after a death run the image that is in memory. A manager that asks for a re-execution (after an
// upgrade) is replaced by fork and exec of the program's path as it was resolved at start; if that
// cannot be exec'ed, by a fork again.
//
// - Signals: all are blocked; those the keeper gets it forwards to the manager. Without a manager
//   they wait for the next one. After it has given up, SIGTERM and SIGINT end it (not as PID 1).
// - Orphans: keeper and manager are child subreapers (PID 1 is one anyway). Services are the
//   manager's children and fall to the keeper when it dies. The keeper queues their exits, sends
//   them to the manager, and forgets one only when the manager has acknowledged it; what was not
//   acknowledged goes to the next manager again. When the queue is full it stops reaping: an exit
//   waits as a zombie, it is not lost.
// - After `max_deaths` deaths in `window_usec` it says so on stderr (and /dev/kmsg as PID 1) and
//   only reaps.
// - If the keeper is killed, the manager reads the end of the link, stops its services in order and
//   ends.
#pragma once

#include <cstdint>

namespace flotilla::init {

struct KeeperOptions {
  char* const* argv = nullptr;  // main's, for re-execution; NULL: always fork
  uint32_t max_deaths = 5;
  int64_t window_usec = 10'000'000;
};

struct KeeperOutcome {
  bool is_manager = false;
  int link_fd = -1;   // in the manager: for KeeperLink
  int exit_code = 0;  // in the keeper: what main returns
};

// Returns once in every manager it makes, and in the keeper when all is over. Call it first thing
// in main. Never fails: what the kernel refuses at the very start is said on stderr and exit_code
// is 1. Requires: one thread; standard streams open.
KeeperOutcome run_keeper(const KeeperOptions& options) noexcept;

// In a program that the keeper exec'ed: the link it was handed (and forgets about in the
// environment); -1 in any other. Ask before run_keeper().
int take_inherited_link() noexcept;

}  // namespace flotilla::init
