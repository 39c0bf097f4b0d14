// The façade as a D-Bus client sees it: tables, errors, access, signals, and clients that
// misbehave.

#include "init/bus_facade.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "bus/connection.h"
#include "bus/object_path.h"
#include "bus/value.h"
#include "init/bus_introspect.h"
#include "init/bus_test_world.h"

namespace flotilla::init {
namespace {

using base::Result;
using bus::Message;
using bus::MessageReader;
using bus::MessageWriter;
using testing::HasSubstr;

constexpr const char* kManagerPath = "/org/freedesktop/systemd1";

// What a client says before its first message.
constexpr char kGreeting[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

class Facade : public testing::Test {
 protected:
  void connect() {
    auto opened = bus::Connection::open(world_.event_loop(),
                                        {bus::ConnectionOptions::Kind::kPeer, world_.socket_path()},
                                        [this](const base::Error&) { closed_ = true; });
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    connection_ = std::move(*opened);
    connection_->set_signal_handler([this](const Message& message) {
      signals_.push_back(std::string(message.member()) + " " + std::string(message.path()));
    });
  }

  Result<Message> call(std::string_view path, std::string_view interface, std::string_view member,
                       const std::function<void(MessageWriter&)>& fill = nullptr) {
    auto message = connection_->new_call(bus::kSystemd1Service, path, interface, member);
    if (!message) return base::unexpected(message.error());
    if (fill) fill(*message);
    std::optional<Result<Message>> answer;
    connection_->call(std::move(*message), base::Micros(0),
                      [&](Result<Message> reply) { answer.emplace(std::move(reply)); });
    if (!world_.run_until([&] { return answer.has_value(); })) return base::timed_out("no answer");
    return std::move(*answer);
  }
  Result<Message> call_manager(std::string_view member,
                               const std::function<void(MessageWriter&)>& fill = nullptr) {
    return call(kManagerPath, bus::kManagerInterface, member, fill);
  }
  // "NAME: TEXT" of the error, or "no error".
  static std::string error_of(const Result<Message>& answer) {
    return answer ? "no error" : answer.error().bus_name + ": " + answer.error().message;
  }

  BusTestWorld world_;
  std::unique_ptr<bus::Connection> connection_;
  bool closed_ = false;
  std::vector<std::string> signals_;
};

TEST_F(Facade, AnswersWrongCallsWithErrors) {
  world_.serve();
  connect();
  EXPECT_EQ(error_of(call("/nowhere", bus::kManagerInterface, "ListUnits")),
            "org.freedesktop.DBus.Error.UnknownObject: Unknown object '/nowhere'.");
  EXPECT_EQ(error_of(call_manager("Dance")),
            "org.freedesktop.DBus.Error.UnknownMethod: Unknown method Dance or interface "
            "org.freedesktop.systemd1.Manager.");
  EXPECT_EQ(error_of(call_manager("StartUnit", [](MessageWriter& w) { w.u32(7); })),
            "org.freedesktop.DBus.Error.InvalidArgs: Invalid arguments 'u' to call "
            "org.freedesktop.systemd1.Manager.StartUnit(), expecting 'ss'.");
  EXPECT_EQ(error_of(call_manager("GetUnit", [](MessageWriter& w) { w.string("a.service"); })),
            "org.freedesktop.systemd1.NoSuchUnit: Unit a.service not loaded.");
  EXPECT_EQ(error_of(call_manager("GetJob", [](MessageWriter& w) { w.u32(99); })),
            "org.freedesktop.systemd1.NoSuchJob: Job 99 does not exist.");
  EXPECT_EQ(error_of(call("/org/freedesktop/systemd1/unit/a_2eservi_e", bus::kPropertiesInterface,
                          "GetAll", [](MessageWriter& w) { w.string(""); })),
            "org.freedesktop.DBus.Error.InvalidArgs: Unit name a.servi_e is neither a valid "
            "invocation ID nor unit name.");
  EXPECT_EQ(error_of(call("/org/freedesktop/systemd1/unit/self", bus::kUnitInterface, "Stop",
                          [](MessageWriter& w) { w.string("fail"); })),
            "org.freedesktop.DBus.Error.UnknownObject: Unknown object "
            "'/org/freedesktop/systemd1/unit/self'.");
  EXPECT_EQ(error_of(call(bus::unit_path("a@.service"), bus::kPropertiesInterface, "GetAll",
                          [](MessageWriter& w) { w.string(""); })),
            "org.freedesktop.DBus.Error.InvalidArgs: Unit name a@.service is neither a valid "
            "invocation ID nor unit name.");
  EXPECT_EQ(error_of(call(kManagerPath, bus::kPropertiesInterface, "Get",
                          [](MessageWriter& w) { w.string("x.y").string("Version"); })),
            "org.freedesktop.DBus.Error.UnknownProperty: Unknown interface x.y or property "
            "Version.");
  EXPECT_EQ(error_of(call(kManagerPath, bus::kPropertiesInterface, "Set",
                          [](MessageWriter& w) {
                            w.string(bus::kManagerInterface).string("Version");
                            w.open_variant("s").string("1").close();
                          })),
            "org.freedesktop.DBus.Error.PropertyReadOnly: Property 'Version' is not writable.");
  EXPECT_FALSE(closed_);
}

TEST_F(Facade, KeepsUnitsForThoseAloneThatHaveANameOnTheBus) {
  world_.serve();
  world_.add_unit("a.service", "[Service]\nExecStart=/bin/a\n");
  connect();
  const auto a_service = [](MessageWriter& w) { w.string("a.service"); };
  const auto transient = [](MessageWriter& w) {
    w.string("t.service").string("fail").open_array("(sv)");
    w.open_struct("sv").string("AddRef").open_variant("b").boolean(true).close().close();
    w.close().open_array("(sa(sv))").close();
  };
  const std::string nobody = "org.freedesktop.DBus.Error.InvalidArgs: Invalid argument";
  EXPECT_EQ(error_of(call_manager("RefUnit", a_service)), nobody);
  EXPECT_EQ(error_of(call_manager("StartTransientUnit", transient)), nobody);
  EXPECT_EQ(error_of(call_manager("UnrefUnit", a_service)),
            "org.freedesktop.systemd1.NoSuchUnit: Unit a.service not loaded.");
  auto hello = connection_->new_call("org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "Hello");
  ASSERT_TRUE(hello);
  bool has_name = false;
  connection_->call(std::move(*hello), base::Micros(0),
                    [&](Result<Message> reply) { has_name = reply.has_value(); });
  ASSERT_TRUE(world_.run_until([&] { return has_name; }));
  EXPECT_EQ(error_of(call_manager("RefUnit", a_service)), "no error");
  EXPECT_EQ(error_of(call_manager("UnrefUnit", a_service)), "no error");
}

TEST_F(Facade, RefusesSnapshotsAndDoesNotTellOfThem) {
  world_.serve();
  connect();
  EXPECT_EQ(error_of(call_manager("RemoveSnapshot", [](MessageWriter& w) { w.string("a"); })),
            "org.freedesktop.DBus.Error.NotSupported: Support for snapshots has been removed.");
  const auto xml = call(kManagerPath, "org.freedesktop.DBus.Introspectable", "Introspect");
  ASSERT_TRUE(xml);
  const auto text = MessageReader(*xml).string();
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, testing::Not(HasSubstr("Snapshot")));
}

// The unit that StartUnit has loaded in vain is forgotten before the second call is looked at.
TEST_F(Facade, WhatFollowsFromACallComesBeforeTheNextCall) {
  world_.serve();
  connect();
  std::vector<std::string> answers;
  for (const char* member : {"StartUnit", "GetUnit"}) {
    auto message =
        connection_->new_call(bus::kSystemd1Service, kManagerPath, bus::kManagerInterface, member);
    ASSERT_TRUE(message.has_value());
    message->string("none.service");
    if (std::string_view(member) == "StartUnit") message->string("replace");
    connection_->call(std::move(*message), base::Micros(0),
                      [&](const Result<Message>& reply) { answers.push_back(error_of(reply)); });
  }
  ASSERT_TRUE(world_.run_until([&] { return answers.size() == 2; }));
  EXPECT_EQ(answers[0], "org.freedesktop.systemd1.NoSuchUnit: Unit none.service not found.");
  EXPECT_EQ(answers[1], "org.freedesktop.systemd1.NoSuchUnit: Unit none.service not loaded.");
}

TEST_F(Facade, ReadsOnePropertyAndAllOfThem) {
  world_.add_service("a.service");
  world_.serve();
  connect();
  auto one = call(bus::unit_path("a.service"), bus::kPropertiesInterface, "Get",
                  [](MessageWriter& w) { w.string(bus::kUnitInterface).string("ActiveState"); });
  ASSERT_TRUE(one.has_value()) << one.error().message;
  EXPECT_EQ(std::get<std::string>(MessageReader(*one).value()->data), "inactive");
  auto all = call(bus::unit_path("a.service"), bus::kPropertiesInterface, "GetAll",
                  [](MessageWriter& w) { w.string(""); });
  ASSERT_TRUE(all.has_value()) << all.error().message;
  auto properties = MessageReader(*all).properties();
  ASSERT_TRUE(properties.has_value());
  EXPECT_EQ(bus::string_property(*properties, "Id"), "a.service");
  EXPECT_EQ(bus::string_property(*properties, "Type"), "simple");
  EXPECT_EQ(bus::string_property(*properties, "ReloadResult"), "success");
  EXPECT_EQ(bus::find_property(*properties, "PrivateNonsense"), nullptr);
}

TEST_F(Facade, TellsOfJobsAndStates) {
  world_.add_service("a.service");
  world_.serve();
  connect();
  auto job =
      call_manager("StartUnit", [](MessageWriter& w) { w.string("a.service").string("replace"); });
  ASSERT_TRUE(job.has_value()) << job.error().message;
  const std::string removed = "JobRemoved /org/freedesktop/systemd1";
  ASSERT_TRUE(world_.run_until(
      [&] { return std::find(signals_.begin(), signals_.end(), removed) != signals_.end(); }));
  EXPECT_THAT(signals_, testing::Contains("UnitNew /org/freedesktop/systemd1"));
  EXPECT_THAT(signals_, testing::Contains("JobNew /org/freedesktop/systemd1"));
  EXPECT_THAT(signals_, testing::Contains("PropertiesChanged " + bus::unit_path("a.service")));
}

TEST_F(Facade, LinksAFileAndSaysThatFilesChanged) {
  world_.tree().add_file("/srv/linked.service", "[Service]\nExecStart=/bin/true\n");
  world_.serve();
  connect();
  auto changes = call_manager("LinkUnitFiles", [](MessageWriter& w) {
    w.strings({"/srv/linked.service"}).boolean(true).boolean(true);
  });
  ASSERT_TRUE(changes.has_value()) << changes.error().message;
  EXPECT_EQ(changes->signature(), "a(sss)");
  EXPECT_TRUE(world_.run_until([&] { return !signals_.empty(); }));
  EXPECT_THAT(signals_, testing::Contains("UnitFilesChanged /org/freedesktop/systemd1"));
}

// `systemctl show` prints them as they come, whatever the order they were asked for in.
TEST(BusTables, PropertiesOfAServiceStandInTheOrderOfSystemd) {
  std::vector<std::string_view> names;
  for (const BusProperty& one : bus_type_interface(unit::UnitType::kService).properties) {
    names.push_back(one.name);
  }
  size_t next = 0;
  for (const std::string_view name : {"Type",
                                      "RootDirectoryStartOnly",
                                      "RemainAfterExit",
                                      "GuessMainPID",
                                      "MainPID",
                                      "Result",
                                      "ExecStart",
                                      "Slice",
                                      "Environment",
                                      "UMask",
                                      "LimitNOFILE",
                                      "NonBlocking",
                                      "StandardInput",
                                      "Group",
                                      "DynamicUser",
                                      "SupplementaryGroups",
                                      "PrivateTmp",
                                      "SystemCallFilter",
                                      "RuntimeDirectory",
                                      "KeyringMode",
                                      "ProtectHostname",
                                      "KillMode",
                                      "WatchdogSignal"}) {
    const auto found =
        std::find(names.begin() + static_cast<std::ptrdiff_t>(next), names.end(), name);
    ASSERT_NE(found, names.end()) << name;
    next = static_cast<size_t>(found - names.begin());
  }
}

TEST_F(Facade, IntrospectsEveryNodeOnTheWay) {
  world_.add_service("a.service");
  world_.serve();
  connect();
  const char* path = "/";
  for (const char* next : {"org", "freedesktop", "systemd1"}) {
    auto xml = call(path, "org.freedesktop.DBus.Introspectable", "Introspect");
    ASSERT_TRUE(xml.has_value()) << path;
    EXPECT_THAT(MessageReader(*xml).string().value_or(""),
                HasSubstr(std::string("<node name=\"") + next + "\"/>"));
    path = std::string_view(next) == "org" ? "/org" : "/org/freedesktop";
  }
  auto xml = call(bus::unit_path("a.service"), "org.freedesktop.DBus.Introspectable", "Introspect");
  ASSERT_TRUE(xml.has_value());
  EXPECT_THAT(MessageReader(*xml).string().value_or(""),
              HasSubstr("<interface name=\"org.freedesktop.systemd1.Service\">"));
}

// --- Clients that misbehave ---

base::Fd raw_client(const std::string& path) {
  base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

TEST_F(Facade, GarbageCostsTheClientItsConnectionAndNothingElse) {
  world_.serve();
  connect();
  ASSERT_TRUE(call_manager("ListUnits").has_value());
  for (const std::string& garbage :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100'000, '\0'),
        std::string(kGreeting, sizeof kGreeting - 1) + std::string(64, '\xff')}) {
    base::Fd client = raw_client(world_.socket_path());
    ASSERT_GT(::send(client.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL), 0);
    EXPECT_TRUE(world_.run_until([&] {
      char answer[256];
      ssize_t size = 0;
      while ((size = ::recv(client.get(), answer, sizeof answer, MSG_DONTWAIT)) > 0) {
      }
      return size == 0 || errno == ECONNRESET;
    }));
    EXPECT_EQ(world_.facade().connection_count(), 1U);
  }
  EXPECT_TRUE(call_manager("ListUnits").has_value());
}

TEST_F(Facade, TakesDescriptorsFromItsOwnUser) {
  world_.serve();
  base::Fd client = raw_client(world_.socket_path());
  constexpr std::string_view kHandshake("\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\n", 41);
  ASSERT_EQ(::send(client.get(), kHandshake.data(), kHandshake.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(kHandshake.size()));
  std::string answer;
  EXPECT_TRUE(world_.run_until([&] {
    char buffer[256];
    const ssize_t size = ::recv(client.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (size > 0) answer.append(buffer, static_cast<size_t>(size));
    return answer.find("AGREE_UNIX_FD") != std::string::npos;
  })) << answer;
}

TEST_F(Facade, TurnsClientsAwayAboveTheLimit) {
  bus::ServerLimits limits;
  limits.connections = 2;
  world_.serve(limits);
  base::Fd first = raw_client(world_.socket_path());
  base::Fd second = raw_client(world_.socket_path());
  base::Fd third = raw_client(world_.socket_path());
  EXPECT_TRUE(world_.run_until([&] { return !world_.log.empty(); }));
  EXPECT_EQ(world_.log.front(), "bus: a client is turned away: there are 2 connections already");
  EXPECT_EQ(world_.facade().connection_count(), 2U);
  char byte = 0;
  EXPECT_EQ(::recv(third.get(), &byte, 1, 0), 0);
}

TEST_F(Facade, AClientThatDoesNotReadIsCutOff) {
  bus::ServerLimits limits;
  limits.queued_messages = 16;
  world_.serve(limits);
  base::Fd sleeper = raw_client(world_.socket_path());
  const std::string hello(kGreeting, sizeof kGreeting - 1);
  ASSERT_GT(::send(sleeper.get(), hello.data(), hello.size(), MSG_NOSIGNAL), 0);
  ASSERT_TRUE(world_.run_until([&] { return world_.facade().connection_count() == 1; }));
  // As many signals as it takes to fill the socket and then the queue.
  const bool cut_off = world_.run_until([&] {
    for (int i = 0; i < 5000; ++i) world_.facade().on_reloading(true);
    return world_.facade().connection_count() == 0;
  });
  EXPECT_TRUE(cut_off);
  ASSERT_FALSE(world_.log.empty());
  EXPECT_THAT(world_.log.front(), HasSubstr("it does not read what it is sent"));
}

// --- The tables ---

// name -> type of every property and method of an interface, out of introspection XML.
std::map<std::string, std::string> members_of(const std::string& xml,
                                              const std::string& interface) {
  std::map<std::string, std::string> members;
  const size_t begin = xml.find("<interface name=\"" + interface + "\"");
  if (begin == std::string::npos) return members;
  const std::string text = xml.substr(begin, xml.find("</interface>", begin) - begin);
  auto attribute = [](const std::string& tag, const std::string& name) -> std::string {
    const size_t at = tag.find(" " + name + "=\"");
    if (at == std::string::npos) return "";
    const size_t from = at + name.size() + 3;
    return tag.substr(from, tag.find('"', from) - from);
  };
  std::string method;
  for (size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at + 1)) {
    const std::string tag = text.substr(at, text.find('>', at) - at);
    if (tag.rfind("<property ", 0) == 0) {
      members["property " + attribute(tag, "name")] = attribute(tag, "type");
      method.clear();
    } else if (tag.rfind("<method ", 0) == 0 || tag.rfind("<signal ", 0) == 0) {
      method = tag.substr(1, 6) + " " + attribute(tag, "name");
      members[method] = "";
    } else if (tag.rfind("<arg ", 0) == 0 && !method.empty()) {
      members[method] += attribute(tag, "direction") == "out" ? ">" : "";
      members[method] += attribute(tag, "type");
    }
  }
  return members;
}

std::string introspection_of_systemd(const std::string& what) {
  std::string output;
  const std::string command = "/lib/systemd/systemd --bus-introspect=" + what + " 2>/dev/null";
  FILE* pipe = ::popen(command.c_str(), "re");
  if (pipe == nullptr) return output;
  char buffer[4096];
  for (size_t size = 0; (size = ::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    output.append(buffer, size);
  }
  ::pclose(pipe);
  return output;
}

TEST(BusTables, NamesAndTypesAreSystemds) {
  if (::access("/lib/systemd/systemd", X_OK) != 0) {
    GTEST_SKIP() << "systemd is not installed, so there is nothing to compare with";
  }
  const std::pair<std::string, const BusInterface*> compared[] = {
      {"org.freedesktop.systemd1.Manager", &bus_manager_interface()},
      {"org.freedesktop.systemd1.Unit", &bus_unit_interface()},
      {"org.freedesktop.systemd1.Job", &bus_job_interface()},
      {"org.freedesktop.systemd1.Service", &bus_type_interface(unit::UnitType::kService)},
  };
  for (const auto& [name, table] : compared) {
    const auto theirs = members_of(introspection_of_systemd(name), name);
    ASSERT_FALSE(theirs.empty()) << name;
    for (const auto& [member, type] : members_of(introspect({table}, {}), name)) {
      // Two properties are ours alone.
      if (member == "property ReloadSignal") continue;  // of Type=notify-reload, which 253 brought
      if (member == "property IgnoredDirectives" || member == "property ProcessTracking") continue;
      const auto found = theirs.find(member);
      ASSERT_NE(found, theirs.end()) << name << " has no " << member;
      EXPECT_EQ(found->second, type) << name << " " << member;
    }
  }
}

TEST(BusTables, HaveNoMemberTwice) {
  std::vector<const BusInterface*> interfaces = bus_daemon_interfaces();
  for (const BusInterface* one : {&bus_manager_interface(), &bus_unit_interface(),
                                  &bus_job_interface(), &bus_log_control_interface()}) {
    interfaces.push_back(one);
  }
  for (const unit::UnitType type : {unit::UnitType::kService, unit::UnitType::kTarget,
                                    unit::UnitType::kSlice, unit::UnitType::kScope}) {
    interfaces.push_back(&bus_type_interface(type));
  }
  for (const BusInterface* const one : interfaces) {
    std::set<std::string_view> names;
    for (const BusProperty& property : one->properties) {
      EXPECT_TRUE(names.insert(property.name).second) << one->name << "." << property.name;
    }
    for (const BusMethod& method : one->methods) {
      EXPECT_TRUE(names.insert(method.name).second) << one->name << "." << method.name;
    }
  }
}

TEST(BusTables, SplitsSignaturesIntoCompleteTypes) {
  EXPECT_THAT(split_signature("sa{sv}as(uo)aay"),
              testing::ElementsAre("s", "a{sv}", "as", "(uo)", "aay"));
  EXPECT_THAT(split_signature(""), testing::IsEmpty());
  EXPECT_THAT(split_signature("s(a"), testing::ElementsAre("s"));
}

}  // namespace
}  // namespace flotilla::init
