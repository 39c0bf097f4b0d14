// Cuts what a stream delivers into lines and pieces of over-long lines. Keeps no bytes: the caller
// keeps what is left over and puts it in front of what it reads next. Pure, never allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "logs/log_line.h"

namespace flotilla::logs {

class LineSplitter {
 public:
  LineSplitter(std::uint8_t default_priority, bool level_prefix) noexcept
      : default_priority_(default_priority), level_prefix_(level_prefix) {}

  // Calls emit(message, priority, partial) for each line in `data` and each full piece of the line
  // that has not ended. The first `scanned` bytes are known to hold no newline. Returns how much of
  // `data` is done with; the rest, at most kMaxMessage bytes, is the beginning of the next call's
  // data, and its `scanned`.
  template <typename Emit>
  std::size_t split(std::string_view data, std::size_t scanned, Emit&& emit) noexcept {
    const char* begin = data.data();
    const char* const end = begin + data.size();
    const char* look = begin + scanned;
    while (look < end) {
      const void* found = std::memchr(look, '\n', static_cast<std::size_t>(end - look));
      if (found == nullptr) break;
      const char* newline = static_cast<const char*>(found);
      begin = emit_pieces(begin, newline, emit);
      emit_piece(std::string_view(begin, static_cast<std::size_t>(newline - begin)), false, emit);
      look = begin = newline + 1;
    }
    begin = emit_pieces(begin, end, emit);
    return static_cast<std::size_t>(begin - data.data());
  }

  enum class Rest { kLine, kPiece };
  // Emits what is left over when nothing follows (kLine), or when another process reads on
  // (kPiece).
  template <typename Emit>
  void finish(std::string_view left_over, Rest rest, Emit&& emit) noexcept {
    if (!left_over.empty()) emit_piece(left_over, rest == Rest::kPiece, emit);
  }

 private:
  template <typename Emit>
  const char* emit_pieces(const char* begin, const char* end, Emit& emit) noexcept {
    while (static_cast<std::size_t>(end - begin) > kMaxMessage) {
      const char* cut = begin + kMaxMessage;
      // Not in the middle of a UTF-8 character, if it is one.
      for (int i = 0; i < 3 && is_utf8_continuation(*cut); ++i) --cut;
      if (is_utf8_continuation(*cut)) cut = begin + kMaxMessage;
      emit_piece(std::string_view(begin, static_cast<std::size_t>(cut - begin)), true, emit);
      begin = cut;
    }
    return begin;
  }

  template <typename Emit>
  void emit_piece(std::string_view message, bool partial, Emit& emit) noexcept {
    if (!in_line_) {
      priority_ = level_prefix_ ? take_level_prefix(message, default_priority_) : default_priority_;
    }
    in_line_ = partial;
    emit(message, priority_, partial);
  }

  static bool is_utf8_continuation(char c) noexcept {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
  }

  std::uint8_t default_priority_;
  std::uint8_t priority_ = kPriorityInfo;
  bool level_prefix_;
  bool in_line_ = false;  // a piece has been emitted, its end has not
};

}  // namespace flotilla::logs
