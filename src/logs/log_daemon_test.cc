#include "logs/log_daemon.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "logs/log_daemon_fixture.h"

namespace flotilla::logs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
  void put(std::string_view text) const {
    ASSERT_EQ(::write(write_end.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  base::Fd read_end;
  base::Fd write_end;
};

class LogDaemonTest : public LogDaemonFixture {
 protected:
  void add(std::uint64_t id, const Pipe& pipe, std::string_view unit = "u.service",
           StreamKind kind = StreamKind::kStdout) {
    StreamSpec spec;
    spec.id = id;
    spec.unit = unit;
    spec.stream = kind;
    spec.pid = 7;
    EXPECT_TRUE(client_->add_stream(spec, pipe.read_end.get()));
  }
  std::vector<std::string> lines(std::string_view unit = "u.service") {
    return messages_of(scratch_.entries(unit));
  }
};

TEST_F(LogDaemonTest, WritesWhatAServicePrints) {
  Pipe out;
  Pipe err;
  add(1, out);
  add(2, err, "u.service", StreamKind::kStderr);
  out.put("one\n<3>tw");
  EXPECT_THAT(settle(), IsEmpty());
  err.put("oh\n");
  settle();
  out.put("o\n");
  settle();
  const std::vector<Entry> entries = scratch_.entries();
  ASSERT_THAT(messages_of(entries), ElementsAre("one", "oh", "two"));
  EXPECT_EQ(entries[1].stream, StreamKind::kStderr);
  EXPECT_EQ(entries[2].priority, 3);
  EXPECT_EQ(entries[2].identifier, "u.service");
  EXPECT_EQ(entries[2].pid, 7);
}

TEST_F(LogDaemonTest, TellsOfTheEndOfAStreamWhenAllWritersAreGone) {
  Pipe out;
  add(5, out);
  out.put("unfinished");
  EXPECT_THAT(settle(), IsEmpty());
  out.write_end.reset();
  const std::vector<Event> events = settle();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].type, EventType::kStreamEnded);
  EXPECT_EQ(events[0].id, 5U);
  EXPECT_EQ(daemon_->stream_count(), 0U);
  EXPECT_THAT(lines(), ElementsAre("unfinished"));
  EXPECT_FALSE(scratch_.entries()[0].partial);
}

TEST_F(LogDaemonTest, LinesLongerThanAPipeComeOutWhole) {
  Pipe out;
  add(1, out);
  settle();
  std::string line;
  for (int i = 0; i < 40'000; ++i) line += std::to_string(i) + ' ';
  for (std::size_t at = 0; at < line.size(); at += 50'000) {
    out.put(line.substr(at, 50'000));
    settle();
  }
  out.put("\n");
  settle();
  std::vector<Entry> entries = scratch_.entries();
  EXPECT_GT(entries.size(), 10U);
  join_partial_lines(entries);
  EXPECT_THAT(messages_of(entries), ElementsAre(line));
}

TEST_F(LogDaemonTest, RefusesWhatItMustNotOrCannotWrite) {
  Pipe out;
  char bytes[1024];
  const auto send = [&](const StreamSpec& spec, int fd) {
    MessageWriter message(bytes, sizeof(bytes));
    message.start(MessageType::kAddStreams);
    ASSERT_TRUE(message.add_stream(spec));
    iovec data{bytes, message.bytes().size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    if (fd >= 0) {
      header.msg_control = control;
      header.msg_controllen = sizeof(control);
      cmsghdr* rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(rights), &fd, sizeof(int));
    }
    ASSERT_GT(::sendmsg(client_->fd(), &header, 0), 0);
  };
  StreamSpec spec;
  spec.id = 1;
  spec.unit = "../../etc";
  send(spec, out.read_end.get());
  spec.id = 2;
  spec.unit = "u.service";
  send(spec, -1);
  const base::Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  spec.id = 3;
  send(spec, file.get());
  spec.id = 4;
  send(spec, out.read_end.get());
  send(spec, out.read_end.get());
  const std::vector<Event> events = settle();
  ASSERT_EQ(events.size(), 4U);
  const int details[] = {EINVAL, EMFILE, EINVAL, EEXIST};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(events[i].type, EventType::kStreamRefused);
    EXPECT_EQ(events[i].id, i + 1);
    EXPECT_EQ(events[i].detail, details[i]);
  }
  EXPECT_EQ(daemon_->stream_count(), 1U);
  // Noise on the socket is no harm.
  ASSERT_GT(::send(client_->fd(), "garbage", 7, 0), 0);
  EXPECT_THAT(settle(), IsEmpty());
}

TEST_F(LogDaemonTest, ManyUnitsShareFewOpenLogs) {
  config_.max_open_logs = 5;
  start();
  constexpr std::size_t kUnits = 300;
  std::vector<Pipe> pipes(kUnits);
  for (std::size_t i = 0; i < kUnits; ++i) add(i, pipes[i], "u" + std::to_string(i));
  for (int round = 0; round < 3; ++round) {
    for (const Pipe& pipe : pipes) pipe.put("round " + std::to_string(round) + "\n");
    EXPECT_THAT(settle(), IsEmpty());
    EXPECT_LE(daemon_->open_log_count(), 5U);
  }
  for (std::size_t i = 0; i < kUnits; ++i) {
    ASSERT_THAT(lines("u" + std::to_string(i)), ElementsAre("round 0", "round 1", "round 2"));
  }
  for (Pipe& pipe : pipes) pipe.write_end.reset();
  EXPECT_EQ(settle().size(), kUnits);
  EXPECT_EQ(daemon_->stream_count(), 0U);
}

TEST_F(LogDaemonTest, AStreamGetsThePidOfItsNextProcess) {
  Pipe out;
  add(1, out);
  out.put("from seven\n");
  client_->set_pid(1, 8);
  settle();
  out.put("from eight\n");
  settle();
  const std::vector<Entry> entries = scratch_.entries();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].pid, 7);
  EXPECT_EQ(entries[1].pid, 8);
}

TEST_F(LogDaemonTest, AForgottenUnitIsReadOutAndDropped) {
  Pipe out;
  add(1, out);
  settle();
  out.put("last words");
  EXPECT_TRUE(client_->forget_unit("u.service"));
  EXPECT_TRUE(client_->forget_unit("never.seen"));
  const std::vector<Event> events = settle();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].type, EventType::kStreamEnded);
  EXPECT_EQ(daemon_->open_log_count(), 0U);
  EXPECT_EQ(daemon_->stream_count(), 0U);
  EXPECT_THAT(lines(), ElementsAre("last words"));
}

TEST_F(LogDaemonTest, APidOfAStreamThatHasEndedMeansNothing) {
  Pipe out;
  add(1, out);
  settle();
  out.put("last words\n");
  out.write_end.reset();
  client_->set_pid(1, 8);
  client_->set_pid(1, 9);
  client_->set_pid(1, 10);
  const std::vector<Event> events = settle();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].type, EventType::kStreamEnded);
  EXPECT_EQ(daemon_->stream_count(), 0U);
  EXPECT_THAT(lines(), ElementsAre("last words"));
}

TEST_F(LogDaemonTest, ASuccessorGoesOnInTheMiddleOfALine) {
  Pipe out;
  add(1, out);
  settle();
  out.put("whole\nfirst half, ");
  settle();
  out.put("more, ");
  daemon_->finish();
  out.put("second half\n");
  start();
  add(1, out);
  settle();
  std::vector<Entry> entries = scratch_.entries();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_TRUE(entries[1].partial);
  join_partial_lines(entries);
  EXPECT_THAT(messages_of(entries), ElementsAre("whole", "first half, more, second half"));
}

TEST_F(LogDaemonTest, EndsWhenTheManagerIsGoneWithAllWritten) {
  Pipe out;
  add(1, out);
  settle();
  out.put("still to be read\n");
  client_.reset();
  while (daemon_->turn(0)) {
  }
  daemon_->finish();
  EXPECT_THAT(lines(), ElementsAre("still to be read"));
}

TEST_F(LogDaemonTest, EventsWaitForAManagerThatDoesNotRead) {
  constexpr std::size_t kStreams = 5000;
  Pipe out;
  for (std::size_t i = 0; i < kStreams; ++i) {
    // Refused for its kind: an event each, and no descriptor kept.
    StreamSpec spec;
    spec.id = i;
    spec.unit = "u.service";
    ASSERT_TRUE(client_->add_stream(spec, scratch_.place.directory));
  }
  std::size_t events = 0;
  while (client_->has_queued()) {
    ASSERT_TRUE(client_->flush());
    daemon_->turn(0);
  }
  for (int i = 0; i < 100'000 && events < kStreams; ++i) {
    daemon_->turn(0);
    for (Event event; client_->next_event(event);) {
      EXPECT_EQ(event.type, EventType::kStreamRefused);
      ++events;
    }
  }
  EXPECT_EQ(events, kStreams);
}

}  // namespace
}  // namespace flotilla::logs
