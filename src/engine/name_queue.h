// NameQueue: units to be looked at, in sweeps. A sweep goes by name; what is added while it runs is
// still taken by it if its name is to come, and else by the next.
#pragma once

#include <queue>
#include <vector>

#include "engine/model.h"

namespace flotilla::engine {

class NameQueue {
 public:
  // Each unit is to be added once until it is taken.
  void add(Job& job);
  bool is_empty() const { return next_.empty() && now_.empty() && at_ == sorted_.size(); }
  void begin_sweep();
  // The next of this sweep, or null: the sweep is over.
  Job* take();
  // The name that the running sweep has come to; empty: none is running, or just begun.
  std::string_view cursor() const { return cursor_; }

 private:
  struct ByNameLast {
    bool operator()(const Job* a, const Job* b) const { return b->name < a->name; }
  };
  std::vector<Job*> sorted_;  // from at_ on: of this sweep
  size_t at_ = 0;
  std::priority_queue<Job*, std::vector<Job*>, ByNameLast> now_;  // added to this sweep
  std::vector<Job*> next_;
  bool is_sweeping_ = false;
  std::string_view cursor_;
};

}  // namespace flotilla::engine
