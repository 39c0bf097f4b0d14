#include "fctl/forward.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace flotilla::fctl {
namespace {

constexpr int kLastSilence = 500;  // milliseconds

// Copies what is there; false at the end. Errors: of either side.
base::Result<bool> copy_some(int from, int to) {
  char piece[65536];
  ssize_t got = 0;
  do {
    got = read(from, piece, sizeof piece);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return base::system_error(errno, "read");
  for (ssize_t done = 0; done < got;) {
    const ssize_t written = write(to, piece + done, static_cast<size_t>(got - done));
    if (written < 0 && errno != EINTR) return base::system_error(errno, "write");
    if (written > 0) done += written;
  }
  return got > 0;
}

}  // namespace

base::Status forward(int in, int out, int peer) {
  bool in_ended = false;
  for (;;) {
    pollfd watched[2] = {{peer, POLLIN, 0}, {in_ended ? -1 : in, POLLIN, 0}};
    const int ready = poll(watched, 2, in_ended ? kLastSilence : -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return base::system_error(errno, "poll");
    if (ready == 0) return {};
    if (watched[0].revents != 0) {
      FLOTILLA_ASSIGN(const bool more, copy_some(peer, out));
      if (!more) return {};
    }
    if (watched[1].revents != 0) {
      FLOTILLA_ASSIGN(const bool more, copy_some(in, peer));
      if (!more) {
        in_ended = true;
        shutdown(peer, SHUT_WR);
      }
    }
  }
}

}  // namespace flotilla::fctl
