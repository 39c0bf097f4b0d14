// EtcdTransport: calls and streams to the endpoints of an etcd cluster, as they are: no repetition,
// no choice of endpoint. The one place that knows gRPC, whose headers stay in etcd_transport.cc.
//
// Loop thread only; answers come in later turns of the loop. gRPC's completion queue is read by one
// thread of this class that does nothing but post. Destroying it ends every call, unanswered.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "store/etcd_options.h"

namespace etcdserverpb {
class AuthenticateRequest;
class AuthenticateResponse;
class CompactionRequest;
class CompactionResponse;
class LeaseGrantRequest;
class LeaseGrantResponse;
class LeaseKeepAliveRequest;
class LeaseKeepAliveResponse;
class LeaseRevokeRequest;
class LeaseRevokeResponse;
class PutRequest;
class PutResponse;
class RangeRequest;
class RangeResponse;
class StatusRequest;
class StatusResponse;
class TxnRequest;
class TxnResponse;
class WatchRequest;
class WatchResponse;
}  // namespace etcdserverpb

namespace flotilla::store {

namespace pb = ::etcdserverpb;

// gRPC's status codes, as far as they make a difference here.
enum class RpcCode {
  kOk = 0,
  kCancelled = 1,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kOutOfRange = 11,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

struct RpcStatus {
  RpcCode code = RpcCode::kOk;  // or a number that has no name above
  std::string message{};

  bool is_ok() const { return code == RpcCode::kOk; }
};

struct RpcRoute {
  size_t endpoint = 0;  // of EtcdOptions::endpoints
  std::string token{};
};

// Ended by destroying it; then nothing is told any more. May outlive the transport.
template <typename Request>
class RpcStream {
 public:
  virtual ~RpcStream() = default;
  virtual void write(const Request& request) = 0;
  // Asks for one message: on_message or on_end follows. One at a time.
  virtual void read() = 0;
};
using WatchStream = RpcStream<pb::WatchRequest>;
using KeepAliveStream = RpcStream<pb::LeaseKeepAliveRequest>;

template <typename Response>
struct RpcStreamHandler {
  std::function<void(Response&)> on_message{};
  std::function<void(const RpcStatus&)> on_end{};  // once, after the last message
};

class EtcdTransport {
 public:
  // The response is meaningful where the status is ok; it may be moved from.
  template <typename Response>
  using Done = std::function<void(const RpcStatus&, Response&)>;

  // Requires: `loop` outlives it.
  EtcdTransport(base::EventLoop& loop, const EtcdOptions& options);
  ~EtcdTransport();
  EtcdTransport(const EtcdTransport&) = delete;
  EtcdTransport& operator=(const EtcdTransport&) = delete;

  void call(const RpcRoute& route, base::Micros timeout, const pb::RangeRequest& request,
            Done<pb::RangeResponse> done);
  void call(const RpcRoute& route, base::Micros timeout, const pb::PutRequest& request,
            Done<pb::PutResponse> done);
  void call(const RpcRoute& route, base::Micros timeout, const pb::TxnRequest& request,
            Done<pb::TxnResponse> done);
  void call(const RpcRoute& route, base::Micros timeout, const pb::CompactionRequest& request,
            Done<pb::CompactionResponse> done);
  void call(const RpcRoute& route, base::Micros timeout, const pb::LeaseGrantRequest& request,
            Done<pb::LeaseGrantResponse> done);
  void call(const RpcRoute& route, base::Micros timeout, const pb::LeaseRevokeRequest& request,
            Done<pb::LeaseRevokeResponse> done);
  void call(const RpcRoute& route, base::Micros timeout, const pb::AuthenticateRequest& request,
            Done<pb::AuthenticateResponse> done);
  void call(const RpcRoute& route, base::Micros timeout, const pb::StatusRequest& request,
            Done<pb::StatusResponse> done);
  std::unique_ptr<WatchStream> open(const RpcRoute& route,
                                    RpcStreamHandler<pb::WatchResponse> handler);
  std::unique_ptr<KeepAliveStream> open(const RpcRoute& route,
                                        RpcStreamHandler<pb::LeaseKeepAliveResponse> handler);

  // The next call tries to connect at once, though the last attempt failed just now.
  void forget_failures(size_t endpoint);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::store
