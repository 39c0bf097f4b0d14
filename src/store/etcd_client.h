// EtcdClient: calls to a cluster rather than to an endpoint. Finds an endpoint that serves, leaves
// it for another when it does not any more, proves who it is, repeats what may be repeated. Owned
// by EtcdStore; loop thread only.
//
//   no route ──(somebody wants one)──▶ searching: all endpoints are asked for their status at once;
//      ▲                               the first that has a leader is taken ──▶ authenticating, if
//      a └──(a call or stream says that the endpoint fails)── ready ◀──────────── user is
//      configured
//
// Calls wait in order while there is no route, at most `request_timeout` (longer only while the
// password is checked), and when ready behind at most kMaxCallsInFlight others. What was on its way
// when the route was lost gets its own answer.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "base/event_loop.h"
#include "base/result.h"
#include "store/etcd_backoff.h"
#include "store/etcd_errors.h"
#include "store/etcd_options.h"
#include "store/etcd_transport.h"
#include "store/store.h"

namespace flotilla::store {

// Whether a call may be sent again when it is not known whether it was done.
enum class Repeat { kFreely, kIfNotDone };

class EtcdClient {
 public:
  template <typename Response>
  using Done = std::function<void(base::Result<Response>, int attempts)>;
  // A route with its number: each new one has a higher one.
  struct Way {
    RpcRoute route{};
    uint64_t number = 0;
  };

  EtcdClient(base::EventLoop& loop, EtcdOptions options);
  ~EtcdClient();
  EtcdClient(const EtcdClient&) = delete;
  EtcdClient& operator=(const EtcdClient&) = delete;

  // `done` is called in a later turn of the loop. Its Response has a header.
  template <typename Response, typename Request>
  void call(Request request, size_t bytes, Repeat repeat, Done<Response> done);

  // For streams, which find their own way back: the route to use now, if there is one; else it is
  // searched for, and on_route() is called when it is found or has changed.
  std::optional<Way> find_way();
  void on_route(std::function<void()> callback) { on_route_ = std::move(callback); }
  // A stream on that way ended like this; the next find_way() takes it into account.
  void on_stream_failed(const Way& way, const RpcStatus& status);
  // Why there is no route: one sentence.
  base::Error why_no_route() const;

  // The highest revision that an answer has told; 0 before the first.
  Revision known_revision() const { return known_revision_; }
  void note_revision(Revision revision) { known_revision_ = std::max(known_revision_, revision); }
  // etcd may be put back to an earlier state, from a backup: its revisions begin there anew. An
  // answer that nothing known can be missing from tells it, by a lower revision than was known when
  // it was asked for. `callback` gets that revision.
  void on_new_history(std::function<void(Revision present)> callback) {
    on_new_history_ = std::move(callback);
  }
  // Has such an answer come; for who has seen a lower revision, which may be that of a member that
  // lags behind.
  void check_history();
  // The highest revision of the histories that are over; 0: there is none.
  Revision former_revision() const { return former_revision_; }

  EtcdTransport& transport() { return *transport_; }
  const EtcdOptions& options() const { return options_; }
  base::EventLoop& loop() { return loop_; }
  uint32_t random() { return static_cast<uint32_t>(random_()); }

 private:
  enum class State { kNoRoute, kSearching, kAuthenticating, kReady };
  using Then = std::function<void(const RpcStatus&)>;
  // One call over all its attempts.
  struct Call {
    std::function<void(EtcdTransport&, const RpcRoute&, base::Micros timeout, Then)> send{};
    std::function<void(base::Status, int attempts)> done{};
    size_t bytes = 0;
    Repeat repeat = Repeat::kFreely;
    int attempts = 0;
    int renewals = 0;
    base::MonotonicTime queued{};
    base::MonotonicTime deadline{};  // from the first attempt on
  };
  using CallPtr = std::shared_ptr<Call>;
  struct Search;

  void enqueue(CallPtr call, bool is_first);
  void post_refusal(CallPtr call, base::Error error);
  void pump();
  void send(const CallPtr& call);
  void on_answer(const CallPtr& call, const Way& way, const RpcStatus& status);
  void repeat_or_fail(const CallPtr& call, const RpcStatus& status, RpcVerdict verdict);
  void repeat_later(const CallPtr& call);
  base::Micros authenticate_timeout() const;
  base::MonotonicTime waits_until(const Call& call) const;
  void arm_expiry();
  void expire();
  void fail_queued(const base::Error& error);

  void lose_route(bool avoid_endpoint);
  void search();
  void on_status(const std::shared_ptr<Search>& search, size_t endpoint, const RpcStatus& status,
                 bool has_leader);
  void on_search_failed(const Search& search);
  void search_later();
  void take(size_t endpoint);
  void authenticate();
  void on_authenticated(const RpcStatus& status, std::string token);
  void renew_token(const std::string& used);
  void become_ready();
  void begin_new_history(Revision present);

  base::EventLoop& loop_;
  const EtcdOptions options_;
  std::mt19937 random_;
  std::unique_ptr<EtcdTransport> transport_;
  State state_ = State::kNoRoute;
  Way way_;  // meaningful while authenticating and ready
  std::string token_;
  uint64_t step_ = 0;  // answers of earlier steps of the state machine are not heard
  std::optional<size_t> avoided_;
  bool is_wanted_ = false;
  base::Error last_error_;
  base::MonotonicTime lost_at_;
  base::MonotonicTime ready_at_;
  base::MonotonicTime authenticated_by_;  // while authenticating
  EtcdBackoff backoff_;
  base::RegistrationPtr search_timer_;
  std::function<void()> on_route_;
  std::deque<CallPtr> queue_;
  size_t queued_bytes_ = 0;
  size_t in_flight_ = 0;
  base::RegistrationPtr expiry_timer_;
  Revision known_revision_ = 0;
  Revision former_revision_ = 0;
  bool is_checking_history_ = false;
  std::function<void(Revision present)> on_new_history_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

template <typename Response, typename Request>
void EtcdClient::call(Request request, size_t bytes, Repeat repeat, Done<Response> done) {
  struct Exchange {
    Request request;
    Response response;
    Revision known = 0;  // when it was sent
  };
  auto exchange = std::make_shared<Exchange>();
  exchange->request = std::move(request);
  auto call = std::make_shared<Call>();
  call->bytes = bytes;
  call->repeat = repeat;
  call->send = [this, exchange](EtcdTransport& transport, const RpcRoute& route,
                                base::Micros timeout, Then then) {
    exchange->known = known_revision_;
    transport.call(route, timeout, exchange->request,
                   EtcdTransport::Done<Response>([exchange, then = std::move(then)](
                                                     const RpcStatus& status, Response& response) {
                     if (status.is_ok()) exchange->response = std::move(response);
                     then(status);
                   }));
  };
  call->done = [this, exchange, done = std::move(done)](base::Status status, int attempts) {
    if (!status) return done(base::unexpected(std::move(status).error()), attempts);
    const Revision revision = exchange->response.header().revision();
    if (revision < exchange->known) begin_new_history(revision);
    note_revision(revision);
    done(std::move(exchange->response), attempts);
  };
  enqueue(std::move(call), false);
}

}  // namespace flotilla::store
