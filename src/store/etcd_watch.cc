#include "store/etcd_watch.h"

#include <proto/etcd.pb.h>

#include <utility>

#include "store/etcd_wire.h"

namespace flotilla::store {

using base::Errc;
using base::Error;

EtcdWatch::EtcdWatch(EtcdClient& client, WatchRequest request, WatchHandler handler,
                     std::function<void()> on_over)
    : client_(&client),
      request_(std::move(request)),
      handler_(std::move(handler)),
      on_over_(std::move(on_over)),
      is_from_now_(request_.from_revision == 0),
      events_(is_from_now_ && client.known_revision() > 0 ? client.known_revision() + 1
                                                          : request_.from_revision),
      backoff_(std::chrono::milliseconds(20), std::chrono::seconds(1), client.random()) {}

void EtcdWatch::begin() {
  patience_timer_ = client_->loop().after(client_->options().watch_patience, [this] {
    patience_timer_.reset();
    lose(client_->why_no_route());
  });
  connect();
}

void EtcdWatch::end() {
  client_ = nullptr;
  stream_.reset();
  reconnect_timer_.reset();
  silence_timer_.reset();
  patience_timer_.reset();
}

void EtcdWatch::on_route() {
  if (client_ == nullptr) return;
  if (stream_) {
    const std::optional<EtcdClient::Way> way = client_->find_way();
    if (way && way->number == way_.number) return;
    // Another endpoint, or another token: a stream at one that is of no use would be silent.
    if (way && way->route.endpoint == way_.route.endpoint) return;
    stream_.reset();
    events_.break_off();
  }
  if (!reconnect_timer_) connect();
}

void EtcdWatch::connect() {
  const std::optional<EtcdClient::Way> way = client_->find_way();
  if (!way || stream_ || is_asking_) return;
  if (events_.next() == 0) return ask_for_the_present();
  open(*way);
}

void EtcdWatch::ask_for_the_present() {
  is_asking_ = true;
  pb::RangeRequest request;
  request.set_key(request_.key);
  request.set_limit(1);
  request.set_keys_only(true);
  client_->call<pb::RangeResponse, pb::RangeRequest>(
      std::move(request), 0, Repeat::kFreely,
      [weak = weak_from_this()](base::Result<pb::RangeResponse> response, int) {
        const auto self = weak.lock();
        if (!self || self->client_ == nullptr) return;
        self->is_asking_ = false;
        if (!response && response.error().code == Errc::kDenied) {
          return self->lose(response.error());
        }
        if (!response) return self->reconnect_later();
        self->events_.skip_to(response->header().revision() + 1);
        self->connect();
      });
}

void EtcdWatch::open(const EtcdClient::Way& way) {
  way_ = way;
  RpcStreamHandler<pb::WatchResponse> handler;
  handler.on_message = [this](pb::WatchResponse& message) { on_message(message); };
  handler.on_end = [this](const RpcStatus& status) { on_end(status); };
  stream_ = client_->transport().open(way_.route, std::move(handler));
  stream_->write(to_wire(request_, events_.next()));
  stream_->read();
}

void EtcdWatch::on_message(pb::WatchResponse& message) {
  heard_ = client_->loop().clock().monotonic();
  is_asked_for_progress_ = false;
  const Revision revision = message.header().revision();
  const bool is_behind = revision < client_->known_revision();
  client_->note_revision(revision);
  if (message.canceled()) return on_canceled(message);
  if (message.created()) {
    const Revision heard = events_.next() - 1;
    if (heard > revision && heard <= client_->former_revision()) return forget_history();
    if (is_behind) client_->check_history();
    backoff_.reset();
    patience_timer_.reset();
    flood_.on_stream(heard_);
    set_silence_timer();
    return stream_->read();
  }
  events_.add(message);
  const auto told = static_cast<size_t>(message.events_size());
  const bool is_whole = !message.fragment() && told > 0;
  if (is_whole && flood_.on_message(heard_, told)) rest();
  if (!events_.has_batch()) {
    if (stream_) stream_->read();
    return;
  }
  is_from_now_ = false;
  hand_out_later();
}

void EtcdWatch::on_canceled(const pb::WatchResponse& message) {
  stream_.reset();
  events_.break_off();
  if (message.compact_revision() != 0) {
    if (is_from_now_) {
      // Nobody has been promised anything of before.
      events_.skip_to(message.compact_revision());
      return reconnect_later();
    }
    compacted_ = message.compact_revision();
    return hand_out_later();
  }
  RpcStatus status{RpcCode::kUnavailable, message.cancel_reason()};
  if (status.message.find("permission denied") != std::string::npos) {
    status.code = RpcCode::kPermissionDenied;
    return lose(error_of(status, false));
  }
  client_->on_stream_failed(way_, status);
  reconnect_later();
}

void EtcdWatch::on_new_history(Revision present) {
  if (client_ == nullptr || events_.next() - 1 <= present) return;
  forget_history();
}

// What comes next is not what follows what has been told.
void EtcdWatch::forget_history() {
  stream_.reset();
  events_.break_off();
  if (is_from_now_) {
    events_.skip_to(0);
    if (!reconnect_timer_) reconnect_later();
    return;
  }
  compacted_ = 0;
  hand_out_later();
}

void EtcdWatch::on_end(const RpcStatus& status) {
  stream_.reset();
  events_.break_off();
  if (status.code == RpcCode::kPermissionDenied) return lose(error_of(status, false));
  client_->on_stream_failed(
      way_, status.is_ok() ? RpcStatus{RpcCode::kUnavailable, "the stream has ended"} : status);
  reconnect_later();
}

void EtcdWatch::rest() {
  stream_.reset();
  reconnect_after(kFloodRest);
}

void EtcdWatch::reconnect_after(base::Micros delay) {
  silence_timer_.reset();
  if (!patience_timer_) {
    patience_timer_ = client_->loop().after(client_->options().watch_patience, [this] {
      patience_timer_.reset();
      lose(client_->why_no_route());
    });
  }
  reconnect_timer_ = client_->loop().after(delay, [this] {
    reconnect_timer_.reset();
    connect();
  });
}

void EtcdWatch::hand_out_later() {
  if (std::exchange(is_handing_out_, true)) return;
  client_->loop().post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self) self->hand_out();
  });
}

void EtcdWatch::hand_out() {
  is_handing_out_ = false;
  if (client_ == nullptr) return;
  if (events_.has_batch()) {
    const WatchBatch batch = events_.take();
    if (events_.has_batch() || compacted_) {
      hand_out_later();
    } else if (stream_) {
      stream_->read();
    }
    const auto tell = handler_.on_events;
    if (tell) tell(batch);
    return;
  }
  if (!compacted_) return;
  const Revision compacted = *compacted_;
  finish();
  const auto tell = std::move(handler_.on_compacted);
  if (tell) tell(compacted);
}

// A member may be there and answer pings, and yet have forgotten its watches.
void EtcdWatch::set_silence_timer() {
  silence_timer_ =
      client_->loop().after(client_->options().watch_silence, [this] { on_silence(); });
}

void EtcdWatch::on_silence() {
  const base::MonotonicTime now = client_->loop().clock().monotonic();
  const base::Micros silence = client_->options().watch_silence;
  if (is_handing_out_) return set_silence_timer();
  if (is_asked_for_progress_) {
    return on_end({RpcCode::kDeadlineExceeded, "a watch fell silent"});
  }
  if (now - heard_ < silence) {
    silence_timer_ = client_->loop().at(heard_ + silence, [this] { on_silence(); });
    return;
  }
  is_asked_for_progress_ = true;
  pb::WatchRequest request;
  request.mutable_progress_request();
  stream_->write(request);
  silence_timer_ =
      client_->loop().after(client_->options().request_timeout, [this] { on_silence(); });
}

void EtcdWatch::finish() {
  const auto tell = std::move(on_over_);
  end();
  if (tell) tell();
}

void EtcdWatch::lose(const Error& error) {
  if (client_ == nullptr) return;
  const auto self = shared_from_this();
  // What is known already is told first.
  while (events_.has_batch()) {
    const WatchBatch batch = events_.take();
    const auto tell = handler_.on_events;
    if (tell) tell(batch);
    if (client_ == nullptr) return;
  }
  finish();
  const auto tell = std::move(handler_.on_lost);
  if (tell) tell(error);
}

}  // namespace flotilla::store
