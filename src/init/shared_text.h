// SharedText: a text that is kept for every unit, one pointer wide; copies share it, and the text
// itself never changes. Loop thread only: its users are counted without a lock.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace flotilla::init {

class SharedText {
 public:
  SharedText() noexcept = default;
  template <typename Text,
            typename = std::enable_if_t<std::is_convertible_v<const Text&, std::string_view>>>
  SharedText(const Text& text) : block_(make(text)) {}
  SharedText(const SharedText& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) ++block_->users;
  }
  SharedText(SharedText&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedText& operator=(SharedText other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedText() {
    if (block_ != nullptr && --block_->users == 0) ::operator delete(block_);
  }

  std::string_view view() const noexcept {
    if (block_ == nullptr) return {};
    return {reinterpret_cast<const char*>(block_ + 1), block_->size};
  }
  operator std::string_view() const noexcept { return view(); }
  std::string str() const { return std::string(view()); }
  bool empty() const noexcept { return block_ == nullptr; }
  void clear() noexcept { *this = SharedText(); }

  friend bool operator==(const SharedText& one, const SharedText& other) noexcept {
    return one.block_ == other.block_ || one.view() == other.view();
  }
  friend bool operator==(const SharedText& one, std::string_view other) noexcept {
    return one.view() == other;
  }

 private:
  struct Block {
    uint32_t users, size;
  };
  static Block* make(std::string_view text) {
    if (text.empty()) return nullptr;
    void* const memory = ::operator new(sizeof(Block) + text.size());
    auto* const block = new (memory) Block{1, static_cast<uint32_t>(text.size())};
    std::memcpy(block + 1, text.data(), text.size());
    return block;
  }

  Block* block_ = nullptr;  // null: empty
};

}  // namespace flotilla::init
