#include "init/keeper_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace flotilla::init {
namespace {

constexpr base::Micros kCrowdedRetry{10'000};
constexpr int kRequestTimeoutMs = 5000;

template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// One packet from the keeper, with what came along with it.
struct Packet {
  Packet() noexcept {}  // else the bytes would be cleared
  std::array<char, kMaxKeeperMessage> bytes;
  size_t size = 0;
  std::vector<base::Fd> fds;

  KeeperMessage head() const {
    KeeperMessage head{};
    if (size >= sizeof head) std::memcpy(&head, bytes.data(), sizeof head);
    return head;
  }
  // The index-th exit of a kExits packet; false where the packet is too short for it.
  bool exit_at(size_t index, KeeperExit& to) const {
    const size_t at = sizeof(KeeperMessage) + index * sizeof(KeeperExitEntry);
    if (index >= head().count || at + sizeof(KeeperExitEntry) > size) return false;
    KeeperExitEntry entry{};
    std::memcpy(&entry, bytes.data() + at, sizeof entry);
    to = {{entry.pid, entry.code, entry.status, entry.uid}, entry.sequence};
    return true;
  }
};

// The size; 0 at the end of the link; -1 with errno.
ssize_t receive(int link, Packet& packet, int flags) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 253)> control{};
  iovec part{packet.bytes.data(), packet.bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = -1;
  do {
    size = recvmsg(link, &message, flags | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  packet.size = size > 0 ? static_cast<size_t>(size) : 0;
  packet.fds.clear();
  if (size <= 0) return size;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      packet.fds.emplace_back(fd);
    }
  }
  return size;
}

}  // namespace

KeeperLink::KeeperLink(base::Fd link) noexcept
    : link_(std::move(link)),
      source_(Priority::kChildren, Callback<void(uint32_t)>::to<&KeeperLink::on_ready>(*this)),
      acknowledge_work_(Callback<void()>::to<&KeeperLink::send_acknowledgement>(*this)),
      retry_(Callback<void()>::to<&KeeperLink::flush>(*this)) {}

KeeperLink::~KeeperLink() = default;

base::Result<KeeperLink::Inheritance> KeeperLink::receive_inheritance() {
  const auto packet = std::make_unique<Packet>();
  const auto next = [&]() -> base::Status {
    const ssize_t size = receive(link_.get(), *packet, 0);
    if (size < 0) return base::system_error(errno, "hear from the keeper");
    if (size == 0) return base::unavailable("the keeper is gone");
    return {};
  };
  FLOTILLA_TRY(next());
  KeeperHello hello{};
  if (packet->size < sizeof hello || packet->head().kind != KeeperMessageKind::kHello) {
    return base::invalid("the keeper did not begin with a hello");
  }
  std::memcpy(&hello, packet->bytes.data(), sizeof hello);
  Inheritance inheritance;
  inheritance.start_number = hello.start_number;
  inheritance.previous_crashed = hello.previous_crashed != 0;
  for (uint32_t left = hello.fd_count; left != 0;) {
    FLOTILLA_TRY(next());
    const uint32_t count = packet->head().count;
    if (packet->head().kind != KeeperMessageKind::kFds || count == 0 || count > left) {
      return base::invalid("the keeper's descriptors do not come as announced");
    }
    std::string_view names(packet->bytes.data() + sizeof(KeeperMessage),
                           packet->size - sizeof(KeeperMessage));
    // Fewer descriptors than names where this process may open no more: those names are lost.
    for (base::Fd& fd : packet->fds) {
      const size_t end = names.find('\0');
      if (end == std::string_view::npos) break;
      inheritance.fds.push_back({std::string(names.substr(0, end)), std::move(fd)});
      names.remove_prefix(end + 1);
    }
    left -= count;
  }
  for (uint32_t left = hello.exit_count; left != 0;) {
    FLOTILLA_TRY(next());
    KeeperExit exit;
    uint32_t count = 0;
    if (packet->head().kind == KeeperMessageKind::kExits) {
      for (; packet->exit_at(count, exit); ++count) inheritance.exits.push_back(exit);
    }
    if (count == 0 || count > left) {
      return base::invalid("the keeper's exits do not come as announced");
    }
    left -= count;
  }
  return inheritance;
}

base::Status KeeperLink::attach(Loop& loop, Callback<void(const KeeperExit&)> on_exit,
                                Callback<void()> on_gone) {
  on_exit_ = on_exit;
  on_gone_ = on_gone;
  FLOTILLA_TRY(loop.watch(source_, link_.get(), EPOLLIN));
  loop_ = &loop;
  flush();
  return {};
}

void KeeperLink::on_ready(uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  Packet packet;
  for (;;) {
    const ssize_t size = receive(link_.get(), packet, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
      loop_->unwatch(source_);
      queue_.clear();
      const Callback<void()> on_gone = on_gone_;
      on_gone();
      return;
    }
    if (packet.head().kind != KeeperMessageKind::kExits) continue;  // of a later version
    KeeperExit exit;
    for (size_t i = 0; packet.exit_at(i, exit); ++i) on_exit_(exit);
  }
}

base::Status KeeperLink::store(std::span<const KeptFd> fds) {
  for (const KeptFd& kept : fds) {
    if (kept.name.size() > kMaxKeptName || kept.name.find('\0') != std::string_view::npos) {
      return base::invalid("\"{}\" is no name for a kept descriptor", kept.name);
    }
  }
  while (!fds.empty()) {
    const size_t count = std::min(fds.size(), kMaxFdsPerMessage);
    const KeeperMessage head{KeeperMessageKind::kStore, static_cast<uint32_t>(count)};
    std::string bytes(bytes_of(head));
    std::array<int, kMaxFdsPerMessage> numbers{};
    for (size_t i = 0; i < count; ++i) {
      bytes.append(fds[i].name).push_back('\0');
      numbers[i] = fds[i].fd;
    }
    FLOTILLA_TRY(send(bytes, std::span(numbers).first(count)));
    fds = fds.subspan(count);
  }
  return {};
}

base::Status KeeperLink::remove(std::string_view name) {
  const KeeperMessage head{KeeperMessageKind::kRemove, 1};
  std::string bytes(bytes_of(head));
  bytes.append(name.substr(0, kMaxKeptName)).push_back('\0');
  return send(bytes, {});
}

base::Status KeeperLink::remove_all() {
  const KeeperMessage head{KeeperMessageKind::kRemoveAll, 0};
  return send(bytes_of(head), {});
}

void KeeperLink::acknowledge(uint64_t sequence) {
  if (sequence <= acknowledged_) return;
  acknowledged_ = sequence;
  if (loop_ != nullptr) {
    loop_->defer(acknowledge_work_);
  } else {
    send_acknowledgement();
  }
}

void KeeperLink::send_acknowledgement() {
  if (acknowledged_ == acknowledgement_sent_) return;
  const KeeperRequest request{{KeeperMessageKind::kAcknowledge, 0}, acknowledged_};
  // If it fails the keeper is gone, or it comes again: an exit told twice does no harm.
  if (send(bytes_of(request), {})) acknowledgement_sent_ = acknowledged_;
}

base::Status KeeperLink::request_shutdown(int exit_code, MachineEnd end) {
  const auto value = static_cast<uint64_t>(exit_code & 0xff) | static_cast<uint64_t>(end) << 8;
  return request({{KeeperMessageKind::kShutdown, 0}, value});
}

base::Status KeeperLink::request_reexec() { return request({{KeeperMessageKind::kReexec, 0}, 0}); }

// The last words of a manager: they must be out when it ends, and all that is queued before them.
base::Status KeeperLink::request(const KeeperRequest& request) {
  send_acknowledgement();
  FLOTILLA_TRY(send(bytes_of(request), {}));
  for (int waited = 0; !queue_.empty(); waited += 10) {
    if (waited > kRequestTimeoutMs) return base::timed_out("the keeper does not listen");
    pollfd event{link_.get(), POLLOUT, 0};
    poll(&event, 1, 10);
    flush();
  }
  return {};
}

base::Status KeeperLink::send(std::string_view bytes, std::span<const int> fds) {
  if (queue_.empty()) {
    base::Status sent = send_now(bytes, fds);
    if (sent ||
        (sent.error().error_number != EAGAIN && sent.error().error_number != ETOOMANYREFS)) {
      return sent;
    }
  }
  // The caller may close its descriptors before there is room.
  Outgoing waiting;
  waiting.bytes = bytes;
  for (const int fd : fds) {
    base::Fd copy(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!copy) return base::system_error(errno, "keep a descriptor until the keeper listens");
    waiting.fds.push_back(std::move(copy));
  }
  queue_.push_back(std::move(waiting));
  flush();
  return {};
}

base::Status KeeperLink::send_now(std::string_view bytes, std::span<const int> fds) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFdsPerMessage)> control{};
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  while (sendmsg(link_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return base::system_error(errno, "tell the keeper");
  }
  return {};
}

// Sends what waits, as far as the socket takes it, and sees to it that the rest follows.
void KeeperLink::flush() {
  int error = 0;
  std::vector<int> numbers;
  while (!queue_.empty()) {
    numbers.clear();
    for (const base::Fd& fd : queue_.front().fds) numbers.push_back(fd.get());
    const base::Status sent = send_now(queue_.front().bytes, numbers);
    if (!sent) error = sent.error().error_number;
    if (error == EAGAIN || error == ETOOMANYREFS) break;
    error = 0;  // it cannot be sent at all: what follows may
    queue_.pop_front();
  }
  if (loop_ == nullptr || !source_.is_watched()) return;
  (void)loop_->change(source_, error == EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
  if (error == ETOOMANYREFS) loop_->arm_after(retry_, kCrowdedRetry);
}

}  // namespace flotilla::init
