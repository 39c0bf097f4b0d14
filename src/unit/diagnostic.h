// One thing wrong in a file of configuration, with the place and the reason. Readers collect all of
// them instead of stopping at the first: a user mends a file in one go.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

namespace flotilla::unit {

enum class Severity {
  kWarning,  // the line or value is ignored, the rest counts
  kError,    // the unit as a whole cannot be used
};

struct Diagnostic {
  std::string file;   // as the caller named it; empty if there is none
  unsigned line = 0;  // counted from 1; 0 means the file as a whole
  Severity severity = Severity::kWarning;
  std::string message;  // one sentence without a final full stop

  bool operator==(const Diagnostic&) const = default;
};

// "FILE:LINE: MESSAGE", without the parts that are absent.
std::string to_string(const Diagnostic& diagnostic);

// Where a value stands, and where complaints about it go. Outlives no call; refers to the caller's
// list.
class Reporter {
 public:
  Reporter(std::string file, unsigned line, std::vector<Diagnostic>& sink)
      : file_(std::move(file)), line_(line), sink_(&sink) {}

  template <typename... Args>
  void warn(fmt::format_string<Args...> text, Args&&... args) const {
    report(Severity::kWarning, fmt::format(text, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void fail(fmt::format_string<Args...> text, Args&&... args) const {
    report(Severity::kError, fmt::format(text, std::forward<Args>(args)...));
  }
  void report(Severity severity, std::string message) const;

 private:
  std::string file_;
  unsigned line_;
  std::vector<Diagnostic>* sink_;
};

}  // namespace flotilla::unit
