#include "registry/range_reading.h"

#include <algorithm>
#include <utility>

namespace flotilla::registry {

namespace {

constexpr int64_t kFirstPage = 1000;  // records
constexpr int64_t kLargestPage = 5000;
constexpr size_t kPageBytes = size_t{2} * 1024 * 1024;  // what a page should have
constexpr int64_t kGrowth = 4;                          // from one page to the next, at most

// The length of the next page, if it is like this one.
int64_t next_length(const std::vector<store::KeyValue>& page, int64_t length) {
  size_t bytes = 1;
  for (const store::KeyValue& kv : page) bytes += kv.key.size() + kv.value.size();
  const auto fitting = static_cast<int64_t>(page.size() * kPageBytes / bytes);
  return std::clamp<int64_t>(fitting, 1, std::min(length * kGrowth, kLargestPage));
}

}  // namespace

// Lives in the store's callbacks too.
class RangeReading::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(store::Store& store, RangeReadingHandler handler)
      : store_(store), handler_(std::move(handler)) {}

  void begin(const std::string& key, const std::string& range_end,
             const std::vector<std::string>& cuts) {
    parts_.push_back({key, range_end});
    for (const std::string& cut : cuts) {
      parts_.back().end = cut;
      parts_.push_back({cut, range_end});
    }
    left_ = parts_.size();
    // Alone: it says at which revision all the others are read.
    read(parts_.front());
  }

  void end() { is_over_ = true; }

 private:
  struct Part {
    std::string next;
    std::string end;
    int64_t length = kFirstPage;
    int64_t most = kLargestPage;
  };

  void read(Part& part) {
    store::RangeRequest request;
    request.key = part.next;
    request.range_end = part.end;
    request.limit = part.length;
    request.revision = revision_;
    store_.range(std::move(request), [self = shared_from_this(), &part](auto page) {
      if (!self->is_over_) self->on_page(part, std::move(page));
    });
  }

  void on_page(Part& part, base::Result<store::RangeResponse> page) {
    if (!page) {
      if (page.error().code == base::Errc::kTooLarge && part.length > 1) {
        part.most = part.length = std::max<int64_t>(part.length / 2, 1);
        return read(part);
      }
      return finish(base::unexpected(std::move(page).error()));
    }
    const bool is_first = revision_ == 0;
    if (is_first) revision_ = page->revision;
    const bool has_more = page->more && !page->kvs.empty();
    if (has_more) {
      part.next = page->kvs.back().key + '\0';
      part.length = std::min(next_length(page->kvs, part.length), part.most);
      read(part);
    } else {
      --left_;
    }
    for (size_t i = 1; is_first && i < parts_.size(); ++i) read(parts_[i]);
    const auto self = shared_from_this();
    handler_.on_page(page->kvs);
    if (!is_over_ && left_ == 0) finish(revision_);
  }

  void finish(const base::Result<store::Revision>& result) {
    is_over_ = true;
    const auto self = shared_from_this();
    handler_.on_end(result);
  }

  store::Store& store_;
  const RangeReadingHandler handler_;
  std::vector<Part> parts_;
  size_t left_ = 0;               // parts that are not read to their end
  store::Revision revision_ = 0;  // 0 until the first answer
  bool is_over_ = false;
};

RangeReading::RangeReading(store::Store& store, const std::string& key,
                           const std::string& range_end, const std::vector<std::string>& cuts,
                           RangeReadingHandler handler)
    : impl_(std::make_shared<Impl>(store, std::move(handler))) {
  impl_->begin(key, range_end, cuts);
}

RangeReading::~RangeReading() { impl_->end(); }

}  // namespace flotilla::registry
