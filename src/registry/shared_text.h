// SharedText: a text that does not change, of which any number of copies cost one: names of units
// and machines, hashes and the words of systemd stand in many records of a cluster. Texts that came
// into being apart are told apart by nobody; whoever keeps many (ClusterView) sees to it that equal
// ones are copies of each other.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace flotilla::registry {

class SharedText {
 public:
  SharedText() = default;
  // An empty text costs nothing.
  SharedText(std::string text)  // NOLINT: as good as a std::string
      : block_(text.empty() ? nullptr : new Block(std::move(text))) {}
  SharedText(std::string_view text) : SharedText(std::string(text)) {}  // NOLINT
  SharedText(const char* text) : SharedText(std::string(text)) {}       // NOLINT

  SharedText(const SharedText& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) block_->copies.fetch_add(1, std::memory_order_relaxed);
  }
  SharedText(SharedText&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedText& operator=(SharedText other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedText() {
    const bool is_last =
        block_ != nullptr && block_->copies.fetch_sub(1, std::memory_order_acq_rel) == 1;
    if (is_last) delete block_;
  }

  const std::string& str() const { return block_ != nullptr ? block_->text : none(); }
  operator const std::string&() const { return str(); }  // NOLINT
  operator std::string_view() const { return str(); }    // NOLINT
  bool empty() const { return block_ == nullptr; }
  size_t size() const { return str().size(); }
  // Whether there is no other copy of it.
  bool is_alone() const {
    return block_ == nullptr || block_->copies.load(std::memory_order_relaxed) == 1;
  }

  friend bool operator==(const SharedText& a, const SharedText& b) {
    return a.block_ == b.block_ || a.str() == b.str();
  }
  friend bool operator==(const SharedText& a, const std::string& b) { return a.str() == b; }
  friend bool operator==(const SharedText& a, std::string_view b) { return a.str() == b; }
  friend bool operator==(const SharedText& a, const char* b) { return a.str() == b; }
  friend bool operator<(const SharedText& a, const SharedText& b) { return a.str() < b.str(); }
  friend bool operator<(const SharedText& a, const std::string& b) { return a.str() < b; }
  friend bool operator<(const std::string& a, const SharedText& b) { return a < b.str(); }
  friend std::ostream& operator<<(std::ostream& out, const SharedText& text) {
    return out << text.str();
  }

 private:
  // One pointer and one allocation less each than a std::shared_ptr, of which a view of a large
  // cluster would have two million.
  struct Block {
    explicit Block(std::string the_text) : text(std::move(the_text)) {}
    std::atomic<size_t> copies = 1;
    const std::string text;
  };

  static const std::string& none() {
    static const std::string empty;
    return empty;
  }

  Block* block_ = nullptr;  // none: the text is empty
};

// Orders and finds texts of any kind by their bytes.
struct TextLess {
  using is_transparent = void;
  bool operator()(const SharedText& a, const SharedText& b) const { return a.str() < b.str(); }
  template <typename T>
  bool operator()(const SharedText& a, const T& b) const {
    return std::string_view(a) < std::string_view(b);
  }
  template <typename T>
  bool operator()(const T& a, const SharedText& b) const {
    return std::string_view(a) < std::string_view(b);
  }
};

}  // namespace flotilla::registry

template <>
struct std::hash<flotilla::registry::SharedText> {
  size_t operator()(const flotilla::registry::SharedText& text) const {
    return std::hash<std::string_view>()(text);
  }
};
