// Whole clusters in virtual time, by seeds. Environment: FLOTILLA_SIM_SEEDS says how many (300),
// FLOTILLA_SIM_FIRST from which on; so a failing seed is played again by
//   FLOTILLA_SIM_FIRST=SEED FLOTILLA_SIM_SEEDS=1 sim_test
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

#include "sim/scenario.h"

namespace flotilla::sim {
namespace {

uint64_t number_from(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string joined(const std::vector<std::string>& lines) {
  return fmt::format("{}", fmt::join(lines, "\n"));
}

struct SimTest : testing::Test {
  SimTest() {
    const char* level = std::getenv("FLOTILLA_SIM_LOG");
    spdlog::set_level(level != nullptr ? spdlog::level::from_str(level) : spdlog::level::off);
  }
};

TEST_F(SimTest, NothingThatMustNeverHappenHappens) {
  const uint64_t first = number_from("FLOTILLA_SIM_FIRST", 1);
  const uint64_t count = number_from("FLOTILLA_SIM_SEEDS", 300);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const std::vector<std::string> violations = run_scenario(scenario_of(seed));
    EXPECT_TRUE(violations.empty())
        << "seed " << seed << ":\n"
        << joined(violations) << "\nplay it again: FLOTILLA_SIM_FIRST=" << seed
        << " FLOTILLA_SIM_SEEDS=1";
  }
}

TEST_F(SimTest, ASeedPlaysTheSameEachTime) {
  ScenarioOptions options = scenario_of(7);
  options.world.mutation = Mutation::kLeaderWritesUnguarded;
  EXPECT_EQ(joined(run_scenario(options)), joined(run_scenario(options)));
}

// Each guard that a run is deprived of is missed within a thousand seeds.
struct MutationTest : SimTest, testing::WithParamInterface<Mutation> {};

TEST_P(MutationTest, IsNoticed) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    ScenarioOptions options = scenario_of(seed);
    if (options.world.machines > 10) continue;
    options.world.mutation = GetParam();
    options.world.has_twin = GetParam() == Mutation::kRegistrationUnguarded;
    if (!run_scenario(options).empty()) return;
  }
  FAIL() << "a thousand seeds went well without this guard";
}

INSTANTIATE_TEST_SUITE_P(Guards, MutationTest,
                         testing::Values(Mutation::kLeaderWritesUnguarded,
                                         Mutation::kElectionUnguarded,
                                         Mutation::kRegistrationUnguarded,
                                         Mutation::kUnansweredWriteUnfenced,
                                         Mutation::kClaimUnguarded, Mutation::kLeaseClockStands,
                                         Mutation::kNoStormGuard, Mutation::kNoLeaseService));

}  // namespace
}  // namespace flotilla::sim
