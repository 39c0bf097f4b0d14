// The messages between keeper and manager: one SOCK_SEQPACKET message is one struct, with what
// follows it in the same packet. Both ends are on one machine, but need not be of one version: a
// re-executed manager talks to the keeper of before. So messages only ever grow at their end, and
// the version in the hello says what the keeper knows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flotilla::init {

inline constexpr uint32_t kKeeperProtocolVersion = 1;
inline constexpr size_t kMaxKeptName = 63;
inline constexpr size_t kMaxFdsPerMessage = 250;  // the kernel's limit is 253
inline constexpr size_t kMaxExitsPerMessage = 256;
inline constexpr size_t kMaxKeeperMessage = size_t{20} * 1024;

enum class KeeperMessageKind : uint32_t {
  // keeper to manager
  kHello = 1,  // KeeperHello
  kFds = 2,    // KeeperMessage, then `count` names, each ended by a NUL; the fds as SCM_RIGHTS
  kExits = 3,  // KeeperMessage, then `count` KeeperExitEntry
  // manager to keeper
  kStore = 16,        // as kFds
  kRemove = 17,       // KeeperMessage, then one name ended by a NUL
  kRemoveAll = 18,    // KeeperMessage
  kAcknowledge = 19,  // KeeperRequest, value: sequence
  kShutdown = 20,     // KeeperRequest, value: exit code and MachineEnd
  kReexec = 21,       // KeeperRequest
};

// What becomes of the machine when the keeper was its first process. In kShutdown it stands above
// the exit code: value = exit code | end << 8.
enum class MachineEnd : uint8_t { kNone, kReboot, kPoweroff, kHalt };

struct KeeperMessage {
  KeeperMessageKind kind;
  uint32_t count;
};

struct KeeperHello {
  KeeperMessage head;  // count: protocol version
  uint32_t start_number;
  uint32_t previous_crashed;
  uint32_t fd_count;    // that many descriptors follow in kFds messages,
  uint32_t exit_count;  // then that many exits in kExits messages
};

struct KeeperExitEntry {
  uint64_t sequence;
  int32_t pid;
  int32_t code;
  int32_t status;
  uint32_t uid;
};

struct KeeperRequest {
  KeeperMessage head;
  uint64_t value;
};

}  // namespace flotilla::init
