#include "init/state_image.h"

#include <fmt/format.h>

#include <cstring>

namespace flotilla::init {
namespace {

// One round of a multiply-and-fold hash: quick, and every bit of the input reaches the result.
uint64_t fold(uint64_t hash, uint64_t word) noexcept {
  hash ^= word;
  hash *= 0x9e3779b97f4a7c15U;
  return hash ^ (hash >> 29);
}

uint64_t hash_bytes(uint64_t seed, std::span<const std::byte> bytes) noexcept {
  uint64_t hash = fold(0x466c6f74696c6c61U, seed);
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    hash = fold(hash, word);
  }
  uint64_t rest = bytes.size();
  for (; at < bytes.size(); ++at) rest = rest << 8 | static_cast<uint64_t>(bytes[at]);
  return fold(hash, rest);
}

bool is_all_zero(std::span<const std::byte> bytes) noexcept {
  for (const std::byte byte : bytes) {
    if (byte != std::byte{0}) return false;
  }
  return true;
}

// A damaged file may hold any text where a name should be.
std::string printable_name(const std::array<std::byte, 608>& payload) {
  std::string name;
  for (size_t i = 0; i < 255; ++i) {
    const char c = static_cast<char>(payload[i]);
    if (c < 0x21 || c > 0x7e) break;
    name.push_back(c);
  }
  return name.empty() ? "no readable name" : name;
}

class SlotView {
 public:
  explicit SlotView(std::byte* at) noexcept : at_(at) {}
  StateSlot load() const noexcept {
    StateSlot slot;
    std::memcpy(&slot, at_, sizeof slot);
    return slot;
  }
  void store(const StateSlot& slot) const noexcept { std::memcpy(at_, &slot, sizeof slot); }

 private:
  std::byte* at_;
};

// What is wrong with the header, or nothing.
std::string header_problem(const StateHeader& header, const BootId& boot_id) {
  if (header.magic != kStateMagic) return "it is no state file";
  if (header.version != kStateFileVersion) {
    return fmt::format("its format is version {}, ours is {}", header.version, kStateFileVersion);
  }
  if (header.checksum != header_checksum(header)) return "its header is damaged";
  if (header.header_size != kStateHeaderSize || header.slot_size != sizeof(StateSlot)) {
    return "its header has other sizes than this version";
  }
  if (header.boot_id != boot_id) return "it is of another boot";
  return {};
}

bool undo_fits(const StateUndo& undo, uint32_t index) noexcept {
  if (undo.slot_plus_one != index + 1) return false;
  if (undo.sequence % 2 != 0) return false;
  if (undo.checksum == 0) return undo.sequence == 0 && is_all_zero(undo.payload);
  return undo.checksum == state_checksum(undo.sequence, undo.payload);
}

}  // namespace

uint64_t state_checksum(uint32_t sequence, std::span<const std::byte> payload) noexcept {
  const uint64_t hash = hash_bytes(sequence, payload);
  return hash != 0 ? hash : 1;  // 0 means: never written
}

uint64_t header_checksum(const StateHeader& header) noexcept {
  return hash_bytes(0, std::as_bytes(std::span(&header, 1)).first(offsetof(StateHeader, checksum)));
}

SlotHealth check_slot(const StateSlot& slot, uint32_t index) noexcept {
  if (slot.sequence == 0 && slot.checksum == 0) {
    return is_all_zero(slot.payload) ? SlotHealth::kFree : SlotHealth::kTorn;
  }
  if (slot.sequence % 2 != 0) return SlotHealth::kTorn;
  if (slot.checksum != state_checksum(slot.sequence, slot.payload)) return SlotHealth::kTorn;
  if (index == kManagerSlot) return SlotHealth::kGood;
  const bool named = slot.payload[0] != std::byte{0};
  const bool terminated = slot.payload[255] == std::byte{0};
  if (!named) return SlotHealth::kFree;
  return terminated ? SlotHealth::kGood : SlotHealth::kTorn;
}

bool repair_state_image(std::span<std::byte> bytes, const BootId& boot_id,
                        std::vector<std::string>& problems) {
  if (bytes.size() < kStateHeaderSize) {
    if (!bytes.empty()) problems.emplace_back("the state file is shorter than its header");
    return false;
  }
  StateHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::string problem = header_problem(header, boot_id); !problem.empty()) {
    problems.push_back("the state file is not used: " + problem);
    return false;
  }
  const size_t count = (bytes.size() - kStateHeaderSize) / sizeof(StateSlot);
  for (uint32_t index = 0; index < count; ++index) {
    const SlotView view(bytes.data() + kStateHeaderSize + index * sizeof(StateSlot));
    StateSlot slot = view.load();
    if (check_slot(slot, index) != SlotHealth::kTorn) continue;
    if (undo_fits(header.undo, index)) {
      slot.payload = header.undo.payload;
      slot.sequence = header.undo.sequence;
      slot.checksum = header.undo.checksum;
      // What the undo copy holds was a slot once, so it is checked as one.
      if (check_slot(slot, index) != SlotHealth::kTorn) {
        view.store(slot);
        continue;
      }
    }
    problems.push_back(
        fmt::format("slot {} of the state file is damaged ({}): its unit is forgotten", index,
                    printable_name(slot.payload)));
    view.store(StateSlot{});
  }
  // The write that was cut off is over now.
  header.undo.slot_plus_one = 0;
  std::memcpy(bytes.data() + offsetof(StateHeader, undo), &header.undo,
              sizeof header.undo.slot_plus_one);
  return true;
}

}  // namespace flotilla::init
