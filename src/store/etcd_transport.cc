#include "store/etcd_transport.h"

#include <absl/synchronization/mutex.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <proto/etcd.grpc.pb.h>
#include <pthread.h>
#include <signal.h>

#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace flotilla::store {

namespace {

constexpr int kMaxReceiveBytes = 32 << 20;
constexpr int kMaxSendBytes = 4 << 20;
// A host that is gone is noticed after both together. Not below the 5 s that etcd allows.
constexpr int kPingAfterMs = 10'000;
constexpr int kPingTimeoutMs = 5'000;
constexpr int kConnectMs = 2'000;
constexpr int kFirstReconnectMs = 50;
constexpr int kLongestReconnectMs = 1'000;

// A place that the completion queue hands back.
class Tag {
 public:
  virtual ~Tag() = default;
  virtual void on_event(bool ok) = 0;
};

RpcStatus status_of(const grpc::Status& status) {
  return {static_cast<RpcCode>(status.error_code()), status.error_message()};
}

std::unique_ptr<grpc::ClientContext> make_context(const RpcRoute& route) {
  auto context = std::make_unique<grpc::ClientContext>();
  // A member that is cut off from the others refuses at once, and ends its streams.
  context->AddMetadata("hasleader", "true");
  if (!route.token.empty()) context->AddMetadata("token", route.token);
  return context;
}

std::shared_ptr<grpc::Channel> make_channel(const EtcdEndpoint& endpoint,
                                            const EtcdOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  arguments.SetMaxSendMessageSize(kMaxSendBytes);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingAfterMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestReconnectMs);
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (endpoint.is_tls) {
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = options.ca_pem;
    tls.pem_cert_chain = options.cert_pem;
    tls.pem_private_key = options.key_pem;
    credentials = grpc::SslCredentials(tls);
  }
  return grpc::CreateCustomChannel(endpoint.target, credentials, arguments);
}

void set_up_grpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    // What gRPC logs comes back as a status as well, and is said from there.
    gpr_set_log_function([](gpr_log_func_args*) {});
    // Debian's Abseil is built to look for cycles in the order of gRPC's locks, at each of them.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  });
}

}  // namespace

class EtcdTransport::Impl {
 public:
  // One call or stream. Held until gRPC has no tag of it any more.
  class Operation : public std::enable_shared_from_this<Operation> {
   public:
    virtual ~Operation() = default;
    virtual void cancel() = 0;
    // The transport ends and gRPC is through with it: lets go of gRPC's objects.
    virtual void drop() = 0;
  };
  template <typename Response>
  class UnaryCall;
  template <typename Request, typename Response>
  class StreamCall;
  template <typename Request, typename Response>
  class StreamHandle;

  Impl(base::EventLoop& loop, const EtcdOptions& options) : loop_(loop) {
    set_up_grpc();
    for (const EtcdEndpoint& endpoint : options.endpoints) {
      channels_.push_back(make_channel(endpoint, options));
    }
    // Signals are for the loop's thread: the new one is born with all of them blocked.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this, alive = std::weak_ptr(alive_)] { read_queue(alive); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~Impl() {
    alive_.reset();
    for (const auto& operation : operations_) operation->cancel();
    queue_.Shutdown();
    thread_.join();
    for (const auto& operation : operations_) operation->drop();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  template <typename Service, typename Request, typename Response>
  void call(const RpcRoute& route, base::Micros timeout, const Request& request,
            Done<Response> done,
            std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (Service::*prepare)(
                grpc::ClientContext*, const Request&, grpc::CompletionQueue*));

  template <typename Service, typename Request, typename Response>
  std::unique_ptr<RpcStream<Request>> open(
      const RpcRoute& route, RpcStreamHandler<Response> handler,
      std::unique_ptr<grpc::ClientAsyncReaderWriter<Request, Response>> (Service::*prepare)(
          grpc::ClientContext*, grpc::CompletionQueue*));

  const std::shared_ptr<grpc::Channel>& channel(size_t endpoint) const {
    return channels_[endpoint];
  }
  void forget(const std::shared_ptr<Operation>& operation) { operations_.erase(operation); }

 private:
  struct Completion {
    Tag* tag;
    bool ok;
  };

  // With a weak pointer of its own: the member is let go while it still reads.
  void read_queue(const std::weak_ptr<bool>& alive) {
    pthread_setname_np(pthread_self(), "etcd");
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
      const std::lock_guard lock(mutex_);
      due_.push_back({static_cast<Tag*>(tag), ok});
      // One post for all that comes until the loop gets to it.
      if (due_.size() > 1) continue;
      loop_.post([this, alive] { take_due(alive); });
    }
  }

  // A callback may destroy the transport.
  void take_due(const std::weak_ptr<bool>& alive) {
    if (alive.expired()) return;
    std::vector<Completion> due;
    {
      const std::lock_guard lock(mutex_);
      due.swap(due_);
    }
    for (const Completion& done : due) {
      done.tag->on_event(done.ok);
      if (alive.expired()) return;
    }
  }

  base::EventLoop& loop_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  grpc::CompletionQueue queue_;
  std::set<std::shared_ptr<Operation>> operations_;
  std::mutex mutex_;
  std::vector<Completion> due_;  // under the mutex
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::thread thread_;
};

template <typename Response>
class EtcdTransport::Impl::UnaryCall final : public Operation, public Tag {
 public:
  UnaryCall(Impl& impl, std::unique_ptr<grpc::ClientContext> context, Done<Response> done)
      : impl_(impl), context_(std::move(context)), done_(std::move(done)) {}

  grpc::ClientContext* context() { return context_.get(); }
  void begin(std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader) {
    reader_ = std::move(reader);
    reader_->StartCall();
    reader_->Finish(&response_, &status_, static_cast<Tag*>(this));
  }
  void cancel() override { context_->TryCancel(); }
  void drop() override {
    done_ = {};
    reader_.reset();
    context_.reset();
  }
  void on_event(bool) override {
    const auto self = this->shared_from_this();
    impl_.forget(self);
    const Done<Response> done = std::move(done_);
    done(status_of(status_), response_);
  }

 private:
  Impl& impl_;
  std::unique_ptr<grpc::ClientContext> context_;
  Done<Response> done_;
  grpc::Status status_;
  Response response_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader_;
};

// Steps: start, then reads on demand beside writes in order, then finish, which gives the status.
// A stream is finished when a read fails, or when its user has let go of it.
template <typename Request, typename Response>
class EtcdTransport::Impl::StreamCall final : public Operation {
 public:
  StreamCall(Impl& impl, std::unique_ptr<grpc::ClientContext> context,
             RpcStreamHandler<Response> handler)
      : impl_(impl), context_(std::move(context)), handler_(std::move(handler)) {}

  grpc::ClientContext* context() { return context_.get(); }
  void begin(std::unique_ptr<grpc::ClientAsyncReaderWriter<Request, Response>> stream) {
    stream_ = std::move(stream);
    ++pending_;
    stream_->StartCall(&start_);
  }
  void write(const Request& request) {
    if (stream_ == nullptr) return;
    writes_.push_back(request);
    write_next();
  }
  void read() {
    wants_read_ = true;
    read_next();
  }
  void let_go() {
    handler_ = {};
    if (stream_ == nullptr) return;
    context_->TryCancel();
    if (!is_reading_ && is_started_) finish();
  }
  void cancel() override { context_->TryCancel(); }
  void drop() override {
    handler_ = {};
    stream_.reset();
    context_.reset();
  }

 private:
  class Step final : public Tag {
   public:
    Step(StreamCall& call, void (StreamCall::*action)(bool)) : call_(call), action_(action) {}
    void on_event(bool ok) override {
      const auto self = call_.shared_from_this();
      --call_.pending_;
      (call_.*action_)(ok);
    }

   private:
    StreamCall& call_;
    void (StreamCall::*action_)(bool);
  };

  void on_start(bool ok) {
    is_started_ = true;
    if (!ok) return finish();
    if (!handler_.on_end) return finish();
    write_next();
    read_next();
  }
  void on_read(bool ok) {
    is_reading_ = false;
    if (!ok || !handler_.on_message) return finish();
    const auto tell = handler_.on_message;
    tell(response_);
  }
  void on_write(bool ok) {
    is_writing_ = false;
    // A failed one is told by the read that fails too.
    if (ok) write_next();
    if (is_finished_ && pending_ == 0) impl_.forget(this->shared_from_this());
  }
  void on_finish(bool) {
    is_finished_ = true;
    if (pending_ == 0) impl_.forget(this->shared_from_this());
    const auto tell = std::move(handler_.on_end);
    handler_ = {};
    if (tell) tell(status_of(status_));
  }

  void write_next() {
    if (!is_started_ || is_finishing_ || is_writing_ || writes_.empty()) return;
    is_writing_ = true;
    writing_ = std::move(writes_.front());
    writes_.pop_front();
    ++pending_;
    stream_->Write(writing_, &write_);
  }
  void read_next() {
    if (!is_started_ || is_finishing_ || is_reading_ || !wants_read_) return;
    wants_read_ = false;
    is_reading_ = true;
    ++pending_;
    stream_->Read(&response_, &read_);
  }
  void finish() {
    if (is_finishing_) return;
    is_finishing_ = true;
    ++pending_;
    stream_->Finish(&status_, &finish_);
  }

  Impl& impl_;
  std::unique_ptr<grpc::ClientContext> context_;
  RpcStreamHandler<Response> handler_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<Request, Response>> stream_;
  std::deque<Request> writes_;
  Request writing_;
  Response response_;
  grpc::Status status_;
  int pending_ = 0;  // tags that gRPC holds
  bool is_started_ = false;
  bool wants_read_ = false;
  bool is_reading_ = false;
  bool is_writing_ = false;
  bool is_finishing_ = false;
  bool is_finished_ = false;
  Step start_{*this, &StreamCall::on_start};
  Step read_{*this, &StreamCall::on_read};
  Step write_{*this, &StreamCall::on_write};
  Step finish_{*this, &StreamCall::on_finish};
};

template <typename Request, typename Response>
class EtcdTransport::Impl::StreamHandle final : public RpcStream<Request> {
 public:
  explicit StreamHandle(std::shared_ptr<StreamCall<Request, Response>> call)
      : call_(std::move(call)) {}
  ~StreamHandle() override { call_->let_go(); }
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;
  void write(const Request& request) override { call_->write(request); }
  void read() override { call_->read(); }

 private:
  std::shared_ptr<StreamCall<Request, Response>> call_;
};

template <typename Service, typename Request, typename Response>
void EtcdTransport::Impl::call(const RpcRoute& route, base::Micros timeout, const Request& request,
                               Done<Response> done,
                               std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (
                                   Service::*prepare)(grpc::ClientContext*, const Request&,
                                                      grpc::CompletionQueue*)) {
  auto context = make_context(route);
  context->set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                     gpr_time_from_micros(timeout.count(), GPR_TIMESPAN)));
  auto operation =
      std::make_shared<UnaryCall<Response>>(*this, std::move(context), std::move(done));
  operations_.insert(operation);
  Service stub(channel(route.endpoint));
  operation->begin((stub.*prepare)(operation->context(), request, &queue_));
}

template <typename Service, typename Request, typename Response>
std::unique_ptr<RpcStream<Request>> EtcdTransport::Impl::open(
    const RpcRoute& route, RpcStreamHandler<Response> handler,
    std::unique_ptr<grpc::ClientAsyncReaderWriter<Request, Response>> (Service::*prepare)(
        grpc::ClientContext*, grpc::CompletionQueue*)) {
  auto operation = std::make_shared<StreamCall<Request, Response>>(*this, make_context(route),
                                                                   std::move(handler));
  operations_.insert(operation);
  Service stub(channel(route.endpoint));
  operation->begin((stub.*prepare)(operation->context(), &queue_));
  return std::make_unique<StreamHandle<Request, Response>>(std::move(operation));
}

EtcdTransport::EtcdTransport(base::EventLoop& loop, const EtcdOptions& options)
    : impl_(std::make_unique<Impl>(loop, options)) {}

EtcdTransport::~EtcdTransport() = default;

void EtcdTransport::call(const RpcRoute& route, base::Micros timeout,
                         const pb::RangeRequest& request, Done<pb::RangeResponse> done) {
  impl_->call(route, timeout, request, std::move(done), &pb::KV::Stub::PrepareAsyncRange);
}
void EtcdTransport::call(const RpcRoute& route, base::Micros timeout, const pb::PutRequest& request,
                         Done<pb::PutResponse> done) {
  impl_->call(route, timeout, request, std::move(done), &pb::KV::Stub::PrepareAsyncPut);
}
void EtcdTransport::call(const RpcRoute& route, base::Micros timeout, const pb::TxnRequest& request,
                         Done<pb::TxnResponse> done) {
  impl_->call(route, timeout, request, std::move(done), &pb::KV::Stub::PrepareAsyncTxn);
}
void EtcdTransport::call(const RpcRoute& route, base::Micros timeout,
                         const pb::CompactionRequest& request, Done<pb::CompactionResponse> done) {
  impl_->call(route, timeout, request, std::move(done), &pb::KV::Stub::PrepareAsyncCompact);
}
void EtcdTransport::call(const RpcRoute& route, base::Micros timeout,
                         const pb::LeaseGrantRequest& request, Done<pb::LeaseGrantResponse> done) {
  impl_->call(route, timeout, request, std::move(done), &pb::Lease::Stub::PrepareAsyncLeaseGrant);
}
void EtcdTransport::call(const RpcRoute& route, base::Micros timeout,
                         const pb::LeaseRevokeRequest& request,
                         Done<pb::LeaseRevokeResponse> done) {
  impl_->call(route, timeout, request, std::move(done), &pb::Lease::Stub::PrepareAsyncLeaseRevoke);
}
void EtcdTransport::call(const RpcRoute& route, base::Micros timeout,
                         const pb::AuthenticateRequest& request,
                         Done<pb::AuthenticateResponse> done) {
  impl_->call(route, timeout, request, std::move(done), &pb::Auth::Stub::PrepareAsyncAuthenticate);
}
void EtcdTransport::call(const RpcRoute& route, base::Micros timeout,
                         const pb::StatusRequest& request, Done<pb::StatusResponse> done) {
  impl_->call(route, timeout, request, std::move(done), &pb::Maintenance::Stub::PrepareAsyncStatus);
}
std::unique_ptr<WatchStream> EtcdTransport::open(const RpcRoute& route,
                                                 RpcStreamHandler<pb::WatchResponse> handler) {
  return impl_->open(route, std::move(handler), &pb::Watch::Stub::PrepareAsyncWatch);
}
std::unique_ptr<KeepAliveStream> EtcdTransport::open(
    const RpcRoute& route, RpcStreamHandler<pb::LeaseKeepAliveResponse> handler) {
  return impl_->open(route, std::move(handler), &pb::Lease::Stub::PrepareAsyncLeaseKeepAlive);
}

void EtcdTransport::forget_failures(size_t endpoint) {
  const std::shared_ptr<grpc::Channel>& channel = impl_->channel(endpoint);
  if (channel->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE) {
    grpc::experimental::ChannelResetConnectionBackoff(channel.get());
  }
}

}  // namespace flotilla::store
