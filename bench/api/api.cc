// bench/api: what the API costs with many units. The states of N units over the unix socket, in one
// request and page by page, and `fleetctl list-units` of them; then `fleetctl start` of M units on
// a machine, beside the manager's own time for the same ones, and their end.   api [N] [M] [ROUNDS]
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>

#include "api/fake_inspector.h"
#include "api/listener.h"
#include "api/server.h"
#include "harness/fleet.h"
#include "harness/harness.h"
#include "harness/machine.h"
#include "harness/running_unit.h"
#include "registry/codec.h"
#include "registry/keys.h"
#include "store/memory_store.h"

namespace flotilla::bench {
namespace {

constexpr const char* kPrefix = "/flotilla";
constexpr const char* kMachine = "113f16a7f8a14a3b8cbe7e4fd6a5a0c1";
constexpr int kTimes = 10;

std::string unit_name(size_t i) {
  char name[32];
  std::snprintf(name, sizeof name, "unit-%05zu.service", i);
  return name;
}

// The API over a registry in memory that holds a machine and `units` running units.
class FilledApi {
 public:
  FilledApi(const std::string& folder, size_t units, uint16_t page_limit) {
    thread_ = std::thread([this, folder, units, page_limit] { serve(folder, units, page_limit); });
    while (!is_ready_) usleep(1000);
  }
  ~FilledApi() {
    loop_.stop();
    thread_.join();
  }
  FilledApi(const FilledApi&) = delete;
  FilledApi& operator=(const FilledApi&) = delete;

 private:
  void serve(const std::string& folder, size_t units, uint16_t page_limit) {
    const auto store = store::make_memory_store(loop_);
    registry::Registry registry(*store, kPrefix);
    registry::ClusterView view(*store, loop_, kPrefix);
    api::FakeInspector inspector;
    api::Api api({registry, view, inspector, kMachine, [] { return true; }, page_limit});
    auto listener = api::open_listener(*api::parse_listen_address(folder + "/fleet.sock"));
    if (!listener) die(listener.error().message);
    std::vector<base::Fd> listeners;
    listeners.push_back(std::move(*listener));
    api::Server server(loop_, api, std::move(listeners));
    const auto watch = view.subscribe([&](const registry::ClusterChange&) {
      is_ready_ = view.cluster().states.size() == units && !view.cluster().machines.empty();
    });
    registry.open([](const base::Result<void>&) {});
    view.open();
    fill(*store, units);
    loop_.run();
  }

  static void write(store::Store& store, store::TxnRequest txn) {
    store.txn(std::move(txn), [](const base::Result<store::TxnResponse>& done) {
      if (!done) die(done.error().message);
    });
  }

  static void fill(store::Store& store, size_t units) {
    const registry::Keys keys(kPrefix);
    registry::Machine machine;
    machine.id = kMachine;
    machine.public_ip = "192.0.2.10";
    machine.boot_id = machine.state_id = machine.nonce = "1";
    store::TxnRequest presence;
    presence.then_ops.emplace_back(
        store::PutOp{keys.machine(kMachine), registry::encode(machine), 0});
    write(store, std::move(presence));
    for (size_t i = 0; i < units; ++i) {
      store::TxnRequest txn;
      txn.then_ops =
          running_unit(keys, unit_name(i),
                       {{"Service", "ExecStart", "/bin/sleep " + std::to_string(i)}}, kMachine);
      write(store, std::move(txn));
    }
  }

  overlord::AsioLoop loop_;
  std::atomic<bool> is_ready_ = false;
  std::thread thread_;
};

std::vector<uint64_t> timed(const std::function<void()>& work) {
  std::vector<uint64_t> times;
  for (int i = 0; i < kTimes; ++i) {
    const uint64_t begin = now_ns();
    work();
    times.push_back(now_ns() - begin);
  }
  return times;
}

// Runs a program to its end, without its output.
void run_program(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 1);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || status != 0) die(words[0] + " failed");
}

// The same number of bytes through a socket, and nothing else.
void transfer(size_t bytes) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) die("no socket pair");
  std::thread sender([&] {
    const std::string piece(65536, 'x');
    for (size_t left = bytes; left > 0;) {
      const ssize_t sent = write(ends[0], piece.data(), std::min(left, piece.size()));
      if (sent <= 0) break;
      left -= static_cast<size_t>(sent);
    }
  });
  std::string buffer(65536, '\0');
  for (size_t left = bytes; left > 0;) {
    const ssize_t got = read(ends[1], buffer.data(), buffer.size());
    if (got <= 0) break;
    left -= static_cast<size_t>(got);
  }
  sender.join();
  close(ends[0]);
  close(ends[1]);
}

void add_row(Table& table, const char* what, const std::vector<uint64_t>& times,
             const char* target) {
  table.add({what, fixed(median_ms(times), 1), fixed(percentile_ms(times, 0.99), 1), target});
}

void bench_lists(size_t units) {
  Table table({"", "median ms", "99 % ms", "target"});
  size_t bytes = 0;
  {
    const ScratchFolder folder;
    const FilledApi server(folder.path(), units, UINT16_MAX);
    wait_for_api(folder.path());
    const auto times = timed([&] { bytes = get(folder.path(), "/fleet/v1/state").size(); });
    add_row(table, "floor: the bytes alone", timed([&] { transfer(bytes); }), "");
    add_row(table, "states in one request", times, "60");
  }
  const ScratchFolder folder;
  const FilledApi server(folder.path(), units, api::kPageLimit);
  wait_for_api(folder.path());
  add_row(table, "states page by page", timed([&] {
            const size_t pages = (units + api::kPageLimit - 1) / api::kPageLimit;
            for (size_t page = 1; page <= pages; ++page) {
              const api::PageToken token{api::kPageLimit, static_cast<uint16_t>(page)};
              if (get(folder.path(), "/fleet/v1/state?nextPageToken=" + api::encode(token)).empty())
                die("a page is missing");
            }
          }),
          "60");
  const std::string endpoint = "--endpoint=unix://" + folder.path() + "/fleet.sock";
  add_row(table, "fleetctl list-units", timed([&] {
            run_program({program("fleetctl"), endpoint, "list-units"});
          }),
          "150");
  std::printf("%zu units, %zu bytes of states\n", units, bytes);
  table.print();
}

// From the command's start to the first instruction of the last service.
uint64_t start_all(std::vector<std::string> command, const std::string& prefix, size_t count,
                   StampFile& stamps) {
  stamps.clear();
  for (size_t i = 0; i < count; ++i) command.push_back(prefix + unit_name(i));
  const uint64_t begin = now_ns();
  run_program(command);
  return stamps.wait_for_all() - begin;
}

// From the command's start to its end, which is when all of them have ended.
uint64_t end_all(std::vector<std::string> command, const std::string& prefix, size_t count) {
  for (size_t i = 0; i < count; ++i) command.push_back(prefix + unit_name(i));
  const uint64_t begin = now_ns();
  run_program(command);
  return now_ns() - begin;
}

// The same units for the manager itself, as "own-NAME" where it looks for units, and as files.
void write_units(const Machine& machine, const std::string& files, size_t count,
                 const StampFile& stamps) {
  for (size_t i = 0; i < count; ++i) {
    const std::string text =
        "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=" + stamps.program() + " " +
        stamps.path() + " " + std::to_string(i) + "\n";
    write_file(files + unit_name(i), text);
    write_file(machine.root() + "/etc/systemd/system/own-" + unit_name(i), text);
  }
}

// What was measured in one round after the other, the manager's own beside ours.
struct Starts {
  std::vector<uint64_t> own, ours, waited, own_end, our_end;
};

void bench_start(size_t count, size_t rounds) {
  const ScratchFolder folder;
  StampFile stamps(folder.path(), count);
  Machine machine(folder.path(), {fleetd_unit(folder.path())});
  machine.start_flotilla();
  wait_for_api(folder.path());
  const std::string files = folder.path() + "/files/";
  if (mkdir(files.c_str(), 0755) != 0) die("cannot make " + files);
  write_units(machine, files, count, stamps);
  setenv("XDG_RUNTIME_DIR", (machine.root() + "/run").c_str(), 1);
  const std::string endpoint = "--endpoint=unix://" + folder.path() + "/fleet.sock";
  Starts times;
  for (size_t i = 0; i < rounds; ++i) {
    times.own.push_back(start_all({"systemctl", "--user", "start"}, "own-", count, stamps));
    times.own_end.push_back(end_all({"systemctl", "--user", "stop"}, "own-", count));
    times.ours.push_back(
        start_all({program("fleetctl"), endpoint, "start", "--no-block"}, files, count, stamps));
    times.our_end.push_back(end_all({program("fleetctl"), endpoint, "destroy"}, "", count));
    times.waited.push_back(end_all({program("fleetctl"), endpoint, "start"}, files, count));
    end_all({program("fleetctl"), endpoint, "destroy"}, "", count);
  }
  Table table({"", "median ms", "best ms", "x manager's own"});
  const auto add = [&](const char* what, std::vector<uint64_t> time, std::vector<uint64_t> own) {
    table.add({what, fixed(median_ms(time), 1), fixed(percentile_ms(time, 0), 1),
               fixed(median_ms(time) / median_ms(own), 2)});
  };
  add("manager's own: systemctl start", times.own, times.own);
  add("fleetctl start --no-block", times.ours, times.own);
  add("fleetctl start, to its end", times.waited, times.own);
  add("manager's own: systemctl stop", times.own_end, times.own_end);
  add("fleetctl destroy", times.our_end, times.own_end);
  std::printf(
      "\n%zu units, %zu times: from the command to the last one's first instruction (but for "
      "\"to its end\"), and to their end\n",
      count, rounds);
  table.print();
}

}  // namespace
}  // namespace flotilla::bench

int main(int argc, char** argv) {
  const auto number = [&](int at, size_t otherwise) {
    return argc > at ? static_cast<size_t>(std::atoi(argv[at])) : otherwise;
  };
  flotilla::bench::bench_lists(number(1, 10'000));
  flotilla::bench::bench_start(number(2, 500), number(3, 5));
  return 0;
}
