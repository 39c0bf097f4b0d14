#include "init/unit_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flotilla::init {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using D = Dependency;

unit::UnitName name(const char* text) { return unit::UnitName::parse(text).value(); }

UnitSettings settings(const char* id, std::vector<std::pair<D, const char*>> dependencies = {}) {
  UnitSettings out(name(id));
  out.load_state = LoadState::kLoaded;
  for (const auto& [kind, other] : dependencies) {
    out.dependencies[static_cast<size_t>(kind)].push_back(name(other));
  }
  return out;
}

std::vector<UnitId> list(const UnitGraph& graph, UnitId unit, D kind) {
  const EdgeList& edges = graph.dependencies(unit, kind);
  return {edges.begin(), edges.end()};
}

TEST(UnitGraph, EveryEdgeStandsAtBothEnds) {
  UnitGraph graph;
  const UnitId a = graph.replace(settings(
      "a.service",
      {{D::kRequires, "b.service"}, {D::kAfter, "b.service"}, {D::kOnFailure, "f.service"}}));
  const UnitId b = graph.find("b.service");
  ASSERT_NE(b, kNoUnit);
  EXPECT_THAT(list(graph, a, D::kRequires), ElementsAre(b));
  EXPECT_THAT(list(graph, b, D::kRequiredBy), ElementsAre(a));
  EXPECT_THAT(list(graph, b, D::kBefore), ElementsAre(a));
  EXPECT_TRUE(graph.has(b, D::kBefore, a));
  EXPECT_FALSE(graph.has(a, D::kBefore, b));
  EXPECT_EQ(graph.facts(b).load_state, LoadState::kStub);
  EXPECT_TRUE(graph.is_referenced(graph.find("f.service")));
}

TEST(UnitGraph, ReplaceEndsWhatOnlyTheOldFilesSaid) {
  UnitGraph graph;
  const UnitId a =
      graph.replace(settings("a.service", {{D::kBefore, "b.service"}, {D::kWants, "c.service"}}));
  const UnitId b = graph.replace(settings("b.service", {{D::kAfter, "a.service"}}));
  graph.replace(settings("a.service"));
  EXPECT_THAT(list(graph, a, D::kWants), IsEmpty());
  // b's files still say so.
  EXPECT_THAT(list(graph, a, D::kBefore), ElementsAre(b));
  graph.replace(settings("b.service"));
  EXPECT_THAT(list(graph, a, D::kBefore), IsEmpty());
  EXPECT_THAT(list(graph, b, D::kAfter), IsEmpty());
}

TEST(UnitGraph, AReplacementWithTheSameEdgesKeepsTheirOrder) {
  UnitGraph graph;
  const auto say = settings("t.target", {{D::kWants, "z.service"}, {D::kWants, "a.service"}});
  const UnitId t = graph.replace(say);
  const auto before = list(graph, t, D::kWants);
  EXPECT_EQ(graph.id(before[0]), "z.service");
  graph.replace(say);
  EXPECT_EQ(list(graph, t, D::kWants), before);
}

TEST(UnitGraph, AUnitThatNamesItselfSaysNothing) {
  UnitGraph graph;
  const UnitId a =
      graph.replace(settings("a.service", {{D::kAfter, "a.service"}, {D::kRequires, "a.service"}}));
  EXPECT_THAT(list(graph, a, D::kAfter), IsEmpty());
  EXPECT_FALSE(graph.is_referenced(a));
}

TEST(UnitGraph, AliasesResolveAndTakeOverWhatWasSaidToThem) {
  UnitGraph graph;
  const UnitId x = graph.replace(
      settings("x.service", {{D::kWants, "alias.service"}, {D::kOnFailure, "alias.service"}}));
  auto real = settings("real.service");
  real.extras.edit().aliases.push_back(name("alias.service"));
  const UnitId r = graph.replace(real);
  EXPECT_EQ(graph.find("alias.service"), r);
  EXPECT_THAT(list(graph, x, D::kWants), ElementsAre(r));
  EXPECT_THAT(list(graph, x, D::kOnFailure), ElementsAre(r));
  EXPECT_THAT(list(graph, r, D::kWantedBy), ElementsAre(x));
  EXPECT_EQ(graph.size(), 2U);
}

TEST(UnitGraph, AReleasedUnitStaysAStubWhileOthersNameIt) {
  UnitGraph graph;
  const UnitId a = graph.replace(settings("a.service", {{D::kWants, "b.service"}}));
  const UnitId b = graph.replace(settings("b.service", {{D::kWants, "c.service"}}));
  EXPECT_FALSE(graph.release(b));
  EXPECT_EQ(graph.facts(b).load_state, LoadState::kStub);
  EXPECT_THAT(list(graph, a, D::kWants), ElementsAre(b));
  EXPECT_TRUE(graph.release(a));
  EXPECT_EQ(graph.find("a.service"), kNoUnit);
  EXPECT_EQ(graph.collect_stubs(), 2U);
  EXPECT_EQ(graph.size(), 0U);
}

TEST(UnitGraph, HasALentNameUntilTheUnitIsReleased) {
  UnitGraph graph;
  auto lender = std::make_unique<UnitSettings>(settings("b.service"));
  const UnitId a = graph.replace(settings("a.service", {{D::kWants, "b.service"}}));
  const UnitId b = graph.replace(*lender);
  graph.lend_name(b, lender->name);
  EXPECT_EQ(&graph.name(b), &lender->name);
  EXPECT_EQ(graph.find("b.service"), b);
  EXPECT_FALSE(graph.release(b));
  lender.reset();
  EXPECT_EQ(graph.find("b.service"), b);
  EXPECT_EQ(graph.id(b), "b.service");
  EXPECT_TRUE(graph.release(a));
}

TEST(UnitGraph, AFreedIdIsGivenAgain) {
  UnitGraph graph;
  const UnitId a = graph.replace(settings("a.service"));
  EXPECT_TRUE(graph.release(a));
  EXPECT_EQ(graph.replace(settings("b.service")), a);
  EXPECT_EQ(graph.id(a), "b.service");
}

TEST(UnitGraph, FactsComeFromTheFiles) {
  auto service = settings("a.service");
  EXPECT_FALSE(facts_of(service).can_reload);
  service.commands.add(ServiceCommand::kReload, {"/bin/true", {"/bin/true"}});
  EXPECT_TRUE(facts_of(service).can_reload);
  EXPECT_TRUE(facts_of(settings("-.slice")).perpetual);
  EXPECT_FALSE(facts_of(settings("x.scope")).can_start);
  EXPECT_TRUE(facts_of(settings("x.slice")).ignore_on_isolate);
  EXPECT_FALSE(facts_of(settings("x.target")).ignore_on_isolate);
}

}  // namespace
}  // namespace flotilla::init
