// The output of services on its way to flotilla-logd: one pipe per unit, whose read end the log
// process and the keeper hold too, so that either they or the manager may die and nothing is lost.
// Starts flotilla-logd when the first stream is opened and again when it dies. Owned by the
// program; loop thread only.
//
// The manager's own lines about a unit go to its stderr, and, where the unit's output is captured
// or the line is a warning, to the unit's log too, under the identifier "flotilla-init".
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "init/children.h"
#include "init/keeper_link.h"
#include "init/log_marks.h"
#include "init/loop.h"
#include "init/manager_options.h"
#include "init/spawner.h"
#include "logs/client.h"

namespace flotilla::init {

struct LogStreamsOptions {
  std::string program;    // of flotilla-logd; empty: output is dropped, which is said once
  std::string directory;  // host path of the logs
  std::string units;      // of what UnitLinks writes; empty: nothing
  int stderr_fd = 2;
  bool is_quiet = false;  // nothing on stderr
};

class LogStreams final : public UnitLogs {
 public:
  LogStreams(Loop& loop, Spawner& spawner, Processes& processes, KeeperPort& keeper,
             LogStreamsOptions options);
  ~LogStreams() override;

  // A pipe's read end that the keeper held for the manager before. Before the units are adopted.
  void take_back(const std::string& kept_name, base::Fd read_end);
  // A socket that programs log to by themselves; the log process reads it, and is started for it
  // when somebody has written.
  void add_inlet(logs::InletKind kind, base::Fd socket);
  // Drops those that no unit has asked for since.
  void drop_unclaimed();
  // Nothing happens for a while: gives back what only sending takes.
  void rest() noexcept;
  // Lines above this priority's number are left out.
  void set_level(const int& level) noexcept { level_ = &level; }

  base::Result<Fds> open_streams(const Request& request) override;
  void close_streams(std::string_view unit) noexcept override;
  void set_pid(std::string_view unit, pid_t pid) noexcept override;
  void message(std::string_view unit, int priority, std::string_view text) override;
  void flush() override;

  // Lets the log process write what is left and end; waits for it, at most two seconds. For the
  // very end of the manager alone.
  void shut_down();

 private:
  // There are as many as services. The names stand behind it, each with a NUL.
  struct Stream {
    static std::unique_ptr<Stream> create(uint64_t id, std::string_view unit,
                                          std::string_view identifier);
    static void operator delete(void* stream) { ::operator delete(stream); }
    std::string_view unit() const noexcept { return reinterpret_cast<const char*>(this + 1); }
    std::string_view identifier() const noexcept { return unit().data() + unit().size() + 1; }

    const uint64_t id;
    Stream* next_in_bucket = nullptr;   // of open_
    std::unique_ptr<LogMarks> marks{};  // of the few that have any
    pid_t pid = 0;
    base::Fd read_end{}, write_end{};
    uint8_t priority = 6, priority_max = 7;
    bool level_prefix : 1 = true;
    bool is_kept : 1 = false;     // the keeper has a copy of the read end, or is to get one
    bool is_message : 1 = false;  // the manager's own lines
    bool is_added : 1 = false;    // to the log process that runs now
  };
  // The open streams by unit: an intrusive hash.
  class OpenStreams {
   public:
    Stream* find(std::string_view unit) const noexcept;
    // Requires: the unit has none.
    void insert(Stream& stream);
    // Harmless where it is not in.
    void erase(Stream& stream) noexcept;

   private:
    size_t bucket_of(std::string_view unit) const noexcept;
    void grow();

    std::vector<Stream*> buckets_;  // a power of two of them, or none
    size_t size_ = 0;
  };

  struct Inlet {
    Inlet(logs::InletKind of_kind, base::Fd of_socket, Callback<void(uint32_t)> on_ready)
        : kind(of_kind), socket(std::move(of_socket)), source(Priority::kIdle, on_ready) {}
    logs::InletKind kind;
    base::Fd socket;
    FdSource source;
  };

  void start_logd();
  void tend_inlets();
  void on_inlet(uint32_t events);
  void on_logd_exit(const ChildExit& exit);
  void on_client(uint32_t events);
  void on_restart();
  void stream_ended(uint64_t id);
  Stream& place(std::unique_ptr<Stream> stream);
  Stream* find_stream(uint64_t id) noexcept;
  void send_messages();
  void say(std::string_view line);

  Loop& loop_;
  Spawner& spawner_;
  Processes& processes_;
  KeeperPort& keeper_;
  LogStreamsOptions options_;
  const int* level_ = nullptr;

  // There are as many as services: by id, which only grows, and the open ones by unit.
  std::vector<std::unique_ptr<Stream>> streams_;
  OpenStreams open_;
  std::map<std::string, base::Fd, std::less<>> unclaimed_;    // by kept name
  std::map<std::string, std::string, std::less<>> messages_;  // by unit, lines with "<N>"
  std::vector<uint64_t> to_add_;                              // to the log process
  std::string stderr_buffer_;
  uint64_t next_id_ = 1;

  std::vector<std::unique_ptr<Inlet>> inlets_;
  std::unique_ptr<logs::LogClient> client_;
  FdSource source_;
  ChildWatch watch_;
  Timer restart_;
  base::MonotonicTime started_at_{};
  bool start_failed_ = false;
  bool is_shut_down_ = false;
};

}  // namespace flotilla::init
