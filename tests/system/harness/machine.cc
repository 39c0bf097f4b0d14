#include "harness/machine.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace flotilla::system_test {
namespace {

namespace fs = std::filesystem;

std::string with_log_path(const char* variable, const std::string& log_path) {
  const char* const given = getenv(variable);
  std::string options = given == nullptr ? "" : std::string(given) + ":";
  return options + "log_path=" + log_path;
}

// The text behind "TIMESTAMP stdout F ".
std::string text_of_log_line(const std::string& line) {
  size_t at = 0;
  for (int word = 0; word < 3; ++word) {
    at = line.find(' ', at);
    if (at == std::string::npos) return line;
    ++at;
  }
  return line.substr(at);
}

}  // namespace

bool is_root() { return geteuid() == 0; }

Machine::~Machine() {
  if (!daemon_) return;
  if (stop() != 0) ADD_FAILURE() << "flotilla-init did not end well:\n" << output();
}

void Machine::add_unit(std::string_view name, std::string_view text) const {
  root_.write("etc/systemd/system/" + std::string(name), text);
}

std::string Machine::sanitizer_environment() const {
  const std::string log = root_ / "sanitizer";
  return "Environment=\"ASAN_OPTIONS=log_path=" + log + "\" \"UBSAN_OPTIONS=log_path=" + log +
         ":print_stacktrace=1\"\n";
}

void Machine::start(const CommandOptions& given) {
  CommandOptions options = given;
  user_ = given.user;
  for (const char* const variable : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"}) {
    options.environment.emplace_back(variable, with_log_path(variable, root_ / "sanitizer"));
  }
  daemon_ = std::make_unique<BackgroundCommand>(
      std::vector<std::string>{FLOTILLA_INIT, "--root=" + root_.path()}, root_ / "init.log",
      options);
  const bool booted = wait_until([&] {
    if (!daemon_->is_running()) return true;
    if (!root_.has("run/systemd/private")) return false;
    const std::string state = property("", "SystemState");
    return state == "running" || state == "degraded";
  });
  ASSERT_TRUE(booted && daemon_->is_running()) << output();
}

int Machine::stop() {
  if (!daemon_) return 0;
  const pid_t keeper_pid = daemon_->pid();
  daemon_->signal(SIGTERM);
  std::optional<int> code = daemon_->wait(std::chrono::seconds(60));
  if (!code) {
    ADD_FAILURE() << "flotilla-init did not end at SIGTERM; left:\n"
                  << [&] {
                       std::string text;
                       for (const Process& process : descendants_of(keeper_pid))
                         text += process.command + "\n";
                       return text + output();
                     }();
    kill_tree(keeper_pid);
    daemon_->wait();
  }
  check_nothing_left(keeper_pid);
  check_sanitizer_reports();
  daemon_.reset();
  return code.value_or(-1);
}

void Machine::kill_keeper() {
  const pid_t keeper_pid = daemon_->pid();
  daemon_->signal(SIGKILL);
  daemon_->wait();
  wait_until([] {
    reap_orphans();
    const std::vector<Process> left = descendants_of(getpid());
    return std::none_of(left.begin(), left.end(), [](const Process& process) {
      return process.state != 'Z' && !is_waited_for(process.pid);
    });
  });
  check_nothing_left(keeper_pid);
  check_sanitizer_reports();
  daemon_.reset();
}

void Machine::check_nothing_left(pid_t keeper_pid) const {
  reap_orphans();
  // What has fallen to this process, and what is below it.
  for (const Process& process : descendants_of(getpid())) {
    if (process.parent != getpid() || process.state == 'Z' || is_waited_for(process.pid)) continue;
    ADD_FAILURE() << "left behind: pid " << process.pid << " (" << process.state << ") "
                  << process.command << "\n"
                  << read_file("/proc/" + std::to_string(process.pid) + "/status") << output();
    kill_tree(process.pid);
  }
  reap_orphans();
  const std::string name = "flotilla-" + std::to_string(keeper_pid);
  for (const char* const mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct stat status {};
    EXPECT_NE(stat((std::string(mount) + "/" + name).c_str(), &status), 0)
        << "left behind: the cgroup " << mount << "/" << name;
  }
}

void Machine::check_sanitizer_reports() const {
  const auto is_report = [](const std::string& text) {
    return text.find("Sanitizer") != std::string::npos ||
           text.find("runtime error:") != std::string::npos;
  };
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root_.path(), ignored)) {
    if (entry.path().filename().string().compare(0, 10, "sanitizer.") == 0) {
      ADD_FAILURE() << entry.path() << ":\n" << read_file(entry.path());
    }
  }
  const std::string printed = output();
  if (is_report(printed)) ADD_FAILURE() << printed;
  if (!crashes_are_expected_ && printed.find("The manager before crashed") != std::string::npos) {
    ADD_FAILURE() << "the manager crashed:\n" << printed;
  }
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "var/log/flotilla", ignored)) {
    if (!entry.is_regular_file(ignored)) continue;
    const std::string text = read_file(entry.path());
    if (is_report(text)) ADD_FAILURE() << entry.path() << ":\n" << text;
  }
}

Outcome Machine::systemctl(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command{"systemctl", "--user", "--no-pager"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  CommandOptions options;
  options.environment = {{"XDG_RUNTIME_DIR", root_ / "run"},
                         {"SYSTEMD_COLORS", "0"},
                         {"SYSTEMD_URLIFY", "0"},
                         {"LC_ALL", "C.UTF-8"}};
  options.user = user_;  // it trusts a directory of its own user alone
  return run_command(command, options);
}

std::string Machine::property(const std::string& unit, const std::string& name) const {
  std::vector<std::string> arguments{"show", "-p", name, "--value"};
  if (!unit.empty()) arguments.push_back(unit);
  std::string value = systemctl(arguments).out;
  if (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

std::string Machine::state(const std::string& unit) const {
  std::map<std::string, std::string> values;
  for (const std::string& line : lines_of(
           systemctl({"show", unit, "-p", "ActiveState", "-p", "SubState", "-p", "Result"}).out)) {
    const size_t equals = line.find('=');
    if (equals != std::string::npos) values[line.substr(0, equals)] = line.substr(equals + 1);
  }
  std::string text = values["ActiveState"] + " " + values["SubState"];
  if (values.count("Result") != 0) text += " " + values["Result"];
  return text;
}

std::map<std::string, Shown> Machine::show(const std::vector<std::string>& units) const {
  std::vector<std::string> command{
      "show", "-p", "Id,MainPID,ActiveState,SubState,Result,ExecMainStatus,ExecMainCode,Job"};
  command.insert(command.end(), units.begin(), units.end());
  std::map<std::string, Shown> shown;
  std::map<std::string, std::string> values;
  auto lines = lines_of(systemctl(command).out);
  lines.emplace_back();  // an empty line ends a unit
  for (const std::string& line : lines) {
    const size_t equals = line.find('=');
    if (equals != std::string::npos) {
      values[line.substr(0, equals)] = line.substr(equals + 1);
    } else if (!values.empty()) {
      shown[values["Id"]] = {std::atoi(values["MainPID"].c_str()),
                             values["ActiveState"],
                             values["SubState"],
                             values["Result"],
                             values["ExecMainStatus"],
                             values["ExecMainCode"],
                             values["Job"]};
      values.clear();
    }
  }
  return shown;
}

bool Machine::wait_until_settled(const std::vector<std::string>& units, pid_t old_manager) const {
  return wait_until([&] {
    const pid_t now = manager();
    if (now == 0 || now == old_manager) return false;
    const auto shown = show(units);
    return shown.size() == units.size() &&
           std::all_of(shown.begin(), shown.end(),
                       [](const auto& unit) { return unit.second.is_settled(); });
  });
}

std::string Machine::unsettled(const std::vector<std::string>& units) const {
  std::string text;
  for (const auto& [name, unit] : show(units)) {
    if (unit.is_settled()) continue;
    text += name + " is " + unit.active + " " + unit.sub + ", job " + unit.job + "\n";
  }
  return text;
}

bool Machine::wait_for_state(const std::string& unit, const std::string& wanted) const {
  return wait_until([&] { return state(unit) == wanted; });
}

bool Machine::wait_for_output(const std::string& text) const {
  return wait_until([&] { return output().find(text) != std::string::npos; });
}

pid_t Machine::main_pid(const std::string& unit) const {
  return std::atoi(property(unit, "MainPID").c_str());
}

pid_t Machine::keeper() const { return daemon_ ? daemon_->pid() : 0; }

pid_t Machine::manager() const {
  pid_t found = 0;
  for (const Process& process : descendants_of(keeper())) {
    if (process.parent != keeper() || process.name != "flotilla-init" || process.state == 'Z') {
      continue;
    }
    if (found != 0) return 0;
    found = process.pid;
  }
  return found;
}

pid_t Machine::logd() const {
  for (const Process& process : descendants_of(keeper())) {
    if (process.name == "flotilla-logd" && process.state != 'Z') return process.pid;
  }
  return 0;
}

std::vector<Process> Machine::services() const {
  std::vector<Process> found = descendants_of(keeper());
  found.erase(std::remove_if(found.begin(), found.end(),
                             [](const Process& process) {
                               return process.state == 'Z' || process.name == "flotilla-init" ||
                                      process.name == "flotilla-manage" ||  // until it runs
                                      process.name == "flotilla-logd";
                             }),
              found.end());
  return found;
}

std::vector<std::string> Machine::log_of(const std::string& unit) const {
  std::vector<fs::path> segments;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root_ / ("var/log/flotilla/" + unit), ignored)) {
    if (entry.path().extension() == ".log") segments.push_back(entry.path());
  }
  std::sort(segments.begin(), segments.end());
  std::vector<std::string> texts;
  for (const fs::path& segment : segments) {
    for (const std::string& line : lines_of(read_file(segment))) {
      texts.push_back(text_of_log_line(line));
    }
  }
  return texts;
}

}  // namespace flotilla::system_test
