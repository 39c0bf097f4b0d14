#include "engine/name_queue.h"

#include <algorithm>

namespace flotilla::engine {

void NameQueue::add(Job& job) {
  if (is_sweeping_ && cursor_ < job.name) {
    now_.push(&job);
  } else {
    next_.push_back(&job);
  }
}

void NameQueue::begin_sweep() {
  sorted_.clear();
  sorted_.swap(next_);
  at_ = 0;
  if (!std::is_sorted(sorted_.begin(), sorted_.end(), ByName())) {
    std::sort(sorted_.begin(), sorted_.end(), ByName());
  }
  is_sweeping_ = true;
  cursor_ = {};
}

Job* NameQueue::take() {
  Job* job = at_ < sorted_.size() ? sorted_[at_] : nullptr;
  if (!now_.empty() && (job == nullptr || now_.top()->name < job->name)) {
    job = now_.top();
    now_.pop();
  } else if (job != nullptr) {
    ++at_;
  } else {
    is_sweeping_ = false;
    cursor_ = {};
    return nullptr;
  }
  cursor_ = job->name;
  return job;
}

}  // namespace flotilla::engine
