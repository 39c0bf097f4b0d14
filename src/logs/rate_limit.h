// How many lines a unit may log in a time (LogRateLimitIntervalSec=, LogRateLimitBurst=), counted
// as journald counts: a window of its own for each group of priorities, so that debugging output
// never costs an error its place; a window begins with the first line after the one before has
// ended. Owned by the log process, one for each unit that has such limits. Pure, never allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace flotilla::logs {

class RateLimit {
 public:
  struct Rule {
    std::uint64_t interval_usec = 0;
    std::uint32_t burst = 0;
    bool is_set() const noexcept { return interval_usec > 0 && burst > 0; }
    // Where one of the two settings is given, the other is journald.conf(5)'s.
    static constexpr Rule of_settings(std::uint64_t interval_usec, std::uint32_t burst) noexcept {
      if (interval_usec == 0 && burst == 0) return {};
      return {interval_usec > 0 ? interval_usec : 30'000'000, burst > 0 ? burst : 10'000};
    }
  };

  void set(const Rule& rule) noexcept { rule_ = rule; }

  struct Verdict {
    bool is_let_through = true;
    std::uint32_t suppressed = 0;  // lines of this group that were left out before this one
  };
  Verdict on_line(std::uint8_t priority, std::uint64_t now_usec) noexcept {
    Window& window = windows_[kGroups[priority & 7]];
    if (is_over(window, now_usec)) {
      const Verdict verdict{true, window.suppressed};
      window = {now_usec, 1, 0, false};
      return verdict;
    }
    if (window.lines < rule_.burst) {
      ++window.lines;
      return {};
    }
    ++window.suppressed;
    return {false, 0};
  }
  // False: it would be no different if it were made anew.
  bool is_in_use(std::uint64_t now_usec) const noexcept {
    for (const Window& window : windows_) {
      if (window.suppressed > 0 || !is_over(window, now_usec)) return true;
    }
    return false;
  }
  // How many lines were left out and not told of yet.
  std::uint32_t take_suppressed() noexcept {
    std::uint32_t sum = 0;
    for (Window& window : windows_) {
      sum += window.suppressed;
      window.suppressed = 0;
    }
    return sum;
  }

 private:
  static constexpr std::array<std::uint8_t, 8> kGroups{0, 0, 0, 1, 2, 3, 3, 4};
  struct Window {
    std::uint64_t begin_usec = 0;
    std::uint32_t lines = 0;
    std::uint32_t suppressed = 0;
    bool is_new = true;
  };
  bool is_over(const Window& window, std::uint64_t now_usec) const noexcept {
    // A clock that was set back begins anew, too.
    return window.is_new || now_usec < window.begin_usec ||
           now_usec - window.begin_usec > rule_.interval_usec;
  }
  Rule rule_;
  std::array<Window, 5> windows_{};
};

}  // namespace flotilla::logs
