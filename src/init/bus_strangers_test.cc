// What users other than root and the manager's own may do on its socket, which is open to all: they
// read, they change nothing, and they cannot make the manager run out of anything. A connection
// made under another effective uid is that user's, as the kernel tells the server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <optional>

#include "bus/connection.h"
#include "bus/object_path.h"
#include "bus/unit_manager.h"
#include "init/bus_test_world.h"

namespace flotilla::init {
namespace {

using base::Result;
using bus::Message;
using bus::MessageReader;
using bus::MessageWriter;
using testing::HasSubstr;

constexpr uid_t kStranger = 65534;
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";

// As another user, for the length of a scope.
class As {
 public:
  explicit As(uid_t uid) { EXPECT_EQ(::seteuid(uid), 0); }
  ~As() { EXPECT_EQ(::seteuid(0), 0); }
};

class Strangers : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  // The socket's directory is one of mkdtemp(), which is closed to others.
  void serve(bus::ServerLimits limits = {}) {
    world_.serve(limits);
    for (std::string path = world_.socket_path(); path != "/tmp"; path.resize(path.rfind('/'))) {
      ASSERT_EQ(::chmod(path.c_str(), 0777), 0);
    }
  }
  std::unique_ptr<bus::Connection> connect(uid_t uid) {
    const As as(uid);
    auto opened = bus::Connection::open(world_.event_loop(),
                                        {bus::ConnectionOptions::Kind::kPeer, world_.socket_path()},
                                        [](base::Error) {});
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }
  Result<Message> call(bus::Connection& connection, std::string_view member,
                       const std::function<void(MessageWriter&)>& fill = nullptr,
                       std::string_view interface = bus::kManagerInterface,
                       std::string_view path = kManagerPath) {
    auto message = connection.new_call(bus::kSystemd1Service, path, interface, member);
    if (!message) return base::unexpected(message.error());
    if (fill) fill(*message);
    std::optional<Result<Message>> answer;
    connection.call(std::move(*message), base::Micros(0),
                    [&](Result<Message> reply) { answer.emplace(std::move(reply)); });
    if (!world_.run_until([&] { return answer.has_value(); })) return base::timed_out("no answer");
    return std::move(*answer);
  }
  // A client by hand, logged in.
  base::Fd raw_client(uid_t uid) {
    const As as(uid);
    base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, world_.socket_path().c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const std::string hello("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n", 29);
    EXPECT_EQ(::send(fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL), 29);
    return fd;
  }

  BusTestWorld world_;
};

std::string bus_error_of(const Result<Message>& answer) {
  return answer ? "no error" : answer.error().bus_name;
}

TEST_F(Strangers, ReadEverythingAndChangeNothing) {
  world_.add_service("a.service");
  serve();
  const auto stranger = connect(kStranger);
  const auto root = connect(0);
  ASSERT_TRUE(world_.run_until([&] { return world_.facade().connection_count() == 2; }));
  EXPECT_EQ(world_.facade().peers()[0].uid, kStranger);
  const auto with_unit = [](MessageWriter& w) { w.string("a.service").string("replace"); };
  const auto with_kill = [](MessageWriter& w) { w.string("a.service").string("all").i32(9); };
  const auto with_files = [](MessageWriter& w) {
    w.strings({"/etc/systemd/system/a.service"}).boolean(true).boolean(true);
  };
  const std::string denied = "org.freedesktop.DBus.Error.AccessDenied";
  EXPECT_EQ(bus_error_of(call(*stranger, "StartUnit", with_unit)), denied);
  EXPECT_EQ(bus_error_of(call(*stranger, "StopUnit", with_unit)), denied);
  EXPECT_EQ(bus_error_of(call(*stranger, "RestartUnit", with_unit)), denied);
  EXPECT_EQ(bus_error_of(call(*stranger, "KillUnit", with_kill)), denied);
  EXPECT_EQ(bus_error_of(call(*stranger, "LinkUnitFiles", with_files)), denied);
  EXPECT_EQ(bus_error_of(call(*stranger, "EnableUnitFiles", with_files)), denied);
  for (const char* member : {"Reload", "Reexecute", "Exit", "ResetFailed"}) {
    EXPECT_EQ(bus_error_of(call(*stranger, member)), denied) << member;
  }
  EXPECT_EQ(bus_error_of(call(
                *stranger, "Start", [](MessageWriter& w) { w.string("replace"); },
                bus::kUnitInterface, bus::unit_path("a.service"))),
            denied);
  EXPECT_TRUE(world_.spawner().spawned().empty());
  for (const char* member : {"ListUnits", "ListJobs", "Subscribe"}) {
    EXPECT_EQ(bus_error_of(call(*stranger, member)), "no error") << member;
  }
  EXPECT_EQ(bus_error_of(call(
                *stranger, "GetAll", [](MessageWriter& w) { w.string(""); },
                bus::kPropertiesInterface, bus::unit_path("a.service"))),
            "no error");
  EXPECT_EQ(bus_error_of(call(*root, "StartUnit", with_unit)), "no error");
  EXPECT_TRUE(world_.run_until([&] { return !world_.spawner().spawned().empty(); }));
}

TEST_F(Strangers, DoNotKeepRootOutByTheirNumber) {
  bus::ServerLimits limits;
  limits.connections = 8;
  limits.stranger_connections = 4;
  limits.connections_per_uid = 3;
  serve(limits);
  std::vector<base::Fd> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(raw_client(i < 10 ? kStranger : kStranger - 1));
  ASSERT_TRUE(world_.run_until([&] { return world_.log.size() >= 5; }));
  EXPECT_EQ(world_.facade().connection_count(), 4U);
  EXPECT_EQ(world_.log.front(),
            "bus: a client is turned away: user 65534 has 3 connections already");
  // Sixteen were turned away, and five lines tell of it.
  EXPECT_EQ(world_.log.back(),
            "bus: 16 clients were turned away: there are 4 connections of other users already");
  EXPECT_EQ(world_.log.size(), 5U);
  const auto root = connect(0);
  EXPECT_EQ(bus_error_of(call(*root, "ListUnits")), "no error");
}

TEST_F(Strangers, LoseTheirConnectionForAHugeMessage) {
  serve();
  const base::Fd client = raw_client(kStranger);
  // A header that promises a body of 8 MiB, and then the body.
  const std::string header("l\1\0\1\0\0\x80\0\1\0\0\0\0\0\0\0", 16);
  std::string bytes = header + std::string(1 << 16, 'x');
  size_t sent = 0;
  const bool ended = world_.run_until([&] {
    const ssize_t size = ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0) return errno == EPIPE || errno == ECONNRESET;
    sent += static_cast<size_t>(size);
    bytes.assign(1 << 16, 'x');
    return false;
  });
  EXPECT_TRUE(ended);
  EXPECT_LT(sent, size_t{4} << 20);
  ASSERT_FALSE(world_.log.empty());
  EXPECT_THAT(world_.log.front(), HasSubstr("its message is too large"));
}

TEST_F(Strangers, GetNoMoreAnswersThanTheyTake) {
  for (int i = 0; i < 50; ++i) world_.add_service("a" + std::to_string(i) + ".service");
  serve();
  const auto stranger = connect(kStranger);
  size_t answers = 0;
  constexpr size_t kCalls = 1000;
  for (size_t i = 0; i < kCalls; ++i) {
    auto message = stranger->new_call(bus::kSystemd1Service, kManagerPath,
                                      "org.freedesktop.DBus.Introspectable", "Introspect");
    ASSERT_TRUE(message.has_value());
    stranger->call(std::move(*message), base::Micros(0), [&](Result<Message> reply) {
      EXPECT_TRUE(reply.has_value());
      ++answers;
    });
  }
  uint64_t most = 0;
  EXPECT_TRUE(world_.run_until([&] {
    most = std::max(most, world_.facade().queued_messages());
    return answers == kCalls;
  }));
  EXPECT_LE(most, 8U);
}

}  // namespace
}  // namespace flotilla::init
