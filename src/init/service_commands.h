// ServiceCommands: the command lines of a service or mount, each with what it is for. One pointer
// wide; most units have one or two lines, so that those of a kind are found by looking at all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

#include "base/compact_vector.h"
#include "unit/command_line.h"

namespace flotilla::init {

enum class ServiceCommand : uint8_t {
  kCondition,
  kStartPre,
  kStart,
  kStartPost,
  kReload,
  kStop,
  kStopPost,
  kCount
};

class ServiceCommands {
 public:
  // In what the command leaves of its last word.
  struct Line : unit::Command {
    Line(ServiceCommand of_kind, unit::Command command) noexcept
        : unit::Command(std::move(command)), kind(of_kind) {}
    ServiceCommand kind;
  };

  // Those of one kind, in the order of the files. Valid until the commands change.
  class Lines {
   public:
    class const_iterator {
     public:
      using iterator_category = std::forward_iterator_tag;
      using value_type = unit::Command;
      using difference_type = std::ptrdiff_t;
      using pointer = const unit::Command*;
      using reference = const unit::Command&;

      const_iterator() noexcept = default;
      const_iterator(const Line* at, const Line* end, ServiceCommand kind) noexcept
          : at_(at), end_(end), kind_(kind) {
        skip_others();
      }
      reference operator*() const noexcept { return *at_; }
      pointer operator->() const noexcept { return at_; }
      const_iterator& operator++() noexcept {
        ++at_;
        skip_others();
        return *this;
      }
      const_iterator operator++(int) noexcept {
        const const_iterator before = *this;
        ++*this;
        return before;
      }
      bool operator==(const const_iterator& other) const noexcept { return at_ == other.at_; }

     private:
      void skip_others() noexcept {
        while (at_ != end_ && at_->kind != kind_) ++at_;
      }

      const Line* at_ = nullptr;
      const Line* end_ = nullptr;
      ServiceCommand kind_ = ServiceCommand::kCount;
    };
    using value_type = unit::Command;

    Lines(const Line* first, const Line* last, ServiceCommand kind) noexcept
        : begin_(first, last, kind), end_(last, last, kind) {}
    const_iterator begin() const noexcept { return begin_; }
    const_iterator end() const noexcept { return end_; }
    bool empty() const noexcept { return begin_ == end_; }
    size_t size() const noexcept { return static_cast<size_t>(std::distance(begin_, end_)); }
    // Requires: index < size().
    const unit::Command& operator[](size_t index) const noexcept {
      return *std::next(begin_, static_cast<std::ptrdiff_t>(index));
    }
    const unit::Command& front() const noexcept { return *begin_; }

   private:
    const_iterator begin_, end_;
  };

  Lines operator[](ServiceCommand kind) const noexcept {
    return {lines_.begin(), lines_.end(), kind};
  }
  // Of every kind, as they came.
  const Line* begin() const noexcept { return lines_.begin(); }
  const Line* end() const noexcept { return lines_.end(); }
  Line* begin() noexcept { return lines_.begin(); }
  Line* end() noexcept { return lines_.end(); }

  void add(ServiceCommand kind, unit::Command command) {
    lines_.push_back(Line(kind, std::move(command)));
  }
  void clear(ServiceCommand kind) {
    base::CompactVector<Line> others;
    for (Line& line : lines_) {
      if (line.kind != kind) others.push_back(std::move(line));
    }
    lines_ = std::move(others);
  }

 private:
  base::CompactVector<Line> lines_;
};
static_assert(sizeof(ServiceCommands::Line) == sizeof(unit::Command));

}  // namespace flotilla::init
