// Clients that want a whole bus: busctl on the manager's own socket, and a real D-Bus daemon that
// is one of the manager's units.
#include <unistd.h>

#include "harness/system_test.h"

namespace flotilla::system_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";

class BusClients : public SystemTest {
 protected:
  Outcome busctl(const std::string& socket, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"busctl", "--address=unix:path=" + (root() / socket)});
    return run_command(arguments);
  }
  static constexpr const char* kLocaled = "/lib/systemd/systemd-localed";
  static constexpr const char* kSocket = "run/dbus/system_bus_socket";
  // A bus whose daemon is dbus.service, to be started.
  void add_bus() {
    root().make_directory("run/dbus");
    root().write(
        "bus.conf",
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\" "
        "\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
        "<busconfig><listen>unix:path=" +
            (root() / kSocket) +
            "</listen><auth>EXTERNAL</auth><policy context=\"default\">"
            "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>"
            "<allow own=\"*\"/></policy></busconfig>\n");
    machine_.add_unit("dbus.service",
                      "[Service]\nType=notify\nNotifyAccess=main\n"
                      "ExecStart=/usr/bin/dbus-daemon --nofork --nopidfile --config-file=" +
                          (root() / "bus.conf") + "\n");
  }
  static std::vector<std::string> ask_for_unit(const std::string& unit) {
    return {"call", "org.freedesktop.systemd1", kManagerPath, kManager, "GetUnit", "s", unit};
  }
};

TEST_F(BusClients, FindOurOwnSocketToBeABus) {
  machine_.add_unit("a.service", "[Service]\nExecStart=" FLOTILLA_PROBE "\n");
  machine_.start();
  ASSERT_EQ(systemctl({"start", "a"}).exit_code, 0);
  const std::string socket = "run/systemd/private";
  EXPECT_THAT(busctl(socket, ask_for_unit("a.service")),
              Answers(0, "o \"/org/freedesktop/systemd1/unit/a_2eservice\"\n", ""));
  EXPECT_THAT(busctl(socket, {"list"}).out,
              AllOf(HasSubstr("org.freedesktop.systemd1"), HasSubstr("org.freedesktop.DBus")));
  EXPECT_THAT(busctl(socket, {"tree", "--list", "org.freedesktop.systemd1"}).out,
              HasSubstr("/org/freedesktop/systemd1/unit/a_2eservice\n"));
  EXPECT_THAT(busctl(socket, {"introspect", "org.freedesktop.systemd1",
                              "/org/freedesktop/systemd1/unit/a_2eservice"})
                  .out,
              AllOf(HasSubstr(".ActiveState"), HasSubstr("\"active\"")));
  EXPECT_EQ(busctl(socket, {"set-property", "org.freedesktop.systemd1", kManagerPath, kManager,
                            "LogLevel", "s", "debug"})
                .exit_code,
            0);
  EXPECT_THAT(busctl(socket, {"get-property", "org.freedesktop.systemd1", kManagerPath, kManager,
                              "LogLevel"}),
              Answers(0, "s \"debug\"\n", ""));
  EXPECT_THAT(busctl(socket, {"call", "org.example.None", "/", "org.example.None", "Do"}).err,
              HasSubstr("org.example.None"));
}

TEST_F(BusClients, FindTheManagerOnARealBusAndAgainAfterItsRestart) {
  if (run_command({"dbus-daemon", "--version"}).exit_code != 0) {
    GTEST_SKIP() << "needs dbus-daemon";
  }
  const std::string socket = kSocket;
  add_bus();
  machine_.start();
  const auto is_found = [&] { return busctl(socket, ask_for_unit("dbus.service")).exit_code == 0; };
  ASSERT_EQ(systemctl({"start", "dbus"}).exit_code, 0);
  EXPECT_TRUE(wait_until(is_found));
  ASSERT_EQ(systemctl({"restart", "dbus"}).exit_code, 0);
  EXPECT_TRUE(wait_until(is_found));
  // What changes something is judged by who asks, as on our own socket.
  EXPECT_THAT(busctl(socket, {"call", "org.freedesktop.systemd1", kManagerPath, kManager,
                              "StopUnit", "ss", "nothing.service", "replace"})
                  .err,
              HasSubstr("Unit nothing.service not loaded."));
}

TEST_F(BusClients, AServiceOfTheBusRunsAsLongAsItHasItsName) {
  if (run_command({"dbus-daemon", "--version"}).exit_code != 0 || ::access(kLocaled, X_OK) != 0) {
    GTEST_SKIP() << "needs dbus-daemon and systemd-localed";
  }
  add_bus();
  machine_.add_unit("echo.service",
                    "[Service]\nBusName=org.freedesktop.locale1\n"
                    "Environment=DBUS_SYSTEM_BUS_ADDRESS=unix:path=" +
                        (root() / kSocket) + "\nExecStart=/bin/sh -c 'while [ ! -e " +
                        (root() / "go") + " ]; do sleep 0.05; done; exec " + kLocaled + "'\n");
  machine_.start();
  ASSERT_EQ(systemctl({"start", "dbus"}).exit_code, 0);
  // The socket of the bus is no unit here, and not needed.
  const std::vector<std::string> start{"start", "--job-mode=ignore-dependencies", "echo"};
  std::vector<std::string> begin = start;
  begin.insert(begin.begin() + 1, "--no-block");
  ASSERT_EQ(systemctl(begin).exit_code, 0);
  EXPECT_TRUE(machine_.wait_for_state("echo.service", "activating start success"));
  root().write("go", "");
  EXPECT_TRUE(machine_.wait_for_state("echo.service", "active running success"));
  // Another manager asks the bus, and goes on from there.
  ASSERT_EQ(systemctl({"daemon-reexec"}).exit_code, 0);
  EXPECT_TRUE(machine_.wait_for_state("echo.service", "active running success"));
  EXPECT_TRUE(
      wait_until([&] { return busctl(kSocket, ask_for_unit("echo.service")).exit_code == 0; }));
  ASSERT_EQ(busctl(kSocket, {"call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus",
                             "NameHasOwner", "s", "org.freedesktop.locale1"})
                .out,
            "b true\n");
  ASSERT_EQ(systemctl({"stop", "echo"}).exit_code, 0);
  EXPECT_TRUE(machine_.wait_for_state("echo.service", "inactive dead success"));
  EXPECT_EQ(systemctl(start).exit_code, 0);
  EXPECT_TRUE(machine_.wait_for_state("echo.service", "active running success"));
}

}  // namespace
}  // namespace flotilla::system_test
