// Both sides of a Tunnel over a socket pair: bytes, ends, and every way to be refused.
#include "tls/tunnel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "tls/blocking_tunnel.h"
#include "tls/test_certificates.h"

namespace flotilla::tls {
namespace {

using ::testing::Contains;

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    std::string pattern = "/tmp/flotilla-tls-XXXXXX";
    folder = mkdtemp(pattern.data());
    authority.emplace(folder, "authority");
    server = authority->issue("server.example");
    client = authority->issue("client.example");
  }
  ~TlsTest() override { std::filesystem::remove_all(folder); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder + "/" + name) << text;
    return folder + "/" + name;
  }

  std::string folder;
  std::optional<TestAuthority> authority;
  Files server;
  Files client;
};

// A server in a thread, which serves one connection, and a client.
class TunnelTest : public TlsTest {
 protected:
  ~TunnelTest() override {
    tunnel.reset();
    if (thread.joinable()) thread.join();
  }
  void connect(const Files& server_files, const Files& client_files, const std::string& host) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    auto context = Context::for_server(server_files);
    ASSERT_TRUE(context) << context.error().message;
    thread = std::thread([this, context = *context, end = ends[0]] {
      boost::asio::io_context io;
      const auto accepted = Tunnel::accept(
          io, context, base::Fd(end),
          [this](base::Result<Opened> result) { server_side.emplace(std::move(result)); });
      while (!server_side && io.run_one() > 0) {
      }
      if (*server_side) echo = std::thread([this] { echo_all((*server_side)->plain); });
      io.run();
      if (echo.joinable()) echo.join();
    });
    auto client_context = Context::for_client(client_files);
    ASSERT_TRUE(client_context) << client_context.error().message;
    auto opened = BlockingTunnel::connect(*client_context, base::Fd(ends[1]), host);
    if (opened) {
      tunnel = std::move(*opened);
      plain = tunnel->take_plain();
    } else {
      client_error = opened.error().message;
    }
  }
  static void echo_all(base::Fd& fd) {
    char buffer[4096];
    for (;;) {
      const ssize_t count = read(fd.get(), buffer, sizeof buffer);
      if (count <= 0) break;
      if (send(fd.get(), buffer, static_cast<size_t>(count), MSG_NOSIGNAL) < 0) break;
    }
    fd.reset();
  }
  std::string read_to_end() const {
    std::string text;
    char buffer[4096];
    for (;;) {
      const ssize_t count = read(plain.get(), buffer, sizeof buffer);
      if (count <= 0) return text;
      text.append(buffer, static_cast<size_t>(count));
    }
  }
  // After the end of both sides.
  std::string server_error() {
    plain.reset();
    tunnel.reset();
    thread.join();
    return *server_side ? "" : server_side->error().message;
  }

  std::thread thread;
  std::thread echo;
  std::optional<base::Result<Opened>> server_side;
  std::unique_ptr<BlockingTunnel> tunnel;
  base::Fd plain;
  std::string client_error;
};

TEST_F(TunnelTest, CarriesEveryByteBothWaysAndTellsWhoThePeerIs) {
  for (const char* host : {"server.example", "127.0.0.1"}) {
    SCOPED_TRACE(host);
    connect(server, client, host);
    ASSERT_EQ(client_error, "");
    std::string sent;
    for (int i = 0; i < 100'000; ++i) sent += std::to_string(i);
    std::thread writer([&] {
      for (size_t at = 0; at < sent.size();) {
        const ssize_t count = send(plain.get(), sent.data() + at, sent.size() - at, MSG_NOSIGNAL);
        ASSERT_GT(count, 0);
        at += static_cast<size_t>(count);
      }
    });
    std::string got(sent.size(), ' ');
    EXPECT_EQ(recv(plain.get(), got.data(), got.size(), MSG_WAITALL),
              static_cast<ssize_t>(got.size()));
    writer.join();
    EXPECT_TRUE(got == sent);
    EXPECT_EQ(tunnel->failure(), "");
    EXPECT_EQ(server_error(), "");
    EXPECT_THAT((*server_side)->names, Contains("client.example"));
    server_side.reset();
  }
}

TEST_F(TunnelTest, TheClientSaysWhatIsWrongWithTheServersCertificate) {
  const TestAuthority other(folder, "other");
  const struct {
    Files server;
    std::string host;
    std::string why;
  } cases[] = {
      {server, "else.example", "its certificate is for another name"},
      {server, "127.0.0.2", "its certificate is for another name"},
      {authority->issue("old.example", -3600), "old.example", "its certificate has expired"},
      {other.issue("other.example"), "other.example",
       "its certificate is not signed by the given authority"},
  };
  for (const auto& one : cases) {
    connect(one.server, client, one.host);
    EXPECT_EQ(client_error, one.why);
    EXPECT_NE(server_error(), "");
    server_side.reset();
    client_error.clear();
  }
}

TEST_F(TunnelTest, BothSidesSayWhatIsWrongWithTheClientsCertificate) {
  const TestAuthority other(folder, "other");
  Files stranger = other.issue("stranger");
  stranger.ca_file = client.ca_file;
  const struct {
    Files client;
    std::string here;
    std::string there;
  } cases[] = {
      {{client.ca_file, "", ""}, "it asks for a client certificate", "it has no certificate"},
      {authority->issue("old", -3600), "it refuses our certificate, which has expired",
       "its certificate has expired"},
      {stranger, "it does not know the authority of our certificate",
       "its certificate is not signed by the given authority"},
  };
  for (const auto& one : cases) {
    connect(server, one.client, "server.example");
    // In TLS 1.3 the client is through with the handshake before it is refused.
    if (client_error.empty()) {
      EXPECT_EQ(read_to_end(), "");
      client_error = tunnel->failure();
    }
    EXPECT_EQ(client_error, one.here);
    EXPECT_EQ(server_error(), one.there);
    server_side.reset();
    client_error.clear();
  }
}

TEST_F(TunnelTest, WhoeverSpeaksNoTlsIsRefused) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const base::Fd peer(ends[1]);
  const std::string text = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_GT(send(peer.get(), text.data(), text.size(), 0), 0);
  shutdown(peer.get(), SHUT_WR);
  boost::asio::io_context io;
  Tunnel::accept(io, *Context::for_server(server), base::Fd(ends[0]),
                 [this](base::Result<Opened> result) { server_side.emplace(std::move(result)); });
  io.run();
  ASSERT_TRUE(server_side);
  EXPECT_EQ(server_side->error().message, "it does not speak TLS");
}

TEST_F(TlsTest, FilesAreCheckedOneByOne) {
  const std::string none = folder + "/none";
  const std::string junk = write("junk", "hello\n");
  EXPECT_TRUE(check_ca_file(server.ca_file));
  EXPECT_TRUE(check_cert_file(server.cert_file));
  EXPECT_TRUE(check_key_file(server.key_file, server.cert_file));
  EXPECT_EQ(check_ca_file(none).error().message,
            none + " cannot be read: No such file or directory");
  EXPECT_EQ(check_ca_file(junk).error().message, junk + " has no certificates in PEM form");
  EXPECT_EQ(check_cert_file(junk).error().message, junk + " has no certificate in PEM form");
  EXPECT_EQ(check_key_file(junk, server.cert_file).error().message,
            junk + " has no private key in PEM form without a pass phrase");
  EXPECT_EQ(check_key_file(client.key_file, server.cert_file).error().message,
            client.key_file + " is not the key of the certificate in " + server.cert_file);
  EXPECT_FALSE(check_ca_file(folder));
  EXPECT_EQ(Context::for_client({"", client.cert_file, ""}).error().message,
            "a client certificate needs its key, and a key its certificate: " + client.cert_file +
                " stands alone");
}

}  // namespace
}  // namespace flotilla::tls
