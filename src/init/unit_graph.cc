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
  facts.can_reload = type == unit::UnitType::kMount ||
                     (type == unit::UnitType::kService &&
                      !settings.commands[ServiceCommand::kReload].empty());
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

IdList* UnitGraph::find_list(UnitId unit, Dependency kind) noexcept {
  for (List& list : nodes_[unit].lists) {
    if (list.kind == kind) return &list;
  }
  return nullptr;
}

std::span<const UnitId> UnitGraph::dependencies(UnitId unit, Dependency kind) const noexcept {
  for (const List& list : nodes_[unit].lists) {
    if (list.kind == kind) return {list.begin(), list.end()};
  }
  return {};
}

bool UnitGraph::has(UnitId unit, Dependency kind, UnitId other) const noexcept {
  // Each end has the edge, so the shorter list tells; one of them may be everybody's target.
  auto list = dependencies(unit, kind);
  UnitId wanted = other;
  if (const Dependency inverse = inverse_of(kind); inverse != Dependency::kCount) {
    const auto reverse = dependencies(other, inverse);
    if (reverse.size() < list.size()) {
      list = reverse;
      wanted = unit;
    }
  }
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

bool UnitGraph::can_reload(UnitId unit) const noexcept {
  if (facts(unit).can_reload) return true;
  return name(unit).type() != unit::UnitType::kService &&
         !dependencies(unit, Dependency::kPropagatesReloadTo).empty();
}

std::vector<UnitId> UnitGraph::declared_by(UnitId unit) const {
  std::vector<UnitId> named;
  for (const Edge& edge : nodes_[unit].declared) named.push_back(edge.to());
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  return named;
}

std::vector<UnitId> UnitGraph::declared_by(UnitId unit, Dependency kind) const {
  std::vector<UnitId> named;
  for (const Edge& edge : nodes_[unit].declared) {
    if (edge.kind() == kind) named.push_back(edge.to());
  }
  return named;
}

void UnitGraph::append(UnitId unit, Dependency kind, UnitId other) {
  IdList* list = find_list(unit, kind);
  if (list == nullptr) list = &nodes_[unit].lists.push_back(List(kind));
  list->push_back(other);
}

void UnitGraph::erase(UnitId unit, Dependency kind, UnitId other) noexcept {
  auto& lists = nodes_[unit].lists;
  for (List* list = lists.begin(); list != lists.end(); ++list) {
    if (list->kind != kind) continue;
    list->IdList::erase(other);
    if (list->empty()) lists.erase(list);
    return;
  }
}

bool UnitGraph::declares(UnitId unit, Dependency kind, UnitId other) const noexcept {
  const auto& declared = nodes_[unit].declared;
  return std::binary_search(declared.begin(), declared.end(), Edge{kind, other});
}

void UnitGraph::link(UnitId from, Edge edge) {
  ++nodes_[edge.to()].references;
  const Dependency inverse = inverse_of(edge.kind());
  if (inverse != Dependency::kCount && declares(edge.to(), inverse, from)) return;
  append(from, edge.kind(), edge.to());
  if (inverse != Dependency::kCount) append(edge.to(), inverse, from);
}

void UnitGraph::unlink(UnitId from, Edge edge) noexcept {
  --nodes_[edge.to()].references;
  const Dependency inverse = inverse_of(edge.kind());
  if (inverse != Dependency::kCount && declares(edge.to(), inverse, from)) return;
  erase(from, edge.kind(), edge.to());
  if (inverse != Dependency::kCount) erase(edge.to(), inverse, from);
}

void UnitGraph::declare(UnitId unit, std::vector<Edge> edges) {
  // A unit that names itself says nothing.
  std::erase_if(edges, [unit](const Edge& edge) { return edge.to() == unit; });
  // Lists keep the order of the files: what is new is linked in it, the record is sorted after.
  std::vector<Edge> sorted = edges;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());

  const base::CompactVector<Edge> old =
      std::exchange(nodes_[unit].declared, base::CompactVector<Edge>(sorted.begin(), sorted.end()));
  const auto& now = nodes_[unit].declared;
  for (const Edge& edge : old) {
    if (!std::binary_search(now.begin(), now.end(), edge)) unlink(unit, edge);
  }
  std::vector<bool> linked(now.size(), false);
  for (const Edge& edge : edges) {
    const auto place = std::lower_bound(now.begin(), now.end(), edge) - now.begin();
    if (linked[static_cast<size_t>(place)]) continue;
    linked[static_cast<size_t>(place)] = true;
    if (!std::binary_search(old.begin(), old.end(), edge)) link(unit, edge);
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
  std::vector<Edge> edges;
  for (size_t kind = 0; kind < kKinds; ++kind) {
    for (const unit::UnitName& other : settings.dependencies[kind]) {
      edges.emplace_back(static_cast<Dependency>(kind), intern(other));
    }
  }
  declare(unit, std::move(edges));
  return unit;
}

void UnitGraph::add(UnitId from, Dependency kind, UnitId to) {
  if (from == to || declares(from, kind, to)) return;
  auto& declared = nodes_[from].declared;
  const Edge edge{kind, to};
  declared.insert(std::lower_bound(declared.begin(), declared.end(), edge), edge);
  link(from, edge);
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
  // Edges without an inverse are known to the one that declares them alone, so all are asked; that
  // a name turns out to be an alias after others used it is rare.
  for (UnitId other = 0; other < limit() && nodes_[stub].references != 0; ++other) {
    const auto& declared = nodes_[other].declared;
    std::vector<Edge> edges(declared.begin(), declared.end());
    bool changed = false;
    for (Edge& edge : edges) {
      if (edge.to() != stub) continue;
      edge = {edge.kind(), into};
      changed = true;
    }
    if (changed) declare(other, std::move(edges));
  }
  free_node(stub);
}

bool UnitGraph::release(UnitId unit) {
  declare(unit, {});
  set_aliases(unit, {});
  nodes_[unit].facts = UnitFacts{};
  if (nodes_[unit].references == 0) {
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
    if (!exists(unit) || node.references != 0 || !node.declared.empty()) continue;
    if (node.facts.load_state != LoadState::kStub) continue;
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
