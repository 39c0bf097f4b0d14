#include "cmd/fleetd/listeners.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>

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

}  // namespace
}  // namespace flotilla::fleetd
