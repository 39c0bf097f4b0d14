#include "store/etcd_leases.h"

#include <proto/etcd.pb.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace flotilla::store {

using base::MonotonicTime;

EtcdLeases::EtcdLeases(EtcdClient& client)
    : client_(client),
      backoff_(std::chrono::milliseconds(20), std::chrono::seconds(1), client.random()) {}

EtcdLeases::~EtcdLeases() = default;

void EtcdLeases::keep_alive(LeaseId lease, Store::Callback<LeaseGrant> done) {
  note(lease);
  const MonotonicTime deadline =
      client_.loop().clock().monotonic() + client_.options().request_timeout;
  Waiting& waiting = waiting_[lease].emplace_back(Waiting{std::move(done), deadline});
  if (stream_) {
    send(lease, waiting);
  } else {
    connect();
  }
  if (!expiry_timer_) arm_expiry();
}

void EtcdLeases::on_new_history() { of_former_history_.merge(std::exchange(known_, {})); }

void EtcdLeases::on_route() {
  const std::optional<EtcdClient::Way> way = client_.find_way();
  if (!way || (stream_ && way->route.endpoint == way_.route.endpoint)) return;
  stream_.reset();
  if (!waiting_.empty() && !reconnect_timer_) connect();
}

void EtcdLeases::connect() {
  const std::optional<EtcdClient::Way> way = client_.find_way();
  if (!way || reconnect_timer_) return;
  way_ = *way;
  RpcStreamHandler<pb::LeaseKeepAliveResponse> handler;
  handler.on_message = [this](pb::LeaseKeepAliveResponse& response) { on_message(response); };
  handler.on_end = [this](const RpcStatus& status) { on_end(status); };
  stream_ = client_.transport().open(way_.route, std::move(handler));
  stream_->read();
  for (auto& [lease, queue] : waiting_) {
    for (Waiting& waiting : queue) send(lease, waiting);
  }
}

void EtcdLeases::send(LeaseId lease, Waiting& waiting) {
  waiting.sent = client_.loop().clock().boottime();
  pb::LeaseKeepAliveRequest request;
  request.set_id(lease);
  stream_->write(request);
}

void EtcdLeases::on_message(const pb::LeaseKeepAliveResponse& response) {
  backoff_.reset();
  client_.note_revision(response.header().revision());
  stream_->read();
  const LeaseId lease = response.id();
  const auto found = waiting_.find(lease);
  if (found == waiting_.end()) return;  // its caller has given up
  const Waiting waiting = std::move(found->second.front());
  found->second.pop_front();
  if (found->second.empty()) waiting_.erase(found);
  if (waiting_.empty()) expiry_timer_.reset();
  if (response.ttl() <= 0 || of_former_history_.contains(lease)) {
    known_.erase(lease);
    return waiting.done(base::not_found("lease {} does not exist", lease));
  }
  waiting.done(LeaseGrant{lease, std::chrono::seconds(response.ttl()), waiting.sent});
}

void EtcdLeases::on_end(const RpcStatus& status) {
  stream_.reset();
  // An end without a reason is one too.
  client_.on_stream_failed(
      way_, status.is_ok() ? RpcStatus{RpcCode::kUnavailable, "the stream has ended"} : status);
  if (!waiting_.empty()) reconnect_later();
}

void EtcdLeases::reconnect_later() {
  reconnect_timer_ = client_.loop().after(backoff_.next(), [this] {
    reconnect_timer_.reset();
    if (!stream_ && !waiting_.empty()) connect();
  });
}

void EtcdLeases::arm_expiry() {
  MonotonicTime next = MonotonicTime::never();
  for (const auto& [lease, queue] : waiting_) next = std::min(next, queue.front().deadline);
  expiry_timer_ = client_.loop().at(next, [this] { expire(); });
}

void EtcdLeases::expire() {
  expiry_timer_.reset();
  const MonotonicTime now = client_.loop().clock().monotonic();
  std::vector<Waiting> expired;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    while (!it->second.empty() && it->second.front().deadline <= now) {
      expired.push_back(std::move(it->second.front()));
      it->second.pop_front();
    }
    it = it->second.empty() ? waiting_.erase(it) : std::next(it);
  }
  if (!waiting_.empty()) arm_expiry();
  if (expired.empty()) return;
  const bool had_stream = stream_ != nullptr;
  // Answers that still come on this stream would be taken for those of later questions.
  stream_.reset();
  if (had_stream) {
    client_.on_stream_failed(way_, {RpcCode::kDeadlineExceeded, "no answer to a keep-alive"});
  }
  if (!waiting_.empty()) connect();
  const base::Error error =
      had_stream ? base::Error{base::Errc::kTimedOut, "etcd: no answer to a keep-alive in time"}
                 : client_.why_no_route();
  const std::weak_ptr alive(alive_);
  for (const Waiting& waiting : expired) {
    waiting.done(base::unexpected(error));
    if (alive.expired()) return;
  }
}

}  // namespace flotilla::store
