// Lazy: a value that most objects leave as it begins, and that takes room only where it was
// changed. Copies as a value does.
#pragma once

#include <memory>

namespace flotilla::init {

template <typename T>
class Lazy {
 public:
  Lazy() noexcept = default;
  Lazy(const Lazy& other) : value_(other.value_ ? std::make_unique<T>(*other.value_) : nullptr) {}
  Lazy(Lazy&&) noexcept = default;
  Lazy& operator=(const Lazy& other) {
    if (this != &other) value_ = other.value_ ? std::make_unique<T>(*other.value_) : nullptr;
    return *this;
  }
  Lazy& operator=(Lazy&&) noexcept = default;
  ~Lazy() = default;

  // What was never changed is as T begins.
  const T& get() const noexcept {
    static const T unset{};
    return value_ ? *value_ : unset;
  }
  const T& operator*() const noexcept { return get(); }
  const T* operator->() const noexcept { return &get(); }
  friend bool operator==(const Lazy& one, const Lazy& other) {
    return one.value_ == other.value_ || *one == *other;
  }
  bool is_set() const noexcept { return value_ != nullptr; }
  void reset() noexcept { value_.reset(); }
  // Makes it.
  T& edit() {
    if (!value_) value_ = std::make_unique<T>();
    return *value_;
  }

 private:
  std::unique_ptr<T> value_;
};

}  // namespace flotilla::init
