#include "scale/crew.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>

#include "agent/agent_manager.h"
#include "bus/fake_unit_manager.h"
#include "engine/engine_manager.h"
#include "harness/harness.h"
#include "overlord/executor.h"
#include "overlord/loop.h"
#include "overlord/state.h"
#include "overlord/state_engine.h"
#include "registry/cluster_view.h"
#include "registry/machine_session.h"
#include "registry/registry.h"
#include "store/etcd_store.h"

namespace flotilla::bench {

namespace {

constexpr base::Micros kRetry = std::chrono::seconds(1);

registry::Machine record_of(size_t number) {
  registry::Machine self;
  self.id = machine_id(number);
  self.state_id = "disk-" + self.id;
  self.boot_id = "boot-" + self.id;
  self.nonce = "nonce-" + self.id;
  self.public_ip = fmt::format("10.0.{}.{}", number / 256, number % 256);
  self.metadata = {{"zone", number % 2 == 0 ? "a" : "b"}};
  self.version = "0.0.0";
  return self;
}

// The agent's notes are kept in memory: the machines of a cluster do not share one disk.
class Member {
 public:
  Member(overlord::AsioLoop& loop, const CrewOptions& options, size_t number)
      : loop_(loop),
        number_(number),
        store_(store::make_etcd_store(options.etcd, loop)),
        manager_(loop),
        executor_(loop),
        state_(loop, executor_),
        registry_(*store_, kClusterPrefix),
        session_(*store_, loop, kClusterPrefix, record_of(number), {options.ttl, false}),
        state_engine_(loop) {
    if (number < options.engines) {
      view_ = std::make_unique<registry::ClusterView>(*store_, loop, kClusterPrefix);
      engine_ = std::make_unique<engine::EngineManager>(*store_, loop, kClusterPrefix, session_,
                                                        *view_, state_engine_);
      state_engine_.add(*engine_);
    }
    const std::string units = fmt::format("{}/{}/units", options.folder, number);
    agent_ = std::make_unique<agent::AgentManager>(
        registry_, loop, session_, manager_, state_, state_engine_,
        agent::AgentOptions{units, "boot-" + machine_id(number)});
    state_engine_.add(*agent_);
    session_.on_change([this] { state_engine_.ensure_soon(); });
    if (const base::Status started = state_engine_.start_up(); !started) {
      throw std::runtime_error(started.error().message);
    }
    open();
  }
  ~Member() { state_engine_.stop(); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // Units `number_`, `number_` + step ... below `last`.
  void put_units(const std::string& prefix, size_t step, size_t last,
                 std::function<void(bool)> tell) {
    manager_.forget_calls();
    writer_ = std::make_unique<registry::Registry>(*store_, prefix);
    tell_ = std::move(tell);
    step_ = step;
    last_ = last;
    put(number_);
  }

 private:
  void open() {
    registry_.open([this](const base::Status& status) {
      if (status) return session_.start();
      retry_ = loop_.after(kRetry, [this] { open(); });
    });
  }
  void put(size_t unit) {
    if (unit >= last_) return;
    writer_->put_unit(unit_name(unit), unit_options(unit, ""), registry::TargetState::kLaunched,
                      [this, unit](const base::Result<registry::PutOutcome>& outcome) {
                        tell_(outcome.has_value());
                        put(unit + step_);
                      });
  }

  overlord::AsioLoop& loop_;
  const size_t number_;
  std::unique_ptr<store::Store> store_;
  bus::FakeUnitManager manager_;
  overlord::InlineExecutor executor_;
  overlord::State state_;
  registry::Registry registry_;
  std::unique_ptr<registry::ClusterView> view_;
  registry::MachineSession session_;
  overlord::StateEngine state_engine_;
  std::unique_ptr<engine::EngineManager> engine_;
  std::unique_ptr<agent::AgentManager> agent_;
  std::unique_ptr<registry::Registry> writer_;
  std::function<void(bool)> tell_;
  size_t step_ = 1;
  size_t last_ = 0;
  base::RegistrationPtr retry_;
};

size_t process_of(const CrewOptions& options, size_t machine) {
  if (machine < options.engines) return 0;
  return 1 + machine % options.processes;
}

}  // namespace

std::string machine_id(size_t machine) { return fmt::format("{:032x}", machine + 1); }

std::string unit_name(size_t number) { return fmt::format("app{:06}.service", number); }

std::vector<unit::UnitOption> unit_options(size_t number, const std::string& place) {
  std::vector<unit::UnitOption> options{
      {"Unit", "Description", fmt::format("Part {} of something large", number)},
      {"Unit", "After", "network-online.target"},
      {"Service", "ExecStart", fmt::format("/usr/bin/app --number={} --port=0", number)},
      {"Service", "Restart", "always"}};
  if (!place.empty()) options.push_back({"X-Fleet", "MachineMetadata", "place=" + place});
  return options;
}

// What runs in one of the processes.
class CrewProcess {
 public:
  CrewProcess(const CrewOptions& options, size_t process, int way, Crew::Shared& shared)
      : options_(options), way_(way), shared_(shared) {
    for (size_t i = 0; i < options.machines; ++i) {
      if (process_of(options, i) == process) {
        members_[i] = std::make_unique<Member>(loop_, options, i);
      }
    }
    watch_ = loop_.watch(way, EPOLLIN, [this](uint32_t) { on_order(); });
  }
  void run() { loop_.run(); }

 private:
  void on_order() {
    Crew::Order order{};
    if (recv(way_, &order, sizeof order, 0) != sizeof order) return loop_.stop();
    if (order.prefix[0] == '\0') {
      members_.erase(order.number);
      return;
    }
    for (const auto& [number, member] : members_) {
      member->put_units(order.prefix, options_.machines, order.number,
                        [this](bool is_put) { ++(is_put ? shared_.done : shared_.failed); });
    }
  }

  const CrewOptions& options_;
  const int way_;
  Crew::Shared& shared_;
  overlord::AsioLoop loop_;
  std::map<size_t, std::unique_ptr<Member>> members_;
  base::RegistrationPtr watch_;
};

Crew::Crew(const CrewOptions& options) : options_(options) {
  void* page =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::runtime_error("cannot map a page");
  shared_ = new (page) Shared();
  const pid_t parent = getpid();
  for (size_t process = 0; process <= options_.processes; ++process) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
      throw std::runtime_error("cannot make a pair of sockets");
    }
    const pid_t child = fork();
    if (child < 0) throw std::runtime_error("cannot fork");
    if (child == 0) {
      // Nothing of the parent's is destroyed here, whatever happens.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      try {
        CrewProcess(options_, process, ends[1], *shared_).run();
      } catch (const std::exception& error) {
        fmt::print(stderr, "bench: {}\n", error.what());
      }
      _exit(1);
    }
    close(ends[1]);
    pids_.push_back(child);
    ways_.push_back(ends[0]);
  }
}

Crew::~Crew() {
  for (const pid_t pid : pids_) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  for (const int way : ways_) close(way);
  munmap(shared_, sizeof(Shared));
}

void Crew::send(size_t process, const Order& order) const {
  if (::send(ways_[process], &order, sizeof order, MSG_NOSIGNAL) != sizeof order) {
    throw std::runtime_error("a process of machines has ended");
  }
}

void Crew::put_units(const std::string& prefix, size_t units) {
  shared_->done = 0;
  shared_->failed = 0;
  Order order{};
  std::strncpy(order.prefix, prefix.c_str(), sizeof order.prefix - 1);
  order.number = units;
  for (size_t process = 0; process < pids_.size(); ++process) send(process, order);
}

uint64_t Crew::cpu_of_engines() const { return cpu_of(pids_.front()); }

uint64_t Crew::cpu_of_others() const {
  uint64_t sum = 0;
  for (size_t process = 1; process < pids_.size(); ++process) sum += cpu_of(pids_[process]);
  return sum;
}

void Crew::lose(size_t machine) {
  Order order{};
  order.number = machine;
  send(process_of(options_, machine), order);
}

}  // namespace flotilla::bench
