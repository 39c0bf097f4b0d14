// EdgeList: one unit's dependencies of one kind: the other ends, and for each whose files say so,
// the unit's own, the other's or both's. Most lists have one or two edges, which stand in the
// object itself; a longer list is on the heap. A part of UnitGraph; loop thread only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>

namespace flotilla::init {

class EdgeList {
 public:
  class Edge {
   public:
    static constexpr uint32_t kMostUnits = uint32_t{1} << 30;
    enum class By : uint8_t { kUs = 1, kThem = 2 };

    Edge() noexcept = default;
    Edge(uint32_t to, By by) noexcept
        : packed_(static_cast<uint32_t>(by) << 30 | (to & (kMostUnits - 1))) {}

    uint32_t to() const noexcept { return packed_ & (kMostUnits - 1); }
    bool is_declared(By by) const noexcept { return (packed_ & bit(by)) != 0; }
    void declare(By by) noexcept { packed_ |= bit(by); }
    // Returns whether nobody declares it any more.
    bool withdraw(By by) noexcept {
      packed_ &= ~bit(by);
      return packed_ < kMostUnits;
    }

   private:
    static constexpr uint32_t bit(By by) noexcept { return static_cast<uint32_t>(by) << 30; }

    uint32_t packed_ = 0;
  };

  // Goes over the other ends.
  class const_iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = uint32_t;
    using difference_type = std::ptrdiff_t;
    using pointer = const uint32_t*;
    using reference = uint32_t;

    explicit const_iterator(const Edge* at) noexcept : at_(at) {}
    uint32_t operator*() const noexcept { return at_->to(); }
    const_iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    const_iterator operator++(int) noexcept { return const_iterator(at_++); }
    bool operator==(const const_iterator&) const noexcept = default;

   private:
    const Edge* at_;
  };
  using value_type = uint32_t;

  EdgeList() noexcept = default;
  EdgeList(EdgeList&& other) noexcept { *this = std::move(other); }
  EdgeList& operator=(EdgeList&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(log_capacity_, other.log_capacity_);
    std::swap(edges_, other.edges_);
    return *this;
  }
  EdgeList(const EdgeList&) = delete;
  EdgeList& operator=(const EdgeList&) = delete;
  ~EdgeList() {
    if (is_long()) delete[] edges_.many;
  }

  const_iterator begin() const noexcept { return const_iterator(data()); }
  const_iterator end() const noexcept { return const_iterator(data() + size_); }
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  // Requires: index < size().
  uint32_t operator[](size_t index) const noexcept { return data()[index].to(); }

  std::span<const Edge> edges() const noexcept { return {data(), size_}; }
  // Null where there is none to this unit.
  Edge* find(uint32_t to) noexcept {
    Edge* const first = mutable_data();
    Edge* const found =
        std::find_if(first, first + size_, [to](const Edge& edge) { return edge.to() == to; });
    return found != first + size_ ? found : nullptr;
  }
  void push_back(Edge edge) {
    if (size_ == size_t{1} << log_capacity_) grow();
    mutable_data()[size_++] = edge;
  }
  // The others keep their order. Requires: it is one of this list.
  void erase(Edge* edge) noexcept {
    std::copy(edge + 1, mutable_data() + size_, edge);
    --size_;
  }

 private:
  static constexpr uint8_t kInline = 1;  // the logarithm of two

  bool is_long() const noexcept { return log_capacity_ > kInline; }
  const Edge* data() const noexcept { return is_long() ? edges_.many : edges_.few; }
  Edge* mutable_data() noexcept { return is_long() ? edges_.many : edges_.few; }
  void grow() {
    auto* const more = new Edge[size_t{2} << log_capacity_];
    std::copy(data(), data() + size_, more);
    if (is_long()) delete[] edges_.many;
    edges_.many = more;
    ++log_capacity_;
  }

  union Edges {
    Edges() noexcept : many(nullptr) {}
    Edge few[1 << kInline];
    Edge* many;
  } edges_;
  uint32_t size_ = 0;
  uint8_t log_capacity_ = kInline;
};

}  // namespace flotilla::init
