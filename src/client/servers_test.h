// ServersTest: HTTP servers in threads, for tests of the client.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <functional>
#include <list>
#include <string>
#include <thread>

#include "base/fd.h"
#include "client/endpoint.h"

namespace flotilla::client {

inline constexpr const char* kNoContent = "HTTP/1.1 204 No Content\r\n\r\n";

inline std::string with_body(int status, const std::string& body) {
  return fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

// Listens on a socket of its own. Each connection is served by `answer`, which is given the heads
// of the requests one after the other and returns what is sent; an empty text hangs up, one with
// "Connection: close" in it as well.
class Server {
 public:
  using Answer = std::function<std::string(const std::string& head)>;

  Server(std::string path, Answer answer) : path_(std::move(path)), answer_(std::move(answer)) {
    listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_.get(), 16), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    shutdown(listener_.get(), SHUT_RDWR);  // ends accept()
    thread_.join();
  }

  Endpoint endpoint() const {
    Endpoint endpoint;
    endpoint.path = path_;
    return endpoint;
  }
  int connections() const { return connections_; }

 private:
  // Of the body behind a head.
  static size_t length_of(const std::string& head) {
    const size_t at = head.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
  }
  void serve() {
    for (;;) {
      const base::Fd peer(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      ++connections_;
      std::string got;
      for (;;) {
        const size_t end = got.find("\r\n\r\n");
        if (end == std::string::npos || got.size() < end + 4 + length_of(got.substr(0, end))) {
          char piece[65536];
          const ssize_t more = recv(peer.get(), piece, sizeof piece, 0);
          if (more <= 0) break;
          got.append(piece, static_cast<size_t>(more));
          continue;
        }
        const size_t length = length_of(got.substr(0, end));
        const std::string text = answer_(got.substr(0, end));
        got.erase(0, end + 4 + length);
        if (text.empty()) break;
        if (send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) break;
        if (text.find("Connection: close") != std::string::npos) break;
      }
    }
  }

  std::string path_;
  Answer answer_;
  base::Fd listener_;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

class ServersTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/flotilla-failover-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    absent.path = folder + "/absent";
  }
  void TearDown() override {
    servers.clear();
    std::filesystem::remove_all(folder);
  }
  Server& serve(Server::Answer answer) {
    return servers.emplace_back(folder + "/" + std::to_string(servers.size()), std::move(answer));
  }

  std::string folder;
  Endpoint absent;
  std::list<Server> servers;
};

}  // namespace flotilla::client
