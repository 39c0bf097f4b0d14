#include "init/state_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cassert>
#include <cerrno>
#include <cstring>

namespace flotilla::init {
namespace {

constexpr size_t kGrowBytes = size_t{64} * 1024;   // 102 units
constexpr size_t kFirstBytes = size_t{16} * 1024;  // 18 units: each page is zeroed as it is taken

// The order of our stores is what a later opener relies on. It looks only after this process is
// dead, so the compiler alone must keep the order.
void keep_order() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

}  // namespace

base::Result<BootId> read_boot_id() {
  const base::Fd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text{};
  const ssize_t size = fd ? read(fd.get(), text.data(), text.size()) : -1;
  if (size < 0) return base::system_error(errno, "read the boot id");
  BootId id{};
  size_t digits = 0;
  for (size_t i = 0; i < static_cast<size_t>(size) && digits < 32; ++i) {
    const char c = text[i];
    int value = -1;
    if (c >= '0' && c <= '9') value = c - '0';
    if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
    if (value < 0) continue;
    id[digits / 2] = static_cast<uint8_t>(id[digits / 2] << 4 | value);
    ++digits;
  }
  if (digits != 32) return base::internal("the boot id of this machine is not 32 hex digits");
  return id;
}

StateFile::StateFile(base::Fd file, std::byte* mapping) noexcept
    : file_(std::move(file)), mapping_(mapping) {}

StateFile::~StateFile() {
  if (mapping_ != nullptr) munmap(mapping_, kMaxBytes);
}

base::Result<std::unique_ptr<StateFile>> StateFile::open(const std::string& host_path,
                                                         const BootId& boot_id,
                                                         std::vector<std::string>& problems) {
  base::Fd file(::open(host_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return base::system_error(errno, "open the state file {}", host_path);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return base::conflict("the state file {} is in use by another manager", host_path);
    }
    return base::system_error(errno, "lock the state file {}", host_path);
  }
  return open(std::move(file), boot_id, problems);
}

base::Result<std::unique_ptr<StateFile>> StateFile::open(base::Fd file, const BootId& boot_id,
                                                         std::vector<std::string>& problems) {
  // All of it at once: pages beyond the end of the file cost nothing and become real as it grows,
  // without anything ever moving.
  void* const mapping =
      mmap(nullptr, kMaxBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file.get(), 0);
  if (mapping == MAP_FAILED) return base::system_error(errno, "map the state file");
  std::unique_ptr<StateFile> state(
      new StateFile(std::move(file), static_cast<std::byte*>(mapping)));
  FLOTILLA_TRY(state->adopt(boot_id, problems));
  return state;
}

base::Result<std::unique_ptr<StateFile>> StateFile::in_memory() {
  base::Fd file(memfd_create("flotilla-state", MFD_CLOEXEC));
  if (!file) return base::system_error(errno, "make a state file in memory");
  std::vector<std::string> problems;
  return open(std::move(file), BootId{}, problems);
}

base::Status StateFile::adopt(const BootId& boot_id, std::vector<std::string>& problems) {
  struct stat status {};
  if (fstat(file_.get(), &status) != 0) return base::system_error(errno, "read the state file");
  if (!S_ISREG(status.st_mode)) return base::invalid("the state file is no regular file");
  auto size = static_cast<size_t>(status.st_size);
  if (size > kMaxBytes) {
    problems.emplace_back("the state file is not used: it is larger than any state file can be");
    return start_anew(boot_id);
  }
  if (!repair_state_image({mapping_, size}, boot_id, problems)) return start_anew(boot_id);
  capacity_ = static_cast<uint32_t>((size - kStateHeaderSize) / sizeof(StateSlot));
  // Cut off in the middle of its first growth: there is nothing in it yet.
  if (capacity_ == 0) return start_anew(boot_id);
  // A hole left by a growth that was cut off would mean SIGBUS on a full disk.
  if (const int error = posix_fallocate(file_.get(), 0, status.st_size); error != 0) {
    return base::system_error(error, "reserve the space of the state file");
  }
  inherited_ = true;
  for (uint32_t index = capacity_; index-- > kManagerSlot + 1;) {
    if (check_slot(slot(index), index) == SlotHealth::kFree) free_.push_back(index);
  }
  return {};
}

base::Status StateFile::start_anew(const BootId& boot_id) {
  capacity_ = 0;
  free_.clear();
  if (ftruncate(file_.get(), 0) != 0) return base::system_error(errno, "empty the state file");
  if (const int error = posix_fallocate(file_.get(), 0, kStateHeaderSize); error != 0) {
    return base::system_error(error, "reserve the space of the state file");
  }
  StateHeader fresh{};
  fresh.version = kStateFileVersion;
  fresh.header_size = kStateHeaderSize;
  fresh.slot_size = sizeof(StateSlot);
  fresh.boot_id = boot_id;
  fresh.magic = kStateMagic;
  fresh.checksum = header_checksum(fresh);
  std::memcpy(mapping_, &fresh, sizeof fresh);
  return grow();
}

base::Status StateFile::grow() {
  const size_t used = kStateHeaderSize + capacity_ * sizeof(StateSlot);
  const size_t chunk = capacity_ == 0 ? kFirstBytes : kGrowBytes;
  // Room for one more slot at least, in whole chunks.
  const size_t size = (used + sizeof(StateSlot) + chunk - 1) / chunk * chunk;
  if (size > kMaxBytes) return base::too_large("the state file is full: {} units", capacity_);
  const auto more = static_cast<off_t>(size - used);
  if (const int error = posix_fallocate(file_.get(), static_cast<off_t>(used), more); error != 0) {
    return base::system_error(error, "grow the state file");
  }
  const auto capacity = static_cast<uint32_t>((size - kStateHeaderSize) / sizeof(StateSlot));
  free_.reserve(capacity);
  for (uint32_t index = capacity; index-- > capacity_;) {
    if (index != kManagerSlot) free_.push_back(index);
  }
  capacity_ = capacity;
  return {};
}

std::vector<StateFile::SlotId> StateFile::used_slots() const {
  std::vector<SlotId> used;
  for (uint32_t index = kManagerSlot + 1; index < capacity_; ++index) {
    if (!record(index).name_view().empty()) used.push_back(index);
  }
  return used;
}

base::Result<StateFile::SlotId> StateFile::allocate(std::string_view unit_name) {
  if (unit_name.empty() || unit_name.size() >= sizeof(UnitRecord::name) ||
      unit_name.find('\0') != std::string_view::npos) {
    return base::invalid("\"{}\" is no name for a unit", unit_name.substr(0, 256));
  }
  if (free_.empty()) FLOTILLA_TRY(grow());
  const SlotId id = free_.back();
  free_.pop_back();
  slot(id).spawning = {};
  auto unit = edit(id);
  *unit = UnitRecord{};
  unit_name.copy(unit->name.data(), unit_name.size());
  unit->control_command = kNoCommand;
  unit->uid = UINT32_MAX;
  unit->gid = UINT32_MAX;
  return id;
}

void StateFile::free(SlotId id) noexcept {
  assert(id > kManagerSlot && id < capacity_);
  slot(id).spawning = {};
  *edit(id) = UnitRecord{};
  free_.push_back(id);  // has room: grow() reserved it
}

void StateFile::clear() noexcept {
  for (uint32_t index = kManagerSlot + 1; index < capacity_; ++index) {
    if (!record(index).name_view().empty()) free(index);
  }
  *edit_manager() = ManagerRecord{};
  *notify_attempts() = 0;
  inherited_ = false;
}

const UnitRecord& StateFile::record(SlotId id) const noexcept {
  assert(id > kManagerSlot && id < capacity_);
  return *reinterpret_cast<const UnitRecord*>(slot(id).payload.data());
}

const ManagerRecord& StateFile::manager() const noexcept {
  return *reinterpret_cast<const ManagerRecord*>(slot(kManagerSlot).payload.data());
}

int32_t* StateFile::spawn_pid(SlotId id, SpawnKind kind) noexcept {
  assert(id > kManagerSlot && id < capacity_);
  return &slot(id).spawning[kind == SpawnKind::kMain ? 0 : 1];
}

void StateFile::release_pages() noexcept {
  madvise(mapping_, kStateHeaderSize + capacity_ * sizeof(StateSlot), MADV_DONTNEED);
}

void* StateFile::begin_write(uint32_t index) noexcept {
  assert(writing_ == 0 && index < capacity_);
  writing_ = index + 1;
  StateSlot& to = slot(index);
  StateUndo& undo = header().undo;
  undo.payload = to.payload;
  undo.sequence = to.sequence;
  undo.checksum = to.checksum;
  keep_order();
  undo.slot_plus_one = writing_;
  keep_order();
  ++to.sequence;
  keep_order();
  return to.payload.data();
}

void StateFile::end_write() noexcept {
  StateSlot& to = slot(writing_ - 1);
  keep_order();
  // 0 is the sequence of a slot never written; it comes round after 2^32 writes.
  const uint32_t sequence = to.sequence + 1 == 0 ? 2 : to.sequence + 1;
  to.checksum = state_checksum(sequence, to.payload);
  keep_order();
  to.sequence = sequence;
  keep_order();
  header().undo.slot_plus_one = 0;
  writing_ = 0;
}

StateSlot& StateFile::slot(uint32_t index) const noexcept {
  return *reinterpret_cast<StateSlot*>(mapping_ + kStateHeaderSize + index * sizeof(StateSlot));
}

StateHeader& StateFile::header() const noexcept {
  return *reinterpret_cast<StateHeader*>(mapping_);
}

}  // namespace flotilla::init
