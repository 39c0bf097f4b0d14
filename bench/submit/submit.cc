// bench/submit: PUT of a unit with desiredState launched to the first instruction of its process,
// through fleetd and its SQLite store, and through an etcd of one member, on disk, where etcd is
// installed. The floor is what cannot be saved: one fsync of a file in the same folder, or two
// commits of that etcd, plus a bare vfork and exec.   submit [TIMES]
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>

#include "harness/fleet.h"
#include "harness/harness.h"
#include "harness/machine.h"
#include "overlord/loop.h"
#include "store/etcd_cluster.h"
#include "store/etcd_store.h"

namespace flotilla::bench {
namespace {

uint64_t one_sync(const std::string& folder) {
  const int fd = open((folder + "/sync").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const std::string block(4096, 'x');
  const uint64_t begin = now_ns();
  if (write(fd, block.data(), block.size()) < 0 || fsync(fd) != 0) die("cannot write to " + folder);
  const uint64_t end = now_ns();
  close(fd);
  return end - begin;
}

// A client of the etcd that fleetd is on.
class Committer {
 public:
  explicit Committer(const store::EtcdOptions& options)
      : store_(store::make_etcd_store(options, loop_)) {}

  uint64_t two_commits() {
    const uint64_t begin = now_ns();
    commit();
    commit();
    return now_ns() - begin;
  }

 private:
  void commit() {
    store::TxnRequest txn;
    txn.then_ops.emplace_back(store::PutOp{"/bench", std::string(512, 'x'), 0});
    bool is_done = false;
    store_->txn(std::move(txn), [&](const base::Result<store::TxnResponse>& result) {
      is_done = result.has_value();
      loop_.stop();
    });
    loop_.run();
    if (!is_done) die("etcd does not commit");
  }

  overlord::AsioLoop loop_;
  std::unique_ptr<store::Store> store_;
};

struct Times {
  std::vector<uint64_t> floor;
  std::vector<uint64_t> ours;
};

Times measure(const ScratchFolder& folder, const std::string& registry, size_t times,
              const std::function<uint64_t()>& commit) {
  StampFile stamps(folder.path(), times);
  Machine machine(folder.path(), {fleetd_unit(folder.path(), registry)});
  machine.start_flotilla();
  wait_for_api(folder.path());

  Times measured;
  for (size_t i = 0; i < times; ++i) {
    const ScratchFolder other;
    StampFile stamp(other.path(), 1);
    measured.floor.push_back(commit() + floor_start(1, stamp, false));
    const std::string body =
        R"({"desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":")" +
        stamps.program() + " " + stamps.path() + " " + std::to_string(i) + R"("}]})";
    const uint64_t begin = now_ns();
    const int status =
        put(folder.path(), "/fleet/v1/units/u" + std::to_string(i) + ".service", body);
    if (status != 201) die("PUT answered " + std::to_string(status));
    measured.ours.push_back(stamps.wait_for_change(i, 0) - begin);
  }
  return measured;
}

void add_rows(Table& table, const char* floor, const char* ours, const Times& times) {
  table.add({floor, fixed(median_ms(times.floor), 2), fixed(percentile_ms(times.floor, 0.99), 2),
             "1.00"});
  table.add({ours, fixed(median_ms(times.ours), 2), fixed(percentile_ms(times.ours, 0.99), 2),
             fixed(median_ms(times.ours) / median_ms(times.floor), 2)});
}

int run(size_t times) {
  Table table({"", "median ms", "99 % ms", "x floor"});
  {
    const ScratchFolder folder;
    add_rows(table, "floor: fsync + vfork + exec", "flotilla",
             measure(folder, "", times, [&] { return one_sync(folder.path()); }));
  }
  if (store::EtcdCluster::is_installed()) {
    const ScratchFolder folder;
    store::EtcdClusterOptions options;
    options.more_arguments.push_back("--data-dir=" + folder.path() + "/etcd");
    const store::EtcdCluster etcd(options);
    Committer committer(etcd.client_options());
    add_rows(
        table, "floor: two etcd commits + vfork + exec", "flotilla on etcd",
        measure(folder, "etcd:" + etcd.url(0), times, [&] { return committer.two_commits(); }));
  } else {
    std::fprintf(stderr, "etcd is not installed: without it\n");
  }
  std::printf("PUT with desiredState launched to the process's first instruction, %zu units\n",
              times);
  table.print();
  return 0;
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  return flotilla::bench::run(argc > 1 ? static_cast<size_t>(std::atoi(argv[1])) : 200);
}
