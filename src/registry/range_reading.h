// RangeReading: reads a range of the store once, whole, as it was at one revision. It is cut into
// parts that are read side by side, each page by page, and the next page is on its way while one is
// told: a store that counts what is left of a range at each page (etcd 3.4) counts little.
//
// Loop thread only. A handler may destroy the reading, which then falls silent.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/store.h"

namespace flotilla::registry {

struct RangeReadingHandler {
  // In each part ascending, the parts among each other in any order.
  std::function<void(std::vector<store::KeyValue>& page)> on_page;
  // Once, at the end: the revision of all that was told, or why there is not more.
  std::function<void(const base::Result<store::Revision>&)> on_end;
};

class RangeReading {
 public:
  // Reads [key, range_end), or one key if that is empty, cut at each of `cuts`. Requires: the cuts
  // are ascending and inside of the range.
  RangeReading(store::Store& store, const std::string& key, const std::string& range_end,
               const std::vector<std::string>& cuts, RangeReadingHandler handler);
  ~RangeReading();
  RangeReading(const RangeReading&) = delete;
  RangeReading& operator=(const RangeReading&) = delete;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace flotilla::registry
