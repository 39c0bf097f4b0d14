// SIGHUP as clients see it: they do not.
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>

#include "fleet_world.h"

namespace flotilla::system_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class FleetdReload : public FleetTest {
 protected:
  void SetUp() override {
    write_config("listen=" + socket() + "\nlog_format=json\n");
    CommandOptions options;
    options.environment.emplace_back("ASAN_OPTIONS", "log_path=" + (root() / "sanitizer"));
    daemon_ = std::make_unique<BackgroundCommand>(
        std::vector<std::string>{FLOTILLA_FLEETD, "--config", root() / "etc/fleet.conf",
                                 "--state-dir", root() / "fleet", "--manager-socket",
                                 root() / "none"},
        root() / "fleetd.log", options);
    ASSERT_TRUE(wait_until([&] { return answers(); })) << log();
  }
  std::string log() const { return root().read("fleetd.log"); }

  int connect_client() const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, socket().c_str(), sizeof(address.sun_path) - 1);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
    close(fd);
    return -1;
  }
  // The first bytes of the answer.
  static std::string ask(int fd) {
    const std::string request = "GET /fleet/v1/machines HTTP/1.1\r\nHost: x\r\n\r\n";
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) return "not sent";
    std::string answer;
    char buffer[4096];
    while (answer.find("]}") == std::string::npos) {
      const ssize_t count = read(fd, buffer, sizeof(buffer));
      if (count <= 0) return "cut off after \"" + answer + "\"";
      answer.append(buffer, static_cast<size_t>(count));
    }
    return answer.substr(0, 12);
  }

  std::unique_ptr<BackgroundCommand> daemon_;
};

TEST_F(FleetdReload, NobodyIsToldOfIt) {
  std::atomic<bool> is_over = false;
  std::atomic<int> asked = 0;
  std::string kept_wrong;
  std::string new_wrong;
  std::thread kept([&] {
    const int fd = connect_client();
    while (!is_over && kept_wrong.empty()) {
      if (const std::string answer = ask(fd); answer != "HTTP/1.1 200") kept_wrong = answer;
      ++asked;
    }
    close(fd);
  });
  std::thread fresh([&] {
    while (!is_over && new_wrong.empty()) {
      const int fd = connect_client();
      if (const std::string answer = ask(fd); answer != "HTTP/1.1 200") new_wrong = answer;
      close(fd);
      ++asked;
    }
  });
  for (int i = 1; i <= 5; ++i) {
    write_config("listen=" + socket() + "\nmetadata=turn=" + std::to_string(i) + "\n");
    daemon_->signal(SIGHUP);
    EXPECT_TRUE(wait_until([&] {
      return fleetctl({"list-machines", "--no-legend"}).out.find("turn=" + std::to_string(i)) !=
             std::string::npos;
    })) << log();
  }
  const int before = asked;
  EXPECT_TRUE(wait_until([&] { return asked > before + 10; }));
  is_over = true;
  kept.join();
  fresh.join();
  EXPECT_EQ(kept_wrong, "");
  EXPECT_EQ(new_wrong, "");
  daemon_->signal(SIGTERM);
  EXPECT_EQ(daemon_->wait(), 0) << log();
  EXPECT_THAT(log(), Not(HasSubstr("Sanitizer")));
  EXPECT_THAT(log(), HasSubstr("\"level\":\"INFO\"")) << "of the first configuration";
  EXPECT_THAT(log(), HasSubstr("INFO program.cc")) << "of the next ones";
}

}  // namespace
}  // namespace flotilla::system_test
