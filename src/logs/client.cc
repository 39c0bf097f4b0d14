#include "logs/client.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/release_room.h"

namespace flotilla::logs {

LogClient::LogClient(base::Fd socket) : socket_(std::move(socket)), open_(nullptr, 0) {
  const int flags = ::fcntl(socket_.get(), F_GETFL);
  if (flags >= 0) ::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK);
}

void LogClient::open_message(MessageType type, std::uint64_t argument) {
  if (!buffer_) {
    buffer_.reset(new char[kMaxControlMessage]);
    open_ = MessageWriter(buffer_.get(), kMaxControlMessage);
  }
  open_type_ = type;
  open_.start(type, argument);
}

void LogClient::rest() noexcept {
  if (!open_.bytes().empty()) return;
  buffer_.reset();
  if (sealed_.empty()) base::release_room(sealed_);
}

void LogClient::seal() {
  if (open_.bytes().empty()) return;
  Sealed sealed{std::string(open_.bytes()), {}};
  sealed.fds.assign(open_fds_.data(), open_fds_.data() + open_fd_count());
  sealed_.push_back(std::move(sealed));
  open_.clear();
}

base::Status LogClient::add_stream(const StreamSpec& spec, int pipe_read_end) {
  if (!is_valid_unit_name(spec.unit)) {
    return base::invalid("log stream of unit \"{}\": not a name a log directory can have",
                         spec.unit);
  }
  if (spec.identifier.size() > kMaxIdentifier) {
    return base::invalid(
        "log stream of unit {}: expected an identifier of at most {} bytes, got {}", spec.unit,
        kMaxIdentifier, spec.identifier.size());
  }
  if (open_.bytes().empty() || open_type_ != MessageType::kAddStreams) {
    seal();
    open_message(MessageType::kAddStreams);
  }
  if (!open_.add_stream(spec)) {
    seal();
    open_message(MessageType::kAddStreams);
    if (!open_.add_stream(spec)) {
      return base::internal("log stream of unit {}: does not fit in a message", spec.unit);
    }
  }
  open_fds_[open_.count() - 1] = pipe_read_end;
  return {};
}

void LogClient::add_inlet(InletKind kind, int socket) {
  seal();
  open_message(MessageType::kAddInlet, static_cast<std::uint64_t>(kind));
  open_fds_[0] = socket;
}

void LogClient::set_pid(std::uint64_t stream_id, std::int32_t pid) {
  if (open_.bytes().empty() || open_type_ != MessageType::kSetPid) {
    seal();
    open_message(MessageType::kSetPid);
  }
  if (!open_.add_pid({stream_id, pid})) {
    seal();
    open_message(MessageType::kSetPid);
    open_.add_pid({stream_id, pid});
  }
}

base::Status LogClient::forget_unit(std::string_view unit) {
  if (!is_valid_unit_name(unit)) {
    return base::invalid("forget unit \"{}\": not a name a log directory can have", unit);
  }
  seal();
  open_message(MessageType::kForgetUnit);
  open_.add_unit(unit);
  return {};
}

void LogClient::sync(std::uint64_t id) {
  seal();
  open_message(MessageType::kSync, id);
}

// Returns 0 or the errno.
int LogClient::send_message(std::string_view bytes, const int* fds, std::size_t fd_count) {
  iovec data{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxStreamsPerMessage)];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd_count > 0) {
    std::memset(control, 0, sizeof(control));
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    std::memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? errno : 0;
}

std::size_t LogClient::open_fd_count() const noexcept {
  if (open_type_ == MessageType::kAddInlet) return 1;
  return open_type_ == MessageType::kAddStreams ? open_.count() : 0;
}

int LogClient::send_sealed() {
  std::size_t sent = 0;
  int failure = 0;
  for (; sent < sealed_.size() && failure == 0; ++sent) {
    const Sealed& next = sealed_[sent];
    failure = send_message(next.bytes, next.fds.data(), next.fds.size());
    if (failure != 0) break;
  }
  sealed_.erase(sealed_.begin(), sealed_.begin() + static_cast<std::ptrdiff_t>(sent));
  return failure;
}

int LogClient::send_open() {
  if (open_.bytes().empty()) return 0;
  const int failure = send_message(open_.bytes(), open_fds_.data(), open_fd_count());
  if (failure == 0) open_.clear();
  return failure;
}

base::Status LogClient::flush() {
  if (closed_) return base::unavailable("the log process is gone");
  if (waits_for_reader_) return {};
  int failure = send_sealed();
  if (failure == 0) failure = send_open();
  switch (failure) {
    case 0:
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      return {};
    case ETOOMANYREFS:
      wait_for_reader();
      return {};
    default:
      closed_ = true;
      return base::unavailable("the log process is gone: {}", base::describe_errno(failure));
  }
}

// The kernel limits the descriptors that are on their way in sockets. The answer to a request
// without any tells that the log process has taken those before it.
void LogClient::wait_for_reader() {
  char buffer[64];
  MessageWriter request(buffer, sizeof(buffer));
  request.start(MessageType::kSync, kInternalSync);
  waits_for_reader_ = send_message(request.bytes(), nullptr, 0) == 0;
}

bool LogClient::receive() {
  ssize_t size = 0;
  do {
    size = ::recv(socket_.get(), input_.data(), input_.size(), MSG_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && errno == EAGAIN) return false;
  if (size <= 0) {
    closed_ = true;
    return false;
  }
  events_ = MessageReader(std::string_view(input_.data(), static_cast<std::size_t>(size)));
  return true;
}

bool LogClient::next_event(Event& out) {
  while (!closed_) {
    while (events_.next_event(out)) {
      if (out.type != EventType::kSyncDone || out.id != kInternalSync) return true;
      waits_for_reader_ = false;
      if (!flush()) return false;
    }
    if (!receive()) return false;
  }
  return false;
}

}  // namespace flotilla::logs
