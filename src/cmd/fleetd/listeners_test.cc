#include "cmd/fleetd/listeners.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>

#include "api/listener.h"

namespace flotilla::fleetd {
namespace {

struct ListenersTest : testing::Test {
  ListenersTest() {
    char name[] = "/tmp/flotilla-listeners-XXXXXX";
    directory = ::mkdtemp(name);
  }
  ~ListenersTest() override { std::filesystem::remove_all(directory); }

  std::string path(const std::string& name) const { return directory + "/" + name; }
  // Closed where nobody listens.
  static base::Fd connect_to(const std::string& path) {
    base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int done = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    return done == 0 ? std::move(fd) : base::Fd();
  }
  static bool has_connection(const base::Fd& listener) {
    return base::Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)).is_open();
  }

  std::string directory;
  Listeners listeners;
};

TEST_F(ListenersTest, AConnectionThatWaitsIsThereForTheNextDaemon) {
  auto first = listeners.take({path("a")});
  ASSERT_TRUE(first) << first.error().message;
  const base::Fd client = connect_to(path("a"));
  ASSERT_TRUE(client);
  first->clear();
  const auto second = listeners.take({path("a"), path("b"), path("a")});
  ASSERT_TRUE(second) << second.error().message;
  ASSERT_EQ(second->size(), 2U);
  EXPECT_TRUE(has_connection((*second)[0].fd));
  EXPECT_FALSE(has_connection((*second)[1].fd));
}

TEST_F(ListenersTest, WhatIsNotAskedForAnyMoreIsClosed) {
  ASSERT_TRUE(listeners.take({path("a"), path("b")}));
  ASSERT_TRUE(listeners.take({path("b")}));
  EXPECT_FALSE(connect_to(path("a")));
  EXPECT_TRUE(connect_to(path("b")));
}

TEST_F(ListenersTest, AnAddressThatCannotBeLeavesAllAsItWas) {
  ASSERT_TRUE(listeners.take({path("a")}));
  EXPECT_FALSE(listeners.take({path("b"), "nonsense"}));
  EXPECT_TRUE(connect_to(path("a")));
  EXPECT_FALSE(connect_to(path("b")));
}

TEST(InheritedSocket, IsFarWhereOtherMachinesMayReachIt) {
  const std::pair<const char*, const char*> cases[] = {
      {"127.0.0.1:0", ""}, {"127.8.8.8:0", ""}, {"0.0.0.0:0", "0.0.0.0:"}};
  for (const auto& [address, far] : cases) {
    // TLS is spoken by who takes it; without it such an address is not opened here.
    auto parsed = api::parse_listen_address(address);
    ASSERT_TRUE(parsed);
    parsed->is_tls = true;
    auto fd = api::open_listener(*parsed);
    ASSERT_TRUE(fd) << fd.error().message;
    const ListeningSocket socket = inherited_socket(std::move(*fd));
    EXPECT_TRUE(socket.is_inherited_tcp) << address;
    EXPECT_EQ(socket.far_address.substr(0, std::strlen(far)), far) << address;
    EXPECT_EQ(socket.far_address.empty(), std::strlen(far) == 0) << address;
  }
  base::Fd local(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_FALSE(inherited_socket(std::move(local)).is_inherited_tcp);
}

}  // namespace
}  // namespace flotilla::fleetd
