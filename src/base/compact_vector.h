// CompactVector: a vector that is one pointer wide, for lists of which every unit has one and most
// are empty or short. A value where T is one. What it holds moves when it grows, and it grows by
// half, so that little of it stays unused.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <new>
#include <utility>

namespace flotilla::base {

template <typename T>
class CompactVector {
 public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = const T*;

  CompactVector() noexcept = default;
  template <typename Iterator>
  CompactVector(Iterator first, Iterator last) {
    append(first, last);
  }
  CompactVector(const CompactVector& other) { append(other.begin(), other.end()); }
  CompactVector(CompactVector&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  CompactVector& operator=(const CompactVector& other) {
    if (this != &other) *this = CompactVector(other);
    return *this;
  }
  CompactVector& operator=(CompactVector&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~CompactVector() { reset(); }

  T* begin() noexcept { return block_ != nullptr ? items() : nullptr; }
  T* end() noexcept { return block_ != nullptr ? items() + block_->size : nullptr; }
  const T* begin() const noexcept { return const_cast<CompactVector*>(this)->begin(); }
  const T* end() const noexcept { return const_cast<CompactVector*>(this)->end(); }
  size_t size() const noexcept { return block_ != nullptr ? block_->size : 0; }
  bool empty() const noexcept { return size() == 0; }
  // Requires: index < size(), and that it is not empty.
  T& operator[](size_t index) noexcept { return items()[index]; }
  const T& operator[](size_t index) const noexcept {
    return const_cast<CompactVector*>(this)->items()[index];
  }
  T& back() noexcept { return items()[block_->size - 1]; }

  // Requires: `value` is no part of this.
  T& push_back(T value) {
    const size_t now = size();
    if (block_ == nullptr || now == block_->capacity) {
      reserve(now + std::max<size_t>(kFirst, now / 2));
    }
    T* const place = new (items() + now) T(std::move(value));
    ++block_->size;
    return *place;
  }
  // Requires: they are no part of this.
  template <typename Iterator>
  void append(Iterator first, Iterator last) {
    const size_t needed = size() + static_cast<size_t>(std::distance(first, last));
    if (block_ == nullptr) reserve(needed);
    if (needed > size() && needed > block_->capacity) {
      reserve(std::max(needed, size() + size() / 2));
    }
    for (; first != last; ++first) push_back(*first);
  }
  T& insert(T* before, T value) {
    const auto at = before - begin();
    push_back(std::move(value));
    std::rotate(begin() + at, end() - 1, end());
    return begin()[at];
  }
  void erase(T* place) noexcept {
    std::move(place + 1, end(), place);
    std::destroy_at(end() - 1);
    --block_->size;
  }
  void clear() noexcept { reset(); }
  void reserve(size_t capacity) {
    if (capacity > (block_ != nullptr ? block_->capacity : 0)) move_to(capacity);
  }
  void shrink_to_fit() {
    if (block_ == nullptr || block_->size == block_->capacity) return;
    if (block_->size == 0) return reset();
    move_to(block_->size);
  }

 private:
  struct Block {
    uint32_t size, capacity;
  };
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
  static constexpr size_t kFirst = 1;
  static constexpr size_t kOffset = (sizeof(Block) + alignof(T) - 1) / alignof(T) * alignof(T);

  T* items() noexcept {
    return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(block_) + kOffset);
  }
  void move_to(size_t capacity) {
    void* const memory = ::operator new(kOffset + capacity * sizeof(T));
    CompactVector larger;
    larger.block_ = new (memory) Block{0, static_cast<uint32_t>(capacity)};
    std::uninitialized_move(begin(), end(), larger.items());
    larger.block_->size = static_cast<uint32_t>(size());
    std::swap(block_, larger.block_);
  }
  void reset() noexcept {
    if (block_ == nullptr) return;
    std::destroy(begin(), end());
    ::operator delete(std::exchange(block_, nullptr));
  }

  Block* block_ = nullptr;
};

}  // namespace flotilla::base
