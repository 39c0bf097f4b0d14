// libraries: flotilla_logs
// Reads and repairs a log made of any bytes: the first half of the input is the text, the second
// the index, which gets a true header and as many true checks as the input's first byte says, so
// that the records behind them are reached.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "logs/index_format.h"
#include "logs/line_batch.h"
#include "logs/protocol.h"
#include "logs/reader.h"
#include "logs/unit_log.h"

namespace {

using namespace flotilla::logs;  // NOLINT(google-build-using-namespace)

class Place {
 public:
  Place() {
    // In memory where that is possible: on a disk the files, not the code, take the time.
    char in_memory[] = "/dev/shm/flotilla-log-fuzz-XXXXXX";
    char on_disk[] = "/tmp/flotilla-log-fuzz-XXXXXX";
    const char* made = ::mkdtemp(in_memory);
    path_ = made != nullptr ? made : ::mkdtemp(on_disk);
    directory_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ::mkdirat(directory_.get(), "u", 0700);
  }
  ~Place() { std::filesystem::remove_all(path_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  std::string unit() const { return path_ + "/u"; }
  int directory() const { return directory_.get(); }
  void clear() const {
    for (const auto& file : std::filesystem::directory_iterator(unit())) {
      std::filesystem::remove(file);
    }
  }
  void put(const char* name, std::string_view bytes) const {
    const flotilla::base::Fd file(
        ::open((unit() + "/" + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    write_fully(file.get(), bytes.data(), bytes.size(), 0);
  }

 private:
  std::string path_;
  flotilla::base::Fd directory_;
};

std::string index_of(std::string_view bytes, std::uint8_t how) {
  if ((how & 1) == 0) return std::string(bytes);
  std::string index(kIndexHeaderSize, '\0');
  const IndexHeader header = make_index_header(1, 0);
  std::memcpy(index.data(), &header, sizeof(header));
  const std::size_t table = bytes.size() / 4;
  std::memcpy(index.data() + kSourceTableOffset, bytes.data(), table);
  bytes.remove_prefix(table);
  while (bytes.size() >= sizeof(IndexRecord)) {
    IndexRecord record;
    std::memcpy(&record, bytes.data(), sizeof(record));
    record.offset %= 4096;
    if ((how & 2) != 0) record.wall_usec = 0;
    seal_record(record);
    index.append(reinterpret_cast<const char*>(&record), sizeof(record));
    bytes.remove_prefix(sizeof(record));
  }
  return index.append(bytes);
}

std::string text_of(std::string_view bytes, std::uint8_t how) {
  if ((how & 4) == 0) return std::string(bytes);
  std::string text;
  while (!bytes.empty()) {
    const std::size_t size = bytes.size() < 20 ? bytes.size() : 20;
    char head[kLineHeadSize];
    format_line_head(0, StreamKind::kStdout, (bytes[0] & 1) != 0, head);
    text.append(head, sizeof(head)).append(bytes.substr(0, size)) += '\n';
    bytes.remove_prefix(size);
  }
  return text;
}

void check(bool holds) {
  if (!holds) std::abort();
}

void check_entries(const Place& place, std::string_view last) {
  flotilla::base::FakeClock clock;
  clock.set_wall({flotilla::base::Micros(4'000'000'000'000'000)});
  auto reader = LogReader::open(place.unit(), clock);
  check(reader.has_value());
  auto entries = reader->after(0, 100'000);
  check(entries.has_value());
  std::uint64_t cursor = 0;
  for (const Entry& entry : *entries) {
    check(entry.cursor > cursor);
    check(entry.message.size() <= kMaxMessage && entry.message.find('\n') == std::string::npos);
    cursor = entry.cursor;
  }
  if (!last.empty()) check(!entries->empty() && entries->back().message == last);
  check(reader->last(3).has_value());
  check(reader->since({flotilla::base::Micros(1)}, 3).has_value());
}

void decode_protocol(std::string_view bytes) {
  StreamSpec spec;
  PidChange pid;
  std::string_view unit;
  Event event;
  MessageReader reader(bytes);
  while (reader.next_stream(spec) || reader.next_pid(pid) || reader.next_unit(unit) ||
         reader.next_event(event)) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  static const auto batch = std::make_unique<LineBatch>();
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  decode_protocol(input);
  const std::uint8_t how = data[0];
  const std::string_view text = input.substr(1, size / 2);
  const std::string_view index = input.substr(1 + text.size());
  place.put("00000000000000000001.log", text_of(text, how));
  place.put("00000000000000000001.idx", index_of(index, how));
  check_entries(place, {});
  LogPlace log_place;
  log_place.directory = place.directory();
  log_place.wall_nsec = [] { return std::int64_t{1'700'000'000'000'000'000}; };
  UnitLog log("u");
  SourceSlot source{{1, {}, "fuzz"}, 0, kUnknownSource};
  batch->start(1'700'000'000'000'000'000, StreamKind::kStdout);
  batch->add("appended", kPriorityInfo, false);
  log.append(log_place, batch->view(), source);
  check(log.lost_lines() == 0);
  check_entries(place, "appended");
  log.close();
  place.clear();
  return 0;
}
