// For tests: a log process and its manager in one thread: what the process does, it does in
// settle().
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "logs/client.h"
#include "logs/log_daemon.h"
#include "logs/scratch_log.h"

namespace flotilla::logs {

class LogDaemonFixture : public ::testing::Test {
 protected:
  LogDaemonFixture() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    client_ = std::make_unique<LogClient>(base::Fd(ends[0]));
    control_.reset(ends[1]);
    config_.place = scratch_.place;
    config_.control = control_.get();
    start();
  }
  void start() {
    daemon_ = std::make_unique<LogDaemon>(config_);
    EXPECT_EQ(daemon_->start(), 0);
  }
  // Everything queued is sent, and everything readable is written.
  std::vector<Event> settle() {
    client_->sync(++syncs_);
    std::vector<Event> events;
    for (int i = 0; i < 1000; ++i) {
      EXPECT_TRUE(client_->flush());
      daemon_->turn(0);
      for (Event event; client_->next_event(event);) {
        if (event.type == EventType::kSyncDone && event.id == syncs_) return events;
        events.push_back(event);
      }
    }
    ADD_FAILURE() << "the daemon does not answer";
    return events;
  }

  // Our end of a datagram socket of this kind.
  base::Fd open_inlet(InletKind kind) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    const int on = 1;
    EXPECT_EQ(::setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
    const base::Fd theirs(ends[1]);
    client_->add_inlet(kind, theirs.get());
    settle();
    return base::Fd(ends[0]);
  }
  static void send_to(const base::Fd& inlet, std::string_view text) {
    ASSERT_EQ(::send(inlet.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }

  ScratchLog scratch_;
  DaemonConfig config_;
  base::Fd control_;
  std::unique_ptr<LogClient> client_;
  std::unique_ptr<LogDaemon> daemon_;
  std::uint64_t syncs_ = 1000;
};

}  // namespace flotilla::logs
