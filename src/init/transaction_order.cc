// Ordering cycles: one depth-first walk over "runs before", with its path kept on a stack of our
// own so that a chain of ten thousand units needs no deep recursion.
#include <fmt/format.h>

#include <algorithm>

#include "init/transaction_set.h"

namespace flotilla::init {
namespace {

constexpr Dependency kDirections[] = {Dependency::kBefore, Dependency::kAfter};

// Walks the units that have a job, in the transaction or installed, from each unit to those whose
// job runs after its own.
class OrderWalk {
 public:
  enum class Scope : uint8_t { kWithInstalled, kSetAlone };

  OrderWalk(const TransactionSet& set, Scope scope)
      : set_(set), scope_(scope), marks_(set.view().graph.limit(), Mark::kNew) {}

  // False if a cycle was met: it is path() from cycle_start() on.
  bool visit(UnitId unit) {
    if (marks_[unit] != Mark::kNew) return true;
    push(unit);
    while (!path_.empty()) {
      const UnitId next = next_after(path_.back());
      if (next == kNoUnit) {
        marks_[path_.back().unit] = Mark::kDone;
        finished_.push_back(path_.back().unit);
        path_.pop_back();
      } else if (marks_[next] == Mark::kNew) {
        push(next);
      } else if (marks_[next] == Mark::kOnPath && scope_ == Scope::kWithInstalled) {
        cycle_ = next;
        return false;
      }
    }
    return true;
  }

  // The job that stands for a unit in the order.
  const Job* job_of(UnitId unit) const noexcept {
    if (const SetIndex index = set_.first_of(unit); index != kNone) return &set_[index].job;
    return scope_ == Scope::kWithInstalled ? set_.view().jobs.of_unit(unit) : nullptr;
  }

  // From the unit the cycle closes at backwards to its beginning.
  std::vector<UnitId> cycle() const {
    std::vector<UnitId> units;
    for (auto step = path_.rbegin(); step != path_.rend(); ++step) {
      units.push_back(step->unit);
      if (step->unit == cycle_) break;
    }
    return units;
  }
  UnitId cycle_start() const noexcept { return cycle_; }
  // Every unit behind all those that run after it.
  const std::vector<UnitId>& finished() const noexcept { return finished_; }

 private:
  enum class Mark : uint8_t { kNew, kOnPath, kDone };
  struct Step {
    UnitId unit;
    uint32_t direction = 0;
    size_t position = 0;
  };

  void push(UnitId unit) {
    marks_[unit] = Mark::kOnPath;
    path_.push_back(Step{unit});
  }

  UnitId next_after(Step& step) const {
    const Job* job = job_of(step.unit);
    for (; step.direction < 2; ++step.direction, step.position = 0) {
      const Dependency kind = kDirections[step.direction];
      const EdgeList& others = set_.view().graph.dependencies(step.unit, kind);
      while (step.position < others.size()) {
        const UnitId other = others[step.position++];
        const Job* theirs = job_of(other);
        if (theirs != nullptr && compare_order(*job, *theirs, kind) < 0) return other;
      }
    }
    return kNoUnit;
  }

  const TransactionSet& set_;
  Scope scope_;
  std::vector<Mark> marks_;
  std::vector<Step> path_;
  std::vector<UnitId> finished_;
  UnitId cycle_ = kNoUnit;
};

std::string job_text(const OrderWalk& walk, const UnitGraph& graph, UnitId unit) {
  return fmt::format("{}/{}", graph.id(unit), to_string(walk.job_of(unit)->type));
}

}  // namespace

OrderVerdict verify_order(TransactionSet& set, std::vector<std::string>& lines) {
  OrderWalk walk(set, OrderWalk::Scope::kWithInstalled);
  const UnitGraph& graph = set.view().graph;
  for (SetIndex i = 0; i < set.limit(); ++i) {
    if (set[i].deleted || walk.visit(set[i].job.unit)) continue;

    const std::vector<UnitId> cycle = walk.cycle();
    const std::string& where = graph.id(walk.cycle_start());
    UnitId victim = kNoUnit;
    for (size_t k = 0; k < cycle.size(); ++k) {
      lines.push_back(fmt::format("{}: Found {} on {}", where,
                                  k == 0 ? "ordering cycle" : "dependency",
                                  job_text(walk, graph, cycle[k])));
      // Only a job of this transaction can go, and only one that the request can do without.
      if (victim == kNoUnit && set.first_of(cycle[k]) != kNone && !set.unit_matters(cycle[k])) {
        victim = cycle[k];
      }
    }
    const std::string start = job_text(walk, graph, walk.cycle_start());
    if (victim == kNoUnit) {
      lines.push_back(fmt::format("{}: Unable to break cycle starting with {}", where, start));
      return OrderVerdict::kUnfixable;
    }
    lines.push_back(fmt::format("{}: Job {} deleted to break ordering cycle starting with {}",
                                where, job_text(walk, graph, victim), start));
    set.remove_unit(victim);
    return OrderVerdict::kBrokeCycle;
  }
  return OrderVerdict::kSound;
}

std::vector<SetIndex> ordered(const TransactionSet& set) {
  OrderWalk walk(set, OrderWalk::Scope::kSetAlone);
  // Backwards, so that what has no order among itself keeps the order in which it was pulled in.
  for (SetIndex i = set.limit(); i-- > 0;) {
    if (!set[i].deleted) walk.visit(set[i].job.unit);
  }
  std::vector<SetIndex> out;
  out.reserve(walk.finished().size());
  for (auto unit = walk.finished().rbegin(); unit != walk.finished().rend(); ++unit) {
    out.push_back(set.first_of(*unit));
  }
  return out;
}

}  // namespace flotilla::init
