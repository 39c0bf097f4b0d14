// bench/scale: a cluster of many machines on a real etcd of its own: units a second from their PUT
// to their being reported as running, what etcd is asked for that and when nothing happens, and how
// long the units of a lost machine are away. The shipping engine, agent, session and etcd client;
// the service managers are fakes.
//   scale [--machines=N] [--units=N] [--processes=N] [--engines=N] [--ttl=SECONDS] [--lost=N]
//         [--idle=SECONDS] [--disk]
// The floor is what the same etcd does, in the same run, with the same number of writers, of the
// transactions by which units are put, while nobody listens to them: once before, once after.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>

#include "harness/harness.h"
#include "scale/crew.h"
#include "scale/etcd_figures.h"
#include "scale/observer.h"
#include "store/etcd_cluster.h"

namespace flotilla::bench {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr size_t kOneByOne = 20;
constexpr base::Micros kSettle = seconds(2);
constexpr minutes kPatience{10};

struct Options {
  size_t machines = 100;
  size_t units = 2'000;
  size_t processes = 3;
  size_t engines = 3;
  size_t ttl = 10;
  size_t lost = 0;  // units of the machine that is lost; 0: 500, or a quarter of all
  size_t idle = 60;
  bool is_on_disk = false;
};

// Who has used how much CPU so far, in seconds.
struct Usage {
  double etcd = 0;
  double engines = 0;
  double others = 0;
  double observer = 0;
  double nobody = 0;
};

// The seconds in which the processors had nothing to do, of all of them together.
double idle_seconds() {
  std::ifstream stat("/proc/stat");
  std::string cpu;
  double user = 0;
  double nice = 0;
  double system = 0;
  double idle = 0;
  double waiting = 0;
  stat >> cpu >> user >> nice >> system >> idle >> waiting;
  return (idle + waiting) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double seconds_of(uint64_t ns) { return static_cast<double>(ns) / 1e9; }

class Bench {
 public:
  Bench(const Options& options, const std::string& url, Crew& crew, const store::EtcdOptions& etcd)
      : options_(options), url_(url), crew_(crew), observer_(etcd) {}

  void run() {
    join();
    const double before = bare("/bare-before");
    const double rate = start_all();
    start_one_by_one();
    const double after = bare("/bare-after");
    idle();
    lose_a_machine();
    print(before, rate, after);
  }

 private:
  void say(const char* what) const { std::fprintf(stderr, "%s\n", what); }

  void join() {
    say("machines join ...");
    observer_.wait(
        "the machines to join",
        [&] {
          return observer_.cluster().machines.size() == options_.machines &&
                 observer_.cluster().leader.has_value();
        },
        kPatience);
    observer_.pass(kSettle);
    add_requests("a machine that joins", read_etcd_figures(url_), options_.machines, "");
  }

  double bare(const char* prefix) {
    say("bare transactions ...");
    const Usage before = usage();
    const uint64_t begin = now_ns();
    crew_.put_units(prefix, options_.units);
    wait_for_puts(options_.units);
    const uint64_t took = now_ns() - begin;
    add_usage("a bare transaction", before);
    return static_cast<double>(options_.units) / seconds_of(took);
  }

  void wait_for_puts(size_t units) {
    observer_.wait(
        "units to be put", [&] { return crew_.done() + crew_.failed() == units; }, kPatience);
    if (crew_.failed() != 0) throw std::runtime_error("etcd has not taken all units");
  }

  double start_all() {
    say("units start ...");
    observer_.look_away();
    const Usage cpu_before = usage();
    const EtcdFigures before = read_etcd_figures(url_);
    const uint64_t begin = now_ns();
    crew_.put_units(kClusterPrefix, options_.units);
    wait_for_puts(options_.units);
    const uint64_t put = now_ns();
    // Before, not all can run.
    observer_.begin_to_count();
    observer_.wait(
        "all units to be reported running", [&] { return observer_.reports() == options_.units; },
        kPatience);
    const uint64_t took = now_ns() - begin;
    add_usage("a unit start", cpu_before);
    all_put_ = put - begin;
    all_running_ = begin + took - put;
    observer_.pass(kSettle);
    add_requests("a unit start, of all together", read_etcd_figures(url_) - before, options_.units,
                 "3");
    observer_.end_to_count();
    observer_.wait(
        "each unit to run where it is scheduled",
        [&] { return observer_.running() == options_.units; }, kPatience);
    return static_cast<double>(options_.units) / seconds_of(took);
  }

  void start_one_by_one() {
    say("units start one by one ...");
    const EtcdFigures before = read_etcd_figures(url_);
    for (size_t i = 0; i < kOneByOne; ++i) {
      const std::string name = unit_name(options_.units + i);
      const uint64_t begin = now_ns();
      observer_.put_unit(i, name, "");
      observer_.wait(
          name + " to run", [&] { return observer_.runs(name); }, minutes(1));
      starts_.push_back(now_ns() - begin);
    }
    observer_.pass(kSettle);
    add_requests("a unit start, one by one", read_etcd_figures(url_) - before, kOneByOne, "3");
  }

  void idle() {
    say("nothing happens ...");
    observer_.pass(kSettle);
    const EtcdFigures before = read_etcd_figures(url_);
    const uint64_t begin = now_ns();
    observer_.pass(seconds(options_.idle));
    const double took = seconds_of(now_ns() - begin);
    idle_ = read_etcd_figures(url_) - before;
    idle_seconds_ = took;
  }

  // Units that may run on one machine alone, until they may run anywhere.
  void gather_on(const std::string& machine, size_t units) {
    const size_t running = observer_.running();
    observer_.set_place(machine, "shared");
    for (size_t i = 0; i < units; ++i) {
      observer_.put_unit(i, "lost-" + unit_name(i), "shared");
    }
    observer_.wait(
        "the units of one machine to run", [&] { return observer_.running() == running + units; },
        kPatience);
    for (const auto& [other, record] : observer_.cluster().machines) {
      if (other != machine) observer_.set_place(other, "shared");
    }
    observer_.wait(
        "answers", [&] { return observer_.answered() == observer_.asked(); }, kPatience);
    observer_.pass(kSettle);
  }

  void lose_a_machine() {
    say("a machine is lost ...");
    const size_t number = options_.machines - 1;
    const std::string machine = machine_id(number);
    const size_t most = std::min<size_t>(500, options_.units / 4);
    gather_on(machine, options_.lost != 0 ? options_.lost : most);
    const size_t running = observer_.running();
    for (const auto& [unit, machines] : observer_.cluster().schedule) {
      if (machines.contains(machine)) ++units_lost_;
    }
    const EtcdFigures before = read_etcd_figures(url_);
    const uint64_t begin = now_ns();
    crew_.lose(number);
    observer_.wait(
        "the machine's lease to end",
        [&] { return !observer_.cluster().machines.contains(machine); }, kPatience);
    lease_ended_ = now_ns() - begin;
    observer_.wait(
        "the units to run elsewhere", [&] { return observer_.running() == running; }, kPatience);
    all_back_ = now_ns() - begin;
    observer_.pass(kSettle);
    add_requests("a unit that moves", read_etcd_figures(url_) - before, units_lost_, "");
  }

  Usage usage() const {
    return {read_etcd_figures(url_).cpu_seconds, seconds_of(crew_.cpu_of_engines()),
            seconds_of(crew_.cpu_of_others()), seconds_of(cpu_of(getpid())), idle_seconds()};
  }

  void add_usage(const char* of, const Usage& before) {
    const Usage now = usage();
    const auto each = [this](double spent) {
      return fixed(spent * 1e6 / static_cast<double>(options_.units), 0);
    };
    usage_.add({of, each(now.etcd - before.etcd), each(now.engines - before.engines),
                each(now.others - before.others), each(now.observer - before.observer),
                each(now.nobody - before.nobody)});
  }

  void add_requests(const char* of, const EtcdFigures& figures, size_t by, const char* aim) {
    const auto each = [by](uint64_t count) {
      return fixed(static_cast<double>(count) / static_cast<double>(by), 2);
    };
    requests_.add({of, each(figures.txns), each(figures.puts), each(figures.ranges),
                   each(figures.leases), each(figures.watches), each(figures.progress),
                   each(figures.others), each(figures.requests()), aim, each(figures.told)});
  }

  void print(double before, double rate, double after) {
    const double floor = (before + after) / 2;
    std::printf(
        "%zu machines, %zu of them may lead, in %zu processes; %zu units; lease %zu s; "
        "etcd %s\n",
        options_.machines, options_.engines, options_.processes + 1, options_.units, options_.ttl,
        options_.is_on_disk ? "on disk" : "in memory");
    Table rates({"", "a second", "of the floor", "aim"});
    rates.add({"floor: bare transactions, before", fixed(before, 0), "", ""});
    rates.add({"floor: bare transactions, after", fixed(after, 0), "", ""});
    rates.add(
        {"units put, placed and reported running", fixed(rate, 0), fixed(rate / floor, 2), "0.5"});
    rates.print();
    std::printf("\nAll units put after %s s, reported running %s s later\n",
                fixed(seconds_of(all_put_), 2).c_str(), fixed(seconds_of(all_running_), 2).c_str());
    std::printf("\nCPU, us each\n");
    usage_.print();
    std::printf("\netcd requests for\n");
    requests_.print();
    std::printf("\nIdle for %.0f s, requests a second\n", idle_seconds_);
    print_idle();
    std::printf("\nOne unit, from PUT to reported running: median %s ms, 90 %% %s ms\n",
                fixed(median_ms(starts_), 1).c_str(),
                fixed(percentile_ms(starts_, 0.9), 1).c_str());
    std::printf("\nA machine with %zu units is lost\n", units_lost_);
    Table loss({"", "s", "aim"});
    loss.add({"until its lease has ended", fixed(seconds_of(lease_ended_), 1), ""});
    loss.add({"until all run elsewhere", fixed(seconds_of(all_back_), 1),
              std::to_string(options_.ttl + 2)});
    loss.print();
  }

  void print_idle() const {
    const auto each = [this](uint64_t count) {
      return fixed(static_cast<double>(count) / idle_seconds_, 2);
    };
    Table table(
        {"keep-alives", "due", "progress", "watch", "txn", "put", "range", "lease", "other"});
    const double due =
        static_cast<double>(options_.machines * 3) / static_cast<double>(options_.ttl);
    table.add({each(idle_.keep_alives), fixed(due, 2), each(idle_.progress), each(idle_.watches),
               each(idle_.txns), each(idle_.puts), each(idle_.ranges), each(idle_.leases),
               each(idle_.others)});
    table.print();
  }

  const Options options_;
  const std::string url_;
  Crew& crew_;
  Observer observer_;
  Table requests_{
      {"", "txn", "put", "range", "lease", "watch", "progress", "other", "all", "aim", "told"}};
  Table usage_{{"", "etcd", "machines that may lead", "the others", "the observer", "nobody"}};
  std::vector<uint64_t> starts_;
  EtcdFigures idle_;
  double idle_seconds_ = 1;
  size_t units_lost_ = 0;
  uint64_t all_put_ = 0;      // after the first PUT
  uint64_t all_running_ = 0;  // after the last one
  uint64_t lease_ended_ = 0;
  uint64_t all_back_ = 0;
};

Options parse(int argc, char** argv) {
  Options options;
  const std::pair<const char*, size_t*> numbers[] = {{"--machines=", &options.machines},
                                                     {"--units=", &options.units},
                                                     {"--processes=", &options.processes},
                                                     {"--engines=", &options.engines},
                                                     {"--ttl=", &options.ttl},
                                                     {"--lost=", &options.lost},
                                                     {"--idle=", &options.idle}};
  for (int i = 1; i < argc; ++i) {
    bool is_known = std::strcmp(argv[i], "--disk") == 0;
    options.is_on_disk |= is_known;
    for (const auto& [flag, number] : numbers) {
      if (std::strncmp(argv[i], flag, std::strlen(flag)) != 0) continue;
      *number = std::strtoull(argv[i] + std::strlen(flag), nullptr, 10);
      is_known = true;
    }
    if (!is_known) throw std::runtime_error(std::string("unknown option ") + argv[i]);
  }
  const bool makes_sense = options.engines >= 1 && options.machines > options.engines + 1 &&
                           options.units >= 4 && options.processes >= 1 && options.ttl >= 2 &&
                           options.idle >= 1;
  if (!makes_sense) throw std::runtime_error("the numbers do not make a cluster");
  return options;
}

void raise_limits() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void run(const Options& options) {
  raise_limits();
  spdlog::set_default_logger(spdlog::stderr_logger_mt("bench"));
  spdlog::set_level(spdlog::level::err);
  const ScratchFolder folder;
  store::EtcdClusterOptions members;
  if (options.is_on_disk) members.more_arguments.push_back("--data-dir=" + folder.path() + "/etcd");
  const store::EtcdCluster etcd(std::move(members));
  CrewOptions crew_options;
  crew_options.machines = options.machines;
  crew_options.engines = options.engines;
  crew_options.processes = options.processes;
  crew_options.ttl = seconds(options.ttl);
  crew_options.folder = etcd.path("machines");
  crew_options.etcd = etcd.client_options();
  Crew crew(crew_options);
  Bench(options, etcd.url(0), crew, etcd.client_options()).run();
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  using namespace flotilla;
  if (!store::EtcdCluster::is_installed()) {
    std::printf("etcd and etcdctl are not installed in /usr/bin: there is nothing to measure\n");
    return 0;
  }
  try {
    bench::run(bench::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
