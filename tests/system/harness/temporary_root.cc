#include "harness/temporary_root.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace flotilla::system_test {

TemporaryRoot::TemporaryRoot() {
  const char* const place = getenv("TMPDIR");
  std::string path =
      std::string(place == nullptr || *place == '\0' ? "/tmp" : place) + "/flotilla-system-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    throw std::runtime_error("mkdtemp " + path + ": " + std::strerror(errno));
  }
  path_ = path;
  chmod(path_.c_str(), 0755);
}

TemporaryRoot::~TemporaryRoot() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  if (error) std::fprintf(stderr, "%s: %s\n", path_.c_str(), error.message().c_str());
}

std::string TemporaryRoot::operator/(std::string_view inside) const {
  return path_ + "/" + std::string(inside);
}

void TemporaryRoot::write(std::string_view inside, std::string_view text) const {
  const std::string path = *this / inside;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.flush()) throw std::runtime_error("write " + path);
}

void TemporaryRoot::make_directory(std::string_view inside) const {
  std::filesystem::create_directories(*this / inside);
}

std::string TemporaryRoot::read(std::string_view inside) const { return read_file(*this / inside); }

bool TemporaryRoot::has(std::string_view inside) const {
  struct stat status {};
  return lstat((*this / inside).c_str(), &status) == 0;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace flotilla::system_test
