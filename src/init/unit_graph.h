// The dependency graph: every unit that is loaded or named by a loaded one, and who depends on whom
// in which way. Owned by the manager; loop thread only. Pure: what the implicit dependencies are is
// the loader's business, what follows from an edge is transaction.h's and unit_consequences.h's.
//
// A unit has a dense number, its UnitId. A number is given anew after release(), so ids do not
// cross a turn of the loop unless the unit is known to stay; names do.
//
// An edge stands once for each end: a Requires b is in a's kRequires and in b's kRequiredBy. It is
// there as long as a's files or b's files say so.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/compact_vector.h"
#include "init/edge_list.h"
#include "init/name_index.h"
#include "init/unit_settings.h"
#include "init/unit_state.h"

namespace flotilla::init {

using UnitId = uint32_t;
inline constexpr UnitId kNoUnit = UINT32_MAX;

// The active state of every unit, by UnitId; a unit beyond its end is inactive.
using ActiveStates = std::span<const ActiveState>;

// What decisions about jobs need to know of a unit besides its dependencies.
struct UnitFacts {
  LoadState load_state = LoadState::kStub;
  JobMode on_failure_mode = JobMode::kReplace;
  JobMode on_success_mode = JobMode::kFail;
  bool perpetual : 1 = false;  // never stops: -.slice, system.slice, init.scope
  bool can_start : 1 = true;
  bool can_stop : 1 = true;
  bool can_reload : 1 = false;
  bool allow_isolate : 1 = false;
  bool ignore_on_isolate : 1 = false;
  bool stop_when_unneeded : 1 = false;
  bool refuse_manual_start : 1 = false;
  bool refuse_manual_stop : 1 = false;
  struct LoadError {
    std::string text;      // one sentence, where load_state is none of the usual
    std::string bus_name;  // empty: what systemd says for load_state
  };
  Lazy<LoadError> load_error;
};

// The facts that a unit's files determine. Perpetual is what the standard names are.
UnitFacts facts_of(const UnitSettings& settings);

// The other end's name for an edge: kRequires gives kRequiredBy.
Dependency inverse_of(Dependency kind) noexcept;
// "Requires", "RequiredBy", as the properties are called.
std::string_view to_string(Dependency kind) noexcept;

class UnitGraph {
 public:
  // kNoUnit where nobody loaded or named it. Aliases resolve to the unit they stand for.
  UnitId find(std::string_view name) const noexcept;
  // Finds the unit or makes a stub for it.
  UnitId intern(const unit::UnitName& name);

  // Takes in what the files of a unit say: its facts, its aliases, and the edges it declares;
  // edges that only its former settings declared end. Costs what has changed.
  // Where an alias already is a unit of its own (a stub somebody named), that one becomes part of
  // this unit and its id is free.
  UnitId replace(const UnitSettings& settings);
  UnitId replace(const UnitSettings& settings, UnitFacts facts);

  // The unit's name is kept elsewhere from now on, as its settings keep it, and no second time
  // here. Requires: it is the same name, and outlives the unit's place here or its release().
  void lend_name(UnitId unit, const unit::UnitName& name) noexcept;

  // One more edge, as a unit's files would declare it; gone with the next replace() of `from`.
  void add(UnitId from, Dependency kind, UnitId to);

  // The unit's files are gone or it is forgotten: what it declared ends. It stays a stub if others
  // name it; otherwise its id and names are free. Returns whether it is gone.
  bool release(UnitId unit);

  // Ends every stub that nobody names any more; returns how many. Not automatic, so that an id from
  // intern() stays good until its user is done with it.
  size_t collect_stubs();

  // Gives back the room that was taken for more units.
  void shrink_to_fit() { nodes_.shrink_to_fit(); }

  bool exists(UnitId unit) const noexcept;
  const unit::UnitName& name(UnitId unit) const noexcept { return *nodes_[unit].name; }
  const std::string& id(UnitId unit) const noexcept { return name(unit).str(); }
  const UnitFacts& facts(UnitId unit) const noexcept { return nodes_[unit].facts; }
  UnitFacts& facts(UnitId unit) noexcept { return nodes_[unit].facts; }

  // In the order in which the edges came. Valid until the graph changes.
  const EdgeList& dependencies(UnitId unit, Dependency kind) const noexcept;
  bool has(UnitId unit, Dependency kind, UnitId other) const noexcept;
  // Whether any loaded unit names this one in any way.
  bool is_referenced(UnitId unit) const noexcept;

  // Whether a reload may be asked of it: it has commands for that, or is no service and passes it
  // on.
  bool can_reload(UnitId unit) const noexcept;

  // Asks `holds` of each unit whose files name this one, until it is true of one.
  template <typename Predicate>
  bool any_referrer(UnitId unit, Predicate&& holds) const {
    for (const List& list : nodes_[unit].lists) {
      for (const Edge& edge : list.edges()) {
        if (edge.is_declared(Edge::By::kThem) && holds(edge.to())) return true;
      }
    }
    return false;
  }
  // The units that this one's files name.
  std::vector<UnitId> declared_by(UnitId unit) const;
  std::vector<UnitId> declared_by(UnitId unit, Dependency kind) const;

  // One more than the highest id; ids below it may be free (exists()).
  UnitId limit() const noexcept { return static_cast<UnitId>(nodes_.size()); }
  size_t size() const noexcept { return nodes_.size() - free_.size(); }

 private:
  using Edge = EdgeList::Edge;
  struct List : EdgeList {
    explicit List(Dependency of_kind) noexcept : kind(of_kind) {}
    Dependency kind;  // in what EdgeList leaves of its last word
  };
  static_assert(sizeof(List) == 16);
  struct Node {
    const unit::UnitName* name = nullptr;  // null: the id is free
    std::unique_ptr<const unit::UnitName> own_name;
    base::CompactVector<unit::UnitName> aliases;
    UnitFacts facts;
    base::CompactVector<List> lists;  // few kinds are in use at once
  };
  // What a unit's files say, or have said.
  struct Declaration {
    Dependency kind;
    UnitId to;
    friend auto operator<=>(const Declaration&, const Declaration&) = default;
  };

  bool has_name(UnitId unit, std::string_view name) const noexcept;
  EdgeList* find_list(UnitId unit, Dependency kind) noexcept;
  // Whether some edge of the unit was declared by this side.
  bool has_declared(UnitId unit, Edge::By by) const noexcept;
  void append(UnitId unit, Dependency kind, Edge edge);
  void withdraw(UnitId unit, Dependency kind, UnitId other, Edge::By by) noexcept;
  void link(UnitId from, Dependency kind, UnitId to);
  void unlink(UnitId from, Dependency kind, UnitId to) noexcept;
  void declare(UnitId unit, const std::vector<Declaration>& edges);
  void forget_name(UnitId unit, const unit::UnitName& name);
  void set_aliases(UnitId unit, const std::vector<unit::UnitName>& aliases);
  void absorb(UnitId into, UnitId stub);
  void free_node(UnitId unit);

  std::vector<Node> nodes_;
  std::vector<UnitId> free_;
  NameIndex ids_;
};

}  // namespace flotilla::init
