// The manager's state outside of its heap: one file, mapped shared, with a fixed slot per unit, so
// that a manager that dies at any instant leaves to the next one what it knew. Written by plain
// stores, no system call per transition; a write that was cut off is undone when the file is next
// opened. The format: docs/state-file.md.
//
// Owned by the manager; loop thread only; one opener at a time (a lock on the file). Slots never
// move in memory while the file is open, so pointers into them stay good.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "init/state_image.h"
#include "init/state_record.h"

namespace flotilla::init {

// /proc/sys/kernel/random/boot_id as bytes.
base::Result<BootId> read_boot_id();

class StateFile {
 public:
  using SlotId = uint32_t;
  // Address space set aside, and with it the most units.
  static constexpr size_t kMaxBytes = size_t{256} << 20;

  // Opens the file or makes it (mode 0600). A file of another boot, another version or without a
  // right header is started anew, and a slot that is damaged beyond repair is freed; `problems`
  // says so, one sentence each. Fails if the file cannot be made, mapped or locked.
  static base::Result<std::unique_ptr<StateFile>> open(const std::string& host_path,
                                                       const BootId& boot_id,
                                                       std::vector<std::string>& problems);
  // The same over any open file, e.g. a memfd of a test: give a dup() of it to the next open.
  static base::Result<std::unique_ptr<StateFile>> open(base::Fd file, const BootId& boot_id,
                                                       std::vector<std::string>& problems);
  // With nothing behind it: for tests, and for a manager whose run directory cannot be written.
  static base::Result<std::unique_ptr<StateFile>> in_memory();
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // Whether the file held the state of an earlier manager of this boot.
  bool is_inherited() const noexcept { return inherited_; }
  // In no particular order.
  std::vector<SlotId> used_slots() const;

  // A zeroed slot with this name. Fails if the disk or the file is full. The name must be shorter
  // than 256 bytes and not be in use.
  base::Result<SlotId> allocate(std::string_view unit_name);
  void free(SlotId slot) noexcept;
  // Forgets everything: what was inherited is of no use any more.
  void clear() noexcept;

  const UnitRecord& record(SlotId slot) const noexcept;
  const ManagerRecord& manager() const noexcept;

  // A write to one record: what is changed through it counts as a whole when it goes out of scope,
  // or, if the manager dies before that, not at all. One at a time, and never over a callback.
  template <typename Record>
  class Edit {
   public:
    Edit(StateFile& file, uint32_t index) noexcept : file_(file) {
      record_ = static_cast<Record*>(file_.begin_write(index));
    }
    ~Edit() { file_.end_write(); }
    Edit(const Edit&) = delete;
    Edit& operator=(const Edit&) = delete;
    Record* operator->() noexcept { return record_; }
    Record& operator*() noexcept { return *record_; }

   private:
    StateFile& file_;
    Record* record_;
  };
  Edit<UnitRecord> edit(SlotId slot) noexcept { return {*this, slot}; }
  Edit<ManagerRecord> edit_manager() noexcept { return {*this, kManagerSlot}; }

  // Where the kernel puts the pid of a process being spawned (ExecSpec::pid_location), outside of
  // what the checksum covers. Zero it when the pid has gone into the record. One that is not zero
  // when the file is opened belongs to a spawn that a dying manager never heard the end of.
  enum class SpawnKind : uint8_t { kMain, kControl };
  int32_t* spawn_pid(SlotId slot, SpawnKind kind) noexcept;
  // How often a manager has begun with the notify message that lies first in the socket.
  int32_t* notify_attempts() noexcept { return &slot(kManagerSlot).spawning[0]; }

  // Lets go of the pages of the file, for while nobody looks: what stands in them stays in the
  // file.
  void release_pages() noexcept;

  size_t capacity() const noexcept { return capacity_; }

 private:
  StateFile(base::Fd file, std::byte* mapping) noexcept;
  base::Status adopt(const BootId& boot_id, std::vector<std::string>& problems);
  base::Status start_anew(const BootId& boot_id);
  base::Status grow();
  void* begin_write(uint32_t index) noexcept;
  void end_write() noexcept;
  StateSlot& slot(uint32_t index) const noexcept;
  StateHeader& header() const noexcept;

  base::Fd file_;
  std::byte* mapping_;
  uint32_t capacity_ = 0;
  uint32_t writing_ = 0;  // index + 1 of the slot in a write, 0: none
  bool inherited_ = false;
  std::vector<SlotId> free_;
};

}  // namespace flotilla::init
