#include "store/etcd_range.h"

#include <proto/etcd.pb.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "store/etcd_wire.h"

namespace flotilla::store {

using base::Errc;
using base::Result;

namespace {

constexpr int64_t kPage = 1000;
// Who asks for a part of a range knows how large it may be.
constexpr int64_t kLargestPart = 5000;
constexpr int kMaxRestarts = 3;

struct Reading {
  EtcdClient& client;
  RangeRequest request;
  Store::Callback<RangeResponse> done;
  int64_t page = kPage;
  int restarts = 0;
  bool has_first = false;
  RangeResponse whole{};
};
using ReadingPtr = std::shared_ptr<Reading>;

void on_page(const ReadingPtr& reading, RangeResponse page);

void read_page(const ReadingPtr& reading) {
  RangeRequest request = reading->request;
  RangeResponse& whole = reading->whole;
  if (reading->has_first) {
    if (request.revision == 0) request.revision = whole.revision;
    request.key = whole.kvs.back().key + '\0';
  }
  const int64_t rest =
      request.limit == 0 ? reading->page : request.limit - static_cast<int64_t>(whole.kvs.size());
  request.limit = std::min(rest, reading->page);
  reading->client.call<pb::RangeResponse, pb::RangeRequest>(
      to_wire(request), request.key.size() + request.range_end.size(), Repeat::kFreely,
      [reading](Result<pb::RangeResponse> response, int) {
        if (response) return on_page(reading, from_wire(*response));
        const Errc code = response.error().code;
        if (code == Errc::kTooLarge && reading->page > 1) {
          reading->page = std::max<int64_t>(reading->page / 2, 1);
          return read_page(reading);
        }
        // A compaction overtook the paging of the present: read the new present.
        if (code == Errc::kNotFound && reading->has_first && reading->request.revision == 0 &&
            reading->restarts++ < kMaxRestarts) {
          reading->has_first = false;
          reading->whole = {};
          return read_page(reading);
        }
        reading->done(base::unexpected(response.error()));
      });
}

void on_page(const ReadingPtr& reading, RangeResponse page) {
  RangeResponse& whole = reading->whole;
  if (!reading->has_first) {
    reading->has_first = true;
    whole = std::move(page);
  } else {
    whole.more = page.more;
    whole.kvs.insert(whole.kvs.end(), std::make_move_iterator(page.kvs.begin()),
                     std::make_move_iterator(page.kvs.end()));
  }
  const int64_t limit = reading->request.limit;
  const bool is_full = limit != 0 && static_cast<int64_t>(whole.kvs.size()) >= limit;
  if (whole.more && !is_full && !whole.kvs.empty()) return read_page(reading);
  reading->done(std::move(whole));
}

}  // namespace

void read_range(EtcdClient& client, RangeRequest request, Store::Callback<RangeResponse> done) {
  const auto reading =
      std::make_shared<Reading>(Reading{client, std::move(request), std::move(done)});
  const int64_t limit = reading->request.limit;
  if (limit > kPage && limit <= kLargestPart) reading->page = limit;
  read_page(reading);
}

}  // namespace flotilla::store
