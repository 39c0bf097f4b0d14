#include "logs/reader.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "logs/segment.h"
#include "logs/segment_list.h"

namespace flotilla::logs {
namespace {

// Between the text and the index record of a line the log process needs microseconds.
constexpr base::Micros kSettleTime{1'000'000};

const base::Clock& system_clock() {
  static const base::SystemClock clock;
  return clock;
}

}  // namespace

void join_partial_lines(std::vector<Entry>& entries) {
  std::array<std::size_t, 2> open_piece{SIZE_MAX, SIZE_MAX};  // by stream, in the part that is done
  std::vector<Entry> joined;
  std::vector<bool> absorbed;
  joined.reserve(entries.size());
  for (Entry& entry : entries) {
    std::size_t& open = open_piece[static_cast<std::size_t>(entry.stream)];
    if (open != SIZE_MAX) {
      entry.message.insert(0, joined[open].message);
      absorbed[open] = true;
    }
    open = entry.partial ? joined.size() : SIZE_MAX;
    joined.push_back(std::move(entry));
    absorbed.push_back(false);
  }
  entries.clear();
  for (std::size_t i = 0; i < joined.size(); ++i) {
    if (!absorbed[i]) entries.push_back(std::move(joined[i]));
  }
}

LogReader::LogReader(std::string path, base::Fd directory, const base::Clock& clock)
    : path_(std::move(path)), directory_(std::move(directory)), clock_(&clock) {}
LogReader::LogReader(LogReader&&) noexcept = default;
LogReader& LogReader::operator=(LogReader&&) noexcept = default;
LogReader::~LogReader() = default;

base::Result<LogReader> LogReader::open(const std::string& directory) {
  return open(directory, system_clock());
}

base::Result<LogReader> LogReader::open(const std::string& directory, const base::Clock& clock) {
  base::Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return base::system_error(errno, "open log {}", directory);
  return LogReader(directory, std::move(fd), clock);
}

base::Status LogReader::refresh() {
  segments_.clear();
  const bool listed = visit_segments(
      directory_.get(), ".",
      [](std::uint64_t first, void* list) {
        static_cast<std::vector<std::uint64_t>*>(list)->push_back(first);
      },
      &segments_);
  if (!listed) return base::system_error(errno, "list log {}", path_);
  std::sort(segments_.begin(), segments_.end());
  // Whatever is cached may have grown.
  open_.reset();
  return {};
}

base::Result<Segment*> LogReader::segment_at(std::size_t index) {
  if (open_ != nullptr && open_->first() == segments_[index]) return open_.get();
  FLOTILLA_ASSIGN(std::unique_ptr<Segment> segment,
                  Segment::open(directory_.get(), segments_[index]));
  // Only the newest segment is being written to.
  const bool newest = index + 1 == segments_.size();
  const base::WallTime now = clock_->wall();
  FLOTILLA_TRY(segment->refresh(newest ? base::WallTime{now.since_epoch - kSettleTime}
                                       : base::WallTime::never()));
  open_ = std::move(segment);
  return open_.get();
}

std::uint64_t LogReader::end_of(std::size_t index, const Segment& segment) const {
  if (index + 1 >= segments_.size()) return segment.end();
  return std::min(segment.end(), segments_[index + 1]);
}

// Requires: refresh().
base::Result<std::vector<Entry>> LogReader::read_from(std::uint64_t sequence, std::size_t limit) {
  std::vector<Entry> entries;
  position_ = sequence > 0 ? sequence - 1 : 0;
  const auto above = std::upper_bound(segments_.begin(), segments_.end(), sequence);
  auto index = static_cast<std::size_t>(above - segments_.begin());
  if (index > 0) --index;
  for (; index < segments_.size() && entries.size() < limit; ++index) {
    auto segment = segment_at(index);
    if (!segment) {
      // The log process removes old segments; one may go between the listing and here.
      if (segment.error().code == base::Errc::kNotFound) continue;
      return base::in_context(std::move(segment).error(), "{}", path_);
    }
    const std::uint64_t end = end_of(index, **segment);
    std::uint64_t next = std::max(sequence, (*segment)->first());
    for (; next < end && entries.size() < limit; ++next) {
      Entry entry;
      if ((*segment)->read(next, entry)) entries.push_back(std::move(entry));
      position_ = next;
    }
  }
  return entries;
}

base::Result<std::vector<Entry>> LogReader::last(std::size_t count) {
  FLOTILLA_TRY(refresh());
  std::uint64_t start = 1;
  std::uint64_t left = count;
  for (std::size_t index = segments_.size(); index > 0; --index) {
    auto segment = segment_at(index - 1);
    if (!segment) {
      if (segment.error().code == base::Errc::kNotFound) break;
      return base::in_context(std::move(segment).error(), "{}", path_);
    }
    const std::uint64_t end = end_of(index - 1, **segment);
    const std::uint64_t lines = end - (*segment)->first();
    start = lines >= left ? end - left : (*segment)->first();
    if (lines >= left) break;
    left -= lines;
  }
  return read_from(start, SIZE_MAX);
}

base::Result<std::vector<Entry>> LogReader::after(std::uint64_t cursor, std::size_t limit) {
  FLOTILLA_TRY(refresh());
  return read_from(cursor == UINT64_MAX ? cursor : cursor + 1, limit);
}

base::Result<std::vector<Entry>> LogReader::since(base::WallTime time, std::size_t limit) {
  FLOTILLA_TRY(refresh());
  std::uint64_t start = 1;
  for (std::size_t index = 0; index < segments_.size(); ++index) {
    auto segment = segment_at(index);
    if (!segment) {
      if (segment.error().code == base::Errc::kNotFound) continue;
      return base::in_context(std::move(segment).error(), "{}", path_);
    }
    start = (*segment)->find_since(time);
    if (start < end_of(index, **segment)) return read_from(start, limit);
  }
  position_ = start - 1;
  return std::vector<Entry>{};
}

base::Result<std::vector<Entry>> LogReader::poll_new(std::size_t limit) {
  return after(position_, limit);
}

base::Result<std::uint64_t> LogReader::newest_cursor() {
  FLOTILLA_TRY(refresh());
  if (segments_.empty()) return std::uint64_t{0};
  FLOTILLA_ASSIGN(Segment * segment, segment_at(segments_.size() - 1));
  return segment->end() - 1;
}

base::Result<base::Fd> LogReader::watch() const {
  base::Fd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) return base::system_error(errno, "watch log {}", path_);
  if (::inotify_add_watch(fd.get(), path_.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
    return base::system_error(errno, "watch log {}", path_);
  }
  return fd;
}

void LogReader::drain_watch(int watch_fd) {
  alignas(inotify_event) std::array<char, 4096> events;
  while (::read(watch_fd, events.data(), events.size()) > 0) {
  }
}

}  // namespace flotilla::logs
