// The server over real sockets.
#include <sys/stat.h>
#include <time.h>

#include "api/server_fixture.h"

namespace flotilla::api {
namespace {

TEST_F(ServerTest, KeepsConnectionsAndNamesItself) {
  const base::Fd fd = connect_client();
  for (int i = 0; i < 3; ++i) {
    send_text(fd, "GET /fleet/v1/units HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = receive(fd, "{}");
    EXPECT_EQ(answer.substr(0, 15), "HTTP/1.1 200 OK");
    EXPECT_NE(answer.find("Server: fleetd/"), std::string::npos);
    EXPECT_NE(answer.find("Content-Type: application/json\r\n"), std::string::npos);
    EXPECT_NE(answer.find("Content-Length: 2\r\n"), std::string::npos);
  }
}

TEST_F(ServerTest, AnswersAWriteWhenItIsVisible) {
  const base::Fd fd = connect_client();
  const std::string body = R"({"options":[{"section":"Service","name":"ExecStart","value":"/x"}]})";
  send_text(
      fd,
      "PUT /fleet/v1/units/a.service HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Content-Length: " +
          std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_EQ(receive(fd, "\r\n\r\n").substr(0, 20), "HTTP/1.1 201 Created");
  send_text(fd, "GET /fleet/v1/units/a.service HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(receive(fd, "]}").find("\"name\":\"a.service\""), std::string::npos);
  send_text(fd, "DELETE /fleet/v1/units/a.service HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string gone = receive(fd, "\r\n\r\n");
  EXPECT_EQ(gone.substr(0, 23), "HTTP/1.1 204 No Content");
  EXPECT_EQ(gone.find("Content-Length"), std::string::npos);
}

TEST_F(ServerTest, HeadHasNoBody) {
  const base::Fd fd = connect_client();
  send_text(fd, "HEAD /fleet/v1/units HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = receive(fd, "");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 405");
  EXPECT_EQ(answer.substr(answer.size() - 4), "\r\n\r\n");
}

TEST_F(ServerTest, RefusesWhatIsNoHttpAndWhatIsTooLarge) {
  const base::Fd garbage = connect_client();
  send_text(garbage, "hello\r\n\r\n");
  EXPECT_EQ(receive(garbage, "").substr(0, 12), "HTTP/1.1 400");
  const base::Fd header = connect_client();
  send_text(header, "GET / HTTP/1.1\r\nX: " + std::string(20000, 'x') + "\r\n\r\n");
  EXPECT_EQ(receive(header, "").substr(0, 12), "HTTP/1.1 431");
  const base::Fd body = connect_client();
  send_text(
      body,
      "PUT /fleet/v1/units/a.service HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_EQ(receive(body, "").substr(0, 12), "HTTP/1.1 413");
  const base::Fd fine = connect_client();
  send_text(fine, "GET /fleet/v1/units HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(receive(fine, "{}").substr(0, 12), "HTTP/1.1 200");
}

TEST_F(ServerTest, LetsAPeerSendAllOfWhatItRefuses) {
  const base::Fd fd = connect_client();
  const std::string body(size_t{6} << 20, 'x');
  send_text(fd, "PUT /fleet/v1/units/a.service HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n");
  send_text(fd, body);
  EXPECT_EQ(receive(fd, "").substr(0, 12), "HTTP/1.1 413");
}

TEST_F(ServerTest, RefusesChunksThatAreNone) {
  const base::Fd fd = connect_client();
  send_text(
      fd,
      "PUT /fleet/v1/units/a.service HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "zz\r\n");
  EXPECT_EQ(receive(fd, "").substr(0, 12), "HTTP/1.1 400");
}

TEST_F(ServerTest, ServesPipelinedRequestsInTheirOrder) {
  const base::Fd fd = connect_client();
  const std::string get = "GET /fleet/v1/units HTTP/1.1\r\nHost: x\r\n";
  send_text(fd, "GET / HTTP/1.1\r\n\r\n" + get + "\r\n" + get + "Connection: close\r\n\r\n");
  const std::string answers = receive(fd, "");
  const size_t second = answers.find("HTTP/1.1 200");
  EXPECT_EQ(answers.substr(0, 12), "HTTP/1.1 405");
  ASSERT_NE(second, std::string::npos);
  EXPECT_NE(answers.find("HTTP/1.1 200", second + 1), std::string::npos);
}

TEST_F(ServerTest, SendsNoChunksToHttp10) {
  const base::Fd keep = connect_client();
  send_text(keep, "GET /fleet/v1/units HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(receive(keep, "{}").find("Connection: keep-alive\r\n"), std::string::npos);
  const std::string body =
      R"({"desiredState":"loaded","options":[{"section":"Service","name":"ExecStart","value":"/x"}]})";
  send_text(keep,
            "PUT /fleet/v1/units/a.service HTTP/1.1\r\nContent-Type: application/json\r\n"
            "Content-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_EQ(receive(keep, "\r\n\r\n").substr(0, 12), "HTTP/1.1 201");
  loop.post([this] { schedule_here("a.service"); });
  std::string answer;
  while (answer.empty() || answer.substr(0, 12) == "HTTP/1.1 409") {
    const base::Fd fd = connect_client();
    send_text(fd, "GET /fleet/v1/units/a.service/log HTTP/1.0\r\n\r\n");
    answer = receive(fd, "");
  }
  EXPECT_EQ(answer.find("Transfer-Encoding"), std::string::npos);
  EXPECT_EQ(answer.substr(answer.find("\r\n\r\n")), "\r\n\r\nfirst line\n");
}

TEST_F(ServerTest, SaysContinueToThoseWhoWait) {
  const base::Fd fd = connect_client();
  send_text(
      fd,
      "PUT /fleet/v1/units/a.service HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(receive(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  send_text(fd, "{}");
  EXPECT_EQ(receive(fd, "empty").substr(0, 12), "HTTP/1.1 409");
  // Nobody waits who sends no body, has sent it, or does not know of waiting.
  const std::string put = "PUT /fleet/v1/units/a.service HTTP/1.1\r\nExpect: 100-continue\r\n";
  for (const std::string& bytes :
       {put + "\r\n", put + "Content-Length: 2\r\n\r\n{}",
        std::string("PUT /x HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}")}) {
    EXPECT_EQ(ask(bytes, "\r\n\r\n").substr(0, 10), "HTTP/1.1 4") << bytes;
  }
}

TEST_F(ServerTest, SaysWhenItAnswers) {
  const std::string answer = ask("GET / HTTP/1.1\r\n\r\n", "\r\n\r\n");
  const size_t date = answer.find("Date: ");
  ASSERT_NE(date, std::string::npos);
  std::tm parts{};
  const char* rest = strptime(answer.c_str() + date, "Date: %a, %d %b %Y %H:%M:%S GMT", &parts);
  ASSERT_NE(rest, nullptr);
  EXPECT_EQ(std::string_view(rest, 2), "\r\n");
}

TEST_F(ServerTest, SurvivesPeersThatLeaveInTheMiddle) {
  for (const char* beginning :
       {"", "GE", "GET / HTTP/1.1\r\n", "PUT /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"}) {
    const base::Fd fd = connect_client();
    send_text(fd, beginning);
  }
  const base::Fd fine = connect_client();
  send_text(fine, "GET /fleet/v1/units HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(receive(fine, "{}").substr(0, 12), "HTTP/1.1 200");
}

TEST_F(ServerTest, ItsSocketIsForTheGroupOnlyAndIsNotTakenFromALivingServer) {
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0660U);
  const auto second = open_listener(*parse_listen_address(path));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "listen=" + path + ": another process listens there");
}

TEST(Listener, ReadsAddresses) {
  EXPECT_TRUE(parse_listen_address("/run/fleet.sock")->is_unix);
  EXPECT_EQ(parse_listen_address("unix:///run/fleet.sock")->path, "/run/fleet.sock");
  EXPECT_EQ(parse_listen_address("127.0.0.1:49153")->port, "49153");
  EXPECT_EQ(parse_listen_address("http://[::1]:8080")->host, "::1");
  for (const char* wrong : {"", "fleet.sock", ":80", "127.0.0.1:x", "127.0.0.1:99999"}) {
    EXPECT_FALSE(parse_listen_address(wrong)) << wrong;
  }
}

TEST(Listener, ListensOnLoopbackOnly) {
  EXPECT_TRUE(open_listener(*parse_listen_address("127.0.0.1:0")));
  const auto open = open_listener(*parse_listen_address("0.0.0.0:0"));
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().code, base::Errc::kDenied);
}

TEST(Listener, ReplacesASocketThatNobodyServes) {
  std::string pattern = "/tmp/flotilla-api-XXXXXX";
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  const auto address = parse_listen_address(pattern + "/s");
  { const auto first = open_listener(*address); }
  EXPECT_TRUE(open_listener(*address));
  std::filesystem::remove(pattern + "/s");
  std::filesystem::create_directory(pattern + "/s");
  EXPECT_FALSE(open_listener(*address)) << "a folder is not replaced";
  std::filesystem::remove_all(pattern);
}

}  // namespace
}  // namespace flotilla::api
