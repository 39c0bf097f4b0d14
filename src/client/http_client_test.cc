// The client over a real socket, against servers that behave badly.
#include "client/http_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "base/fd.h"

namespace flotilla::client {
namespace {

class HttpClientTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/flotilla-client-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    endpoint.kind = Endpoint::Kind::kUnix;
    endpoint.path = folder + "/sock";
    listener = base::Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, endpoint.path.c_str(), endpoint.path.size() + 1);
    ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(listener.get(), 4), 0);
  }
  void TearDown() override {
    if (server.joinable()) server.join();
    std::filesystem::remove_all(folder);
  }
  // Answers each connection with the text as soon as it has sent something, and hangs up.
  void answer_at_once(const std::vector<std::string>& answers) {
    server = std::thread([this, answers] {
      for (const std::string& answer : answers) {
        const base::Fd peer(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        char byte = 0;
        EXPECT_EQ(recv(peer.get(), &byte, 1, 0), 1);
        EXPECT_EQ(send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(answer.size()));
      }
    });
  }

  std::string folder;
  Endpoint endpoint;
  base::Fd listener;
  std::thread server;
};

TEST_F(HttpClientTest, HearsWhyABodyWasRefusedThoughItCouldNotBeSent) {
  answer_at_once({"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 9\r\n\r\ntoo large"});
  HttpClient client(endpoint);
  const auto response = client.request("PUT", "/x", std::string(size_t{8} << 20, 'x'));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 413);
  EXPECT_EQ(response->body, "too large");
}

TEST_F(HttpClientTest, SaysWhenTheServerHangsUpWithoutAnAnswer) {
  answer_at_once({""});
  HttpClient client(endpoint);
  const auto response = client.request("GET", "/x", {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, base::Errc::kUnavailable);
}

}  // namespace
}  // namespace flotilla::client
