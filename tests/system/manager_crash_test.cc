// kill -9 of the manager at random moments: services keep running, the keeper starts the next
// manager, and that one knows them all again.
//
// The keeper gives up after 5 deaths in 10 seconds, so the moments are spread over several machines
// of 50 services each. FLOTILLA_SEED and FLOTILLA_CRASH_ROUNDS set seed and number of moments.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMachines = 6;
constexpr int kServices = 50;
constexpr size_t kMostDeaths = 4;  // within kDeathWindow; the fifth would be the last
constexpr std::chrono::milliseconds kDeathWindow{10500};

unsigned number_from_environment(const char* name, unsigned otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

class CrashingMachine {
 public:
  explicit CrashingMachine(std::mt19937& random) : random_(random) {
    machine_.expect_crashes();
    for (int i = 0; i < kServices; ++i) add_service(i);
    machine_.start();
    std::vector<std::string> start{"start"};
    start.insert(start.end(), names_.begin(), names_.end());
    EXPECT_THAT(machine_.systemctl(start), Answers(0, "", ""));
    before_ = machine_.show(names_);
  }

  // One moment: some commands begin, the manager dies, some service ends while there is none.
  void round();
  const Machine& machine() const { return machine_; }

 private:
  void add_service(int number);
  std::vector<std::string> random_command(std::set<std::string>& touched);
  std::string end_one_untouched(const std::set<std::string>& touched);
  void wait_for_turn();
  void check(const std::set<std::string>& touched, const std::string& ended);
  void check_processes(const std::map<std::string, Shown>& now) const;
  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  std::mt19937& random_;
  Machine machine_;
  std::vector<std::string> names_;
  std::map<std::string, Shown> before_;
  std::deque<Clock::time_point> deaths_;
};

bool is_oneshot(const std::string& name) { return name.compare(0, 4, "once") == 0; }

// Every kind ends with a code of its own at SIGTERM, so that an exit is told from another's.
void CrashingMachine::add_service(int number) {
  static const char* const kKinds[] = {"simple", "notify", "exec", "once", "chain"};
  const std::string kind = kKinds[number % 5];
  const std::string name = kind + std::to_string(number) + ".service";
  const std::string probe =
      "ExecStart=" FLOTILLA_PROBE " --append=" + (machine_.root() / ("starts/" + name)) +
      " --on-term=" + std::to_string(100 + number);
  std::string text = "[Unit]\nStartLimitIntervalSec=0\n";
  if (kind == "chain") text += "After=simple0.service\nWants=simple0.service\n";
  text += "[Service]\nSuccessExitStatus=0\nExecReload=/bin/true\n";
  if (kind == "notify") text += "Type=notify\n" + probe + " --notify=READY=1\n";
  if (kind == "exec")
    text += "Type=exec\nStandardOutput=null\nExecStartPre=/bin/true\n" + probe + "\n";
  if (kind == "simple" || kind == "chain") text += probe + "\n";
  if (kind == "once") {
    text += "Type=oneshot\nRemainAfterExit=yes\n" + probe + " --exit=0\n";
  }
  machine_.root().make_directory("starts");
  machine_.add_unit(name, text);
  names_.push_back(name);
}

std::vector<std::string> CrashingMachine::random_command(std::set<std::string>& touched) {
  static const char* const kVerbs[] = {"start", "stop", "restart", "reload", "start"};
  const int kind = pick(11);
  if (kind == 10) return {"daemon-reload"};
  std::vector<std::string> command{kVerbs[kind % 5]};
  const int count = 1 + pick(12);
  for (int i = 0; i < count; ++i) {
    command.push_back(names_[static_cast<size_t>(pick(kServices))]);
    touched.insert(command.back());
    // Starting a chain pulls its root in.
    if (command.back().compare(0, 5, "chain") == 0) touched.insert("simple0.service");
  }
  return command;
}

// The exit of a service that nobody has asked to end, while there may be no manager.
std::string CrashingMachine::end_one_untouched(const std::set<std::string>& touched) {
  for (int tries = 0; tries < 20; ++tries) {
    const std::string& name = names_[static_cast<size_t>(pick(kServices))];
    const pid_t pid = before_[name].main_pid;
    if (touched.count(name) != 0 || pid == 0) continue;
    kill(pid, SIGTERM);
    return name;
  }
  return {};
}

void CrashingMachine::wait_for_turn() {
  if (deaths_.size() >= kMostDeaths) {
    std::this_thread::sleep_until(deaths_.front() + kDeathWindow);
    deaths_.pop_front();
  }
}

void CrashingMachine::round() {
  std::set<std::string> touched;
  std::vector<std::vector<std::string>> commands;
  const int count = 1 + pick(3);
  for (int i = 0; i < count; ++i) commands.push_back(random_command(touched));
  wait_for_turn();
  const pid_t manager = machine_.manager();
  ASSERT_GT(manager, 0) << machine_.output();
  std::vector<std::unique_ptr<BackgroundCommand>> running;
  for (const auto& command : commands) {
    std::vector<std::string> words{"systemctl", "--user"};
    words.insert(words.end(), command.begin(), command.end());
    CommandOptions options;
    options.environment = {{"XDG_RUNTIME_DIR", machine_.root() / "run"}};
    running.push_back(
        std::make_unique<BackgroundCommand>(words, machine_.root() / "commands.log", options));
  }
  // The random moment is the subject here.
  std::this_thread::sleep_for(std::chrono::microseconds(pick(40'000)));
  kill(manager, SIGKILL);
  deaths_.push_back(Clock::now());
  const std::string ended = pick(2) == 0 ? end_one_untouched(touched) : std::string();
  for (auto& command : running) {
    EXPECT_TRUE(command->wait().has_value()) << "systemctl waits for ever";
  }
  std::string asked;
  for (const auto& command : commands) {
    for (const std::string& word : command) asked += word + " ";
    asked += "; ";
  }
  SCOPED_TRACE("commands: " + asked + "ended by itself: " + ended);
  ASSERT_TRUE(machine_.wait_until_settled(names_, manager))
      << machine_.unsettled(names_) << machine_.output();
  check(touched, ended);
}

void CrashingMachine::check(const std::set<std::string>& touched, const std::string& ended) {
  if (!ended.empty()) {
    EXPECT_TRUE(wait_until([&] { return machine_.show(names_)[ended].active == "failed"; }))
        << ended;
  }
  const auto now = machine_.show(names_);
  for (const auto& [name, shown] : now) {
    const Shown& was = before_[name];
    const std::string text = name + ": " + shown.active + " " + shown.sub + " " + shown.result;
    if (name == ended) {
      EXPECT_EQ(shown.result, "exit-code") << text;
      EXPECT_EQ(shown.code, "1") << text;  // CLD_EXITED
      const std::string number = name.substr(name.find_first_of("0123456789"));
      EXPECT_EQ(std::atoi(shown.status.c_str()), 100 + std::atoi(number.c_str())) << text;
    } else if (touched.count(name) == 0) {
      EXPECT_EQ(shown.main_pid, was.main_pid) << text << ", but nobody touched it";
      EXPECT_EQ(shown.active, was.active) << text << ", but nobody touched it";
    }
    if (is_oneshot(name)) continue;
    EXPECT_EQ(shown.active == "active", shown.main_pid != 0) << text;
  }
  check_processes(now);
  before_ = now;
}

// /proc is the judge: one process for each active service, and no other.
void CrashingMachine::check_processes(const std::map<std::string, Shown>& now) const {
  std::map<std::string, std::vector<pid_t>> found;
  for (const Process& process : machine_.services()) {
    const size_t at = process.command.find("/starts/");
    if (at == std::string::npos) {
      ADD_FAILURE() << "of no service: " << process.pid << " " << process.command;
      continue;
    }
    const size_t begin = at + 8;
    found[process.command.substr(begin, process.command.find(' ', begin) - begin)].push_back(
        process.pid);
  }
  for (const auto& [name, shown] : now) {
    std::vector<pid_t> expected;
    if (shown.main_pid != 0) expected.push_back(shown.main_pid);
    EXPECT_EQ(found[name], expected) << name << " is " << shown.active << " " << shown.sub;
  }
}

TEST(ManagerCrash, ServicesAreKnownAgainAfterKillsAtRandomMoments) {
  const unsigned seed =
      number_from_environment("FLOTILLA_SEED", static_cast<unsigned>(std::random_device()()));
  const unsigned rounds = number_from_environment("FLOTILLA_CRASH_ROUNDS", 200);
  std::cout << "FLOTILLA_SEED=" << seed << std::endl;
  std::mt19937 random(seed);
  std::vector<std::unique_ptr<CrashingMachine>> machines;
  for (int i = 0; i < kMachines; ++i) {
    machines.push_back(std::make_unique<CrashingMachine>(random));
    if (::testing::Test::HasFailure()) return;
  }
  for (unsigned i = 0; i < rounds && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", moment " + std::to_string(i));
    machines[i % kMachines]->round();
  }
}

class LogCrash : public SystemTest {
 protected:
  void SetUp() override {
    machine_.expect_crashes();
    machine_.add_unit("talk.service", "[Service]\nExecStart=" FLOTILLA_PROBE " --lines=" +
                                          (root() / "fifo") + "\n");
    ASSERT_EQ(run_command({"mkfifo", root() / "fifo"}).exit_code, 0);
    machine_.start();
    ASSERT_EQ(machine_.systemctl({"start", "talk"}).exit_code, 0);
    say(100);
    ASSERT_TRUE(wait_until([&] { return logged() == said_; }));
  }

  // That many more lines into the service's stdout, numbered throughout.
  void say(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      said_.push_back("line " + std::to_string(said_.size()));
      text += said_.back() + "\n";
    }
    CommandOptions options;
    options.input = text;
    const Outcome written = run_command({"sh", "-c", "cat > " + (root() / "fifo")}, options);
    ASSERT_EQ(written.exit_code, 0) << written;
  }

  std::vector<std::string> logged() const {
    std::vector<std::string> lines;
    for (const std::string& line : machine_.log_of("talk.service")) {
      if (line.compare(0, 5, "line ") == 0) lines.push_back(line);
    }
    return lines;
  }

  void expect_all_is_logged() {
    EXPECT_TRUE(wait_until([&] { return logged().size() >= said_.size(); }))
        << logged().size() << " of " << said_.size() << " lines";
    EXPECT_EQ(logged(), said_);
  }

  std::vector<std::string> said_;
};

TEST_F(LogCrash, NoUnreadLineIsLostWithTheLogProcess) {
  const pid_t service = machine_.main_pid("talk");
  for (int i = 0; i < 3; ++i) {
    const pid_t logd = machine_.logd();
    ASSERT_GT(logd, 0);
    kill(logd, SIGSTOP);  // what comes from now on, it has not read
    say(200);
    kill(logd, SIGKILL);
    say(50);
    expect_all_is_logged();
    ASSERT_TRUE(wait_until([&] { return machine_.logd() != 0 && machine_.logd() != logd; }));
  }
  EXPECT_EQ(machine_.main_pid("talk"), service);
}

TEST_F(LogCrash, NoUnreadLineIsLostWithTheLogProcessAndTheManager) {
  const pid_t service = machine_.main_pid("talk");
  for (int i = 0; i < 3; ++i) {
    const pid_t logd = machine_.logd();
    const pid_t manager = machine_.manager();
    ASSERT_GT(logd, 0);
    ASSERT_GT(manager, 0);
    kill(logd, SIGSTOP);
    kill(manager, SIGSTOP);
    say(200);
    kill(i == 1 ? manager : logd, SIGKILL);
    kill(i == 1 ? logd : manager, SIGKILL);
    say(50);
    expect_all_is_logged();
    ASSERT_TRUE(wait_until([&] { return machine_.main_pid("talk") == service; }));
  }
}

TEST_F(LogCrash, TheManagerAloneMayDieWhileLinesFlow) {
  for (int i = 0; i < 3; ++i) {
    const pid_t manager = machine_.manager();
    ASSERT_GT(manager, 0);
    say(20);
    kill(manager, SIGKILL);
    say(20);
    ASSERT_TRUE(wait_until([&] {
      return machine_.manager() != 0 && machine_.manager() != manager &&
             machine_.main_pid("talk") != 0;
    }));
    say(20);
    expect_all_is_logged();
  }
}

}  // namespace
}  // namespace flotilla::system_test
