#include "store/etcd_client.h"

#include <proto/etcd.pb.h>

#include <algorithm>
#include <vector>

namespace flotilla::store {

using base::Errc;
using base::Error;
using base::Micros;
using base::MonotonicTime;
using base::unexpected;

namespace {

constexpr size_t kMaxCallsInFlight = 256;
constexpr size_t kMaxQueuedBytes = size_t{64} << 20;
constexpr size_t kBytesOfAWaitingCall = 512;  // besides its keys and values
constexpr int kMaxRenewals = 3;
constexpr Micros kStatusTimeout = std::chrono::seconds(2);
constexpr Micros kAuthenticateTimeout = std::chrono::seconds(5);
constexpr Micros kFirstSearchDelay = std::chrono::milliseconds(50);
constexpr Micros kLongestSearchDelay = std::chrono::seconds(2);
constexpr Micros kShortRoute = std::chrono::seconds(1);
constexpr Micros kBusyDelay = std::chrono::milliseconds(20);

}  // namespace

struct EtcdClient::Search {
  uint64_t step = 0;
  size_t open = 0;                  // endpoints that have not answered yet
  std::optional<size_t> fallback;   // the avoided endpoint, if it would do
  std::vector<std::string> whynot;  // by endpoint
};

EtcdClient::EtcdClient(base::EventLoop& loop, EtcdOptions options)
    : loop_(loop),
      options_(std::move(options)),
      random_(std::random_device()()),
      transport_(std::make_unique<EtcdTransport>(loop, options_)),
      backoff_(kFirstSearchDelay, kLongestSearchDelay, random()) {}

EtcdClient::~EtcdClient() {
  alive_.reset();
  transport_.reset();
}

void EtcdClient::post_refusal(CallPtr call, Error error) {
  loop_.post([alive = std::weak_ptr(alive_), call = std::move(call), error = std::move(error)] {
    if (!alive.expired()) call->done(unexpected(error), call->attempts);
  });
}

void EtcdClient::enqueue(CallPtr call, bool is_first) {
  const size_t bytes = call->bytes + kBytesOfAWaitingCall;
  if (!is_first && queued_bytes_ + bytes > kMaxQueuedBytes) {
    return post_refusal(
        std::move(call),
        Error{Errc::kUnavailable,
              fmt::format("etcd is too slow: requests of {} bytes wait for it", queued_bytes_)});
  }
  queued_bytes_ += bytes;
  call->queued = loop_.clock().monotonic();
  if (is_first) {
    queue_.push_front(std::move(call));
  } else {
    queue_.push_back(std::move(call));
  }
  pump();
}

void EtcdClient::pump() {
  while (state_ == State::kReady && in_flight_ < kMaxCallsInFlight && !queue_.empty()) {
    const CallPtr call = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= call->bytes + kBytesOfAWaitingCall;
    send(call);
  }
  if (state_ == State::kReady || queue_.empty()) {
    expiry_timer_.reset();
    return;
  }
  if (state_ == State::kNoRoute && !search_timer_) search();
  if (!expiry_timer_) arm_expiry();
}

void EtcdClient::send(const CallPtr& call) {
  const MonotonicTime now = loop_.clock().monotonic();
  if (call->attempts++ == 0) call->deadline = now + options_.request_timeout;
  // What may be repeated leaves time for a second attempt elsewhere.
  const Micros whole = call->deadline - now;
  const Micros timeout =
      call->repeat == Repeat::kFreely ? std::min(whole, options_.request_timeout / 2) : whole;
  ++in_flight_;
  const auto& begin = call->send;
  begin(*transport_, way_.route, std::max(timeout, Micros(1000)),
        [this, call, way = way_](const RpcStatus& status) { on_answer(call, way, status); });
}

void EtcdClient::on_answer(const CallPtr& call, const Way& way, const RpcStatus& status) {
  --in_flight_;
  if (status.is_ok()) {
    pump();
    return call->done({}, call->attempts);
  }
  const RpcVerdict verdict = verdict_of(status);
  switch (verdict) {
    case RpcVerdict::kFinal:
      pump();
      return call->done(unexpected(error_of(status, call->repeat == Repeat::kIfNotDone)),
                        call->attempts);
    case RpcVerdict::kBusy:
      break;
    case RpcVerdict::kNotDone:
    case RpcVerdict::kUnknown:
      if (way.number == way_.number) lose_route(status.code == RpcCode::kDeadlineExceeded);
      break;
    case RpcVerdict::kRenewToken:
      ++call->renewals;
      if (call->renewals <= kMaxRenewals && !options_.username.empty()) {
        renew_token(way.route.token);
      }
      break;
  }
  repeat_or_fail(call, status, verdict);
}

void EtcdClient::repeat_or_fail(const CallPtr& call, const RpcStatus& status, RpcVerdict verdict) {
  bool may_repeat = loop_.clock().monotonic() < call->deadline;
  if (verdict == RpcVerdict::kUnknown && call->repeat == Repeat::kIfNotDone) may_repeat = false;
  if (verdict == RpcVerdict::kRenewToken &&
      (call->renewals > kMaxRenewals || options_.username.empty())) {
    may_repeat = false;
  }
  if (may_repeat && verdict == RpcVerdict::kBusy) {
    pump();
    return repeat_later(call);
  }
  if (may_repeat) return enqueue(call, true);
  pump();
  call->done(unexpected(error_of(status, call->repeat == Repeat::kIfNotDone)), call->attempts);
}

void EtcdClient::repeat_later(const CallPtr& call) {
  auto timer = std::make_shared<base::RegistrationPtr>();
  *timer = loop_.after(kBusyDelay + Micros(random() % 20'000),
                       [this, alive = std::weak_ptr(alive_), timer, call] {
                         const base::RegistrationPtr ended = std::move(*timer);
                         if (!alive.expired()) enqueue(call, true);
                       });
}

// etcd makes a password slow to check, on purpose: a busy member takes seconds.
Micros EtcdClient::authenticate_timeout() const {
  return std::max(options_.request_timeout, kAuthenticateTimeout);
}

// Calls wait for a route no longer than `request_timeout`, counted from when it was lost for those
// that were there before; one that has been found and takes the password is waited for.
MonotonicTime EtcdClient::waits_until(const Call& call) const {
  const MonotonicTime until = std::max(call.queued, lost_at_) + options_.request_timeout;
  return state_ == State::kAuthenticating ? std::max(until, authenticated_by_) : until;
}

void EtcdClient::arm_expiry() {
  MonotonicTime next = MonotonicTime::never();
  for (const CallPtr& call : queue_) {
    next = std::min(next, waits_until(*call));
    if (call->attempts > 0) next = std::min(next, std::max(call->deadline, call->queued));
  }
  expiry_timer_ = loop_.at(next, [this] { expire(); });
}

void EtcdClient::expire() {
  expiry_timer_.reset();
  const MonotonicTime now = loop_.clock().monotonic();
  std::vector<CallPtr> expired;
  std::deque<CallPtr> rest;
  for (CallPtr& call : queue_) {
    const bool is_due = waits_until(*call) <= now || (call->attempts > 0 && call->deadline <= now);
    if (is_due) {
      queued_bytes_ -= call->bytes + kBytesOfAWaitingCall;
      expired.push_back(std::move(call));
    } else {
      rest.push_back(std::move(call));
    }
  }
  queue_ = std::move(rest);
  if (!queue_.empty()) arm_expiry();
  const Error error = why_no_route();
  const std::weak_ptr alive(alive_);
  for (const CallPtr& call : expired) {
    call->done(unexpected(error), call->attempts);
    if (alive.expired()) return;
  }
}

void EtcdClient::fail_queued(const Error& error) {
  const std::deque<CallPtr> queue = std::exchange(queue_, {});
  queued_bytes_ = 0;
  expiry_timer_.reset();
  const std::weak_ptr alive(alive_);
  for (const CallPtr& call : queue) {
    call->done(unexpected(error), call->attempts);
    if (alive.expired()) return;
  }
}

std::optional<EtcdClient::Way> EtcdClient::find_way() {
  if (state_ == State::kReady) return way_;
  is_wanted_ = true;
  if (state_ == State::kNoRoute && !search_timer_) search();
  return std::nullopt;
}

void EtcdClient::on_stream_failed(const Way& way, const RpcStatus& status) {
  switch (verdict_of(status)) {
    case RpcVerdict::kRenewToken:
      if (!options_.username.empty()) renew_token(way.route.token);
      return;
    case RpcVerdict::kNotDone:
    case RpcVerdict::kUnknown:
      if (way.number == way_.number && state_ == State::kReady) {
        lose_route(status.code == RpcCode::kDeadlineExceeded);
      }
      return;
    case RpcVerdict::kFinal:
    case RpcVerdict::kBusy:
      return;
  }
}

Error EtcdClient::why_no_route() const {
  if (!last_error_.message.empty()) return last_error_;
  std::string urls;
  for (const EtcdEndpoint& endpoint : options_.endpoints) {
    urls += (urls.empty() ? "" : ", ") + endpoint.url;
  }
  return Error{Errc::kUnavailable, fmt::format("etcd does not answer at {}", urls)};
}

void EtcdClient::lose_route(bool avoid_endpoint) {
  if (state_ != State::kReady && state_ != State::kAuthenticating) return;
  avoided_.reset();
  if (avoid_endpoint) avoided_ = way_.route.endpoint;
  lost_at_ = loop_.clock().monotonic();
  last_error_ = {};
  state_ = State::kNoRoute;
  // One that was good for a moment only, as while a leader is elected, must not be asked in a
  // circle.
  if (lost_at_ - ready_at_ < kShortRoute) return search_later();
  backoff_.reset();
  search();
}

void EtcdClient::search() {
  search_timer_.reset();
  state_ = State::kSearching;
  auto search = std::make_shared<Search>();
  search->step = ++step_;
  search->open = options_.endpoints.size();
  search->whynot.resize(search->open);
  for (size_t i = 0; i < options_.endpoints.size(); ++i) {
    transport_->forget_failures(i);
    transport_->call(RpcRoute{i, token_}, kStatusTimeout, pb::StatusRequest(),
                     [this, search, i](const RpcStatus& status, pb::StatusResponse& response) {
                       const bool has_leader = response.leader() != 0 && !response.is_learner();
                       on_status(search, i, status, has_leader);
                     });
  }
}

void EtcdClient::on_status(const std::shared_ptr<Search>& search, size_t endpoint,
                           const RpcStatus& status, bool has_leader) {
  if (search->step != step_) return;
  --search->open;
  // One that refuses to tell its status to us is there.
  const RpcVerdict verdict = status.is_ok() ? RpcVerdict::kBusy : verdict_of(status);
  const bool is_there = status.is_ok()
                            ? has_leader
                            : verdict == RpcVerdict::kFinal || verdict == RpcVerdict::kRenewToken;
  if (is_there && avoided_ != endpoint) return take(endpoint);
  if (is_there) {
    search->fallback = endpoint;
  } else {
    search->whynot[endpoint] =
        status.is_ok() ? "it has no leader"
                       : describe(status, options_.endpoints[endpoint], options_.cert_pem);
  }
  if (search->open > 0) return;
  if (search->fallback) return take(*search->fallback);
  on_search_failed(*search);
}

void EtcdClient::on_search_failed(const Search& search) {
  std::string text;
  for (size_t i = 0; i < search.whynot.size(); ++i) {
    text +=
        fmt::format("{}{}: {}", i == 0 ? "" : ", ", options_.endpoints[i].url, search.whynot[i]);
  }
  last_error_ = Error{Errc::kUnavailable, fmt::format("etcd cannot be reached: {}", text)};
  search_later();
}

void EtcdClient::search_later() {
  ++step_;
  state_ = State::kNoRoute;
  search_timer_ = loop_.after(backoff_.next(), [this] {
    search_timer_.reset();
    if (is_wanted_ || !queue_.empty()) search();
  });
}

void EtcdClient::take(size_t endpoint) {
  ++step_;
  avoided_.reset();
  way_.route.endpoint = endpoint;
  ++way_.number;
  if (options_.username.empty() || !token_.empty()) return become_ready();
  authenticate();
}

void EtcdClient::authenticate() {
  state_ = State::kAuthenticating;
  authenticated_by_ = loop_.clock().monotonic() + authenticate_timeout();
  const uint64_t step = ++step_;
  pb::AuthenticateRequest request;
  request.set_name(options_.username);
  request.set_password(options_.password);
  transport_->call(RpcRoute{way_.route.endpoint, ""}, authenticate_timeout(), request,
                   [this, step](const RpcStatus& status, pb::AuthenticateResponse& response) {
                     if (step == step_) on_authenticated(status, response.token());
                   });
}

void EtcdClient::on_authenticated(const RpcStatus& status, std::string token) {
  if (status.is_ok()) {
    token_ = std::move(token);
    return become_ready();
  }
  // A cluster that asks nobody for a password takes everybody.
  if (status.message.find("authentication is not enabled") != std::string::npos) {
    return become_ready();
  }
  last_error_ = error_of(status, false);
  const bool is_refused = last_error_.code == Errc::kDenied;
  if (!is_refused) last_error_.code = Errc::kUnavailable;
  const Error error = last_error_;
  search_later();
  if (is_refused) fail_queued(error);
}

void EtcdClient::renew_token(const std::string& used) {
  if (used != token_) return;  // that has happened already
  token_.clear();
  if (state_ == State::kReady) {
    ++way_.number;
    authenticate();
  }
}

void EtcdClient::check_history() {
  if (std::exchange(is_checking_history_, true)) return;
  pb::RangeRequest request;
  request.set_key(std::string(1, '\0'));
  request.set_keys_only(true);
  call<pb::RangeResponse, pb::RangeRequest>(
      std::move(request), 0, Repeat::kFreely,
      [this](const base::Result<pb::RangeResponse>&, int) { is_checking_history_ = false; });
}

void EtcdClient::begin_new_history(Revision present) {
  if (present >= known_revision_) return;  // that is known already
  former_revision_ = std::max(former_revision_, known_revision_);
  known_revision_ = present;
  const auto tell = on_new_history_;
  if (tell) tell(present);
}

void EtcdClient::become_ready() {
  ++step_;
  way_.route.token = token_;
  state_ = State::kReady;
  is_wanted_ = false;
  last_error_ = {};
  ready_at_ = loop_.clock().monotonic();
  pump();
  const auto tell = on_route_;
  if (tell) tell();
}

}  // namespace flotilla::store
