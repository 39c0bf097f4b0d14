// `systemctl show` of many units, key by key: what the distribution's systemd says as PID 1 of a
// machine made of namespaces, and what flotilla-init says as PID 1 of another. Every difference
// that is right stands in the list below with its reason.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "harness/system_test.h"
#include "namespace_machine.h"

namespace flotilla::system_test {
namespace {

constexpr const char* kSystemd = "/lib/systemd/systemd";

using Properties = std::map<std::string, std::string>;

struct UnitFile {
  const char* name;
  const char* text;
};

constexpr UnitFile kUnits[] = {
    {"sysinit.target", "[Unit]\nDescription=Early\n"},
    {"basic.target", "[Unit]\nDescription=Basic\nRequires=sysinit.target\nAfter=sysinit.target\n"},
    {"default.target",
     "[Unit]\nDescription=All\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n"
     // What an active unit names stays loaded when it is over.
     "After=once.service fails.service skipped.service bad.service\n"},
    {"shutdown.target", "[Unit]\nDescription=Down\nDefaultDependencies=no\n"},
    {"plain.service", "[Service]\nExecStart=/bin/sleep infinity\n"},
    {"described.service",
     "[Unit]\nDescription=Of %n\nDocumentation=man:sleep(1) https://example.org/x\n"
     "[Service]\nExecStart=/bin/sleep infinity\nType=exec\n"},
    {"once.service", "[Service]\nType=oneshot\nExecStart=/bin/true\nExecStart=-/bin/false a b\n"},
    {"stays.service",
     "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/true\n"},
    {"fails.service", "[Service]\nExecStart=/bin/sh -c 'exit 7'\nType=oneshot\n"},
    {"restarts.service",
     "[Service]\nExecStart=/bin/sleep infinity\nRestart=on-failure\nRestartSec=5\n"
     "RestartPreventExitStatus=3 SIGHUP\nSuccessExitStatus=4 SIGKILL\n"},
    {"timed.service",
     "[Service]\nExecStart=/bin/sleep infinity\nTimeoutStartSec=7\nTimeoutStopSec=8min\n"
     "RuntimeMaxSec=1h\nTimeoutStopFailureMode=abort\n"},
    {"limited.service",
     "[Service]\nExecStart=/bin/sleep infinity\nLimitNOFILE=100:200\nLimitCORE=0\nNice=5\n"
     "UMask=0077\nOOMScoreAdjust=100\n"},
    {"env.service",
     "[Service]\nExecStart=/bin/sleep infinity\nEnvironment=A=1 \"B=two words\"\n"
     "EnvironmentFile=-/nonexistent\nPassEnvironment=X\nUnsetEnvironment=Y\n"},
    {"killed.service",
     "[Service]\nExecStart=/bin/sleep infinity\nKillMode=mixed\nKillSignal=SIGINT\n"
     "SendSIGHUP=yes\nFinalKillSignal=SIGABRT\n"},
    {"streams.service",
     "[Service]\nExecStart=/bin/sleep infinity\nStandardOutput=null\nStandardError=file:/tmp/x\n"
     "SyslogIdentifier=me\n"},
    {"user.service",
     "[Service]\nExecStart=/bin/sleep infinity\nUser=nobody\nGroup=nogroup\n"
     "WorkingDirectory=-/tmp\nNoNewPrivileges=yes\n"},
    {"weighed.service",
     "[Service]\nExecStart=/bin/sleep infinity\nCPUWeight=50\nCPUQuota=25%\nMemoryMax=100M\n"
     "MemoryHigh=infinity\nMemoryLow=1M\nTasksMax=100\nIOWeight=300\nAllowedCPUs=0-1\n"
     "IOReadBandwidthMax=/dev/null 5M\nDevicePolicy=closed\nDeviceAllow=/dev/null rw\n"
     "ManagedOOMSwap=kill\n"},
    {"delegates.service",
     "[Service]\nExecStart=/bin/sleep infinity\nDelegate=cpu memory\nSlice=own-inner.slice\n"},
    {"own.slice", "[Unit]\nDescription=Own\n[Slice]\nCPUWeight=20\nMemoryMax=1G\n"},
    {"ordered.service",
     "[Unit]\nAfter=plain.service\nWants=plain.service\n"
     "PartOf=described.service\nConditionPathExists=/\nAssertPathExists=!/nonexistent\n"
     "StartLimitIntervalSec=20\nStartLimitBurst=3\n"
     "[Service]\nExecStart=/bin/sleep infinity\n"},
    {"skipped.service",
     "[Unit]\nConditionPathExists=/nonexistent\n[Service]\nExecStart=/bin/true\n"},
    {"bad.service", "[Service]\nExecStart=relative\n"},
};

// The keys that differ by nature from one run to the next.
bool varies(const std::string& key) {
  static const std::set<std::string> kKeys{"MainPID",       "ExecMainPID",    "ControlPID",
                                           "InvocationID",  "ControlGroupId", "CPUUsageNSec",
                                           "MemoryCurrent", "TasksCurrent"};
  // Without CAP_SYS_RESOURCE systemd shows what it would like to give, we what processes get.
  if (key == "LimitNOFILE" || key == "LimitNOFILESoft") return true;
  return kKeys.count(key) != 0 || key.find("Timestamp") != std::string::npos ||
         key.compare(0, 4, "Exec") == 0;
}

// Keys that only flotilla-init shows.
bool is_own(const std::string& key) {
  return key == "IgnoredDirectives" || key == "ProcessTracking";
}

// Words in any order, where the order means nothing.
std::string normal(const std::string& key, const std::string& value) {
  static const std::set<std::string> kSets{"After",    "Before",     "Requires", "Wants",
                                           "WantedBy", "RequiredBy", "SliceOf",  "Conflicts",
                                           "Names",    "ConsistsOf", "PartOf",   "ConflictedBy"};
  if (kSets.count(key) == 0) return value;
  std::istringstream stream(value);
  std::set<std::string> words;
  // Mounts come after these; ours carries them in itself, and the other machine has no file of
  // them.
  static const std::set<std::string> kCarried{"local-fs.target", "local-fs-pre.target",
                                              "swap.target"};
  for (std::string word; stream >> word;) {
    if (kCarried.count(word) == 0) words.insert(word);
  }
  std::string text;
  for (const std::string& word : words) text += word + " ";
  return text;
}

Properties show(const NamespaceMachine& machine, const std::string& unit) {
  Properties properties;
  for (const std::string& line : lines_of(machine.run({"systemctl", "show", "--", unit}).out)) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    std::string& value = properties[line.substr(0, equals)];
    value += (value.empty() ? "" : "\n") + line.substr(equals + 1);
  }
  return properties;
}

void compare(const std::string& unit, const Properties& theirs, const Properties& ours) {
  for (const auto& [key, value] : theirs) {
    if (varies(key)) continue;
    const auto found = ours.find(key);
    if (found == ours.end()) {
      ADD_FAILURE() << unit << ": " << key << "=" << value << " is missing";
    } else {
      EXPECT_EQ(normal(key, found->second), normal(key, value)) << unit << ": " << key;
    }
  }
  for (const auto& [key, value] : ours) {
    if (varies(key) || is_own(key)) continue;
    EXPECT_EQ(theirs.count(key), 1U) << unit << ": " << key << "=" << value << " is too much";
  }
}

TEST(Show, SaysOfManyUnitsWhatSystemdSays) {
  FLOTILLA_NEEDS_ROOT();
  if (run_command({kSystemd, "--version"}).out.compare(0, 12, "systemd 252 ") != 0) {
    GTEST_SKIP() << "needs systemd 252 to compare with";
  }
  if (read_file(NamespaceMachine::cgroup_root() + "/cgroup.procs").empty()) {
    GTEST_SKIP() << "needs a v2 cgroup tree";
  }
  const TemporaryRoot root;
  for (const UnitFile& file : kUnits) {
    root.write(std::string("units/") + file.name, file.text);
  }
  const NamespaceMachine theirs(root, "systemd", root / "units",
                                {kSystemd, "--system", "--log-target=null", "--show-status=0"});
  const NamespaceMachine ours(root, "flotilla", root / "units", {FLOTILLA_INIT});
  ASSERT_TRUE(theirs.wait_until_booted()) << root.read("systemd.log");
  ASSERT_TRUE(ours.wait_until_booted()) << root.read("flotilla.log");
  for (const NamespaceMachine* machine : {&theirs, &ours}) {
    std::vector<std::string> start{"systemctl", "start"};
    for (const UnitFile& file : kUnits) {
      const std::string name = file.name;
      if (name.find(".target") == std::string::npos) start.push_back(name);
    }
    machine->run(start);
  }
  for (const UnitFile& file : kUnits) {
    compare(file.name, show(theirs, file.name), show(ours, file.name));
  }
  compare("not-there.service", show(theirs, "not-there.service"), show(ours, "not-there.service"));
}

}  // namespace
}  // namespace flotilla::system_test
