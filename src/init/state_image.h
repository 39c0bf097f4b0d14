// The bytes of a state file: layout, checksums, and the one reader of bytes that may be anything.
// docs/state-file.md is the description for people.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "init/state_record.h"

namespace flotilla::init {

using BootId = std::array<uint8_t, 16>;

inline constexpr size_t kStateHeaderSize = 4096;
inline constexpr uint32_t kManagerSlot = 0;  // the first slot is the manager's own

struct StateSlot {
  uint32_t sequence;  // odd while it is written
  uint32_t reserved;
  uint64_t checksum;                   // of sequence and payload; 0 in a slot never used
  std::array<std::byte, 608> payload;  // UnitRecord or ManagerRecord
  std::array<int32_t, 2> spawning;     // written by the kernel, not covered by the checksum
  std::array<std::byte, 8> padding;
};
static_assert(sizeof(StateSlot) == 640);
static_assert(sizeof(UnitRecord) <= sizeof(StateSlot::payload));
static_assert(sizeof(ManagerRecord) <= sizeof(StateSlot::payload));

// The copy of the slot that is being written, as it was before.
struct StateUndo {
  uint32_t slot_plus_one;  // 0: none
  uint32_t sequence;
  uint64_t checksum;
  std::array<std::byte, 608> payload;
};

struct StateHeader {
  std::array<char, 8> magic;
  uint32_t version;
  uint32_t header_size;
  uint32_t slot_size;
  uint32_t reserved;
  BootId boot_id;
  uint64_t checksum;  // of all before it
  StateUndo undo;
};
static_assert(sizeof(StateHeader) <= kStateHeaderSize);

inline constexpr std::array<char, 8> kStateMagic{'F', 'L', 'O', 'T', 'S', 'T', 'A', 'T'};

uint64_t state_checksum(uint32_t sequence, std::span<const std::byte> payload) noexcept;
uint64_t header_checksum(const StateHeader& header) noexcept;

enum class SlotHealth : uint8_t { kFree, kGood, kTorn };
SlotHealth check_slot(const StateSlot& slot, uint32_t index) noexcept;

// Checks a whole file and repairs it in place: a torn slot gets its content from before the write
// back, or is zeroed if that is not there either. Returns whether the header is right; `problems`
// names every slot that was lost and what is wrong with the header. Never reads outside `bytes`.
bool repair_state_image(std::span<std::byte> bytes, const BootId& boot_id,
                        std::vector<std::string>& problems);

}  // namespace flotilla::init
