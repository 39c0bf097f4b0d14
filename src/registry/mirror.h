// Mirror: follows one range of the store. Reads it once, page by page, then listens; what it tells
// is always the whole truth of the range at some revision, step by step, without gaps. After a lost
// watch it goes on where it was; after a compaction it reads anew and tells the differences.
// The first reading is told page by page, in no order, so that it is never in memory twice.
//
// Loop thread only. A handler may destroy the Mirror.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "store/store.h"

namespace flotilla::registry {

struct MirrorHandler {
  std::function<void(const store::KeyValue&)> on_put;
  std::function<void(const std::string& key)> on_delete;
  // All that was told so far is the range at `revision`. Called after each batch that told
  // something, and once when the first reading is complete even if the range is empty.
  std::function<void(store::Revision revision)> on_step;
  // The keys that have been told and stand, with their mod revisions, 0 where that is not known.
  // None: the mirror keeps them itself. For who has them anyway, and many.
  std::function<std::map<std::string, store::Revision>()> known = {};
  // The mirror began to stand (true) or no longer hears what changes (false).
  std::function<void(bool is_live)> on_live;
};

class Mirror {
 public:
  // `cuts`: where the range is cut into parts that are read side by side (RangeReading).
  Mirror(store::Store& store, base::EventLoop& loop, std::string key, std::string range_end,
         MirrorHandler handler, std::vector<std::string> cuts = {});
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  bool is_live() const;
  // Whether the range has been read whole at least once.
  bool has_data() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace flotilla::registry
