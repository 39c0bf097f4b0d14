// What strangers send to the server: each is refused or dropped, costs bounded memory, and others
// are served meanwhile.
#include "api/server_fixture.h"

namespace flotilla::api {
namespace {

const std::string kGet = "GET /fleet/v1/units HTTP/1.1\r\nHost: x\r\n\r\n";

std::string put(const std::string& body, const std::string& more = {}) {
  return "PUT /fleet/v1/units/a.service HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
         more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

using HostileRequestTest = ServerTest;

TEST_F(HostileRequestTest, EachIsAnsweredAsItDeserves) {
  const std::string deep(9000, '[');
  const std::string header = "GET /fleet/v1/units HTTP/1.1\r\nHost: x\r\n";
  const struct {
    const char* what;
    std::string bytes;
    const char* status;  // "" where the connection just ends
  } cases[] = {
      {"bare line feeds", "GET /fleet/v1/units HTTP/1.1\nHost: x\n\n", "200"},
      {"mixed line ends", "GET /fleet/v1/units HTTP/1.1\nHost: x\r\n\n", "200"},
      {"line ends before the request", "\r\n\n" + kGet, "200"},
      {"no Host", "GET /fleet/v1/units HTTP/1.1\r\n\r\n", "200"},
      {"absolute form", "GET http://x/fleet/v1/units HTTP/1.1\r\nHost: x\r\n\r\n", "200"},
      {"another word", "BREW /fleet/v1/units HTTP/1.1\r\n\r\n", "405"},
      {"no HTTP", "hello\r\n\r\n", "400"},
      {"TLS", std::string("\x16\x03\x01\x02\n\n", 6), "400"},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
      {"a blank in a name", header + "A B: c\r\n\r\n", "400"},
      {"NUL in a value", header + std::string("A: b\0c\r\n\r\n", 10), "400"},
      {"two lengths", header + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
      {"a negative length", header + "Content-Length: -1\r\n\r\n", "400"},
      {"length and chunks",
       header + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"another coding", header + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
      {"no coding", header + "Transfer-Encoding: identity\r\n\r\n", "501"},
      {"two codings",
       header + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "501"},
      {"chunks in HTTP/1.0", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "400"},
      {"two hosts", header + "Host: y\r\n\r\n", "400"},
      {"another expectation", header + "Expect: cake\r\n\r\n", "417"},
      {"a huge head", header + "A: " + std::string(20'000, 'x') + "\r\n\r\n", "431"},
      {"line ends behind the head", header + std::string(20'000, '\n') + "A", "200"},
      {"a huge target", "GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\n\r\n", "431"},
      {"huge trailers",
       header + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: " + std::string(100'000, 'x'), "400"},
      {"a huge chunk extension",
       header + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(100'000, 'x'), "400"},
      {"a huge body", header + "Content-Length: 99999999999\r\n\r\n", "413"},
      {"a length beyond 64 bits", header + "Content-Length: 99999999999999999999999\r\n\r\n",
       "400"},
      {"chunks that are none", header + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {"a chunk of endless length",
       header + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "400"},
      {"a large chunk", header + "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n", "413"},
      {"deep JSON", put(deep), "400"},
      {"deep unknown JSON", put("{\"x\":" + deep + std::string(9000, ']') + "}"), "409"},
      {"JSON too deep", put("{\"x\":" + std::string(20'000, '[')), "400"},
      {"an empty body", put(""), "400"},
      {"a body that is no UTF-8", put("{\"name\":\"\xff\xfe\"}"), "400"},
      {"a body of options", put("{\"options\":[" + std::string(300'000, ' ') + "{}]}"), "201"},
      {"too many options",
       put("{\"options\":[{}" +
           [] {
             std::string many;
             for (int i = 0; i < 70'000; ++i) many += ",{}";
             return many;
           }() +
           "]}"),
       "400"},
      {"a name that is no UTF-8",
       "PUT /fleet/v1/units/%ff.service HTTP/1.1\r\nContent-Type: "
       "application/json\r\nContent-Length: 2\r\n\r\n{}",
       "400"},
      {"a line end in the name", "GET /fleet/v1/units/a%0d%0aX:b HTTP/1.1\r\n\r\n", "404"},
  };
  for (const auto& c : cases) {
    const std::string answer = ask(c.bytes, "\r\n\r\n");
    EXPECT_EQ(answer.substr(0, 12), std::string("HTTP/1.1 ") + c.status) << c.what;
  }
  EXPECT_EQ(ask(kGet, "\r\n\r\n").substr(0, 12), "HTTP/1.1 200");
}

TEST_F(HostileRequestTest, PeersThatLeaveInTheMiddleLeaveNothingBehind) {
  for (const std::string& beginning :
       {std::string("G"), std::string("GET / HTTP/1.1\r\nA"), put("{}").substr(0, 100),
        std::string("PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
        std::string("PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n")}) {
    const base::Fd fd = connect_client();
    send_text(fd, beginning);
    shutdown(fd.get(), SHUT_WR);
    EXPECT_EQ(receive(fd, ""), "") << beginning;
  }
  size_t open = 1;
  while (open != 0) on_loop([&] { open = the_server->connections(); });
}

class SlowPeersTest : public ServerTest {
 protected:
  SlowPeersTest() { limits.stalled = std::chrono::milliseconds(50); }
};

TEST_F(SlowPeersTest, AreDroppedAndOthersAreServed) {
  std::vector<base::Fd> slow;
  for (const std::string& beginning :
       {std::string("G"), std::string("GET / HTTP/1.1\r\n"),
        put(std::string(100, 'x')).substr(0, 150),
        std::string("PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n")}) {
    slow.push_back(connect_client());
    send_text(slow.back(), beginning);
  }
  EXPECT_EQ(ask(kGet, "{}").substr(0, 12), "HTTP/1.1 200");
  // One byte now and then is no reason to wait longer.
  std::thread drip([&] {
    while (send(slow[1].get(), "A", 1, MSG_NOSIGNAL) == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  for (const base::Fd& fd : slow) EXPECT_EQ(receive(fd, ""), "");
  drip.join();
}

TEST_F(SlowPeersTest, WhoDoesNotTakeTheAnswerIsDropped) {
  const base::Fd fd = connect_client();
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += "GET /fleet/v1/discovery HTTP/1.1\r\n\r\n";
  // The server stops to read when its answers are not taken.
  ssize_t sent = 0;
  while (sent >= 0) sent = send(fd.get(), many.data(), many.size(), MSG_NOSIGNAL);
  EXPECT_EQ(errno, EPIPE);
}

TEST_F(SlowPeersTest, IdleOnesMayStay) {
  const base::Fd idle = connect_client();
  const base::Fd slow = connect_client();
  send_text(slow, "G");
  EXPECT_EQ(receive(slow, ""), "");
  send_text(idle, kGet);
  EXPECT_EQ(receive(idle, "{}").substr(0, 12), "HTTP/1.1 200");
}

class FewPlacesTest : public ServerTest {
 protected:
  FewPlacesTest() { limits.connections = 3; }
};

TEST_F(FewPlacesTest, ANewConnectionTakesThePlaceOfTheOneIdleForLongest) {
  std::vector<base::Fd> idle;
  for (int i = 0; i < 3; ++i) {
    idle.push_back(connect_client());
    send_text(idle.back(), kGet);
    EXPECT_NE(receive(idle.back(), "{}"), "");
  }
  EXPECT_EQ(ask(kGet, "{}").substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(receive(idle[0], ""), "") << "it was closed";
  send_text(idle[2], kGet);
  EXPECT_EQ(receive(idle[2], "{}").substr(0, 12), "HTTP/1.1 200");
}

TEST_F(FewPlacesTest, ThoseInTheMiddleOfARequestGoIfNobodyIsIdle) {
  std::vector<base::Fd> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(connect_client());
    // It may have lost its place before it has said a word.
    (void)send(slow.back().get(), "GET / HT", 8, MSG_NOSIGNAL);
  }
  EXPECT_EQ(ask(kGet, "{}").substr(0, 12), "HTTP/1.1 200");
}

class LittleMemoryTest : public ServerTest {
 protected:
  LittleMemoryTest() { limits.held_bytes = size_t{5} << 20U; }
};

TEST_F(LittleMemoryTest, BodiesTogetherHaveALimit) {
  const base::Fd large = connect_client();
  send_text(large, put(std::string(size_t{4} << 20U, ' ')).substr(0, 1000));
  // Until the first one has been seen the second one is taken.
  std::string answer = "HTTP/1.1 400";
  while (answer == "HTTP/1.1 400") {
    answer = ask(put(std::string(size_t{2} << 20U, ' ')), "\r\n\r\n").substr(0, 12);
  }
  EXPECT_EQ(answer, "HTTP/1.1 503");
  EXPECT_EQ(ask(put("{}"), "\r\n\r\n").substr(0, 12), "HTTP/1.1 409") << "small ones pass";
}

using HandOverTest = ServerTest;

TEST_F(HandOverTest, ConnectionsGoOnWithTheNextServer) {
  const base::Fd idle = connect_client();
  send_text(idle, kGet);
  EXPECT_NE(receive(idle, "{}"), "");
  const base::Fd in_head = connect_client();
  send_text(in_head, "GET /fleet/v1/un");
  const base::Fd following = connect_client();
  send_text(following, "GET /fleet/v1/events HTTP/1.1\r\n\r\n");
  EXPECT_NE(receive(following, "id: "), "");

  std::vector<Connection> connections;
  std::atomic<bool> taken = false;
  on_loop([&] {
    the_server->pause([&] {
      connections = the_server->take_connections();
      taken = true;
    });
  });
  const std::string rest = receive(following, "");
  EXPECT_EQ(rest.substr(rest.size() - 5), "0\r\n\r\n") << "a stream ends as a whole";
  while (!taken) std::this_thread::yield();
  EXPECT_EQ(connections.size(), 2U);
  const base::Fd waiting = connect_client();
  send_text(waiting, kGet);
  send_text(idle, kGet);
  send_text(in_head, "its HTTP/1.1\n\n");

  std::unique_ptr<Server> next;
  on_loop([&] {
    next = std::make_unique<Server>(loop, *the_api, std::vector<base::Fd>());
    next->adopt(std::move(connections));
    the_server->resume();
  });
  for (const base::Fd* fd : {&idle, &in_head, &waiting}) {
    EXPECT_EQ(receive(*fd, "{}").substr(0, 12), "HTTP/1.1 200");
  }
  on_loop([&] { next.reset(); });
}

}  // namespace
}  // namespace flotilla::api
