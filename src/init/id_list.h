// IdList: the other ends of one unit's dependencies of one kind. Most lists have one or two ids,
// which stand in the object itself; a longer list is on the heap.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace flotilla::init {

class IdList {
 public:
  using value_type = uint32_t;
  using const_iterator = const uint32_t*;

  IdList() noexcept = default;
  IdList(IdList&& other) noexcept { *this = std::move(other); }
  IdList& operator=(IdList&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(log_capacity_, other.log_capacity_);
    std::swap(ids_, other.ids_);
    return *this;
  }
  IdList(const IdList&) = delete;
  IdList& operator=(const IdList&) = delete;
  ~IdList() {
    if (is_long()) delete[] ids_.many;
  }

  const uint32_t* begin() const noexcept { return data(); }
  const uint32_t* end() const noexcept { return data() + size_; }
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  void push_back(uint32_t id) {
    if (size_ == size_t{1} << log_capacity_) grow();
    mutable_data()[size_++] = id;
  }
  // The first of this value; the others keep their order. Harmless where there is none.
  void erase(uint32_t id) noexcept {
    uint32_t* const first = mutable_data();
    uint32_t* const found = std::find(first, first + size_, id);
    if (found == first + size_) return;
    std::copy(found + 1, first + size_, found);
    --size_;
  }

 private:
  static constexpr uint8_t kInline = 1;  // the logarithm of two

  bool is_long() const noexcept { return log_capacity_ > kInline; }
  const uint32_t* data() const noexcept { return is_long() ? ids_.many : ids_.few; }
  uint32_t* mutable_data() noexcept { return is_long() ? ids_.many : ids_.few; }
  void grow() {
    auto* const more = new uint32_t[size_t{2} << log_capacity_];
    std::copy(begin(), end(), more);
    if (is_long()) delete[] ids_.many;
    ids_.many = more;
    ++log_capacity_;
  }

  union {
    uint32_t few[1 << kInline];
    uint32_t* many;
  } ids_{};
  uint32_t size_ = 0;
  uint8_t log_capacity_ = kInline;
};

}  // namespace flotilla::init
