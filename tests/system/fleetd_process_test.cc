// fleetd as a process: kill -9 at random moments, the ways to be reached, configurations.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <random>
#include <thread>

#include "fleet_world.h"

namespace flotilla::system_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class FleetdKilled : public FleetTest {
 protected:
  // Kills fleetd and waits for the next one to answer.
  void kill_fleetd() {
    const pid_t old = fleetd();
    ASSERT_GT(old, 0);
    kill(old, SIGKILL);
    ASSERT_TRUE(wait_until([&] { return fleetd() != old && fleetd() != 0 && answers(); }))
        << all_logs();
  }
};

TEST_F(FleetdKilled, TouchesNoServiceAndForgetsNothing) {
  const unsigned seed = std::getenv("FLOTILLA_SEED") != nullptr
                            ? static_cast<unsigned>(std::atoi(std::getenv("FLOTILLA_SEED")))
                            : static_cast<unsigned>(std::random_device()());
  std::cout << "FLOTILLA_SEED=" << seed << std::endl;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr int kUnits = 12;
  std::vector<std::string> expected;
  for (int i = 10; i < 10 + kUnits; ++i) {
    const std::string name = "u" + std::to_string(i);
    root().write(name + ".service", counting_unit(name));
    expected.push_back(name + ".service " + kMachineTail + " active running");
  }
  // Each unit's start is in flight, somewhere, when fleetd is killed.
  for (int i = 10; i < 10 + kUnits; ++i) {
    const std::string name = "u" + std::to_string(i);
    CommandOptions options;
    options.directory = root().path();
    options.environment = {{"FLEETCTL_ENDPOINT", "unix://" + socket()}};
    BackgroundCommand start({FLOTILLA_FLEETCTL, "start", "--no-block", name + ".service"},
                            root() / "fleetctl.log", options);
    // The random moment is the subject here.
    std::this_thread::sleep_for(
        std::chrono::milliseconds(std::uniform_int_distribution<int>(0, 80)(random)));
    ASSERT_NO_FATAL_FAILURE(kill_fleetd());
    ASSERT_TRUE(start.wait().has_value());
    // What was not taken before the kill is asked for again.
    ASSERT_TRUE(wait_until([&] {
      return fleetctl({"start", "--no-block", name + ".service"}).exit_code == 0;
    })) << root().read("fleetctl.log");
  }
  EXPECT_TRUE(wait_for_units(expected)) << ::testing::PrintToString(units());
  std::vector<pid_t> pids;
  for (int i = 10; i < 10 + kUnits; ++i) {
    const std::string name = "u" + std::to_string(i);
    EXPECT_TRUE(wait_for_start(name)) << name << " was started " << starts(name).size() << " times";
    pids.push_back(machine_.main_pid(name + ".service"));
    EXPECT_THAT(starts(name), ElementsAre(std::to_string(pids.back())));
  }
  // Nothing is under way any more: a kill changes nothing at all.
  for (int i = 0; i < 5; ++i) {
    ASSERT_NO_FATAL_FAILURE(kill_fleetd());
    EXPECT_TRUE(wait_for_units(expected)) << ::testing::PrintToString(units());
  }
  for (int i = 0; i < kUnits; ++i) {
    const std::string name = "u" + std::to_string(10 + i);
    EXPECT_EQ(machine_.main_pid(name + ".service"), pids[static_cast<size_t>(i)]);
    EXPECT_THAT(starts(name), SizeIs(1)) << name;
  }
}

TEST_F(FleetdKilled, PublishesWhatHappenedWhileItWasAway) {
  root().write("a.service", counting_unit("a"));
  root().write("b.service", counting_unit("b"));
  ASSERT_EQ(fleetctl({"start", "a.service", "b.service"}).exit_code, 0);
  ASSERT_TRUE(wait_for_start("a"));
  ASSERT_TRUE(wait_for_start("b"));
  const pid_t b = machine_.main_pid("b.service");
  ASSERT_EQ(machine_.systemctl({"stop", "fleetd"}).exit_code, 0);
  EXPECT_TRUE(is_alive(b)) << "the end of fleetd ends no unit";
  kill(machine_.main_pid("a.service"), SIGKILL);
  ASSERT_TRUE(machine_.wait_for_state("a.service", "failed failed signal"));
  ASSERT_EQ(machine_.systemctl({"start", "fleetd"}).exit_code, 0);
  const std::string tail = std::string(" ") + kMachineTail + " ";
  EXPECT_TRUE(
      wait_for_units({"a.service" + tail + "failed failed", "b.service" + tail + "active running"}))
      << ::testing::PrintToString(units());
  EXPECT_EQ(machine_.main_pid("b.service"), b);
  EXPECT_THAT(starts("a"), SizeIs(1)) << "a unit that failed is not started again by fleetd";
}

TEST_F(FleetdKilled, AndTheManagerToo) {
  machine_.expect_crashes();
  root().write("a.service", counting_unit("a"));
  ASSERT_EQ(fleetctl({"start", "a.service"}).exit_code, 0);
  ASSERT_TRUE(wait_for_start("a"));
  const pid_t a = machine_.main_pid("a.service");
  for (int i = 0; i < 3; ++i) {
    const pid_t manager = machine_.manager();
    const pid_t old = fleetd();
    kill(i == 1 ? old : manager, SIGKILL);
    kill(i == 1 ? manager : old, SIGKILL);
    ASSERT_TRUE(wait_until([&] {
      return machine_.manager() != manager && fleetd() != 0 && fleetd() != old && answers();
    })) << all_logs();
    EXPECT_TRUE(wait_for_units({std::string("a.service ") + kMachineTail + " active running"}));
    EXPECT_EQ(machine_.main_pid("a.service"), a);
  }
  EXPECT_THAT(starts("a"), SizeIs(1));
}

class FleetdReached : public FleetTest {
 protected:
  void SetUp() override {}
  // fleetd needs no service manager to answer.
  std::unique_ptr<BackgroundCommand> start_fleetd(const CommandOptions& options = {}) {
    CommandOptions all = options;
    all.environment.emplace_back("ASAN_OPTIONS", "log_path=" + (root() / "sanitizer"));
    std::vector<std::string> words{FLOTILLA_FLEETD, "--config",       root() / "etc/fleet.conf",
                                   "--state-dir",   root() / "fleet", "--manager-socket",
                                   root() / "none"};
    return std::make_unique<BackgroundCommand>(words, root() / "fleetd.log", all);
  }
  std::string log() const { return root().read("fleetd.log"); }
  void end(BackgroundCommand& daemon) {
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.wait(), 0) << log();
    EXPECT_THAT(log(), Not(HasSubstr("Sanitizer")));
  }
  Outcome machines_at(const std::string& endpoint) const {
    return run_command(
        {FLOTILLA_FLEETCTL, "--endpoint=" + endpoint, "list-machines", "--no-legend"});
  }
};

TEST_F(FleetdReached, OnTcpLoopbackAndUnixSocketAtOnce) {
  // A port that was free a moment ago; another one if somebody was faster.
  for (int tries = 0; tries < 5; ++tries) {
    const std::string port = std::to_string(20000 + (getpid() * 7 + tries * 131) % 20000);
    write_config("listen=" + socket() + ",127.0.0.1:" + port + "\n");
    const auto daemon = start_fleetd();
    const bool is_up = wait_until([&] {
      return !daemon->is_running() || machines_at("http://127.0.0.1:" + port).exit_code == 0;
    });
    ASSERT_TRUE(is_up) << log();
    if (!daemon->is_running()) continue;
    EXPECT_THAT(machines_at("http://127.0.0.1:" + port).out, HasSubstr("192.0.2.10"));
    EXPECT_THAT(machines_at("unix://" + socket()).out, HasSubstr("192.0.2.10"));
    return end(*daemon);
  }
  FAIL() << log();
}

TEST_F(FleetdReached, OnASocketThatIsHandedOver) {
  write_config("listen=" + (root() / "unused.sock") + "\n");
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, socket().c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 16), 0);
  CommandOptions options;
  options.prepare = [listener] {
    dup2(listener, 3);
    if (listener == 3) fcntl(3, F_SETFD, 0);
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
  };
  const auto daemon = start_fleetd(options);
  // Asked before it is up: the socket is there, so the answer only takes its time.
  EXPECT_TRUE(wait_until([&] { return machines_at("unix://" + socket()).exit_code == 0; }))
      << log();
  EXPECT_FALSE(root().has("unused.sock"));
  end(*daemon);
  EXPECT_TRUE(root().has("fleet.sock")) << "a socket that was handed over is not removed";
  close(listener);
}

TEST_F(FleetdReached, ReadsItsConfigurationAnewAtSighup) {
  write_config("listen=" + socket() + "\n");
  const auto daemon = start_fleetd();
  const std::string endpoint = "unix://" + socket();
  ASSERT_TRUE(wait_until([&] { return machines_at(endpoint).exit_code == 0; })) << log();
  const auto reload_with = [&](const std::string& more) {
    write_config("listen=" + socket() + "," + (root() / "second.sock") + "\n" + more);
    daemon->signal(SIGHUP);
  };
  reload_with("metadata=region=south\n");
  EXPECT_TRUE(wait_until([&] {
    return machines_at("unix://" + (root() / "second.sock")).out.find("region=south") !=
           std::string::npos;
  })) << log();
  EXPECT_THAT(machines_at(endpoint).out, HasSubstr("region=south"));
  EXPECT_THAT(log(), HasSubstr("Reloading configuration from " + (root() / "etc/fleet.conf")));

  // One that cannot be read, and one that cannot be used, change nothing.
  reload_with("nonsense\n");
  EXPECT_TRUE(wait_until([&] { return log().find("syntax error") != std::string::npos; })) << log();
  reload_with("registry=sqlite:" + (root() / "none/fleet.db") + "\n");
  EXPECT_TRUE(wait_until([&] {
    return log().find("going on with the one before") != std::string::npos;
  })) << log();
  EXPECT_TRUE(wait_until([&] { return machines_at(endpoint).exit_code == 0; })) << log();
  EXPECT_THAT(machines_at(endpoint).out, HasSubstr("region=south"));
  end(*daemon);
}

TEST_F(FleetdReached, RefusesWhatItCannotDoInOneSentence) {
  const auto try_config = [&](const std::string& text) {
    root().write("etc/fleet.conf", text);
    return run_command({FLOTILLA_FLEETD, "--config", root() / "etc/fleet.conf", "--state-dir",
                        root() / "fleet", "--manager-socket", root() / "none"});
  };
  const auto one_line =
      ::testing::ResultOf([](const std::string& text) { return lines_of(text).size(); }, 1U);
  const std::string head = "public_ip=192.0.2.10\nmachine_id=" + std::string(kMachineId) + "\n";
  EXPECT_THAT(try_config("nonsense\n"),
              Answers(1, "", AllOf(one_line, HasSubstr(root() / "etc/fleet.conf:1"))));
  EXPECT_THAT(try_config(head + "agent_ttl=soon\n"),
              Answers(1, "", AllOf(one_line, HasSubstr("etc/fleet.conf:3: agent_ttl="))));
  EXPECT_THAT(try_config(head + "registry=redis:x\nlisten=" + socket() + "\n"),
              Answers(1, "", AllOf(one_line, HasSubstr("etc/fleet.conf:3: registry=: "))));
  EXPECT_THAT(try_config(head + "etcd_servers=redis://127.0.0.1\n"),
              Answers(1, "", AllOf(one_line, HasSubstr("etcd_servers="))));
  EXPECT_THAT(try_config(head + "listen=192.0.2.1:4000\nregistry=sqlite:" + (root() / "db") + "\n"),
              Answers(1, "", AllOf(one_line, HasSubstr("192.0.2.1:4000"))));
  EXPECT_THAT(run_command({FLOTILLA_FLEETD, "--config", root() / "none.conf"}),
              Answers(1, "", AllOf(one_line, HasSubstr("none.conf"))));
  EXPECT_THAT(run_command({FLOTILLA_FLEETD, "--nonsense"}).exit_code, 2);
}

TEST_F(FleetdReached, SaysWhetherAConfigurationCanBeUsed) {
  const auto check = [&](const std::string& text) {
    root().write("etc/fleet.conf", text);
    return run_command({FLOTILLA_FLEETD, "--config", root() / "etc/fleet.conf", "--check-config"});
  };
  const std::string file = root() / "etc/fleet.conf";
  EXPECT_THAT(check("verbosity=1\n"), Answers(0, file + ": the configuration can be used\n", ""));
  EXPECT_THAT(check("verbosity=much\n"),
              Answers(0, file + ": the configuration can be used\n",
                      file + ":1: verbosity=: expected a number, got \"much\"; left as it is\n"));
  EXPECT_THAT(check("\nlisten=fleet.sock\n"),
              Answers(1, "",
                      file + ":2: listen=fleet.sock: expected /PATH of a unix socket, HOST:PORT or "
                             "https://HOST:PORT\n"));
  EXPECT_FALSE(root().has("fleet/lock")) << "nothing is started";
}

TEST_F(FleetdReached, LetsNoSecondDaemonIntoItsStateDirectory) {
  write_config("listen=" + socket() + "\n");
  const auto daemon = start_fleetd();
  ASSERT_TRUE(wait_until([&] { return machines_at("unix://" + socket()).exit_code == 0; }))
      << log();
  const Outcome second = run_command(
      {FLOTILLA_FLEETD, "--config", root() / "etc/fleet.conf", "--state-dir", root() / "fleet"});
  EXPECT_EQ(second.exit_code, 1) << second;
  EXPECT_THAT(lines_of(second.err), SizeIs(1));
  EXPECT_EQ(machines_at("unix://" + socket()).exit_code, 0) << "the first is not disturbed";
  end(*daemon);
}

}  // namespace
}  // namespace flotilla::system_test
