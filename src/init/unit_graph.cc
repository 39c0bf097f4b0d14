#include "init/unit_graph.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace flotilla::init {
namespace {

constexpr size_t kKinds = static_cast<size_t>(Dependency::kCount);

constexpr std::array<std::pair<Dependency, Dependency>, 14> kInverses = {{
    {Dependency::kRequires, Dependency::kRequiredBy},
    {Dependency::kRequisite, Dependency::kRequisiteOf},
    {Dependency::kWants, Dependency::kWantedBy},
    {Dependency::kBindsTo, Dependency::kBoundBy},
    {Dependency::kPartOf, Dependency::kConsistsOf},
    {Dependency::kUpholds, Dependency::kUpheldBy},
    {Dependency::kConflicts, Dependency::kConflictedBy},
    {Dependency::kBefore, Dependency::kAfter},
    {Dependency::kPropagatesReloadTo, Dependency::kReloadPropagatedFrom},
    {Dependency::kPropagatesStopTo, Dependency::kStopPropagatedFrom},
    {Dependency::kTriggers, Dependency::kTriggeredBy},
    {Dependency::kOnFailure, Dependency::kOnFailureOf},
    {Dependency::kOnSuccess, Dependency::kOnSuccessOf},
    {Dependency::kJoinsNamespaceOf, Dependency::kJoinsNamespaceOf},
}};

constexpr std::array<Dependency, kKinds> make_inverse_table() {
  std::array<Dependency, kKinds> table{};
  for (auto& entry : table) entry = Dependency::kCount;
  for (const auto& [a, b] : kInverses) {
    table[static_cast<size_t>(a)] = b;
    table[static_cast<size_t>(b)] = a;
  }
  return table;
}
constexpr std::array<Dependency, kKinds> kInverseOf = make_inverse_table();
static_assert(std::find(kInverseOf.begin(), kInverseOf.end(), Dependency::kCount) ==
                  kInverseOf.end(),
              "each edge stands at both of its ends");

constexpr std::array<std::string_view, kKinds> kNames = {"Requires",
                                                         "Requisite",
                                                         "Wants",
                                                         "BindsTo",
                                                         "PartOf",
                                                         "Upholds",
                                                         "Conflicts",
                                                         "Before",
                                                         "After",
                                                         "OnFailure",
                                                         "OnSuccess",
                                                         "PropagatesReloadTo",
                                                         "ReloadPropagatedFrom",
                                                         "PropagatesStopTo",
                                                         "StopPropagatedFrom",
                                                         "Triggers",
                                                         "JoinsNamespaceOf",
                                                         "RequiredBy",
                                                         "RequisiteOf",
                                                         "WantedBy",
                                                         "BoundBy",
                                                         "ConsistsOf",
                                                         "UpheldBy",
                                                         "ConflictedBy",
                                                         "TriggeredBy",
                                                         "OnFailureOf",
                                                         "OnSuccessOf"};

bool is_perpetual(const unit::UnitName& name) {
  return name.str() == "-.slice" || name.str() == "system.slice" || name.str() == "init.scope" ||
         name.str() == "-.mount";
}

}  // namespace

UnitFacts facts_of(const UnitSettings& settings) {
  UnitFacts facts;
  facts.load_state = settings.load_state;
  facts.perpetual = is_perpetual(settings.name);
  const auto type = settings.name.type();
  // A scope starts once, with the processes that it was made for.
  facts.can_start = type != unit::UnitType::kDevice && type != unit::UnitType::kScope &&
                    settings.load_state == LoadState::kLoaded;
  facts.can_stop = type != unit::UnitType::kDevice && !facts.perpetual;
  facts.can_reload =
      type == unit::UnitType::kMount ||
      (type == unit::UnitType::kService && !settings.commands[ServiceCommand::kReload].empty());
  facts.allow_isolate = settings.allow_isolate;
  facts.ignore_on_isolate = settings.ignore_on_isolate;
  facts.stop_when_unneeded = settings.stop_when_unneeded;
  facts.refuse_manual_start = settings.refuse_manual_start;
  facts.refuse_manual_stop = settings.refuse_manual_stop;
  facts.on_failure_mode = settings.on_failure_job_mode;
  facts.on_success_mode = settings.on_success_job_mode;
  const UnitExtras& extras = *settings.extras;
  if (!extras.load_error.empty() || !extras.load_error_bus_name.empty()) {
    facts.load_error.edit() = {extras.load_error, extras.load_error_bus_name};
  }
  return facts;
}

Dependency inverse_of(Dependency kind) noexcept { return kInverseOf[static_cast<size_t>(kind)]; }

std::string_view to_string(Dependency kind) noexcept { return kNames[static_cast<size_t>(kind)]; }

UnitId UnitGraph::find(std::string_view name) const noexcept {
  return ids_.find(name, [&](UnitId unit) { return has_name(unit, name); });
}

bool UnitGraph::has_name(UnitId unit, std::string_view name) const noexcept {
  const Node& node = nodes_[unit];
  if (node.name->str() == name) return true;
  return std::any_of(node.aliases.begin(), node.aliases.end(),
                     [&](const unit::UnitName& alias) { return alias.str() == name; });
}

UnitId UnitGraph::intern(const unit::UnitName& name) {
  if (const UnitId present = find(name.str()); present != kNoUnit) return present;
  UnitId unit = limit();
  if (free_.empty()) {
    nodes_.emplace_back();
  } else {
    unit = free_.back();
    free_.pop_back();
  }
  nodes_[unit].own_name = std::make_unique<unit::UnitName>(name);
  nodes_[unit].name = nodes_[unit].own_name.get();
  ids_.insert(name.str(), unit);
  return unit;
}

bool UnitGraph::exists(UnitId unit) const noexcept {
  return unit < nodes_.size() && nodes_[unit].name != nullptr;
}

EdgeList* UnitGraph::find_list(UnitId unit, Dependency kind) noexcept {
  for (List& list : nodes_[unit].lists) {
    if (list.kind == kind) return &list;
  }
  return nullptr;
}

const EdgeList& UnitGraph::dependencies(UnitId unit, Dependency kind) const noexcept {
  static const EdgeList none;
  for (const List& list : nodes_[unit].lists) {
    if (list.kind == kind) return list;
  }
  return none;
}

bool UnitGraph::has(UnitId unit, Dependency kind, UnitId other) const noexcept {
  // Each end has the edge, so the shorter list tells; one of them may be everybody's target.
  const EdgeList& list = dependencies(unit, kind);
  const EdgeList& reverse = dependencies(other, inverse_of(kind));
  return reverse.size() < list.size()
             ? std::find(reverse.begin(), reverse.end(), unit) != reverse.end()
             : std::find(list.begin(), list.end(), other) != list.end();
}

bool UnitGraph::has_declared(UnitId unit, Edge::By by) const noexcept {
  for (const List& list : nodes_[unit].lists) {
    for (const Edge& edge : list.edges()) {
      if (edge.is_declared(by)) return true;
    }
  }
  return false;
}

bool UnitGraph::is_referenced(UnitId unit) const noexcept {
  return has_declared(unit, Edge::By::kThem);
}

bool UnitGraph::can_reload(UnitId unit) const noexcept {
  if (facts(unit).can_reload) return true;
  return name(unit).type() != unit::UnitType::kService &&
         !dependencies(unit, Dependency::kPropagatesReloadTo).empty();
}

std::vector<UnitId> UnitGraph::declared_by(UnitId unit) const {
  std::vector<UnitId> named;
  for (const List& list : nodes_[unit].lists) {
    for (const Edge& edge : list.edges()) {
      if (edge.is_declared(Edge::By::kUs)) named.push_back(edge.to());
    }
  }
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  return named;
}

std::vector<UnitId> UnitGraph::declared_by(UnitId unit, Dependency kind) const {
  std::vector<UnitId> named;
  for (const Edge& edge : dependencies(unit, kind).edges()) {
    if (edge.is_declared(Edge::By::kUs)) named.push_back(edge.to());
  }
  return named;
}

void UnitGraph::append(UnitId unit, Dependency kind, Edge edge) {
  EdgeList* list = find_list(unit, kind);
  if (list == nullptr) list = &nodes_[unit].lists.push_back(List(kind));
  list->push_back(edge);
}

// One side's files do not say so any more; where the other's do not either, the edge ends.
void UnitGraph::withdraw(UnitId unit, Dependency kind, UnitId other, Edge::By by) noexcept {
  auto& lists = nodes_[unit].lists;
  for (List* list = lists.begin(); list != lists.end(); ++list) {
    if (list->kind != kind) continue;
    Edge* const edge = list->find(other);
    if (edge != nullptr && edge->withdraw(by)) list->EdgeList::erase(edge);
    if (list->empty()) lists.erase(list);
    return;
  }
}

// Harmless where it is declared already.
void UnitGraph::link(UnitId from, Dependency kind, UnitId to) {
  const Dependency inverse = inverse_of(kind);
  if (has(from, kind, to)) {
    Edge* const own = find_list(from, kind)->find(to);
    // The other end has it, too, and may be a target with a list of thousands.
    if (own->is_declared(Edge::By::kUs)) return;
    own->declare(Edge::By::kUs);
    find_list(to, inverse)->find(from)->declare(Edge::By::kThem);
    return;
  }
  append(from, kind, {to, Edge::By::kUs});
  append(to, inverse, {from, Edge::By::kThem});
}

void UnitGraph::unlink(UnitId from, Dependency kind, UnitId to) noexcept {
  withdraw(from, kind, to, Edge::By::kUs);
  withdraw(to, inverse_of(kind), from, Edge::By::kThem);
}

void UnitGraph::declare(UnitId unit, const std::vector<Declaration>& edges) {
  std::vector<Declaration> ended;
  for (const List& list : nodes_[unit].lists) {
    for (const Edge& edge : list.edges()) {
      if (edge.is_declared(Edge::By::kUs)) ended.push_back({list.kind, edge.to()});
    }
  }
  if (!ended.empty()) {
    std::vector<Declaration> sorted = edges;
    std::sort(sorted.begin(), sorted.end());
    std::erase_if(ended, [&](const Declaration& edge) {
      return std::binary_search(sorted.begin(), sorted.end(), edge);
    });
  }
  for (const Declaration& edge : ended) unlink(unit, edge.kind, edge.to);
  // Lists keep the order of the files. A unit that names itself says nothing.
  for (const Declaration& edge : edges) {
    if (edge.to != unit) link(unit, edge.kind, edge.to);
  }
  nodes_[unit].lists.shrink_to_fit();
}

void UnitGraph::lend_name(UnitId unit, const unit::UnitName& name) noexcept {
  nodes_[unit].name = &name;
  nodes_[unit].own_name.reset();
}

UnitId UnitGraph::replace(const UnitSettings& settings) {
  return replace(settings, facts_of(settings));
}

UnitId UnitGraph::replace(const UnitSettings& settings, UnitFacts facts) {
  const UnitId unit = intern(settings.name);
  set_aliases(unit, settings.extras->aliases);
  nodes_[unit].facts = std::move(facts);
  std::vector<Declaration> edges;
  for (size_t kind = 0; kind < kKinds; ++kind) {
    for (const unit::UnitName& other : settings.dependencies[kind]) {
      edges.push_back({static_cast<Dependency>(kind), intern(other)});
    }
  }
  declare(unit, edges);
  return unit;
}

void UnitGraph::add(UnitId from, Dependency kind, UnitId to) {
  if (from != to) link(from, kind, to);
}

void UnitGraph::forget_name(UnitId unit, const unit::UnitName& name) {
  ids_.erase(name.str(), [unit](UnitId holder) { return holder == unit; });
}

void UnitGraph::set_aliases(UnitId unit, const std::vector<unit::UnitName>& aliases) {
  for (const unit::UnitName& alias : nodes_[unit].aliases) forget_name(unit, alias);
  nodes_[unit].aliases.clear();
  for (const unit::UnitName& alias : aliases) {
    const UnitId present = find(alias.str());
    if (present == unit) continue;
    if (present != kNoUnit) absorb(unit, present);
    nodes_[unit].aliases.push_back(alias);
    ids_.insert(alias.str(), unit);
  }
}

void UnitGraph::absorb(UnitId into, UnitId stub) {
  declare(stub, {});
  // What is left was declared by others.
  std::vector<std::pair<UnitId, Dependency>> referrers;
  for (const List& list : nodes_[stub].lists) {
    for (const UnitId other : list) referrers.emplace_back(other, inverse_of(list.kind));
  }
  for (const auto& [other, kind] : referrers) {
    unlink(other, kind, stub);
    if (other != into) link(other, kind, into);
  }
  free_node(stub);
}

bool UnitGraph::release(UnitId unit) {
  declare(unit, {});
  set_aliases(unit, {});
  nodes_[unit].facts = UnitFacts{};
  if (!is_referenced(unit)) {
    free_node(unit);
    return true;
  }
  if (!nodes_[unit].own_name) {
    nodes_[unit].own_name = std::make_unique<unit::UnitName>(name(unit));
    nodes_[unit].name = nodes_[unit].own_name.get();
  }
  return false;
}

size_t UnitGraph::collect_stubs() {
  size_t collected = 0;
  for (UnitId unit = 0; unit < limit(); ++unit) {
    const Node& node = nodes_[unit];
    if (!exists(unit) || node.facts.load_state != LoadState::kStub || !node.lists.empty()) continue;
    free_node(unit);
    ++collected;
  }
  return collected;
}

void UnitGraph::free_node(UnitId unit) {
  for (const unit::UnitName& alias : nodes_[unit].aliases) forget_name(unit, alias);
  forget_name(unit, name(unit));
  nodes_[unit] = Node{};
  free_.push_back(unit);
}

}  // namespace flotilla::init
