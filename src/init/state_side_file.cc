#include "init/state_side_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace flotilla::init {
namespace {

constexpr std::array<char, 8> kMagic{'F', 'L', 'O', 'T', 'S', 'I', 'D', 'E'};
constexpr size_t kMaxUnitName = 255;
constexpr uint64_t kCompactFrom = uint64_t{64} * 1024;

struct FileHead {
  std::array<char, 8> magic;
  uint32_t version;
  uint32_t reserved;
  BootId boot_id;
};
static_assert(sizeof(FileHead) == 32);

struct RecordHead {
  uint64_t checksum;  // of the rest of this head, the name and the text
  uint32_t text_size;
  uint8_t name_size;
  uint8_t kind;
  uint16_t reserved;
};
static_assert(sizeof(RecordHead) == 16);

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string encode(std::string_view unit, SideKind kind, std::string_view text) {
  RecordHead head{};
  head.text_size = static_cast<uint32_t>(text.size());
  head.name_size = static_cast<uint8_t>(unit.size());
  head.kind = static_cast<uint8_t>(kind);
  std::string record(sizeof head, '\0');
  std::memcpy(record.data(), &head, sizeof head);
  record.append(unit).append(text);
  head.checksum =
      state_checksum(0, bytes_of(std::string_view(record).substr(sizeof head.checksum)));
  std::memcpy(record.data(), &head.checksum, sizeof head.checksum);
  return record;
}

std::string encode_file_head(const BootId& boot_id) {
  const FileHead head{kMagic, kStateFileVersion, 0, boot_id};
  std::string bytes(sizeof head, '\0');
  std::memcpy(bytes.data(), &head, sizeof head);
  return bytes;
}

size_t encoded_size(std::string_view unit, std::string_view text) {
  return sizeof(RecordHead) + unit.size() + text.size();
}

bool write_whole(int fd, std::string_view bytes, uint64_t at) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
    at += static_cast<uint64_t>(written);
  }
  return true;
}

}  // namespace

size_t read_side_entries(std::string_view bytes, const BootId& boot_id, SideEntries& entries,
                         std::vector<std::string>& problems) {
  FileHead file_head{};
  if (bytes.size() < sizeof file_head) {
    if (!bytes.empty()) problems.emplace_back("the side file is shorter than its header");
    return 0;
  }
  std::memcpy(&file_head, bytes.data(), sizeof file_head);
  if (file_head.magic != kMagic || file_head.version != kStateFileVersion) {
    problems.emplace_back("the side file is not used: it is none of this version");
    return 0;
  }
  if (file_head.boot_id != boot_id) {
    problems.emplace_back("the side file is not used: it is of another boot");
    return 0;
  }
  size_t at = sizeof file_head;
  while (at < bytes.size()) {
    RecordHead head{};
    const std::string_view rest = bytes.substr(at);
    bool good = rest.size() >= sizeof head;
    if (good) {
      std::memcpy(&head, rest.data(), sizeof head);
      good = head.text_size <= StateSideFile::kMaxText &&
             rest.size() - sizeof head >= size_t{head.name_size} + head.text_size;
    }
    const size_t size = sizeof head + head.name_size + head.text_size;
    good = good &&
           head.checksum == state_checksum(0, bytes_of(rest.substr(sizeof head.checksum,
                                                                   size - sizeof head.checksum)));
    if (!good) {
      problems.push_back(
          fmt::format("the side file is damaged at byte {}: what follows is forgotten", at));
      return at;
    }
    const std::string_view text = rest.substr(sizeof head + head.name_size, head.text_size);
    const std::pair key(std::string(rest.substr(sizeof head, head.name_size)),
                        static_cast<SideKind>(head.kind));
    if (text.empty()) {
      entries.erase(key);
    } else {
      entries[key] = text;
    }
    at += size;
  }
  return at;
}

base::Result<std::unique_ptr<StateSideFile>> StateSideFile::open(
    const std::string& host_path, const BootId& boot_id, std::vector<std::string>& problems) {
  std::unique_ptr<StateSideFile> side(new StateSideFile(host_path, boot_id));
  side->file_.reset(::open(host_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!side->file_) return base::system_error(errno, "open {}", host_path);
  struct stat status {};
  if (fstat(side->file_.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return base::invalid("{} is no regular file", host_path);
  }
  std::string bytes;
  if (static_cast<uint64_t>(status.st_size) > kMaxBytes) {
    problems.push_back(fmt::format("{} is not used: it is too large", host_path));
  } else {
    bytes.resize(static_cast<size_t>(status.st_size));
    size_t used = 0;
    while (used < bytes.size()) {
      const ssize_t count = pread(side->file_.get(), bytes.data() + used, bytes.size() - used,
                                  static_cast<off_t>(used));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return base::system_error(errno, "read {}", host_path);
      if (count == 0) break;
      used += static_cast<size_t>(count);
    }
    bytes.resize(used);
  }
  side->file_size_ = read_side_entries(bytes, boot_id, side->entries_, problems);
  if (side->file_size_ == 0) {
    const std::string head = encode_file_head(boot_id);
    if (ftruncate(side->file_.get(), 0) != 0 || !write_whole(side->file_.get(), head, 0)) {
      return base::system_error(errno, "write {}", host_path);
    }
    side->file_size_ = head.size();
  } else if (ftruncate(side->file_.get(), static_cast<off_t>(side->file_size_)) != 0) {
    return base::system_error(errno, "cut {}", host_path);
  }
  for (const auto& [key, text] : side->entries_) side->live_size_ += encoded_size(key.first, text);
  return side;
}

base::Status StateSideFile::append(std::string_view unit, SideKind kind, std::string_view text) {
  const std::string record = encode(unit, kind, text);
  if (file_size_ + record.size() > kMaxBytes) {
    return base::too_large("{} would grow beyond {} bytes", path_, kMaxBytes);
  }
  if (!write_whole(file_.get(), record, file_size_)) {
    const int error = errno;
    // What a full disk took of it must not stand before what comes later.
    if (ftruncate(file_.get(), static_cast<off_t>(file_size_)) != 0) {
      return base::system_error(errno, "cut {}", path_);
    }
    return base::system_error(error, "write {}", path_);
  }
  file_size_ += record.size();
  return {};
}

base::Status StateSideFile::put(std::string_view unit, SideKind kind, std::string_view text) {
  if (unit.size() > kMaxUnitName) return base::too_large("a unit name of {} bytes", unit.size());
  if (text.size() > kMaxText) {
    return base::too_large("{}: a text of {} bytes is more than {}", unit, text.size(), kMaxText);
  }
  std::pair key(std::string(unit), kind);
  const auto old = entries_.find(key);
  if (old == entries_.end() ? text.empty() : old->second == text) return {};
  FLOTILLA_TRY(append(unit, kind, text));
  if (old != entries_.end()) live_size_ -= encoded_size(unit, old->second);
  if (text.empty()) {
    entries_.erase(old);
  } else {
    live_size_ += encoded_size(unit, text);
    entries_[std::move(key)] = text;
  }
  if (file_size_ > kCompactFrom && live_size_ < file_size_ / 2) {
    // The text is written; compaction can fail and be tried again at the next.
    (void)compact();
  }
  return {};
}

std::string_view StateSideFile::find(std::string_view unit, SideKind kind) const noexcept {
  const auto found = entries_.find(std::pair(std::string(unit), kind));
  return found == entries_.end() ? std::string_view() : std::string_view(found->second);
}

base::Status StateSideFile::erase_unit(std::string_view unit) {
  std::vector<SideKind> kinds;
  for (const auto& [key, text] : entries_) {
    if (key.first == unit) kinds.push_back(key.second);
  }
  for (const SideKind kind : kinds) FLOTILLA_TRY(put(unit, kind, {}));
  return {};
}

base::Status StateSideFile::compact() {
  const std::string temporary = path_ + ".new";
  base::Fd fresh(
      ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fresh) return base::system_error(errno, "open {}", temporary);
  std::string bytes = encode_file_head(boot_id_);
  for (const auto& [key, text] : entries_) bytes += encode(key.first, key.second, text);
  if (!write_whole(fresh.get(), bytes, 0) || rename(temporary.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    unlink(temporary.c_str());
    return base::system_error(error, "write {}", temporary);
  }
  file_ = std::move(fresh);
  file_size_ = bytes.size();
  return {};
}

}  // namespace flotilla::init
