// Callback<void(Args...)>: a function pointer and the object it is for, two words, never allocates
// and never throws. What the loop, timers and watchers of the service manager call.
//
//   Timer timeout_{Callback<void()>::to<&Service::on_timeout>(*this)};
#pragma once

namespace flotilla::init {

template <typename Signature>
class Callback;

template <typename... Args>
class Callback<void(Args...)> {
 public:
  using Function = void (*)(void* context, Args... args);

  constexpr Callback() noexcept = default;  // calls nothing
  constexpr Callback(Function function, void* context) noexcept
      : function_(function), context_(context) {}

  // A member function of `object`, which must outlive the callback.
  template <auto Member, typename T>
  static constexpr Callback to(T& object) noexcept {
    return Callback(
        [](void* context, Args... args) { (static_cast<T*>(context)->*Member)(args...); }, &object);
  }
  // Any callable, by reference: `callable` must outlive the callback. For tests and local wiring.
  template <typename F>
  static constexpr Callback from(F& callable) noexcept {
    return Callback([](void* context, Args... args) { (*static_cast<F*>(context))(args...); },
                    &callable);
  }

  explicit operator bool() const noexcept { return function_ != nullptr; }
  void operator()(Args... args) const {
    if (function_ != nullptr) function_(context_, args...);
  }

 private:
  Function function_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace flotilla::init
