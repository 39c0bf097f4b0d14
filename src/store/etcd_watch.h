// EtcdWatch: one watch of an EtcdStore over all its streams. Each stream carries this watch alone,
// so that what etcd tells of its progress is this watch's. A stream that breaks is opened again
// where the events ended; the watch is lost when that does not succeed for `watch_patience`, or
// when etcd refuses it. Batches are handed out one a turn of the loop; the next message is asked
// for when all are out, so that a slow reader slows the server down and costs no memory here. One
// that is told very much ends its stream now and then, and opens the next where that ended.
//
// Owned by its registration and, while it goes on, by the store; loop thread only.
#pragma once

#include <memory>
#include <optional>

#include "store/etcd_client.h"
#include "store/etcd_events.h"
#include "store/etcd_flood.h"

namespace flotilla::store {

class EtcdWatch : public std::enable_shared_from_this<EtcdWatch> {
 public:
  // `on_over` is called when it is over by itself, before its user is told so.
  EtcdWatch(EtcdClient& client, WatchRequest request, WatchHandler handler,
            std::function<void()> on_over);

  void begin();
  void on_route();
  // etcd has been put back to an earlier state, of which this is the revision.
  void on_new_history(Revision present);
  // Ends it with on_lost.
  void lose(const base::Error& error);
  // Nothing is told any more. The client may be gone afterwards.
  void end();

 private:
  void connect();
  void ask_for_the_present();
  void open(const EtcdClient::Way& way);
  void on_message(pb::WatchResponse& message);
  void on_canceled(const pb::WatchResponse& message);
  void forget_history();
  void on_end(const RpcStatus& status);
  void reconnect_later() { reconnect_after(backoff_.next()); }
  void reconnect_after(base::Micros delay);
  void rest();
  void hand_out();
  void hand_out_later();
  void set_silence_timer();
  void on_silence();
  void finish();

  EtcdClient* client_;  // null when it is over
  WatchRequest request_;
  WatchHandler handler_;
  std::function<void()> on_over_;
  bool is_from_now_;  // nothing has been heard since it began at "now"
  EtcdEvents events_;
  EtcdFlood flood_;
  EtcdClient::Way way_;
  std::unique_ptr<WatchStream> stream_;
  bool is_asking_ = false;  // for the present revision
  bool is_handing_out_ = false;
  std::optional<Revision> compacted_;   // to be told after the batches
  bool is_asked_for_progress_ = false;  // and has not answered
  base::MonotonicTime heard_;           // when the stream last said something
  EtcdBackoff backoff_;
  base::RegistrationPtr reconnect_timer_;
  base::RegistrationPtr silence_timer_;
  base::RegistrationPtr patience_timer_;  // while there is no stream that stands
};

}  // namespace flotilla::store
