// Where a verb prints: results to out, diagnostics to err, whole lines. The fake keeps both.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

namespace flotilla::fctl {

class Output {
 public:
  virtual ~Output() = default;
  virtual void out(std::string_view text) = 0;
  virtual void err(std::string_view text) = 0;
  // Of standard error: somebody watches.
  virtual bool is_terminal() const = 0;
  // Of standard output: what is printed there may be drawn over.
  virtual bool is_screen() const = 0;
  void out_line(std::string_view line) { out(std::string(line) + "\n"); }
  void err_line(std::string_view line) { err(std::string(line) + "\n"); }
};

class StdOutput final : public Output {
 public:
  void out(std::string_view text) override {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }
  void err(std::string_view text) override { std::fwrite(text.data(), 1, text.size(), stderr); }
  bool is_terminal() const override { return isatty(STDERR_FILENO) == 1; }
  bool is_screen() const override { return isatty(STDOUT_FILENO) == 1; }
};

class FakeOutput final : public Output {
 public:
  void out(std::string_view text) override { out_text += text; }
  void err(std::string_view text) override { err_text += text; }
  bool is_terminal() const override { return terminal; }
  bool is_screen() const override { return screen; }
  bool terminal = false;
  bool screen = false;
  std::string out_text;
  std::string err_text;
};

}  // namespace flotilla::fctl
