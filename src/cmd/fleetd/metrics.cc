#include "cmd/fleetd/metrics.h"

#include <fcntl.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

namespace flotilla::fleetd {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// The text of one scrape as it grows.
class Families {
 public:
  MetricFamily& add(const char* name, const char* help, MetricType type) {
    MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
    return family;
  }
  void gauge(const char* name, const char* help, double value) {
    ClientMetric metric;
    metric.gauge.value = value;
    add(name, help, MetricType::Gauge).metric.push_back(std::move(metric));
  }
  void counter(const char* name, const char* help, double value) {
    count(add(name, help, MetricType::Counter), {}, value);
  }
  static void count(MetricFamily& family, Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.counter.value = value;
    family.metric.push_back(std::move(metric));
  }
  static void sum_up(MetricFamily& family, Labels labels, double count, double sum) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.summary.sample_count = static_cast<uint64_t>(count);
    metric.summary.sample_sum = sum;
    family.metric.push_back(std::move(metric));
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  std::vector<MetricFamily> families_;
};

double seconds(base::Micros time) { return static_cast<double>(time.count()) / 1e6; }

void add_engine(Families& out, const Figures& figures) {
  const engine::EngineCounters& engine = figures.engine;
  out.gauge("fleet_engine_leader_start_time",
            "Since when this machine is the engine leader, in seconds since 1970; 0 if it is not.",
            figures.is_leader ? seconds(engine.leader_since.since_epoch) : 0);
  auto& tasks = out.add("fleet_engine_task_count_total", "Decisions of the scheduler carried out.",
                        MetricType::Counter);
  Families::count(tasks, {{"type", "unscheduleunit"}}, static_cast<double>(engine.unscheduled));
  Families::count(tasks, {{"type", "attemptscheduleunit"}}, static_cast<double>(engine.scheduled));
  auto& failures =
      out.add("fleet_engine_task_failure_count_total",
              "Decisions of the scheduler that could not be written.", MetricType::Counter);
  Families::count(failures, {{"type", "unscheduleunit"}},
                  static_cast<double>(engine.failed_unscheduling));
  Families::count(failures, {{"type", "attemptscheduleunit"}},
                  static_cast<double>(engine.failed_scheduling));
  out.counter("fleet_engine_reconcile_count_total", "Passes of the scheduler.",
              static_cast<double>(engine.passes));
  auto& reasons =
      out.add("fleet_engine_reconcile_failure_count_total",
              "Units that lost their machine, or found none in a pass.", MetricType::Counter);
  Families::count(reasons, {{"type", "machine_away"}}, static_cast<double>(engine.machine_away));
  Families::count(reasons, {{"type", "run"}}, static_cast<double>(engine.unable_to_run));
  Families::count(reasons, {{"type", "schedule"}}, static_cast<double>(engine.unplaced));
  Families::sum_up(out.add("fleet_engine_reconcile_duration_second",
                           "How long a pass of the scheduler takes.", MetricType::Summary),
                   {}, static_cast<double>(engine.passes), seconds(engine.pass_time));
}

void add_store(Families& out, const store::StoreFigures& store) {
  const std::pair<const char*, const store::StoreFigures::Kind*> kinds[] = {
      {"get", &store.get}, {"get_all", &store.get_all}, {"set", &store.set}};
  auto& counts = out.add("fleet_registry_operation_count_total", "Requests to the store.",
                         MetricType::Counter);
  for (const auto& [name, kind] : kinds) {
    Families::count(counts, {{"type", name}}, static_cast<double>(kind->count));
  }
  auto& failed = out.add("fleet_registry_operation_failed_count_total",
                         "Requests that the store refused.", MetricType::Counter);
  for (const auto& [name, kind] : kinds) {
    Families::count(failed, {{"type", name}}, static_cast<double>(kind->failed));
  }
  auto& durations = out.add("fleet_registry_operation_duration_second",
                            "How long the store takes to answer.", MetricType::Summary);
  for (const auto& [name, kind] : kinds) {
    Families::sum_up(durations, {{"ops", name}}, static_cast<double>(kind->count),
                     seconds(kind->duration));
  }
}

void add_own(Families& out, const Figures& figures) {
  if (figures.cluster) {
    out.gauge("flotilla_units", "Units in the registry.",
              static_cast<double>(figures.cluster->units));
    out.gauge("flotilla_unit_states", "Units that a machine tells of, counted on each machine.",
              static_cast<double>(figures.cluster->states));
    out.gauge("flotilla_machines", "Machines that are there.",
              static_cast<double>(figures.cluster->machines));
  }
  out.gauge("flotilla_agent_units_differing",
            "Units of this machine that are not yet what is scheduled.",
            static_cast<double>(figures.differences));
  out.gauge("flotilla_agent_units_failing", "Those of them of which an operation has failed.",
            static_cast<double>(figures.problems));
  out.gauge("flotilla_api_connections", "Open connections to the API.",
            static_cast<double>(figures.connections));
  out.counter("flotilla_store_watches_total", "Watches asked of the store.",
              static_cast<double>(figures.store.watches));
  out.counter("flotilla_store_lease_requests_total", "Grants and renewals of leases.",
              static_cast<double>(figures.store.keep_alives));
  auto& requests = out.add("http_requests_total", "Requests answered.", MetricType::Counter);
  for (const auto& [key, count] : figures.answers) {
    Families::count(requests,
                    {{"code", std::to_string(key.second)},
                     {"handler", "fleet"},
                     {"method", std::string(key.first)}},
                    static_cast<double>(count));
  }
}

// Fields of /proc/self/stat from the third on (proc(5)): the second may have blanks in it.
std::vector<double> own_stat() {
  std::ifstream in("/proc/self/stat");
  std::string line;
  std::getline(in, line);
  std::istringstream fields(line.substr(std::min(line.rfind(')'), line.size())));
  std::string word;
  fields >> word >> word;  // ")" and the state
  return {std::istream_iterator<double>(fields), std::istream_iterator<double>()};
}

double boot_time() {
  std::ifstream in("/proc/stat");
  for (std::string word; in >> word;) {
    double value = 0;
    if (word == "btime" && in >> value) return value;
  }
  return 0;
}

void add_process(Families& out) {
  const std::vector<double> stat = own_stat();  // [0] is field 4, ppid
  const auto field = [&](size_t number) { return stat.size() > number - 4 ? stat[number - 4] : 0; };
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  out.counter("process_cpu_seconds_total", "User and system time spent.",
              (field(14) + field(15)) / ticks);
  out.gauge("process_start_time_seconds", "When the process began, in seconds since 1970.",
            boot_time() + field(22) / ticks);
  out.gauge("process_virtual_memory_bytes", "Virtual memory.", field(23));
  out.gauge("process_resident_memory_bytes", "Resident memory.",
            field(24) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  std::error_code error;
  double open = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    ++open;
  }
  out.gauge("process_open_fds", "Open descriptors.", open);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  out.gauge("process_max_fds", "Descriptors that may be open.",
            static_cast<double>(limit.rlim_cur));
}

}  // namespace

std::string metrics_text(const Figures& figures) {
  Families out;
  add_engine(out, figures);
  add_store(out, figures.store);
  add_own(out, figures);
  add_process(out);
  return out.text();
}

}  // namespace flotilla::fleetd
