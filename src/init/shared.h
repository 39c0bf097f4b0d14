// Shared: a value that many units have alike and few change, such as settings that are at their
// defaults. One pointer wide: copies have the same one until they are edited, and a SharedPool
// finds equal ones. Loop thread only: its users are counted without a lock.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace flotilla::init {

template <typename T>
class Shared {
 public:
  Shared() noexcept = default;
  Shared(const Shared& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) ++block_->users;
  }
  Shared(Shared&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Shared& operator=(Shared other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Shared() {
    if (block_ != nullptr && --block_->users == 0) delete block_;
  }

  // What was never changed is as T begins.
  const T& get() const noexcept { return block_ != nullptr ? block_->value : unset(); }
  const T& operator*() const noexcept { return get(); }
  const T* operator->() const noexcept { return &get(); }
  // Of this object alone: made, or copied from what it had in common with others.
  T& edit() {
    if (block_ == nullptr || block_->users > 1) *this = Shared(new Block{get()});
    return block_->value;
  }
  bool is_same_as(const Shared& other) const noexcept { return block_ == other.block_; }

 private:
  template <typename>
  friend class SharedPool;

  struct Block {
    T value;
    uint32_t users = 1;
  };
  explicit Shared(Block* block) noexcept : block_(block) {}
  static const T& unset() noexcept {
    static const T value{};
    return value;
  }

  Block* block_ = nullptr;  // null: as T begins
};

// The values met last. Equal ones that come one after the other, as those of units that are loaded
// together, become one.
template <typename T>
class SharedPool {
 public:
  void unify(Shared<T>& value) {
    if (value.block_ == nullptr) return;
    if (*value == Shared<T>::unset()) {
      value = {};
      return;
    }
    const auto known = std::find_if(met_.begin(), met_.end(),
                                    [&](const Shared<T>& other) { return *other == *value; });
    if (known == met_.end()) {
      if (met_.size() == kMost) met_.pop_back();
      met_.insert(met_.begin(), value);
    } else {
      std::rotate(met_.begin(), known, known + 1);
      value = met_.front();
    }
  }

 private:
  static constexpr size_t kMost = 16;

  std::vector<Shared<T>> met_;  // the last one first
};

}  // namespace flotilla::init
