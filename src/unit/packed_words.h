// PackedWords: a list of words in one piece of memory, one pointer wide, for lists that are kept by
// the thousand and seldom read. No word holds a NUL. A value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <string_view>

#include "base/compact_vector.h"

namespace flotilla::unit {

class PackedWords {
 public:
  using value_type = std::string_view;
  class const_iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string_view*;
    using reference = std::string_view;

    const_iterator() noexcept = default;
    explicit const_iterator(const char* at) noexcept : at_(at) {}
    std::string_view operator*() const noexcept { return at_; }
    const_iterator& operator++() noexcept {
      at_ += std::string_view(at_).size() + 1;
      return *this;
    }
    const_iterator operator++(int) noexcept {
      const const_iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const const_iterator&) const noexcept = default;

   private:
    const char* at_ = nullptr;
  };
  using iterator = const_iterator;

  PackedWords() = default;
  PackedWords(std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) push_back(word);
  }

  const_iterator begin() const noexcept { return const_iterator(text_.begin()); }
  const_iterator end() const noexcept { return const_iterator(text_.end()); }
  bool empty() const noexcept { return text_.empty(); }
  std::size_t size() const noexcept {
    return static_cast<std::size_t>(std::distance(begin(), end()));
  }
  // Requires: index < size(). Costs as many words as stand before it.
  std::string_view operator[](std::size_t index) const noexcept {
    return *std::next(begin(), static_cast<std::ptrdiff_t>(index));
  }
  std::string_view front() const noexcept { return *begin(); }

  void push_back(std::string_view word) {
    text_.append(word.begin(), word.end());
    text_.push_back('\0');
  }
  // No more will come.
  void shrink_to_fit() { text_.shrink_to_fit(); }

  bool operator==(const PackedWords& other) const noexcept {
    return std::equal(text_.begin(), text_.end(), other.text_.begin(), other.text_.end());
  }

 private:
  base::CompactVector<char> text_;  // a NUL behind each
};

}  // namespace flotilla::unit
