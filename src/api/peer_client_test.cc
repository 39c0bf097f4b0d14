// PeerClient against a real server, and against machines that misbehave.
#include "api/peer_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <poll.h>

#include "api/peer_address.h"
#include "api/server_fixture.h"

namespace flotilla::api {
namespace {

using ::testing::HasSubstr;

TEST(PeerAddress, IsReadAndWritten) {
  const std::pair<const char*, PeerAddress> cases[] = {
      {"http://192.0.2.1:49153", {"192.0.2.1", "49153", false}},
      {"https://node-1.example:1/", {"node-1.example", "1", true}},
      {"node:80", {"node", "80", false}},
      {"https://[2001:db8::1]:443", {"2001:db8::1", "443", true}},
  };
  for (const auto& [text, wanted] : cases) {
    const auto address = parse_peer_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(*address, wanted);
    EXPECT_EQ(*parse_peer_address(to_string(*address)), wanted);
  }
  for (const char* bad : {"", "http://", "http://x", "x:", "x:0", "x:70000", "x:1x", ":80",
                          "http://a/b:80", "::1:80", "http://a\r\nb:80", "http://u@h:80"}) {
    EXPECT_FALSE(parse_peer_address(bad)) << bad;
  }
  EXPECT_EQ(parse_peer_address("x").error().message,
            "expected http://HOST:PORT or https://HOST:PORT of this machine's API, got \"x\": the "
            "port is missing");
}

// A machine on loopback TCP: what comes to its port is served by the fixture's server.
class PeerClientTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    on_loop([&] { client = std::make_unique<PeerClient>(loop, "m2", nullptr, peer_limits); });
  }
  void TearDown() override {
    // Streams end on their loop, as in the daemon.
    on_loop([&] {
      answer_ = {};
      client.reset();
    });
    ServerTest::TearDown();
  }
  // A listening socket on a port that the kernel chooses.
  base::Fd listen_somewhere(std::string& address) const {
    base::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    EXPECT_EQ(listen(fd.get(), 8), 0);
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&name), &size);
    address = "http://127.0.0.1:" + std::to_string(ntohs(name.sin_port));
    return fd;
  }
  base::Fd accept_from(const base::Fd& listener) const {
    pollfd waiting{listener.get(), POLLIN, 0};
    EXPECT_EQ(poll(&waiting, 1, -1), 1);
    return base::Fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  void ask(const PeerRequest& request) {
    answered_ = false;
    on_loop([&] {
      client->ask(request, [this](Response response) {
        answer_ = std::move(response);
        answered_ = true;
      });
    });
  }
  const Response& answer() {
    while (!answered_) std::this_thread::yield();
    return answer_;
  }
  // Reads the text of the answer until `end` is in it.
  std::string text_with(const std::string& end) {
    std::string text;
    while (text.find(end) == std::string::npos) {
      on_loop([&] { answer_.stream->read(text); });
    }
    return text;
  }
  PeerRequest get(const std::string& address, const std::string& target,
                  PeerRequest::Answer how = PeerRequest::Answer::kAtOnce) const {
    return {"m1", address, "GET", target, how};
  }

  PeerLimits peer_limits;
  std::unique_ptr<PeerClient> client;
  Response answer_;
  std::atomic<bool> answered_ = false;
};

TEST_F(PeerClientTest, GivesTheAnswerOfTheOtherMachine) {
  std::string address;
  const base::Fd listener = listen_somewhere(address);
  ask(get(address, "/x?machine=m1"));
  const base::Fd peer = accept_from(listener);
  const std::string head = receive(peer, "\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("GET /x?machine=m1 HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nFleet-Forwarded-By: m2\r\n"));
  send_text(peer, "HTTP/1.1 418 X\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(answer().status, 418);
  EXPECT_EQ(answer().body, "abc");
  ASSERT_EQ(answer().headers.size(), 1U);
  EXPECT_EQ(answer().headers[0].second, "a/b");
}

TEST_F(PeerClientTest, ATextComesPieceByPiece) {
  std::string address;
  const base::Fd listener = listen_somewhere(address);
  ask(get(address, "/log", PeerRequest::Answer::kText));
  base::Fd peer = accept_from(listener);
  receive(peer, "\r\n\r\n");
  send_text(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n");
  ASSERT_TRUE(answer().stream);
  on_loop([&] { answer_.stream->start([] {}); });
  EXPECT_EQ(text_with("one\n"), "one\n");
  send_text(peer, "4\r\ntwo\n\r\n");
  EXPECT_EQ(text_with("two\n"), "two\n");
  peer.reset();
  EXPECT_EQ(text_with("--\n"), "-- The text from machine m1 ended early: it hung up --\n");
}

TEST_F(PeerClientTest, WhoNoLongerReadsEndsTheTextThereToo) {
  std::string address;
  const base::Fd listener = listen_somewhere(address);
  ask(get(address, "/log", PeerRequest::Answer::kText));
  const base::Fd peer = accept_from(listener);
  receive(peer, "\r\n\r\n");
  send_text(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  answer();
  on_loop([&] { answer_.stream.reset(); });
  EXPECT_EQ(receive(peer, ""), "") << "the connection ends";
}

TEST_F(PeerClientTest, ASlowReaderMakesTheOtherMachineWait) {
  std::string address;
  const base::Fd listener = listen_somewhere(address);
  ask(get(address, "/log", PeerRequest::Answer::kText));
  const base::Fd peer = accept_from(listener);
  receive(peer, "\r\n\r\n");
  send_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n");
  answer();
  const std::string piece(65536, 'x');
  size_t sent = 0;
  // The buffers of two sockets and ours: far less than all of it.
  for (;;) {
    pollfd waiting{peer.get(), POLLOUT, 0};
    if (poll(&waiting, 1, 300) == 0) break;
    const ssize_t count = send(peer.get(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) sent += static_cast<size_t>(count);
    ASSERT_LT(sent, size_t{64} << 20);
  }
  std::string text;
  on_loop([&] { answer_.stream->read(text); });
  EXPECT_LT(text.size(), size_t{1} << 20);
}

TEST_F(PeerClientTest, SaysInOneSentenceWhyThereIsNoAnswer) {
  std::string address;
  base::Fd listener = listen_somewhere(address);
  const auto expect = [&](const std::string& why) {
    EXPECT_EQ(answer().status, 503);
    EXPECT_EQ(answer().body, error_response(503, "unit runs on machine m1, whose API at " +
                                                     address + " cannot be used: " + why)
                                 .body);
  };
  ask(get(address, "/x"));
  accept_from(listener).reset();
  while (!answered_) std::this_thread::yield();
  EXPECT_THAT(answer().body, testing::AnyOf(HasSubstr("it hung up"), HasSubstr("reset by peer")));

  ask(get(address, "/x"));
  {
    const base::Fd peer = accept_from(listener);
    receive(peer, "\r\n\r\n");
    send_text(peer, "SSH-2.0-OpenSSH\r\n\r\n");
    expect("bad version");
  }
  listener.reset();
  ask(get(address, "/x"));
  expect("Connection refused");
}

TEST_F(PeerClientTest, SaysThatARestartMayHaveBeenDone) {
  std::string address;
  base::Fd listener = listen_somewhere(address);
  const PeerRequest restart{"m1", address, "POST", "/x", PeerRequest::Answer::kWhenDone};
  ask(restart);
  {
    const base::Fd peer = accept_from(listener);
    receive(peer, "\r\n\r\n");
  }
  EXPECT_EQ(answer().status, 504);
  EXPECT_EQ(answer().body, error_response(504, "unit runs on machine m1, whose API at " + address +
                                                   " did not answer: it hung up")
                               .body);
  listener.reset();
  ask(restart);
  EXPECT_EQ(answer().status, 503) << "nothing was sent";
}

class PeerClientInAHurry : public PeerClientTest {
 protected:
  PeerClientInAHurry() { peer_limits.answering = std::chrono::milliseconds(50); }
};

TEST_F(PeerClientInAHurry, GivesUpAMachineThatSaysNothing) {
  std::string address;
  const base::Fd listener = listen_somewhere(address);
  ask(get(address, "/x"));
  const base::Fd peer = accept_from(listener);
  EXPECT_EQ(answer().status, 503);
  EXPECT_THAT(answer().body, HasSubstr("it did not answer in time"));
}

TEST_F(PeerClientInAHurry, WaitsForARestartAsLongAsItTakes) {
  std::string address;
  const base::Fd listener = listen_somewhere(address);
  ask({"m1", address, "POST", "/x", PeerRequest::Answer::kWhenDone});
  const base::Fd peer = accept_from(listener);
  EXPECT_THAT(receive(peer, "\r\n\r\n"), HasSubstr("Content-Length: 0"));
  // Whoever has the shorter deadline ends first.
  ask(get(address, "/x"));
  answer();
  answered_ = false;
  send_text(peer, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(answer().status, 204);
}

}  // namespace
}  // namespace flotilla::api
