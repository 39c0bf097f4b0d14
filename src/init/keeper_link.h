// The manager's end of the link to the keeper. KeeperPort is the seam, KeeperLink the real thing,
// FakeKeeper (fake_keeper.h) stands in for it in tests.
//
// Loop thread only. Nothing here blocks but receive_inheritance(); what the socket does not take at
// once is queued and goes out when there is room.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "init/children.h"
#include "init/keeper_protocol.h"
#include "init/loop.h"

namespace flotilla::init {

// A descriptor to be kept, and the name the next manager gets it back under (at most kMaxKeptName
// bytes; several may have the same).
struct KeptFd {
  std::string_view name;
  int fd = -1;
};

// An exit that the keeper saw; acknowledge `sequence` when all that follows from it is written
// down.
struct KeeperExit {
  ChildExit exit;
  uint64_t sequence = 0;
};

class KeeperPort {
 public:
  virtual ~KeeperPort() = default;

  // The keeper gets a copy of each descriptor; the caller's stay open. Many at once cost little
  // more than one.
  virtual base::Status store(std::span<const KeptFd> fds) = 0;
  // Closes the keeper's copies of this name; of all names.
  virtual base::Status remove(std::string_view name) = 0;
  virtual base::Status remove_all() = 0;
  // This exit and all with smaller numbers are dealt with. Goes out at the end of the turn.
  virtual void acknowledge(uint64_t sequence) = 0;

  // What is to happen when this process ends: the keeper ends too, with this code; or it starts the
  // program on disk as the next manager. Waits until the keeper has it. Without either, an end of
  // the manager is a death.
  virtual base::Status request_shutdown(int exit_code, MachineEnd end) = 0;
  virtual base::Status request_reexec() = 0;
};

class KeeperLink final : public KeeperPort {
 public:
  // What the keeper hands over at the start of a manager.
  struct Inheritance {
    uint32_t start_number = 0;      // 0: the first manager of this keeper
    bool previous_crashed = false;  // the one before ended without having asked for it
    struct Kept {
      std::string name;
      base::Fd fd;
    };
    std::vector<Kept> fds;          // O_CLOEXEC, in the order they were stored
    std::vector<KeeperExit> exits;  // not acknowledged by the manager before, oldest first
  };

  explicit KeeperLink(base::Fd link) noexcept;
  ~KeeperLink() override;

  // Reads what is handed over; waits for it. Once, before attach().
  base::Result<Inheritance> receive_inheritance();
  // From now on `on_exit` hears of exits as they come (at the priority of children), and `on_gone`
  // once if the keeper is dead: then stop everything and end.
  base::Status attach(Loop& loop, Callback<void(const KeeperExit&)> on_exit,
                      Callback<void()> on_gone);

  base::Status store(std::span<const KeptFd> fds) override;
  base::Status remove(std::string_view name) override;
  base::Status remove_all() override;
  void acknowledge(uint64_t sequence) override;
  base::Status request_shutdown(int exit_code, MachineEnd end = MachineEnd::kNone) override;
  base::Status request_reexec() override;

 private:
  struct Outgoing {
    std::string bytes;
    std::vector<base::Fd> fds;
  };
  base::Status send(std::string_view bytes, std::span<const int> fds);
  base::Status send_now(std::string_view bytes, std::span<const int> fds);
  base::Status request(const KeeperRequest& request);
  void flush();
  void on_ready(uint32_t events);
  void send_acknowledgement();

  base::Fd link_;
  Loop* loop_ = nullptr;
  Callback<void(const KeeperExit&)> on_exit_;
  Callback<void()> on_gone_;
  FdSource source_;
  Deferred acknowledge_work_;
  Timer retry_;
  uint64_t acknowledged_ = 0;
  uint64_t acknowledgement_sent_ = 0;
  std::deque<Outgoing> queue_;
};

}  // namespace flotilla::init
