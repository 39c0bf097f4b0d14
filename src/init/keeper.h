// The keeper: the process that flotilla-init stays behind as, parent of the manager. It is PID 1 or
// the plain daemon; it restarts the manager when that dies, keeps descriptors for it, and reaps
// what falls to it: raw system calls, no heap, a few hundred lines, so that nothing in it can fail.
//
// The manager is a program of its own beside the keeper's, which is opened once: the first start
// and every restart after a death run that very file, whatever its name means by then. A manager
// that asks for a re-execution (after an upgrade) is replaced by what is at that path; if it cannot
// be exec'ed, by the file of before. Without such a program, as in tests, managers are forks of the
// keeper.
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
  char* const* argv = nullptr;  // main's, for the manager; NULL: always fork
  // The manager's file, beside the keeper's; NULL: fork, and re-execute this program.
  const char* manager = nullptr;
  uint32_t max_deaths = 5;
  int64_t window_usec = 10'000'000;
};

struct KeeperOutcome {
  bool is_manager = false;  // only where it is a fork
  int link_fd = -1;         // in the manager: for KeeperLink
  int exit_code = 0;        // in the keeper: what main returns
};

// Returns once in every manager it forks, and in the keeper when all is over. Call it first thing
// in main. Never fails: what the kernel refuses at the very start is said on stderr and exit_code
// is 1. Requires: one thread; standard streams open.
KeeperOutcome run_keeper(const KeeperOptions& options) noexcept;

// In a program that the keeper exec'ed: the link it was handed (and forgets about in the
// environment); -1 in any other.
int take_inherited_link() noexcept;

}  // namespace flotilla::init
