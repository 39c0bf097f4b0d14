// TemporaryRoot: a folder of its own for one test, under $TMPDIR or /tmp, removed with all that is
// in it. Others may enter it (services with User= do).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flotilla::system_test {

class TemporaryRoot {
 public:
  TemporaryRoot();
  ~TemporaryRoot();
  TemporaryRoot(const TemporaryRoot&) = delete;
  TemporaryRoot& operator=(const TemporaryRoot&) = delete;

  const std::string& path() const noexcept { return path_; }
  // The host path of something inside: root / "run/x".
  std::string operator/(std::string_view inside) const;
  // Makes the directories above it; an existing file is replaced.
  void write(std::string_view inside, std::string_view text) const;
  void make_directory(std::string_view inside) const;
  // Empty where there is no such file.
  std::string read(std::string_view inside) const;
  bool has(std::string_view inside) const;

 private:
  std::string path_;
};

std::string read_file(const std::string& path);
std::vector<std::string> lines_of(std::string_view text);

}  // namespace flotilla::system_test
