// The jobs of a transaction that is being built, and who wants whom. Internal to transaction*.cc.
//
// Until they are merged a unit may have several jobs here, of different types. A link says that one
// job pulled in another; the request itself (the anchor) is pulled in by nobody. Deleting marks, so
// indices stay good.
#pragma once

#include <cstdint>
#include <vector>

#include "init/transaction.h"

namespace flotilla::init {

using SetIndex = uint32_t;  // of a job or a link in the set
inline constexpr SetIndex kNone = UINT32_MAX;

struct SetJob {
  Job job;
  SetIndex next_of_unit = kNone;  // the unit's other jobs
  SetIndex wants = kNone;         // first link to a job pulled in by this one
  SetIndex wanted_by = kNone;     // first link to a job that pulled in this one
  bool deleted = false;
  bool matters = false;  // the anchor cannot do without it
};

struct SetLink {
  SetIndex subject;  // pulled in
  SetIndex object;   // this one; kNone: the link is gone
  SetIndex next_of_subject = kNone;
  SetIndex next_of_object = kNone;
  bool matters;    // without the object, the subject fails
  bool conflicts;  // the object is the stop of a conflict
};

class TransactionSet {
 public:
  TransactionSet(const TransactionView& view, bool irreversible)
      : view_(view), irreversible_(irreversible), by_unit_(view.graph.limit(), kNone) {}

  const TransactionView& view() const noexcept { return view_; }
  ActiveState active(UnitId unit) const noexcept {
    return unit < view_.active.size() ? view_.active[unit] : ActiveState::kInactive;
  }

  struct Added {
    SetIndex index;
    bool is_new;
  };
  Added add(UnitId unit, JobType type);
  void link(SetIndex subject, SetIndex object, bool matters, bool conflicts);

  SetJob& operator[](SetIndex index) noexcept { return jobs_[index]; }
  const SetJob& operator[](SetIndex index) const noexcept { return jobs_[index]; }
  const SetLink& link_at(SetIndex index) const noexcept { return links_[index]; }
  SetIndex limit() const noexcept { return static_cast<SetIndex>(jobs_.size()); }
  // The unit's newest job, kNone without one.
  SetIndex first_of(UnitId unit) const noexcept { return by_unit_[unit]; }
  SetIndex anchor() const noexcept { return 0; }  // the first one added

  // Takes a job out; with kDependents also those that cannot do without it.
  enum class Cascade : uint8_t { kDependents, kThisOnly };
  void remove(SetIndex index, Cascade cascade);
  void remove_unit(UnitId unit);
  // Takes out what nobody left in the set pulled in.
  void remove_unwanted();

  // Marks what the anchor cannot do without.
  void mark_matters();
  bool unit_matters(UnitId unit) const noexcept;
  bool is_conflicted(SetIndex index) const noexcept;
  // Makes `from` part of `into`, which takes over its links.
  void merge(SetIndex into, SetIndex from, JobType type);

 private:
  void unchain(SetIndex index) noexcept;

  const TransactionView& view_;
  bool irreversible_;
  std::vector<SetJob> jobs_;
  std::vector<SetLink> links_;
  std::vector<SetIndex> by_unit_;
  std::vector<SetIndex> pending_;  // scratch of remove() and remove_unwanted()
};

// Looks for an ordering cycle and breaks the first one found.
enum class OrderVerdict : uint8_t { kSound, kBrokeCycle, kUnfixable };
// Appends the story of a cycle to `lines`.
OrderVerdict verify_order(TransactionSet& set, std::vector<std::string>& lines);
// The set's jobs so that each stands behind those it is ordered behind. Requires: merged.
std::vector<SetIndex> ordered(const TransactionSet& set);

}  // namespace flotilla::init
