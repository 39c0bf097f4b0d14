#include "logs/segment_list.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "logs/index_format.h"

namespace flotilla::logs {

bool visit_segments(int directory, const char* name, void (*visit)(std::uint64_t, void*),
                    void* argument) noexcept {
  const int fd = ::openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  DIR* stream = ::fdopendir(fd);
  if (stream == nullptr) {
    const int saved = errno;
    ::close(fd);
    errno = saved;
    return false;
  }
  while (const dirent* entry = ::readdir(stream)) {
    std::uint64_t first_sequence = 0;
    if (parse_segment_name(entry->d_name, first_sequence)) visit(first_sequence, argument);
  }
  ::closedir(stream);
  return true;
}

bool list_segments(int directory, const char* name, SegmentList& out) noexcept {
  out = {};
  return visit_segments(
      directory, name,
      [](std::uint64_t first, void* argument) {
        auto& list = *static_cast<SegmentList*>(argument);
        if (list.count == 0 || first < list.oldest) list.oldest = first;
        if (list.count == 0 || first > list.newest) list.newest = first;
        ++list.count;
      },
      &out);
}

}  // namespace flotilla::logs
