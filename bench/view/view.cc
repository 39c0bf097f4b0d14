// bench/view: what a fleetd has in memory on a large cluster: without the view of it, with it, and
// as the leader; and how long it takes to get there. One real fleetd on an etcd of its own, into
// which the records of the other machines and of their units are written.
//   view [--machines=N] [--units=N]
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "harness/fleet.h"
#include "harness/harness.h"
#include "harness/running_unit.h"
#include "overlord/loop.h"
#include "registry/codec.h"
#include "registry/keys.h"
#include "registry/registry.h"
#include "scale/crew.h"
#include "store/etcd_cluster.h"
#include "store/etcd_store.h"

namespace flotilla::bench {
namespace {

constexpr size_t kAtOnce = 8;                // transactions under way
constexpr std::chrono::hours kLeaseTime{1};  // longer than a run

double mib(long kib) { return static_cast<double>(kib) / 1024; }

long pss_of(pid_t pid) {
  std::ifstream rollup("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::string key;
  long value = 0;
  while (rollup >> key) {
    if (key == "Pss:" && rollup >> value) return value;
  }
  throw std::runtime_error("fleetd has ended");
}

double cpu_seconds_of(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  long user = 0;
  long system = 0;
  const size_t name_end = std::min(text.rfind(')'), text.size());
  constexpr const char* kFields = ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld";
  if (std::sscanf(text.c_str() + name_end, kFields, &user, &system) != 2) {
    throw std::runtime_error("fleetd has ended");
  }
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Writes the cluster, and returns when etcd has it.
class Filler {
 public:
  explicit Filler(const store::EtcdOptions& etcd) : store_(store::make_etcd_store(etcd, loop_)) {}

  void fill(size_t machines, size_t units) {
    put(keys_.format(), registry::encode(registry::Format{registry::kFormatMajor, 0}));
    put_leader();
    for (size_t i = 0; i < machines; ++i) put_machine(i);
    for (size_t i = 0; i < units; ++i) put_unit(i, machine_id(i % machines));
    run();
  }
  void put_leader() {
    registry::Leader leader;
    leader.machine = machine_id(0);
    leader.nonce = "n";
    // Without a lease it is nobody's, and taken over.
    ops_.emplace_back(store::PutOp{keys_.leader(), registry::encode(leader), lease()});
    run();
  }
  void remove_leader() {
    ops_.emplace_back(store::DeleteRangeOp{keys_.leader(), {}});
    run();
  }

 private:
  void put(std::string key, std::string value) {
    ops_.emplace_back(store::PutOp{std::move(key), std::move(value), 0});
  }
  store::LeaseId lease() {
    if (lease_ != 0) return lease_;
    store_->grant_lease(kLeaseTime, [this](const base::Result<store::LeaseGrant>& grant) {
      if (grant) lease_ = grant->lease;
      loop_.stop();
    });
    loop_.run();
    if (lease_ == 0) throw std::runtime_error("etcd grants no lease");
    return lease_;
  }
  void put_machine(size_t number) {
    registry::Machine machine;
    machine.id = machine_id(number);
    machine.boot_id = machine.state_id = machine.nonce = "n";
    machine.public_ip = fmt::format("10.0.{}.{}", number / 256, number % 256);
    put(keys_.machine(machine.id), registry::encode(machine));
  }
  void put_unit(size_t number, const std::string& machine) {
    for (store::Op& op :
         running_unit(keys_, unit_name(number), unit_options(number, ""), machine)) {
      ops_.push_back(std::move(op));
    }
  }

  void run() {
    next_ = 0;
    for (size_t i = 0; i < kAtOnce; ++i) send();
    if (under_way_ > 0) loop_.run();
    ops_.clear();
    if (!problem_.empty()) throw std::runtime_error(problem_);
  }
  void send() {
    if (next_ == ops_.size() || !problem_.empty()) return;
    store::TxnRequest txn;
    while (next_ < ops_.size() && txn.then_ops.size() < store::kMaxTxnOps) {
      txn.then_ops.push_back(std::move(ops_[next_++]));
    }
    ++under_way_;
    store_->txn(std::move(txn), [this](const base::Result<store::TxnResponse>& done) {
      --under_way_;
      if (!done) problem_ = done.error().message;
      send();
      if (under_way_ == 0) loop_.stop();
    });
  }

  overlord::AsioLoop loop_;
  const registry::Keys keys_{kClusterPrefix};
  std::unique_ptr<store::Store> store_;
  store::LeaseId lease_ = 0;
  std::vector<store::Op> ops_;
  size_t next_ = 0;
  size_t under_way_ = 0;
  std::string problem_;
};

class Fleetd {
 public:
  Fleetd(const std::string& folder, const std::string& etcd) : folder_(folder) {
    write_file(folder + "/fleet.conf",
               fmt::format("registry=etcd:{}\nlisten={}/fleet.sock\nunits_directory={}/units\n"
                           "public_ip=127.0.0.1\n",
                           etcd, folder, folder));
    pid_ = fork();
    if (pid_ != 0) return;
    const std::string log = folder + "/log";
    if (freopen(log.c_str(), "w", stdout) == nullptr || dup2(1, 2) < 0) _exit(1);
    const std::string path = program("fleetd");
    execl(path.c_str(), "fleetd", "--config", (folder + "/fleet.conf").c_str(), "--state-dir",
          (folder + "/state").c_str(), "--manager-socket", (folder + "/none").c_str(), nullptr);
    _exit(1);
  }
  ~Fleetd() {
    if (pid_ <= 0) return;
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  Fleetd(const Fleetd&) = delete;
  Fleetd& operator=(const Fleetd&) = delete;

  long pss() const { return pss_of(pid_); }
  double cpu_seconds() const { return cpu_seconds_of(pid_); }
  // How long it takes until a GET of the path has an answer with `word` in it, in seconds.
  double wait_for(const std::string& path, const std::string& word) const {
    const uint64_t begin = now_ns();
    while (get(folder_, path).find(word) == std::string::npos) {
      if (now_ns() - begin > 120'000'000'000) {
        throw std::runtime_error("fleetd does not answer " + path + " with " + word);
      }
      usleep(10'000);
    }
    return static_cast<double>(now_ns() - begin) / 1e9;
  }

 private:
  const std::string folder_;
  pid_t pid_ = -1;
};

// One row of the table.
struct Stage {
  const char* name;
  const char* aim;
  long pss;
  double until_then;  // seconds
  double cpu;         // of them, fleetd's own, in seconds
};

Stage measure(const Fleetd& fleetd, const char* name, const char* aim, const std::string& path,
              const std::string& word) {
  const double cpu_before = fleetd.cpu_seconds();
  const double until_then = fleetd.wait_for(path, word);
  const double cpu = fleetd.cpu_seconds() - cpu_before;
  sleep(2);
  return {name, aim, fleetd.pss(), until_then, cpu};
}

void run(size_t machines, size_t units) {
  spdlog::set_level(spdlog::level::err);
  const ScratchFolder folder;
  const store::EtcdCluster etcd({});
  std::fprintf(stderr, "the cluster is written ...\n");
  Filler filler(etcd.client_options());
  filler.fill(machines, units);
  std::vector<Stage> stages;
  const std::string metrics = "/metrics";
  const std::string decided = "fleet_engine_reconcile_count_total 1\n";
  {
    const Fleetd fleetd(folder.path(), etcd.url(0));
    stages.push_back(measure(fleetd, "without the view", "30 MB", "/readyz", "ok"));
    std::fprintf(stderr, "the view is opened ...\n");
    stages.push_back(
        measure(fleetd, "with the view", "1536 bytes", "/fleet/v1/machines", machine_id(0)));
    std::fprintf(stderr, "fleetd leads ...\n");
    filler.remove_leader();
    stages.push_back(measure(fleetd, "leading", "300 MB of 100,000 units", metrics, decided));
  }
  filler.put_leader();
  const Fleetd fleetd(folder.path(), etcd.url(0));
  fleetd.wait_for("/readyz", "ok");
  std::fprintf(stderr, "one without the view leads ...\n");
  filler.remove_leader();
  stages.push_back(measure(fleetd, "leading, without the view before", "", metrics, decided));

  std::printf("%zu machines, %zu units\n", machines, units);
  Table table({"fleetd", "PSS MiB", "more, bytes a unit", "s until then", "its CPU s", "aim"});
  const long without = stages.front().pss;
  for (const Stage& stage : stages) {
    const double more = static_cast<double>(stage.pss - without) * 1024;
    table.add({stage.name, fixed(mib(stage.pss), 1), fixed(more / static_cast<double>(units), 0),
               fixed(stage.until_then, 2), fixed(stage.cpu, 2), stage.aim});
  }
  table.print();
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  using namespace flotilla;
  if (!store::EtcdCluster::is_installed()) {
    std::printf("etcd and etcdctl are not installed in /usr/bin: there is nothing to measure\n");
    return 0;
  }
  size_t machines = 1'000;
  size_t units = 100'000;
  for (int i = 1; i < argc; ++i) {
    if (std::sscanf(argv[i], "--machines=%zu", &machines) == 1) continue;
    if (std::sscanf(argv[i], "--units=%zu", &units) == 1) continue;
    std::fprintf(stderr, "bench: unknown option %s\n", argv[i]);
    return 2;
  }
  try {
    bench::run(std::max<size_t>(machines, 1), std::max<size_t>(units, 1));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
