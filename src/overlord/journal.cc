#include "overlord/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/crc.hpp>
#include <cerrno>
#include <charconv>
#include <filesystem>

namespace flotilla::overlord {

namespace {

constexpr std::string_view kHeader = "flotilla-journal 1\n";
constexpr std::string_view kHeaderName = "flotilla-journal ";
constexpr size_t kSumDigits = 8;

uint32_t checksum(std::string_view text) {
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  return crc.checksum();
}

std::string line_of(std::string_view record) {
  return fmt::format("{:08x} {}\n", checksum(record), record);
}

// The record of a line without its end, or false if the line is damaged.
bool read_line(std::string_view line, std::string_view& record) {
  if (line.size() <= kSumDigits || line[kSumDigits] != ' ') return false;
  uint32_t sum = 0;
  const char* end = line.data() + kSumDigits;
  const auto [stop, error] = std::from_chars(line.data(), end, sum, 16);
  if (error != std::errc() || stop != end) return false;
  record = line.substr(kSumDigits + 1);
  return checksum(record) == sum;
}

base::Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return base::system_error(errno, "write");
    }
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

base::Result<std::string> read_all(int fd, const std::string& path) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return base::system_error(errno, "stat {}", path);
  if (!S_ISREG(st.st_mode)) return base::invalid("{}: expected a regular file", path);
  if (static_cast<size_t>(st.st_size) > kMaxJournalBytes) {
    return base::too_large("{}: journal has {} bytes, at most {} are read", path, st.st_size,
                           kMaxJournalBytes);
  }
  std::string bytes(static_cast<size_t>(st.st_size), '\0');
  size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t n = ::pread(fd, bytes.data() + got, bytes.size() - got, static_cast<off_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::system_error(errno, "read {}", path);
    if (n == 0) break;
    got += static_cast<size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

base::Status check_header(std::string_view bytes, const std::string& path) {
  if (bytes.substr(0, kHeader.size()) == kHeader) return {};
  if (bytes.substr(0, kHeaderName.size()) == kHeaderName) {
    return base::unsupported("{}: written by a newer version: \"{}\"", path,
                             bytes.substr(0, bytes.find('\n')).substr(0, 64));
  }
  return base::invalid("{}: this is no state journal; move it away to start anew", path);
}

void sync_directory_of(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const base::Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) ::fsync(fd.get());
}

// Returns the length of the good part: everything but a damaged tail.
size_t scan(std::string_view bytes, Journal::Contents& contents) {
  size_t good_end = kHeader.size();
  size_t damaged = 0;
  for (size_t at = kHeader.size(); at < bytes.size();) {
    const size_t newline = bytes.find('\n', at);
    if (newline == std::string_view::npos) {
      ++damaged;
      break;
    }
    std::string_view record;
    if (read_line(bytes.substr(at, newline - at), record)) {
      contents.records.emplace_back(record);
      contents.damaged += damaged;
      damaged = 0;
      good_end = newline + 1;
    } else {
      ++damaged;
    }
    at = newline + 1;
  }
  contents.cut_tail = damaged > 0;
  return good_end;
}

}  // namespace

Journal::Journal(std::string path, base::Fd fd, size_t size)
    : path_(std::move(path)), fd_(std::make_shared<base::Fd>(std::move(fd))), size_(size) {}

base::Result<std::unique_ptr<Journal>> Journal::open(const std::string& path, Contents& contents) {
  contents = {};
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  base::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) return base::system_error(errno, "open {}", path);
  FLOTILLA_ASSIGN(const std::string bytes, read_all(fd.get(), path));

  // A crash while the file was being made leaves a part of the first line.
  const bool is_new = bytes.size() < kHeader.size() && kHeader.substr(0, bytes.size()) == bytes;
  if (is_new) {
    if (::ftruncate(fd.get(), 0) != 0) return base::system_error(errno, "truncate {}", path);
    if (base::Status status = write_all(fd.get(), kHeader); !status) {
      return base::in_context(std::move(status).error(), "{}", path);
    }
    if (::fsync(fd.get()) != 0) return base::system_error(errno, "sync {}", path);
    sync_directory_of(path);
    return std::unique_ptr<Journal>(new Journal(path, std::move(fd), kHeader.size()));
  }
  FLOTILLA_TRY(check_header(bytes, path));

  const size_t good_end = scan(bytes, contents);
  if (contents.damaged > 0) {
    contents.damaged_copy = path + ".damaged";
    std::filesystem::copy_file(path, contents.damaged_copy,
                               std::filesystem::copy_options::overwrite_existing, ignored);
    if (ignored) contents.damaged_copy.clear();
  }
  if (good_end < bytes.size() && ::ftruncate(fd.get(), static_cast<off_t>(good_end)) != 0) {
    return base::system_error(errno, "truncate {}", path);
  }
  return std::unique_ptr<Journal>(new Journal(path, std::move(fd), good_end));
}

base::Status Journal::append(std::string_view record) {
  const std::string line = line_of(record);
  if (base::Status status = write_all(fd_->get(), line); !status) {
    // Half a record may be there; left alone it would spoil the next one.
    if (::ftruncate(fd_->get(), static_cast<off_t>(size_)) != 0) {
      return base::system_error(errno, "truncate {}", path_);
    }
    return base::in_context(std::move(status).error(), "{}", path_);
  }
  size_ += line.size();
  return {};
}

base::Status Journal::sync() {
  const std::shared_ptr<base::Fd> fd = fd_;
  if (::fdatasync(fd->get()) != 0) return base::system_error(errno, "sync {}", path_);
  if (renamed_.exchange(false)) sync_directory_of(path_);
  return {};
}

base::Status Journal::write_replacement(std::string_view record) {
  const std::string path = path_ + ".new";
  base::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) return base::system_error(errno, "open {}", path);
  std::string bytes(kHeader);
  bytes += line_of(record);
  base::Status status = write_all(fd.get(), bytes);
  if (status && ::fsync(fd.get()) != 0) status = base::system_error(errno, "sync");
  if (!status) {
    ::unlink(path.c_str());
    return base::in_context(std::move(status).error(), "{}", path);
  }
  replacement_ = std::move(fd);
  replacement_size_ = bytes.size();
  return {};
}

base::Status Journal::adopt_replacement(const std::vector<std::string>& appended_meanwhile) {
  const std::string path = path_ + ".new";
  std::string lines;
  for (const std::string& record : appended_meanwhile) lines += line_of(record);
  base::Fd fd = std::move(replacement_);
  if (base::Status status = write_all(fd.get(), lines); !status) {
    ::unlink(path.c_str());
    return base::in_context(std::move(status).error(), "{}", path);
  }
  if (::rename(path.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(path.c_str());
    return base::system_error(error, "rename {} to {}", path, path_);
  }
  fd_ = std::make_shared<base::Fd>(std::move(fd));
  size_ = replacement_size_ + lines.size();
  renamed_ = true;
  return {};
}

}  // namespace flotilla::overlord
