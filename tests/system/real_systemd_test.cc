// fleetd over the distribution's own systemd (systemd_namespace.h). Skipped where there is none.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "fleet_world.h"
#include "systemd_namespace.h"

namespace flotilla::system_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

class RealSystemd : public FleetTest {
 protected:
  void SetUp() override {
    if (SystemdNamespace::script() == nullptr) {
      GTEST_SKIP() << "FLOTILLA_SYSTEMD_NS names no script, or this is not root";
    }
    root().write("etc/fleet.conf", "registry=sqlite:" + (root() / "fleet.db") +
                                       "\nlisten=" + (root() / "not-used.sock") +
                                       "\nmachine_id=" + kMachineId + "\npublic_ip=192.0.2.10\n");
    // The units of the packages: the first request starts fleetd, which is handed its socket.
    root().write("units/fleet.service",
                 packaged("fleet.service.in", "@FLEETD_COMMAND@",
                          FLOTILLA_FLEETD " --config " + (root() / "etc/fleet.conf") +
                              " --state-dir " + (root() / "fleet")));
    root().write("units/fleet.socket", packaged("fleet.socket", "/run/fleet.sock", socket()));
    root().write("units/fleet.service.d/log.conf",
                 "[Service]\nRestartSec=0\nStandardError=append:" + (root() / "fleetd.log") + "\n");
    root().write("units/foreign.service", "[Service]\nExecStart=/bin/sleep 10000\n");
    ASSERT_TRUE(systemd_.start()) << root().read("systemd.log");
    ASSERT_EQ(inside({"systemctl", "start", "foreign", "fleet.socket"}).exit_code, 0);
    ASSERT_EQ(show("fleet.service", "ActiveState"), "inactive");
    ASSERT_TRUE(wait_until([&] { return answers(); })) << root().read("fleetd.log");
  }

  void TearDown() override { systemd_.stop(); }

  // A file of packaging/ with one text in place of another.
  static std::string packaged(const std::string& name, const std::string& what,
                              const std::string& by) {
    std::ifstream in(FLOTILLA_SOURCE_DIR "/packaging/" + name);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    const size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << name;
    return at == std::string::npos ? text : text.replace(at, what.size(), by);
  }

  Outcome inside(const std::vector<std::string>& command) const { return systemd_.inside(command); }
  std::string show(const std::string& unit, const std::string& property) const {
    std::string value = inside({"systemctl", "show", "--value", "-p", property, unit}).out;
    while (!value.empty() && value.back() == '\n') value.pop_back();
    return value;
  }
  // How often the manager has read its files anew since it came up.
  size_t reloads() const {
    const std::string log = inside({"journalctl", "-b", "_PID=1", "-o", "cat", "--no-pager"}).out;
    size_t count = 0;
    for (const std::string& line : lines_of(log)) count += line.find("Reloading") == 0 ? 1 : 0;
    return count;
  }
  std::string fleetd_log() const { return root().read("fleetd.log"); }

  SystemdNamespace systemd_{root()};
};

TEST_F(RealSystemd, AUnitGoesThroughItsWholeLife) {
  root().write("a.service", counting_unit("a"));
  EXPECT_THAT(fleetctl({"start", "a.service"}).out, HasSubstr("Unit a.service launched on 113f"));
  ASSERT_TRUE(wait_for_start("a"));
  EXPECT_TRUE(wait_for_units({std::string("a.service ") + kMachineTail + " active running"}))
      << fleetd_log();
  EXPECT_THAT(http("GET", "/state/a.service"), HasSubstr("systemdActiveEnterTimestamp"));
  EXPECT_THAT(http("GET", "/units/a.service/status"),
              AllOf(StartsWith("200"), HasSubstr("active")));
  EXPECT_EQ(fleetctl({"stop", "a.service"}).exit_code, 0);
  EXPECT_TRUE(wait_for_units({std::string("a.service ") + kMachineTail + " inactive dead"}))
      << fleetd_log();
  EXPECT_EQ(show("a.service", "LoadState"), "loaded");
  EXPECT_EQ(fleetctl({"unload", "a.service"}).exit_code, 0);
  EXPECT_TRUE(wait_until([&] { return show("a.service", "LoadState") == "not-found"; }));
  EXPECT_EQ(fleetctl({"start", "a.service"}).exit_code, 0);
  EXPECT_EQ(fleetctl({"destroy", "a.service"}).exit_code, 0);
  EXPECT_TRUE(wait_until([&] { return show("a.service", "LoadState") == "not-found"; }));
  EXPECT_TRUE(wait_until([&] { return inside({"ls", "/run/fleet/units"}).out.empty(); }));
  EXPECT_EQ(show("foreign.service", "ActiveState"), "active");
}

TEST_F(RealSystemd, TheSocketIsThatOfTheSocketUnit) {
  struct stat file {};
  ASSERT_EQ(::stat(socket().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0660U);
  EXPECT_NE(::access((root() / "not-used.sock").c_str(), F_OK), 0);
  EXPECT_EQ(show("fleet.service", "ActiveState"), "active");
  // Who asks while nobody serves starts the next fleetd.
  ASSERT_EQ(inside({"systemctl", "stop", "fleet.service"}).exit_code, 0);
  EXPECT_TRUE(wait_until([&] { return answers(); })) << fleetd_log();
  EXPECT_EQ(show("fleet.service", "ActiveState"), "active");
}

TEST_F(RealSystemd, UnitsWithAnInstallSectionAreEnabled) {
  root().write("a.service", counting_unit("a") + "\n[Install]\nWantedBy=multi-user.target\n");
  EXPECT_EQ(fleetctl({"start", "a.service"}).exit_code, 0);
  EXPECT_TRUE(wait_until([&] {
    return inside({"systemctl", "is-enabled", "a.service"}).out == "enabled-runtime\n";
  })) << fleetd_log();
  EXPECT_EQ(fleetctl({"destroy", "a.service"}).exit_code, 0);
  const std::string link = "/run/systemd/system/multi-user.target.wants/a.service";
  EXPECT_TRUE(wait_until([&] { return inside({"readlink", link}).exit_code != 0; }));
}

TEST_F(RealSystemd, FilesAreReadAnewOnlyWhenOneHasChanged) {
  root().write("a.service", counting_unit("a"));
  EXPECT_EQ(fleetctl({"start", "a.service"}).exit_code, 0);
  ASSERT_TRUE(wait_for_start("a"));
  EXPECT_EQ(fleetctl({"stop", "a.service"}).exit_code, 0);
  EXPECT_EQ(fleetctl({"start", "a.service"}).exit_code, 0);
  ASSERT_TRUE(wait_until([&] { return starts("a").size() == 2; }));
  EXPECT_EQ(reloads(), 0U) << "a new unit needs none: linking it is enough";
  const std::string options =
      R"({"options":[{"section":"Service","name":"ExecStart","value":"/bin/sleep 7777"}]})";
  EXPECT_THAT(http("PUT", "/units/a.service/contents", options), StartsWith("204"));
  EXPECT_TRUE(wait_until([&] {
    return show("a.service", "ExecStart").find("sleep 7777") != std::string::npos &&
           show("a.service", "ActiveState") == "active";
  })) << fleetd_log();
  EXPECT_TRUE(wait_until([&] { return reloads() == 1; }));
  EXPECT_EQ(show("a.service", "NeedDaemonReload"), "no");
  EXPECT_THAT(http("PUT", "/units/a.service/contents", options), StartsWith("204"));
  const std::string pid = show("a.service", "MainPID");
  EXPECT_THAT(http("POST", "/units/a.service/restart"), StartsWith("204"));
  EXPECT_NE(show("a.service", "MainPID"), pid);
  EXPECT_EQ(reloads(), 1U);
}

TEST_F(RealSystemd, ADaemonThatIsKilledTouchesNoUnit) {
  root().write("a.service", counting_unit("a"));
  root().write("g.service", counting_unit("g", "Global=true\n"));
  EXPECT_EQ(fleetctl({"start", "a.service", "g.service"}).exit_code, 0);
  ASSERT_TRUE(wait_for_start("a"));
  ASSERT_TRUE(wait_for_start("g"));
  const std::string before = show("fleet.service", "MainPID");
  const std::string foreign = show("foreign.service", "MainPID");
  ASSERT_EQ(inside({"kill", "-9", before}).exit_code, 0);
  ASSERT_TRUE(wait_until([&] {
    const std::string now = show("fleet.service", "MainPID");
    return now != before && now != "0" && answers();
  })) << fleetd_log();
  // What happens to a process is heard of, not asked for.
  ASSERT_EQ(inside({"systemctl", "kill", "-s", "KILL", "a.service"}).exit_code, 0);
  EXPECT_TRUE(wait_for_units({std::string("a.service ") + kMachineTail + " failed failed",
                              std::string("g.service ") + kMachineTail + " active running"}))
      << fleetd_log();
  EXPECT_THAT(starts("a"), SizeIs(1)) << "fleetd starts nothing that has failed";
  EXPECT_THAT(starts("g"), SizeIs(1));
  EXPECT_EQ(show("foreign.service", "MainPID"), foreign);
}

}  // namespace
}  // namespace flotilla::system_test
