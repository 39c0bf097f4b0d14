#include "cmd/fleetd/metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flotilla::fleetd {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, HaveFleetsNames) {
  Figures figures;
  figures.is_leader = true;
  figures.engine.leader_since = {base::Micros(1'700'000'000'000'000)};
  figures.engine.passes = 4;
  figures.engine.pass_time = base::Micros(2'000'000);
  figures.engine.scheduled = 3;
  figures.engine.machine_away = 1;
  figures.store.get_all = {7, 1, base::Micros(500'000)};
  figures.answers[{"GET", 200}] = 9;
  const std::string text = metrics_text(figures);
  for (const char* line : {"fleet_engine_leader_start_time 1700000000\n",
                           "fleet_engine_task_count_total{type=\"attemptscheduleunit\"} 3\n",
                           "fleet_engine_task_failure_count_total{type=\"unscheduleunit\"} 0\n",
                           "fleet_engine_reconcile_count_total 4\n",
                           "fleet_engine_reconcile_failure_count_total{type=\"machine_away\"} 1\n",
                           "fleet_engine_reconcile_duration_second_sum 2\n",
                           "fleet_registry_operation_count_total{type=\"get_all\"} 7\n",
                           "fleet_registry_operation_failed_count_total{type=\"get_all\"} 1\n",
                           "fleet_registry_operation_duration_second_count{ops=\"get_all\"} 7\n",
                           "# TYPE fleet_registry_operation_count_total counter\n",
                           "http_requests_total{code=\"200\",handler=\"fleet\",method=\"GET\"} 9\n",
                           "# TYPE process_resident_memory_bytes gauge\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, CountTheClusterOnlyWhereItIsInView) {
  Figures figures;
  for (const char* name : {"flotilla_units", "flotilla_unit_states", "flotilla_machines"}) {
    EXPECT_THAT(metrics_text(figures), Not(HasSubstr(fmt::format("{} ", name))));
  }
  figures.cluster = Figures::OfCluster{20, 30, 4};
  const std::string text = metrics_text(figures);
  for (const char* line :
       {"\nflotilla_units 20\n", "\nflotilla_unit_states 30\n", "\nflotilla_machines 4\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

}  // namespace
}  // namespace flotilla::fleetd
