// Several endpoints, many requests on one connection, and events: against servers in threads.
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
#include "client/event_stream.h"
#include "client/http_client.h"
#include "client/http_fleet_api.h"

namespace flotilla::client {
namespace {

constexpr const char* kNoContent = "HTTP/1.1 204 No Content\r\n\r\n";

std::string with_body(int status, const std::string& body) {
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
  void serve() {
    for (;;) {
      const base::Fd peer(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      ++connections_;
      std::string got;
      for (;;) {
        const size_t end = got.find("\r\n\r\n");
        if (end == std::string::npos) {
          char piece[65536];
          const ssize_t more = recv(peer.get(), piece, sizeof piece, 0);
          if (more <= 0) break;
          got.append(piece, static_cast<size_t>(more));
          continue;
        }
        const std::string text = answer_(got.substr(0, end));
        got.erase(0, end + 4);
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

class Failover : public testing::Test {
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

TEST_F(Failover, TriesTheEndpointsInTurnAndStaysWithTheOneThatAnswers) {
  Server& server = serve([](const std::string&) { return with_body(200, "here"); });
  HttpClient client({absent, absent, server.endpoint()});
  for (int i = 0; i < 3; ++i) {
    const auto response = client.request("GET", "/x", {});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "here");
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(Failover, NamesEveryEndpointThatCannotBeReached) {
  Endpoint other = absent;
  other.path += "2";
  HttpClient client({absent, other});
  const auto response = client.request("GET", "/x", {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message,
            fmt::format("cannot connect to the API at unix://{}: No such file or directory; is "
                        "fleetd running?; cannot connect to the API at unix://{}: No such file or "
                        "directory; is fleetd running?",
                        absent.path, other.path));
}

TEST_F(Failover, AsksAnotherWhenOneIsNotAvailableOrHangsUp) {
  Server& unavailable = serve([](const std::string&) { return with_body(503, "not now"); });
  Server& rude = serve([](const std::string&) { return std::string(); });
  Server& good = serve([](const std::string&) { return with_body(200, "here"); });
  HttpClient client({unavailable.endpoint(), rude.endpoint(), good.endpoint()});
  const auto response = client.request("GET", "/x", {});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "here");
  HttpClient only({unavailable.endpoint(), unavailable.endpoint()});
  EXPECT_EQ(only.request("GET", "/x", {})->status, 503);
}

TEST_F(Failover, DoesNotAskTwiceForWhatMayHaveBeenDone) {
  Server& rude = serve([](const std::string&) { return std::string(); });
  Server& good = serve([](const std::string&) { return std::string(kNoContent); });
  HttpClient client({rude.endpoint(), good.endpoint()});
  EXPECT_FALSE(client.request("POST", "/restart", {}));
  EXPECT_EQ(good.connections(), 0);
}

std::vector<HttpRequest> numbered_requests(int count) {
  std::vector<HttpRequest> requests;
  for (int i = 0; i < count; ++i) requests.push_back({"GET", "/" + std::to_string(i), {}});
  return requests;
}

// The path of a request's head, as an answer.
std::string echo(const std::string& head) {
  return with_body(200, head.substr(4, head.find(' ', 4) - 4));
}

TEST_F(Failover, SendsManyRequestsOnOneConnectionAndKeepsTheirOrder) {
  Server& server = serve(echo);
  HttpClient client(server.endpoint());
  const auto responses = client.exchange(numbered_requests(500));
  ASSERT_EQ(responses.size(), 500U);
  for (size_t i = 0; i < responses.size(); ++i) {
    ASSERT_TRUE(responses[i]);
    EXPECT_EQ(responses[i]->body, "/" + std::to_string(i));
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(Failover, SendsAgainWhatABrokenConnectionLeftUnanswered) {
  std::atomic<int> answered{0};
  Server& server = serve(
      [&](const std::string& head) { return ++answered % 7 == 0 ? std::string() : echo(head); });
  HttpClient client(server.endpoint());
  const auto responses = client.exchange(numbered_requests(50));
  ASSERT_EQ(responses.size(), 50U);
  for (size_t i = 0; i < responses.size(); ++i) {
    ASSERT_TRUE(responses[i]) << responses[i].error().message;
    EXPECT_EQ(responses[i]->body, "/" + std::to_string(i));
  }
  EXPECT_GT(server.connections(), 1);
}

TEST_F(Failover, GivesUpOnAServerThatNeverAnswers) {
  Server& server = serve([](const std::string&) { return std::string(); });
  HttpClient client(server.endpoint());
  const auto responses = client.exchange(numbered_requests(3));
  ASSERT_EQ(responses.size(), 3U);
  for (const auto& response : responses) {
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, base::Errc::kUnavailable);
  }
}

TEST_F(Failover, ManyRequestsFindTheEndpointThatAnswers) {
  Server& unavailable = serve([](const std::string&) { return with_body(503, "not now"); });
  Server& good = serve(echo);
  HttpClient client({absent, unavailable.endpoint(), good.endpoint()});
  const auto responses = client.exchange(numbered_requests(20));
  for (size_t i = 0; i < responses.size(); ++i) {
    ASSERT_TRUE(responses[i]);
    EXPECT_EQ(responses[i]->body, "/" + std::to_string(i));
  }
}

TEST_F(Failover, SpeaksOverACommandsStreams) {
  Endpoint endpoint;
  endpoint.kind = Endpoint::Kind::kCommand;
  endpoint.command = {
      "sh", "-c",
      "while IFS= read -r line; do case $line in ?) "
      "printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok' ;; esac; done"};
  HttpClient client(endpoint);
  EXPECT_EQ(client.request("GET", "/x", {})->body, "ok");
  EXPECT_EQ(client.request("GET", "/y", {})->body, "ok");
  endpoint.command = {"/no/such/program"};
  HttpClient none(endpoint);
  EXPECT_EQ(none.request("GET", "/x", {}).error().message,
            "cannot run /no/such/program: No such file or directory");
}

using std::chrono::milliseconds;

TEST_F(Failover, EventsEndAWait) {
  Server& server = serve([](const std::string&) {
    return std::string("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 1\n\n");
  });
  EventStream events;
  EXPECT_TRUE(events.wait(server.endpoint(), milliseconds(10'000)));
  EXPECT_TRUE(events.wait(server.endpoint(), milliseconds(1)));
}

TEST_F(Failover, AServerWithoutEventsIsAskedOnce) {
  Server& server = serve([](const std::string&) { return with_body(404, "{}"); });
  HttpFleetApi api({server.endpoint()});
  EXPECT_EQ(api.wait_for_change(milliseconds(10)).error().code, base::Errc::kUnsupported);
  EXPECT_EQ(api.wait_for_change(milliseconds(10)).error().code, base::Errc::kUnsupported);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(Failover, TheEndOfTheEventsIsAnError) {
  Server& server = serve([](const std::string&) {
    return std::string("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  });
  EventStream events;
  EXPECT_TRUE(events.wait(server.endpoint(), milliseconds(10'000)));
  EXPECT_FALSE(events.wait(server.endpoint(), milliseconds(10'000)));
}

}  // namespace
}  // namespace flotilla::client
