// kill -9 of the manager at each of its system calls: a tracer stops it at the entry and at the
// exit of every one, and ends it at one of them. What it was told to do is then either not begun or
// goes on under the next manager; nothing is done twice and nothing is left half done.
//
// FLOTILLA_KILL_ROUNDS rounds of four commands, each killed at a point drawn by FLOTILLA_SEED.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using Clock = std::chrono::steady_clock;

// The keeper gives up after 5 deaths in 10 seconds.
constexpr size_t kMachines = 4;
constexpr size_t kMostDeaths = 4;
constexpr std::chrono::milliseconds kDeathWindow{10500};
constexpr std::chrono::milliseconds kQuiet{
    100};  // no system call for so long: it has done its work

unsigned number_from_environment(const char* name, unsigned otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

// Stops a process that is not our child at its system calls. One thread.
class Tracer {
 public:
  explicit Tracer(pid_t pid) : pid_(pid) {
    is_attached_ = ptrace(PTRACE_SEIZE, pid_, nullptr, PTRACE_O_TRACESYSGOOD) == 0 &&
                   ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr) == 0;
  }
  bool is_attached() const { return is_attached_; }

  // Lets it go on to its `count`th stop and kills it there, or when it has come to rest before.
  // Returns how many stops there were. It is dead and no zombie of ours afterwards.
  size_t kill_at(size_t count) {
    size_t stops = 0;
    Clock::time_point last = Clock::now();
    while (stops < count && Clock::now() - last < kQuiet) {
      int status = 0;
      const pid_t got = waitpid(pid_, &status, __WALL | WNOHANG);
      if (got < 0) return stops;
      if (got == 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(20));
        continue;
      }
      if (WIFEXITED(status) || WIFSIGNALED(status)) return stops;
      const int signal = WSTOPSIG(status);
      const bool is_call = signal == (SIGTRAP | 0x80);
      const bool is_event = status >> 16 != 0;
      if (is_call && ++stops == count) break;
      const long given = is_call || is_event ? 0 : signal;
      ptrace(PTRACE_SYSCALL, pid_, nullptr, given);
      if (!is_event) last = Clock::now();
    }
    kill(pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, __WALL) == pid_ && !WIFSIGNALED(status)) {
    }
    return stops;
  }

 private:
  pid_t pid_;
  bool is_attached_ = false;
};

struct Counts {
  size_t starts = 0, reloads = 0, stops = 0;
};

class KilledMachine {
 public:
  KilledMachine() {
    machine_.expect_crashes();
    machine_.root().make_directory("counts");
    add("notify", "Type=notify\n" + start_line("notify", " --notify=READY=1"), "");
    add("simple", start_line("simple", ""), "Requires=notify.service\nAfter=notify.service\n");
    add("exec",
        "Type=exec\nExecStartPre=/bin/true\n" + start_line("exec", "") +
            "ExecStartPost=/bin/true\nExecStop=/bin/true\nStandardOutput=null\n",
        "");
    add("once",
        "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n" +
            start_line("once", " --exit=0"),
        "");
    const std::string pid_file = machine_.root() / "forking.pid";
    add("forking",
        "Type=forking\nPIDFile=" + pid_file +
            "\nExecStart=/bin/sh -c '" FLOTILLA_PROBE " --append=" +
            count_file("starts", "forking.service") + " & echo $! >" + pid_file + "'\n",
        "After=simple.service\n");
    // Its processes come to their programs by way of a helper.
    if (is_root()) {
      add("boxed", "Type=exec\nPrivateNetwork=yes\nProtectHome=yes\n" + start_line("boxed", ""),
          "");
    }
    machine_.start();
  }

  // The four commands of a life, each killed at a point of its own.
  void round(std::mt19937& random);
  const Machine& machine() const { return machine_; }
  size_t kills() const { return kills_; }

 private:
  std::string count_file(const std::string& what, const std::string& id) const {
    return machine_.root() / ("counts/" + what + "-" + id);
  }
  std::string start_line(const std::string& name, const std::string& more) const {
    return "ExecStart=" FLOTILLA_PROBE " --append=" + count_file("starts", name + ".service") +
           more + "\n";
  }
  void add(const std::string& name, const std::string& service, const std::string& unit) {
    const std::string id = name + ".service";
    std::string text = "[Unit]\nStartLimitIntervalSec=0\n" + unit + "[Service]\n" + service;
    text += "ExecReload=" FLOTILLA_PROBE " --append=" + count_file("reloads", id) + " --exit=0\n";
    text += "ExecStopPost=" FLOTILLA_PROBE " --append=" + count_file("stops", id) + " --exit=0\n";
    machine_.add_unit(id, text);
    ids_.push_back(id);
  }
  std::vector<std::string> command(const std::string& verb) const {
    std::vector<std::string> words{verb};
    words.insert(words.end(), ids_.begin(), ids_.end());
    return words;
  }
  std::map<std::string, Counts> count() const;
  bool kill_during(const std::string& verb, std::mt19937& random);
  void check(const std::string& verb, const std::map<std::string, Counts>& before);
  void check_processes() const;
  void expect_all(const std::string& active) const;

  Machine machine_;
  std::vector<std::string> ids_;
  std::deque<Clock::time_point> deaths_;
  std::map<std::string, size_t> calls_;  // of each verb, as seen so far
  size_t kills_ = 0;
};

std::map<std::string, Counts> KilledMachine::count() const {
  const auto lines = [&](const std::string& what, const std::string& name) {
    return lines_of(machine_.root().read("counts/" + what + "-" + name)).size();
  };
  std::map<std::string, Counts> counts;
  for (const std::string& name : ids_) {
    counts[name] = {lines("starts", name), lines("reloads", name), lines("stops", name)};
  }
  return counts;
}

// Returns whether the command was known to have ended before the kill.
bool KilledMachine::kill_during(const std::string& verb, std::mt19937& random) {
  if (deaths_.size() >= kMostDeaths) {
    std::this_thread::sleep_until(deaths_.front() + kDeathWindow);
    deaths_.pop_front();
  }
  const pid_t manager = machine_.manager();
  EXPECT_GT(manager, 0) << machine_.output();
  Tracer tracer(manager);
  EXPECT_TRUE(tracer.is_attached()) << strerror(errno);
  std::vector<std::string> words{"systemctl", "--user"};
  for (const std::string& word : command(verb)) words.push_back(word);
  CommandOptions options;
  options.environment = {{"XDG_RUNTIME_DIR", machine_.root() / "run"}};
  BackgroundCommand asked(words, machine_.root() / "commands.log", options);
  // The first time to its end, to know how many there are.
  size_t& calls = calls_[verb];
  const size_t at = calls == 0 ? SIZE_MAX : std::uniform_int_distribution<size_t>(1, calls)(random);
  const size_t seen = tracer.kill_at(at);
  calls = std::max(calls, seen);
  deaths_.push_back(Clock::now());
  ++kills_;
  SCOPED_TRACE(verb + ", killed at stop " + std::to_string(seen));
  EXPECT_TRUE(asked.wait().has_value()) << "systemctl waits for ever";
  const bool settled = machine_.wait_until_settled(ids_, manager);
  EXPECT_TRUE(settled) << machine_.unsettled(ids_) << machine_.output();
  return settled;
}

void KilledMachine::expect_all(const std::string& active) const {
  for (const auto& [name, unit] : machine_.show(ids_)) {
    EXPECT_EQ(unit.active, active) << name << " is " << unit.sub << "\n" << machine_.output();
  }
}

void KilledMachine::check_processes() const {
  std::map<std::string, std::vector<pid_t>> found;
  for (const Process& process : machine_.services()) {
    const size_t at = process.command.find("/counts/starts-");
    if (at == std::string::npos) {
      ADD_FAILURE() << "of no service: " << process.pid << " " << process.command;
      continue;
    }
    const size_t begin = at + 15;
    found[process.command.substr(begin, process.command.find(' ', begin) - begin)].push_back(
        process.pid);
  }
  for (const auto& [name, shown] : machine_.show(ids_)) {
    std::vector<pid_t> expected;
    if (shown.main_pid != 0) expected.push_back(shown.main_pid);
    EXPECT_EQ(found[name], expected) << name << " is " << shown.active << " " << shown.sub;
    if (name == "once.service") continue;
    EXPECT_EQ(shown.active == "active", shown.main_pid != 0) << name;
  }
}

// What was done by the two managers, and by the command once more where the first was lost.
void KilledMachine::check(const std::string& verb, const std::map<std::string, Counts>& before) {
  // A service counts by itself, and the process that a dying manager had just made has yet to come
  // to its program.
  EXPECT_TRUE(wait_until([&] {
    auto now = count();
    return std::all_of(ids_.begin(), ids_.end(), [&](const std::string& name) {
      const size_t starts = now[name].starts - before.at(name).starts;
      const size_t stops = now[name].stops - before.at(name).stops;
      return verb == "start" ? starts != 0 : verb != "restart" || starts >= stops;
    });
  })) << verb;
  const auto now = count();
  for (const std::string& name : ids_) {
    const Counts& was = before.at(name);
    const Counts& is = now.at(name);
    const std::string text = verb + " of " + name;
    const size_t starts = is.starts - was.starts;
    const size_t stops = is.stops - was.stops;
    const size_t reloads = is.reloads - was.reloads;
    if (verb == "start") {
      EXPECT_EQ(starts, 1u) << text;
    }
    if (verb == "stop") {
      EXPECT_EQ(stops, 1u) << text;
    }
    if (verb == "restart") {
      EXPECT_LE(starts, 1u) << text;
      EXPECT_LE(stops, 1u) << text;
      EXPECT_EQ(starts, stops) << text;
    }
    EXPECT_LE(reloads, verb == "reload" ? 1u : 0u) << text;
  }
  check_processes();
}

void KilledMachine::round(std::mt19937& random) {
  for (const char* const verb : {"start", "reload", "restart", "stop"}) {
    const std::string word = verb;
    const auto before = count();
    if (!kill_during(word, random)) return;
    if (word == "start" || word == "stop") {
      EXPECT_THAT(machine_.systemctl(command(word)), Answers(0, "", ""));
    }
    expect_all(word == "stop" ? "inactive" : "active");
    check(word, before);
    if (::testing::Test::HasFailure()) return;
  }
}

// Not where a container forbids it.
bool can_trace() {
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  Tracer tracer(child);
  if (tracer.is_attached()) {
    tracer.kill_at(1);
  } else {
    kill(child, SIGKILL);
  }
  waitpid(child, nullptr, 0);
  return tracer.is_attached();
}

TEST(ManagerKillPoints, NothingIsLostOrDoneTwiceAtAnySystemCall) {
  if (!can_trace()) GTEST_SKIP() << "needs ptrace";
  const unsigned seed =
      number_from_environment("FLOTILLA_SEED", static_cast<unsigned>(std::random_device()()));
  const unsigned rounds = number_from_environment("FLOTILLA_KILL_ROUNDS", 16);
  std::cout << "FLOTILLA_SEED=" << seed << std::endl;
  std::mt19937 random(seed);
  std::vector<std::unique_ptr<KilledMachine>> machines;
  for (size_t i = 0; i < kMachines; ++i) {
    machines.push_back(std::make_unique<KilledMachine>());
    if (::testing::Test::HasFailure()) return;
  }
  for (unsigned i = 0; i < rounds && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(i));
    machines[i % kMachines]->round(random);
  }
}

}  // namespace
}  // namespace flotilla::system_test
