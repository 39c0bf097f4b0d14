#include "api/tls_front.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "overlord/loop_asio.h"
#include "tls/tunnel.h"

namespace flotilla::api {
namespace {

constexpr size_t kMaxTunnels = 2'000;
constexpr std::chrono::milliseconds kAcceptRest{100};
// Whoever fails in a loop does not fill the log.
constexpr std::chrono::seconds kRefusalPause{1};

}  // namespace

Role role_of(const std::vector<std::string>& names, const std::vector<std::string>& admins) {
  const bool is_admin =
      admins.empty() || std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return std::find(admins.begin(), admins.end(), name) != admins.end();
      });
  return is_admin ? Role::kAdmin : Role::kReader;
}

class TlsFront::Impl : public std::enable_shared_from_this<TlsFront::Impl> {
 public:
  Impl(overlord::AsioLoop& loop, Server& server, std::shared_ptr<const tls::Context> context,
       std::vector<std::string> admins)
      : loop_(loop), server_(server), context_(std::move(context)), admins_(std::move(admins)) {}

  void listen(std::vector<base::Fd> listeners) {
    for (base::Fd& fd : listeners) {
      listeners_.push_back(std::make_unique<Listener>());
      listeners_.back()->fd = std::move(fd);
      watch(*listeners_.back());
    }
  }
  void stop_accepting() { listeners_.clear(); }
  void close() {
    stop_accepting();
    for (auto& [id, tunnel] : std::exchange(tunnels_, {})) tunnel->close();
  }

 private:
  struct Listener {
    base::Fd fd;
    base::RegistrationPtr watch;
    base::RegistrationPtr rest;  // armed while accepting is paused
  };

  void watch(Listener& listener) {
    listener.watch = loop_.watch(listener.fd.get(), 1U /* EPOLLIN */,
                                 [this, &listener](uint32_t) { accept_all(listener); });
  }
  void accept_all(Listener& listener) {
    while (tunnels_.size() < kMaxTunnels) {
      const int fd = accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) {
        begin(base::Fd(fd));
        continue;
      }
      if (errno == EAGAIN) return;
      if (errno == EINTR || errno == ECONNABORTED) continue;
      SPDLOG_ERROR("Failed serving HTTP on listener: accept: {}", base::describe_errno(errno));
      break;
    }
    // Out of descriptors, memory or places: whoever waits stays in the backlog for a moment.
    listener.watch.reset();
    listener.rest = loop_.after(kAcceptRest, [this, &listener] { watch(listener); });
  }
  void begin(base::Fd fd) {
    const uint64_t id = ++last_id_;
    const std::weak_ptr<Impl> weak = weak_from_this();
    const auto tunnel = tls::Tunnel::accept(
        overlord::io_context_of(loop_), context_, std::move(fd),
        [weak](base::Result<tls::Opened> opened) {
          const auto self = weak.lock();
          if (!self) return;
          if (!opened) return self->note_refusal(opened.error().message);
          std::vector<Connection> one;
          one.push_back({std::move(opened->plain), {}, role_of(opened->names, self->admins_)});
          self->server_.adopt(std::move(one));
        });
    tunnel->on_end = [weak, id] {
      if (const auto self = weak.lock()) self->tunnels_.erase(id);
    };
    tunnels_.emplace(id, tunnel);
  }
  void note_refusal(const std::string& why) {
    const base::MonotonicTime now = loop_.clock().monotonic();
    if (has_refused_ && now - last_refusal_ < kRefusalPause) return;
    has_refused_ = true;
    last_refusal_ = now;
    SPDLOG_WARN("Refused a client of the API: {}", why);
  }

  overlord::AsioLoop& loop_;
  Server& server_;
  const std::shared_ptr<const tls::Context> context_;
  const std::vector<std::string> admins_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unordered_map<uint64_t, std::shared_ptr<tls::Tunnel>> tunnels_;
  uint64_t last_id_ = 0;
  bool has_refused_ = false;
  base::MonotonicTime last_refusal_{};
};

TlsFront::TlsFront(overlord::AsioLoop& loop, Server& server,
                   std::shared_ptr<const tls::Context> context, std::vector<base::Fd> listeners,
                   std::vector<std::string> admins)
    : impl_(std::make_shared<Impl>(loop, server, std::move(context), std::move(admins))) {
  impl_->listen(std::move(listeners));
}

TlsFront::~TlsFront() { impl_->close(); }
void TlsFront::stop_accepting() { impl_->stop_accepting(); }

}  // namespace flotilla::api
