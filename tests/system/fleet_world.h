// FleetTest: flotilla-init with fleetd as one of its units, on SQLite, as ./quickstart has it.
#pragma once

#include <signal.h>

#include <cstdio>
#include <string>
#include <vector>

#include "harness/system_test.h"

namespace flotilla::system_test {

inline constexpr char kMachineId[] = "113f16a7f8a14a3b8cbe7e4fd6a5a0c1";
inline constexpr char kMachineTail[] = "113f16a7.../192.0.2.10";  // as tables show the machine

class FleetTest : public SystemTest {
 protected:
  void SetUp() override {
    write_config("listen=" + socket() + "\n" + more_config());
    machine_.add_unit("fleetd.service",
                      "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\n"
                      "Restart=always\nRestartSec=0\n" +
                          machine_.sanitizer_environment() + "ExecStart=" + fleetd_command() +
                          "\n");
    machine_.start();
    ASSERT_THAT(machine_.systemctl({"start", "fleetd"}), Answers(0, "", ""));
    // Ready is said when the machine is registered, and answers come when it has read the store.
    ASSERT_TRUE(wait_until([&] { return answers(); })) << all_logs();
  }

  // Lines for the configuration; they beat those of write_config().
  virtual std::string more_config() const { return {}; }

  void write_config(const std::string& more) {
    root().write("etc/fleet.conf", "registry=sqlite:" + (root() / "fleet.db") +
                                       "\nunits_directory=" + (root() / "run/fleet/units") +
                                       "\nlog_directory=" + (root() / "var/log/flotilla") +
                                       "\nmachine_id=" + kMachineId + "\npublic_ip=192.0.2.10\n" +
                                       "metadata=region=north\n" + more);
  }

  std::string fleetd_command() const {
    return std::string(FLOTILLA_FLEETD) + " --config " + (root() / "etc/fleet.conf") +
           " --state-dir " + (root() / "fleet") + " --manager-socket " +
           (root() / "run/systemd/private");
  }

  std::string socket() const { return root() / "fleet.sock"; }
  bool answers() const { return fleetctl({"list-machines", "--no-legend"}).out.find("113f") == 0; }

  Outcome fleetctl(const std::vector<std::string>& arguments) const {
    std::vector<std::string> command{FLOTILLA_FLEETCTL};
    command.insert(command.end(), arguments.begin(), arguments.end());
    CommandOptions options;
    options.directory = root().path();
    options.environment = {{"FLEETCTL_ENDPOINT", "unix://" + socket()}};
    return run_command(command, options);
  }

  // One request with curl: "STATUS\nBODY".
  std::string http(const std::string& method, const std::string& path,
                   const std::string& body = {}) const {
    std::vector<std::string> command{"curl",
                                     "-sS",
                                     "--max-time",
                                     "20",
                                     "--unix-socket",
                                     socket(),
                                     "-X",
                                     method,
                                     "-w",
                                     "\n%{http_code}",
                                     "http://fleet/fleet/v1" + path};
    if (!body.empty()) {
      for (const std::string word : {"-H", "Content-Type: application/json", "-d"}) {
        command.push_back(word);
      }
      command.push_back(body);
    }
    const Outcome outcome = run_command(command);
    const size_t at = outcome.out.rfind('\n');
    if (outcome.exit_code != 0 || at == std::string::npos) return outcome.err;
    return outcome.out.substr(at + 1) + "\n" + outcome.out.substr(0, at);
  }

  // A service that writes one line for each of its starts.
  std::string counting_unit(const std::string& name, const std::string& fleet = {}) const {
    return "[Service]\nExecStart=" FLOTILLA_PROBE " --append=" + (root() / ("starts-" + name)) +
           " --print=hello\n" + (fleet.empty() ? "" : "\n[X-Fleet]\n" + fleet);
  }
  std::vector<std::string> starts(const std::string& name) const {
    return lines_of(root().read("starts-" + name));
  }
  bool wait_for_start(const std::string& name) const {
    return wait_until([&] { return starts(name).size() == 1; });
  }

  // The lines of list-units without a heading: "UNIT MACHINE ACTIVE SUB", one blank between.
  // Without those of units that no machine tells of.
  std::vector<std::string> units() const {
    std::vector<std::string> rows;
    for (std::string line : lines_of(
             fleetctl({"list-units", "--no-legend", "--fields=unit,machine,active,sub"}).out)) {
      std::string row;
      for (const char c : line) {
        const char plain = c == '\t' ? ' ' : c;
        if (plain != ' ' || row.empty() || row.back() != ' ') row.push_back(plain);
      }
      if (row.size() < 4 || row.compare(row.size() - 4, 4, " - -") != 0) rows.push_back(row);
    }
    return rows;
  }
  bool wait_for_units(const std::vector<std::string>& wanted) const {
    return wait_until([&] { return units() == wanted; });
  }

  pid_t fleetd() const { return machine_.main_pid("fleetd"); }
  std::string all_logs() const {
    std::string text = machine_.output();
    for (const std::string& line : machine_.log_of("fleetd.service")) text += line + "\n";
    return text;
  }
};

}  // namespace flotilla::system_test
