// 300 services of five kinds; processes are killed at random: services, the manager, the log
// process. After some seconds of this every service is in the state that its kind asks for, and
// /proc agrees.
//
// FLOTILLA_CHAOS_SECONDS sets how long (5), FLOTILLA_SEED the seed.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kServices = 300;
constexpr size_t kMostDeaths = 4;  // of managers, within kDeathWindow; the fifth would be the last
constexpr std::chrono::milliseconds kDeathWindow{10500};

unsigned number_from_environment(const char* name, unsigned otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

class Chaos : public SystemTest {
 protected:
  void SetUp() override {
    seed_ = number_from_environment("FLOTILLA_SEED", std::random_device()());
    std::cout << "FLOTILLA_SEED=" << seed_ << std::endl;
    random_.seed(seed_);
    machine_.expect_crashes();
    root().make_directory("starts");
    for (int i = 0; i < kServices; ++i) add_service(i);
    machine_.start();
    std::vector<std::string> start{"start"};
    start.insert(start.end(), names_.begin(), names_.end());
    ASSERT_THAT(systemctl(start), Answers(0, "", ""));
  }

  void kill_something();
  bool is_as_it_must(const std::string& name, const Shown& shown, std::string& why) const;
  std::map<std::string, std::vector<pid_t>> processes() const;
  bool all_are_known() const { return machine_.show(names_).size() == kServices; }
  void expect_right_states() const;

 private:
  void add_service(int number);
  int pick(size_t below) {
    return std::uniform_int_distribution<int>(0, static_cast<int>(below) - 1)(random_);
  }
  void kill_service();

  unsigned seed_ = 0;
  std::mt19937 random_;
  std::vector<std::string> names_;
  std::set<std::string> killed_;
  std::deque<Clock::time_point> deaths_;
};

bool is_kind(const std::string& name, const char* kind) { return name.rfind(kind, 0) == 0; }

void Chaos::add_service(int number) {
  static const char* const kKinds[] = {"always", "failure", "notify", "plain", "once"};
  const std::string kind = kKinds[number % 5];
  const std::string name = kind + std::to_string(number) + ".service";
  const std::string probe =
      "ExecStart=" FLOTILLA_PROBE " --append=" + (root() / ("starts/" + name));
  std::string text = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nStandardOutput=null\n";
  if (kind == "always") text += "Restart=always\nRestartSec=0\n" + probe + "\n";
  if (kind == "failure") {
    text += "Restart=on-failure\nRestartSec=50ms\nExecStopPost=/bin/true\n" + probe + "\n";
  }
  if (kind == "notify") {
    text += "Type=notify\nRestart=on-abnormal\nRestartSec=0\n" + probe + " --notify=READY=1\n";
  }
  if (kind == "plain") text += probe + "\n";
  if (kind == "once") text += "Type=oneshot\nRemainAfterExit=yes\n" + probe + " --exit=0\n";
  machine_.add_unit(name, text);
  names_.push_back(name);
}

// Living processes by the service they are of, as their command lines say.
std::map<std::string, std::vector<pid_t>> Chaos::processes() const {
  std::map<std::string, std::vector<pid_t>> found;
  for (const Process& process : machine_.services()) {
    const size_t at = process.command.find("/starts/");
    if (at == std::string::npos) continue;  // a command that prepares or follows
    const size_t begin = at + 8;
    const size_t end = process.command.find(' ', begin);
    found[process.command.substr(begin, end - begin)].push_back(process.pid);
  }
  return found;
}

void Chaos::kill_service() {
  const auto found = processes();
  if (found.empty()) return;
  auto at = found.begin();
  std::advance(at, pick(found.size()));
  for (const pid_t pid : at->second) kill(pid, SIGKILL);
  killed_.insert(at->first);
}

void Chaos::kill_something() {
  const int kind = pick(20);
  if (kind == 0) {
    while (!deaths_.empty() && deaths_.front() + kDeathWindow < Clock::now()) deaths_.pop_front();
    const pid_t manager = deaths_.size() < kMostDeaths ? machine_.manager() : 0;
    if (manager > 0) {
      kill(manager, SIGKILL);
      deaths_.push_back(Clock::now());
    }
  } else if (kind == 1) {
    if (const pid_t logd = machine_.logd(); logd > 0) kill(logd, SIGKILL);
  } else {
    const int count = 1 + pick(8);
    for (int i = 0; i < count; ++i) kill_service();
  }
}

bool Chaos::is_as_it_must(const std::string& name, const Shown& shown, std::string& why) const {
  std::string wanted = "active running success";
  if (is_kind(name, "once")) wanted = "active exited success";
  if (is_kind(name, "plain") && killed_.count(name) != 0) wanted = "failed failed signal";
  why = name + " is " + shown.active + " " + shown.sub + " " + shown.result + ", status " +
        shown.status + ", not " + wanted;
  return shown.active + " " + shown.sub + " " + shown.result == wanted &&
         (shown.active != "failed" || shown.status == "9");
}

void Chaos::expect_right_states() const {
  std::string why;
  EXPECT_TRUE(wait_until([&] {
    const auto shown = machine_.show(names_);
    if (shown.size() != names_.size()) return false;
    return std::all_of(names_.begin(), names_.end(), [&](const std::string& name) {
      return is_as_it_must(name, shown.at(name), why);
    });
  })) << why
      << "\n"
      << machine_.output();
  const auto found = processes();
  for (const auto& [name, shown] : machine_.show(names_)) {
    std::vector<pid_t> expected;
    if (shown.main_pid != 0) expected.push_back(shown.main_pid);
    const auto living = found.find(name);
    EXPECT_EQ(living == found.end() ? std::vector<pid_t>() : living->second, expected) << name;
  }
}

TEST_F(Chaos, EveryServiceIsInItsRightStateAfterwards) {
  const auto end =
      Clock::now() + std::chrono::seconds(number_from_environment("FLOTILLA_CHAOS_SECONDS", 5));
  while (Clock::now() < end) {
    kill_something();
    // The random moment is the subject here.
    std::this_thread::sleep_for(std::chrono::milliseconds(std::random_device()() % 40));
  }
  ASSERT_TRUE(wait_until([&] { return machine_.manager() != 0 && all_are_known(); }));
  expect_right_states();
}

}  // namespace
}  // namespace flotilla::system_test
