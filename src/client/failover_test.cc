// Several endpoints, many requests on one connection, and events: against servers in threads.
#include "client/event_stream.h"
#include "client/http_client.h"
#include "client/http_fleet_api.h"
#include "client/servers_test.h"

namespace flotilla::client {
namespace {

class Failover : public ServersTest {};

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
  const auto response = client.request("POST", "/restart", {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, base::Errc::kTimedOut);
  EXPECT_EQ(good.connections(), 0);
}

TEST_F(Failover, APostIsNotSentAgainOnABrokenConnectionThatWasInUse) {
  std::atomic<int> posts{0};
  Server& server = serve([&](const std::string& head) {
    if (head.compare(0, 4, "POST") != 0) return with_body(200, "here");
    ++posts;
    return std::string();
  });
  HttpClient client(server.endpoint());
  ASSERT_TRUE(client.request("GET", "/x", {}));
  const auto response = client.request("POST", "/restart", {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, base::Errc::kTimedOut);
  EXPECT_EQ(posts, 1);
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
