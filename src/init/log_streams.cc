#include "init/log_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <new>
#include <utility>

#include "base/release_room.h"

namespace flotilla::init {
namespace {

using base::Micros;
using base::Result;

constexpr std::string_view kKeptPrefix = "log:";
constexpr std::string_view kKeptHashPrefix = "log#";
constexpr std::string_view kOwnIdentifier = "flotilla-init";
constexpr Micros kRestartDelay{1'000'000};
constexpr int kEndPatienceMs = 2000;
constexpr size_t kFirstBuckets = 16;           // a power of two
constexpr size_t kMaxPendingMessages = 32768;  // of one unit; half of what a pipe takes

// The keeper's names are short: a long unit name is told by its hash.
std::string kept_name_of(std::string_view unit) {
  if (kKeptPrefix.size() + unit.size() <= kMaxKeptName) {
    return std::string(kKeptPrefix) + std::string(unit);
  }
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : unit) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return fmt::format("{}{:016x}", kKeptHashPrefix, hash);
}

}  // namespace

std::unique_ptr<LogStreams::Stream> LogStreams::Stream::create(uint64_t id, std::string_view unit,
                                                               std::string_view identifier) {
  void* const memory = ::operator new(sizeof(Stream) + unit.size() + identifier.size() + 2);
  std::unique_ptr<Stream> stream(new (memory) Stream{id});
  char* end = reinterpret_cast<char*>(stream.get() + 1);
  for (const std::string_view text : {unit, identifier}) {
    end = std::copy(text.begin(), text.end(), end);
    *end++ = '\0';
  }
  return stream;
}

size_t LogStreams::OpenStreams::bucket_of(std::string_view unit) const noexcept {
  return std::hash<std::string_view>()(unit) & (buckets_.size() - 1);
}

LogStreams::Stream* LogStreams::OpenStreams::find(std::string_view unit) const noexcept {
  if (size_ == 0) return nullptr;
  Stream* stream = buckets_[bucket_of(unit)];
  while (stream != nullptr && stream->unit() != unit) stream = stream->next_in_bucket;
  return stream;
}

void LogStreams::OpenStreams::insert(Stream& stream) {
  if (size_ == buckets_.size()) grow();
  stream.next_in_bucket = std::exchange(buckets_[bucket_of(stream.unit())], &stream);
  ++size_;
}

void LogStreams::OpenStreams::erase(Stream& stream) noexcept {
  if (size_ == 0) return;
  Stream** link = &buckets_[bucket_of(stream.unit())];
  while (*link != nullptr && *link != &stream) link = &(*link)->next_in_bucket;
  if (*link == nullptr) return;
  *link = stream.next_in_bucket;
  --size_;
}

void LogStreams::OpenStreams::grow() {
  std::vector<Stream*> before(std::max<size_t>(kFirstBuckets, buckets_.size() * 2), nullptr);
  before.swap(buckets_);
  size_ = 0;
  for (Stream* stream : before) {
    while (stream != nullptr) {
      Stream* const next = stream->next_in_bucket;
      insert(*std::exchange(stream, next));
    }
  }
}

LogStreams::LogStreams(Loop& loop, Spawner& spawner, Processes& processes, KeeperPort& keeper,
                       LogStreamsOptions options)
    : loop_(loop),
      spawner_(spawner),
      processes_(processes),
      keeper_(keeper),
      options_(std::move(options)),
      source_(Priority::kIdle, Callback<void(uint32_t)>::to<&LogStreams::on_client>(*this)),
      watch_(Callback<void(const ChildExit&)>::to<&LogStreams::on_logd_exit>(*this)),
      restart_(Callback<void()>::to<&LogStreams::on_restart>(*this)) {}

LogStreams::~LogStreams() { flush(); }

void LogStreams::take_back(const std::string& kept_name, base::Fd read_end) {
  unclaimed_[kept_name] = std::move(read_end);
}

void LogStreams::add_inlet(logs::InletKind kind, base::Fd socket) {
  inlets_.push_back(std::make_unique<Inlet>(
      kind, std::move(socket), Callback<void(uint32_t)>::to<&LogStreams::on_inlet>(*this)));
  tend_inlets();
}

// While no log process runs, somebody has to see that one is needed.
void LogStreams::tend_inlets() {
  const bool watches = !client_ && !restart_.is_armed() && !is_shut_down_;
  for (const auto& inlet : inlets_) {
    if (watches == inlet->source.is_watched()) continue;
    if (!watches) {
      loop_.unwatch(inlet->source);
    } else if (const auto watched = loop_.watch(inlet->source, inlet->socket.get(), EPOLLIN);
               !watched) {
      say(watched.error().message);
    }
  }
}

void LogStreams::on_inlet(uint32_t) {
  if (!client_ && !restart_.is_armed() && !is_shut_down_) start_logd();
  flush();
}

void LogStreams::drop_unclaimed() {
  for (const auto& [name, fd] : unclaimed_) static_cast<void>(keeper_.remove(name));
  unclaimed_.clear();
}

LogStreams::Stream* LogStreams::find_stream(uint64_t id) noexcept {
  const auto found = std::lower_bound(
      streams_.begin(), streams_.end(), id,
      [](const std::unique_ptr<Stream>& stream, uint64_t wanted) { return stream->id < wanted; });
  return found != streams_.end() && (*found)->id == id ? found->get() : nullptr;
}

// Requires: its id is larger than that of any before.
LogStreams::Stream& LogStreams::place(std::unique_ptr<Stream> stream) {
  to_add_.push_back(stream->id);
  return *streams_.emplace_back(std::move(stream));
}

Result<UnitLogs::Fds> LogStreams::open_streams(const Request& request) {
  if (Stream* stream = open_.find(request.unit)) {
    return Fds{stream->write_end.get(), stream->write_end.get()};
  }
  if (options_.program.empty()) return Fds{-1, -1};
  std::unique_ptr<Stream> made = Stream::create(next_id_++, request.unit, request.identifier);
  Stream& stream = *made;
  stream.priority = static_cast<uint8_t>(request.priority);
  stream.level_prefix = request.level_prefix;
  stream.priority_max = static_cast<uint8_t>(request.priority_max);
  if (request.extras != nullptr) stream.marks = marks_of(*request.extras);
  if (stream.marks && stream.marks->left_out > 0) {
    say(fmt::format(
        "{}: LogExtraFields=: {} fields are too many or too long for the log, ignoring.",
        stream.unit(), stream.marks->left_out));
  }
  stream.is_kept = true;
  const std::string kept_name = kept_name_of(request.unit);
  const auto kept = unclaimed_.find(kept_name);
  if (kept != unclaimed_.end()) {
    stream.read_end = std::move(kept->second);
    unclaimed_.erase(kept);
    // The write end died with the manager before; the pipe is reached through its other end.
    const std::string path = fmt::format("/proc/self/fd/{}", stream.read_end.get());
    stream.write_end.reset(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!stream.write_end)
      return base::system_error(errno, "open the pipe of {} again", stream.unit());
  } else {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return base::system_error(errno, "make a pipe");
    stream.read_end.reset(ends[0]);
    stream.write_end.reset(ends[1]);
    // Before any process writes: one whose readers all died would get EPIPE.
    const KeptFd kept_fd{kept_name, stream.read_end.get()};
    if (const auto stored = keeper_.store({&kept_fd, 1}); !stored) {
      say(fmt::format("Failed to hand a log pipe to the keeper: {}", stored.error().message));
    }
  }
  const Fds fds{stream.write_end.get(), stream.write_end.get()};
  open_.insert(place(std::move(made)));
  return fds;
}

void LogStreams::close_streams(std::string_view unit) noexcept {
  Stream* const stream = open_.find(unit);
  if (stream == nullptr) return;
  stream->write_end.reset();
  open_.erase(*stream);
}

void LogStreams::set_pid(std::string_view unit, pid_t pid) noexcept {
  Stream* stream = open_.find(unit);
  if (stream == nullptr) return;
  stream->pid = pid;
  if (stream->is_added && client_) client_->set_pid(stream->id, pid);
}

void LogStreams::message(std::string_view unit, int priority, std::string_view text) {
  if (level_ != nullptr && priority > *level_) return;
  if (!options_.is_quiet) stderr_buffer_.append(text).append("\n");
  // The last words about a unit come after its pipe was closed, in the same turn.
  const bool is_captured = open_.find(unit) != nullptr || messages_.find(unit) != messages_.end();
  if (unit.empty() || (!is_captured && priority > 4)) return;
  std::string& pending = messages_[std::string(unit)];
  if (pending.size() + text.size() > kMaxPendingMessages) return;
  pending += fmt::format("<{}>{}\n", priority, text);
}

void LogStreams::say(std::string_view line) {
  if (!options_.is_quiet) stderr_buffer_.append(line).append("\n");
}

// A unit's messages travel like the output of a process that wrote them and ended.
void LogStreams::send_messages() {
  for (const auto& [unit, text] : messages_) {
    if (options_.program.empty()) break;
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) break;
    std::unique_ptr<Stream> stream = Stream::create(next_id_++, unit, kOwnIdentifier);
    stream->is_message = true;
    stream->pid = getpid();
    stream->read_end.reset(ends[0]);
    const base::Fd write_end(ends[1]);
    if (write(write_end.get(), text.data(), text.size()) < 0) continue;
    place(std::move(stream));
  }
  messages_.clear();
}

void LogStreams::flush() {
  send_messages();
  if (!client_ && !streams_.empty() && !restart_.is_armed() && !is_shut_down_) start_logd();
  if (client_) {
    // "Started" before what a process that was started in this turn has to say.
    std::stable_partition(to_add_.begin(), to_add_.end(), [&](uint64_t id) {
      const Stream* stream = find_stream(id);
      return stream != nullptr && stream->is_message;
    });
    for (const uint64_t id : to_add_) {
      Stream* stream = find_stream(id);
      if (stream == nullptr || stream->is_added) continue;
      logs::StreamSpec spec;
      spec.id = id;
      spec.unit = stream->unit();
      spec.identifier = stream->identifier();
      spec.pid = stream->pid;
      spec.priority = stream->priority;
      spec.level_prefix = stream->level_prefix;
      spec.priority_max = stream->priority_max;
      std::string in_namespace;
      if (stream->marks) {
        if (!stream->marks->log_namespace.empty()) {
          in_namespace = name_in_namespace(stream->marks->log_namespace, stream->unit());
          spec.unit = in_namespace;
          if (spec.identifier.empty()) spec.identifier = stream->unit();
        }
        spec.fields = stream->marks->fields;
        spec.rate_interval_usec = stream->marks->rate_interval_usec;
        spec.rate_burst = stream->marks->rate_burst;
      }
      stream->is_added = true;
      if (const auto added = client_->add_stream(spec, stream->read_end.get()); !added) {
        say(fmt::format("{}: its log cannot be kept: {}", stream->unit(), added.error().message));
      }
    }
    base::release_room(to_add_);
    static_cast<void>(client_->flush());
    if (source_.is_watched()) {
      static_cast<void>(
          loop_.change(source_, client_->wants_write() ? EPOLLIN | EPOLLOUT : EPOLLIN));
    }
  }
  if (!inlets_.empty()) tend_inlets();
  if (!stderr_buffer_.empty()) {
    // What stderr does not take is lost: the manager never waits for who reads it.
    if (write(options_.stderr_fd, stderr_buffer_.data(), stderr_buffer_.size()) < 0) errno = 0;
    stderr_buffer_.clear();
  }
}

void LogStreams::rest() noexcept {
  if (client_) client_->rest();
}

void LogStreams::start_logd() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    say(fmt::format("Failed to start flotilla-logd: {}", base::describe_errno(errno)));
    return loop_.arm_after(restart_, kRestartDelay);
  }
  base::Fd own(ends[0]);
  const base::Fd theirs(ends[1]);
  const std::string directory = "--directory=" + options_.directory;
  const std::string units = "--units=" + options_.units;
  const std::array<const char*, 4> argv{options_.program.c_str(), directory.c_str(),
                                        options_.units.empty() ? nullptr : units.c_str(), nullptr};
  const std::array<const char*, 1> environment{nullptr};
  const int passed = theirs.get();
  ExecSpec spec;
  spec.path = options_.program.c_str();
  spec.argv = argv.data();
  spec.environment = environment.data();
  spec.stderr_fd = options_.stderr_fd;
  spec.passed_fds = &passed;
  spec.passed_fd_count = 1;
  spec.umask = 0022;
  SpawnResult result = spawner_.spawn(spec);
  if (!result.is_running()) {
    if (!start_failed_) {
      say(fmt::format("Failed to start {}: {}; the output of services waits in their pipes.",
                      options_.program, base::describe_errno(result.error)));
    }
    start_failed_ = true;
    loop_.arm_after(restart_, kRestartDelay);
    return;
  }
  start_failed_ = false;
  started_at_ = loop_.clock().monotonic();
  processes_.watch(watch_, result.pid);
  client_ = std::make_unique<logs::LogClient>(std::move(own));
  if (const auto watched = loop_.watch(source_, client_->fd(), EPOLLIN); !watched) {
    say(watched.error().message);
  }
  for (const auto& inlet : inlets_) client_->add_inlet(inlet->kind, inlet->socket.get());
  to_add_.clear();
  for (const auto& stream : streams_) {
    stream->is_added = false;
    to_add_.push_back(stream->id);
  }
}

void LogStreams::shut_down() {
  flush();
  // What is still said goes to stderr alone: a log process started now would outlive the manager.
  is_shut_down_ = true;
  tend_inlets();
  if (!watch_.is_watching()) return;
  const pid_t logd = watch_.pid();
  loop_.unwatch(source_);
  client_.reset();  // it reads this as the end, and writes what is left
  processes_.unwatch(watch_);
  const base::Fd process(static_cast<int>(syscall(SYS_pidfd_open, logd, 0)));
  pollfd ended{process.get(), POLLIN, 0};
  poll(&ended, 1, kEndPatienceMs);
  waitpid(logd, nullptr, WNOHANG);
}

void LogStreams::on_logd_exit(const ChildExit& exit) {
  loop_.unwatch(source_);
  client_.reset();
  say(fmt::format("flotilla-logd ended ({} {}); starting another one.",
                  exit.code == CLD_EXITED ? "status" : "signal", exit.status));
  // One that dies at once is not started in a circle.
  const bool too_soon = loop_.clock().monotonic() - started_at_ < kRestartDelay;
  loop_.arm_after(restart_, too_soon ? kRestartDelay : Micros(0));
  flush();
}

void LogStreams::on_restart() { flush(); }

void LogStreams::on_client(uint32_t) {
  logs::Event event;
  while (client_ && client_->next_event(event)) {
    if (event.type == logs::EventType::kStreamEnded) stream_ended(event.id);
    if (event.type == logs::EventType::kStreamRefused) {
      if (const Stream* stream = find_stream(event.id)) {
        say(fmt::format("{}: its log cannot be kept: {}", stream->unit(),
                        base::describe_errno(event.detail)));
      }
      stream_ended(event.id);
    }
  }
  if (client_ && client_->is_closed()) {
    // Its exit, which follows, starts the next one.
    loop_.unwatch(source_);
    return;
  }
  flush();
}

void LogStreams::stream_ended(uint64_t id) {
  Stream* stream = find_stream(id);
  if (stream == nullptr) return;
  // A stream that was opened again under this name is another one.
  const Stream* open = open_.find(stream->unit());
  if (stream->is_kept && (open == nullptr || open == stream)) {
    static_cast<void>(keeper_.remove(kept_name_of(stream->unit())));
  }
  if (open == stream) open_.erase(*stream);
  const auto place = std::find_if(streams_.begin(), streams_.end(),
                                  [&](const auto& each) { return each.get() == stream; });
  streams_.erase(place);
}

}  // namespace flotilla::init
