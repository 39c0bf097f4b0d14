#include "init/keeper_held.h"

#include <unistd.h>

#include <cstring>

namespace flotilla::init {

int HeldFds::fd_at(size_t offset) const noexcept {
  int fd = -1;
  std::memcpy(&fd, entries_ + offset, sizeof fd);
  return fd;
}

bool HeldFds::add(const char* name, size_t name_size, int fd) noexcept {
  if (name_size > kMaxKeptName || used_ + kEntryHead + name_size > kCapacity) return false;
  std::memcpy(entries_ + used_, &fd, sizeof fd);
  entries_[used_ + 4] = static_cast<char>(name_size);
  std::memcpy(entries_ + used_ + kEntryHead, name, name_size);
  used_ += kEntryHead + name_size;
  ++count_;
  return true;
}

void HeldFds::remove(const char* name, size_t name_size) noexcept {
  size_t to = 0;
  for (size_t from = 0; from < used_;) {
    const size_t size = kEntryHead + name_size_at(from);
    if (name_size_at(from) == name_size &&
        std::memcmp(entries_ + from + kEntryHead, name, name_size) == 0) {
      close(fd_at(from));
      --count_;
    } else {
      if (to != from) std::memmove(entries_ + to, entries_ + from, size);
      to += size;
    }
    from += size;
  }
  used_ = to;
}

void HeldFds::remove_all() noexcept {
  for (size_t at = 0; at < used_; at += kEntryHead + name_size_at(at)) close(fd_at(at));
  used_ = 0;
  count_ = 0;
}

size_t HeldFds::copy(size_t& cursor, int* fds, size_t most, char* names, size_t names_size,
                     size_t& names_used) const noexcept {
  size_t count = 0;
  names_used = 0;
  while (cursor < used_ && count < most) {
    const size_t size = name_size_at(cursor);
    if (names_used + size + 1 > names_size) break;
    fds[count++] = fd_at(cursor);
    std::memcpy(names + names_used, entries_ + cursor + kEntryHead, size);
    names_used += size;
    names[names_used++] = '\0';
    cursor += kEntryHead + size;
  }
  return count;
}

}  // namespace flotilla::init
