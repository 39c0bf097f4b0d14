// For tests: a temporary directory with a place for logs in it, written to by UnitLog in virtual
// time.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "logs/line_batch.h"
#include "logs/reader.h"
#include "logs/unit_log.h"

namespace flotilla::logs {

class ScratchLog {
 public:
  ScratchLog() {
    char pattern[] = "/tmp/flotilla-logs-test-XXXXXX";
    path_ = ::mkdtemp(pattern);
    directory_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    place.directory = directory_.get();
    place.boot.bytes[0] = 0xab;
    place.own_pid = 77;
    place.wall_nsec = [] { return now; };
    now = 1'700'000'000'000'000'000;
    clock.set_wall({base::Micros(4'000'000'000'000'000)});  // all files are old
  }
  ~ScratchLog() { std::filesystem::remove_all(path_); }
  ScratchLog(const ScratchLog&) = delete;
  ScratchLog& operator=(const ScratchLog&) = delete;

  const std::string& path() const { return path_; }
  std::string unit_path(std::string_view unit = "u.service") const {
    return path_ + "/" + std::string(unit);
  }
  std::string file(std::uint64_t first, SegmentFile kind) const {
    char name[kSegmentNameSize + 1];
    format_segment_name(first, kind, name);
    return unit_path() + "/" + name;
  }
  std::size_t file_count() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(unit_path())) {
      static_cast<void>(entry);
      ++count;
    }
    return count;
  }

  void write(UnitLog& log, const std::vector<std::string>& lines, std::uint8_t priority = 5,
             StreamKind kind = StreamKind::kStdout) {
    batch_->start(now, kind);
    for (const std::string& line : lines) batch_->add(line, priority, false);
    log.append(place, batch_->view(), source);
  }

  LogReader reader(std::string_view unit = "u.service") const {
    auto opened = LogReader::open(unit_path(unit), clock);
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(opened).value();
  }
  std::vector<Entry> entries(std::string_view unit = "u.service") const {
    LogReader from = reader(unit);
    auto all = from.after(0, 1'000'000);
    EXPECT_TRUE(all) << all.error().message;
    return std::move(all).value();
  }

  LogPlace place;
  SourceSlot source{{42, {}, "ident"}, 0, kUnknownSource};
  base::FakeClock clock;
  static inline std::int64_t now = 0;

 private:
  std::string path_;
  base::Fd directory_;
  std::unique_ptr<LineBatch> batch_ = std::make_unique<LineBatch>();
};

inline std::vector<std::string> messages_of(const std::vector<Entry>& entries) {
  std::vector<std::string> messages;
  messages.reserve(entries.size());
  for (const Entry& entry : entries) messages.push_back(entry.message);
  return messages;
}

inline std::string contents_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void put_contents(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace flotilla::logs
