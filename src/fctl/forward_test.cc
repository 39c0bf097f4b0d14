#include "fctl/forward.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <thread>

#include "base/fd.h"

namespace flotilla::fctl {
namespace {

struct Pair {
  Pair() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    near.reset(ends[0]);
    far.reset(ends[1]);
  }
  base::Fd near;
  base::Fd far;
};

std::string read_all(int fd) {
  std::string text;
  char piece[4096];
  for (ssize_t got = 0; (got = read(fd, piece, sizeof piece)) > 0;) {
    text.append(piece, static_cast<size_t>(got));
  }
  return text;
}

void write_all(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = send(fd, text.data() + done, text.size() - done, MSG_NOSIGNAL);
    ASSERT_GT(wrote, 0);
    done += static_cast<size_t>(wrote);
  }
}

TEST(Forward, CopiesBothWaysUntilThePeerEnds) {
  Pair user;
  Pair peer;
  const std::string large(300'000, 'x');
  std::thread server([&] {
    std::string got(large.size(), '\0');
    size_t done = 0;
    while (done < got.size()) {
      const ssize_t more = read(peer.far.get(), got.data() + done, got.size() - done);
      if (more <= 0) break;
      done += static_cast<size_t>(more);
    }
    EXPECT_EQ(got, large);
    write_all(peer.far.get(), "answer");
    peer.far.reset();
  });
  std::thread client([&] { write_all(user.far.get(), large); });
  EXPECT_TRUE(forward(user.near.get(), user.near.get(), peer.near.get()));
  user.near.reset();
  client.join();
  server.join();
  EXPECT_EQ(read_all(user.far.get()), "answer");
}

TEST(Forward, PassesTheEndOfItsInputOnAndStillHearsTheAnswer) {
  Pair user;
  Pair peer;
  std::thread server([&] {
    EXPECT_EQ(read_all(peer.far.get()), "question");
    write_all(peer.far.get(), "answer");
    peer.far.reset();
  });
  write_all(user.far.get(), "question");
  ASSERT_EQ(shutdown(user.far.get(), SHUT_WR), 0);
  EXPECT_TRUE(forward(user.near.get(), user.near.get(), peer.near.get()));
  user.near.reset();
  server.join();
  EXPECT_EQ(read_all(user.far.get()), "answer");
}

TEST(Forward, DoesNotWaitForASilentPeerAfterTheEndOfItsInput) {
  Pair user;
  Pair peer;
  ASSERT_EQ(shutdown(user.far.get(), SHUT_WR), 0);
  EXPECT_TRUE(forward(user.near.get(), user.near.get(), peer.near.get()));
}

}  // namespace
}  // namespace flotilla::fctl
