#include "registry/machine_session.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "registry/codec.h"
#include "registry/keys.h"

namespace flotilla::registry {

namespace {

constexpr base::Micros kFirstRetry = std::chrono::milliseconds(500);
constexpr base::Micros kLongestRetry = std::chrono::seconds(2);

}  // namespace

class MachineSession::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(store::Store& store, base::EventLoop& loop, std::string prefix, Machine self,
       SessionOptions options)
      : store_(store),
        loop_(loop),
        keys_(std::move(prefix)),
        key_(keys_.machine(self.id)),
        self_(std::move(self)),
        options_(options) {
    self_.ttl_seconds = static_cast<uint32_t>(options_.ttl.count());
  }

  void end() {
    ++epoch_;
    timer_.reset();
    watch_.reset();
    rewatch_.reset();
    on_change_ = {};
    on_acknowledged_ = {};
  }

  void leave(std::function<void()> done) {
    const store::LeaseId lease = lease_;
    end();
    lease_ = 0;
    state_ = State::kStarting;
    if (lease == 0) return loop_.post(std::move(done));
    store_.revoke_lease(lease, [done = std::move(done)](auto) { done(); });
  }

  void renew(std::function<void()> done) {
    if (state_ != State::kRegistered) return loop_.post(std::move(done));
    const base::BoottimeTime sent = loop_.clock().boottime();
    store_.keep_alive(lease_, guarded<store::LeaseGrant>([this, sent, done](auto grant) {
                        if (grant) set_acknowledged(sent);
                        done();
                      }));
  }

  // Finds out what is there and takes the step that follows from it.
  void attempt() {
    watch_.reset();
    rewatch_.reset();
    timer_.reset();
    ++epoch_;
    store::RangeRequest request;
    request.key = key_;
    store_.range(std::move(request), guarded<store::RangeResponse>([this](auto result) {
                   if (!result) return try_later(result.error());
                   if (result->kvs.empty()) return take_new_lease(0);
                   on_record(result->kvs.front());
                 }));
  }

  State state_ = State::kStarting;
  store::LeaseId lease_ = 0;
  std::string refusal_;
  std::function<void()> on_change_;
  std::function<void()> on_acknowledged_;
  const Machine& self() const { return self_; }
  std::chrono::seconds ttl() const { return options_.ttl; }
  base::BoottimeTime acknowledged_at() const { return acked_; }

 private:
  // A callback that is silent once the session has gone on to something else or has ended.
  template <typename T, typename F>
  store::Store::Callback<T> guarded(F callback) {
    return [self = shared_from_this(), epoch = epoch_,
            callback = std::move(callback)](base::Result<T> result) mutable {
      if (self->epoch_ == epoch) callback(std::move(result));
    };
  }

  void on_record(const store::KeyValue& record) {
    const base::Result<Machine> found = decode_machine(record.value);
    const bool is_own = found && found->state_id == self_.state_id &&
                        found->boot_id == self_.boot_id && !self_.state_id.empty();
    // Written by hand: whoever lives has a lease.
    if (record.lease == 0) return take_new_lease(record.mod_revision);
    if (!options_.sole_daemon && !is_own) return wait_for_other(record, found);
    const base::BoottimeTime sent = loop_.clock().boottime();
    store_.keep_alive(record.lease, guarded<store::LeaseGrant>([this, record, sent](auto grant) {
                        if (!grant && grant.error().code != base::Errc::kNotFound)
                          return try_later(grant.error());
                        // A lease of another length is left to itself; what hangs on it moves over.
                        if (!grant || grant->ttl != options_.ttl)
                          return take_new_lease(record.mod_revision);
                        write_record(record.mod_revision, record.lease, sent);
                      }));
  }

  void wait_for_other(const store::KeyValue& record, const base::Result<Machine>& found) {
    const base::MonotonicTime now = loop_.clock().monotonic();
    if (waiting_for_ != record.create_revision) {
      waiting_for_ = record.create_revision;
      const auto their_ttl =
          found && found->ttl_seconds > 0 ? std::chrono::seconds(found->ttl_seconds) : options_.ttl;
      // One that nobody keeps alive has ended by then.
      waiting_until_ = now + base::Micros(their_ttl) * 3 / 2;
      SPDLOG_WARN("Machine({}) is already registered{}; waiting for its lease to end", self_.id,
                  found ? fmt::format(" by {}", describe(*found)) : std::string());
    }
    if (now >= waiting_until_) return refuse(found);
    set(State::kWaiting, 0);
    store::WatchRequest request;
    request.key = key_;
    request.from_revision = record.mod_revision + 1;
    store::WatchHandler handler;
    handler.on_events = [this](const store::WatchBatch& batch) {
      if (!batch.events.empty() && batch.events.back().type == store::EventType::kDelete) attempt();
    };
    handler.on_compacted = [this](store::Revision) { attempt(); };
    handler.on_lost = [this](const base::Error& error) { try_later(error); };
    watch_ = store_.watch(std::move(request), std::move(handler));
    timer_ = loop_.at(waiting_until_, [this] { attempt(); });
  }

  void refuse(const base::Result<Machine>& found) {
    refusal_ = fmt::format(
        "machine id {} is in use by another machine: here {}, there {}; give one of them another "
        "id",
        self_.id, describe(self_), found ? describe(*found) : std::string("an unreadable record"));
    set(State::kRefused, 0);
  }

  static std::string describe(const Machine& machine) {
    const std::string& ip = machine.public_ip.empty() ? machine.api_address : machine.public_ip;
    return fmt::format("{} (boot {})", ip.empty() ? "(no address)" : ip, machine.boot_id);
  }

  void take_new_lease(store::Revision replaced) {
    const base::BoottimeTime sent = loop_.clock().boottime();
    store_.grant_lease(options_.ttl, guarded<store::LeaseGrant>([this, replaced, sent](auto grant) {
                         if (!grant) return try_later(grant.error());
                         write_record(replaced, grant->lease, sent);
                       }));
  }

  // `acked`: when the request was sent that gave the lease, or kept it alive.
  void write_record(store::Revision replaced, store::LeaseId lease, base::BoottimeTime acked) {
    store::TxnRequest txn;
    txn.compares.push_back(replaced == 0 ? store::key_is_absent(key_)
                                         : store::mod_is(key_, replaced));
    txn.then_ops.emplace_back(store::PutOp{key_, encode(self_), lease});
    store_.txn(std::move(txn), guarded<store::TxnResponse>([this, lease, acked](auto result) {
                 if (!result) return try_later(result.error());
                 if (!result->succeeded) return attempt();
                 retry_delay_ = kFirstRetry;
                 waiting_for_ = 0;
                 set_acknowledged(acked);
                 watch_own_record(result->revision);
                 set_keep_alive_timer(keep_alive_interval());
                 set(State::kRegistered, lease);
               }));
  }

  // Somebody who deletes the record by hand, or registers under the same id, must not go unnoticed.
  void watch_own_record(store::Revision written_at) {
    store::WatchRequest request;
    request.key = key_;
    request.from_revision = written_at + 1;
    store::WatchHandler handler;
    handler.on_events = [this](const store::WatchBatch& batch) {
      if (batch.events.empty()) return;
      if (batch.events.back().type == store::EventType::kDelete) {
        SPDLOG_WARN(
            "The record of Machine({}) is gone: its lease has ended, or somebody deleted it",
            self_.id);
      } else {
        SPDLOG_WARN("The record of Machine({}) was changed by somebody else", self_.id);
      }
      attempt();
    };
    handler.on_compacted = [this](store::Revision) { attempt(); };
    // The lease does not hang on the connection: only what is missed has to be made up for.
    handler.on_lost = [this, written_at](const base::Error&) {
      rewatch_ = loop_.after(kFirstRetry, [this, written_at] { watch_own_record(written_at); });
    };
    rewatch_.reset();
    watch_ = store_.watch(std::move(request), std::move(handler));
  }

  base::Micros keep_alive_interval() const { return base::Micros(options_.ttl) / 3; }

  void set_keep_alive_timer(base::Micros delay) {
    timer_ = loop_.after(delay, [this] { keep_alive(); });
  }

  void keep_alive() {
    const base::BoottimeTime sent = loop_.clock().boottime();
    store_.keep_alive(lease_, guarded<store::LeaseGrant>([this, sent](auto grant) {
                        if (grant) {
                          set_acknowledged(sent);
                          retry_delay_ = kFirstRetry;
                          set_keep_alive_timer(keep_alive_interval());
                          // It had seemed lost, but the store has kept it, and the record with it.
                          return set(State::kRegistered, lease_);
                        }
                        if (grant.error().code == base::Errc::kNotFound) {
                          SPDLOG_WARN("The lease of Machine({}) has ended; registering again",
                                      self_.id);
                          set(State::kLost, 0);
                          return attempt();
                        }
                        SPDLOG_WARN("Failed to keep the lease of Machine({}) alive: {}", self_.id,
                                    grant.error().message);
                        // The lease may end meanwhile; the next answer tells.
                        if (loop_.clock().boottime() >= acked_ + options_.ttl)
                          set(State::kLost, lease_);
                        set_keep_alive_timer(next_retry());
                      }));
  }

  void try_later(const base::Error& error) {
    SPDLOG_WARN("Failed to register Machine({}): {}; trying again", self_.id, error.message);
    watch_.reset();
    rewatch_.reset();
    ++epoch_;
    if (state_ == State::kRegistered) set(State::kLost, lease_);
    timer_ = loop_.after(next_retry(), [this] { attempt(); });
  }

  base::Micros next_retry() {
    const base::Micros delay = retry_delay_;
    retry_delay_ = std::min(retry_delay_ * 2, kLongestRetry);
    return delay;
  }

  void set_acknowledged(base::BoottimeTime sent) {
    acked_ = sent;
    const auto tell = on_acknowledged_;
    if (tell) tell();
  }

  void set(State state, store::LeaseId lease) {
    if (state_ == state && lease_ == lease) return;
    state_ = state;
    lease_ = lease;
    const auto tell = on_change_;
    if (tell) tell();
  }

  store::Store& store_;
  base::EventLoop& loop_;
  const Keys keys_;
  const std::string key_;
  Machine self_;
  const SessionOptions options_;
  uint64_t epoch_ = 0;
  store::Revision waiting_for_ = 0;    // create revision of the other's record, or 0 ...
  base::MonotonicTime waiting_until_;  // ... and from when on somebody else keeps it alive
  base::BoottimeTime acked_;           // when the last answered keep-alive was sent
  base::Micros retry_delay_ = kFirstRetry;
  base::RegistrationPtr timer_;
  base::RegistrationPtr watch_;
  base::RegistrationPtr rewatch_;
};

MachineSession::MachineSession(store::Store& store, base::EventLoop& loop, std::string prefix,
                               Machine self, SessionOptions options)
    : impl_(std::make_shared<Impl>(store, loop, std::move(prefix), std::move(self), options)) {}

MachineSession::~MachineSession() { impl_->end(); }

void MachineSession::start() { impl_->attempt(); }
void MachineSession::leave(std::function<void()> done) { impl_->leave(std::move(done)); }
void MachineSession::renew(std::function<void()> done) { impl_->renew(std::move(done)); }
MachineSession::State MachineSession::state() const { return impl_->state_; }
const Machine& MachineSession::self() const { return impl_->self(); }
store::LeaseId MachineSession::lease() const { return impl_->lease_; }
std::chrono::seconds MachineSession::ttl() const { return impl_->ttl(); }
base::BoottimeTime MachineSession::acknowledged_at() const { return impl_->acknowledged_at(); }
const std::string& MachineSession::refusal() const { return impl_->refusal_; }
void MachineSession::on_acknowledged(std::function<void()> callback) {
  impl_->on_acknowledged_ = std::move(callback);
}
void MachineSession::on_change(std::function<void()> callback) {
  impl_->on_change_ = std::move(callback);
}

}  // namespace flotilla::registry
