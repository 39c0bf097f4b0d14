// libraries: flotilla_init
// Feeds the readers of the state file and its side file with bytes that may be anything. The first
// byte chooses the reader; the right checksum of a header is put in, so that what follows is
// reached.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "init/state_image.h"
#include "init/state_side_file.h"

using namespace flotilla::init;

namespace {

constexpr BootId kBoot{};

void fuzz_image(std::vector<std::byte> bytes, bool fix_header) {
  if (fix_header && bytes.size() >= sizeof(StateHeader)) {
    StateHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    header.magic = kStateMagic;
    header.version = kStateFileVersion;
    header.header_size = kStateHeaderSize;
    header.slot_size = sizeof(StateSlot);
    header.boot_id = kBoot;
    header.checksum = header_checksum(header);
    std::memcpy(bytes.data(), &header, sizeof header);
  }
  std::vector<std::string> problems;
  if (!repair_state_image(bytes, kBoot, problems)) return;
  // What was repaired is whole: a second reader has nothing to say.
  problems.clear();
  if (!repair_state_image(bytes, kBoot, problems) || !problems.empty()) std::abort();
}

void fuzz_side(std::string_view bytes) {
  SideEntries entries;
  std::vector<std::string> problems;
  const size_t good = read_side_entries(bytes, kBoot, entries, problems);
  if (good > bytes.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto* const begin = reinterpret_cast<const std::byte*>(data + 1);
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 3) {
    case 0:
      fuzz_image({begin, begin + size - 1}, false);
      break;
    case 1: {
      // The slots behind a header page of which only the undo part is from the input.
      std::vector<std::byte> bytes(kStateHeaderSize);
      const size_t undo = std::min(size - 1, sizeof(StateUndo));
      std::memcpy(bytes.data() + offsetof(StateHeader, undo), begin, undo);
      bytes.insert(bytes.end(), begin, begin + size - 1);
      fuzz_image(std::move(bytes), true);
      break;
    }
    default: {
      static constexpr char kHead[] = "FLOTSIDE\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
      fuzz_side(text);
      fuzz_side(std::string(kHead, 32) + std::string(text));
      break;
    }
  }
  return 0;
}
