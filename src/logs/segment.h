// One segment with its index, from the reading side. Owned by LogReader. Trusts nothing it finds: a
// record counts only if its check holds and a line of its time stands at its offset.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "logs/index_format.h"
#include "logs/reader.h"
#include "logs/segment_scan.h"

namespace flotilla::logs {

class Segment {
 public:
  static base::Result<std::unique_ptr<Segment>> open(int directory, std::uint64_t first_sequence);

  std::uint64_t first() const noexcept { return first_; }
  // Behind the last line: first() when there is none.
  std::uint64_t end() const noexcept { return first_ + extent_.records + unindexed_.size(); }

  // Looks again at what is there. Lines without a record are taken only if the text was last
  // written before `settled`.
  base::Status refresh(base::WallTime settled);

  // False if the line is damaged. Requires: first() <= sequence < end().
  bool read(std::uint64_t sequence, Entry& out);
  // The first sequence number whose line is not older, or end().
  std::uint64_t find_since(base::WallTime time);

 private:
  struct KnownSource {
    std::int32_t pid;
    std::string boot_id;
    std::string identifier;
    std::vector<std::string> fields{};
  };

  explicit Segment(std::uint64_t first_sequence) : first_(first_sequence) {}

  void scan_unindexed();
  bool record_at(std::uint64_t index, IndexRecord& out);
  bool line_at(std::uint64_t offset, std::string_view& out);
  const KnownSource* source(std::uint16_t number);

  std::uint64_t first_;
  base::Fd text_;
  base::Fd index_;
  SegmentExtent extent_;
  std::vector<IndexRecord> unindexed_;
  std::vector<KnownSource> sources_;
  std::vector<IndexRecord> record_window_;
  std::uint64_t record_window_start_ = 0;
  std::vector<char> text_window_;
  std::uint64_t text_window_start_ = 0;
};

}  // namespace flotilla::logs
