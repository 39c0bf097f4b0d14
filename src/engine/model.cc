#include "engine/model.h"

#include <algorithm>

namespace flotilla::engine {

namespace {

bool is_before(const TagCounts::Count& count, TagId tag) { return count.tag < tag; }

}  // namespace

TagCounts::Count TagCounts::of(TagId tag) const {
  const auto found = std::lower_bound(counts_.begin(), counts_.end(), tag, is_before);
  return found != counts_.end() && found->tag == tag ? *found : Count{tag, 0, 0};
}

template <typename Change>
void TagCounts::at(TagId tag, Change change) {
  auto found = std::lower_bound(counts_.begin(), counts_.end(), tag, is_before);
  if (found == counts_.end() || found->tag != tag) found = counts_.insert(found, Count{tag, 0, 0});
  change(*found);
  if (found->bearers == 0 && found->opponents == 0) counts_.erase(found);
}

void TagCounts::add_bearer(TagId tag, int by) {
  at(tag, [by](Count& count) { count.bearers += static_cast<uint32_t>(by); });
}

void TagCounts::add_opponent(TagId tag, int by) {
  at(tag, [by](Count& count) { count.opponents += static_cast<uint32_t>(by); });
}

}  // namespace flotilla::engine
