// StatePublisher: tells the cluster the states of this machine's units, under the machine's lease.
// Changes of one turn of the loop go out together, the latest value of each unit wins, what has not
// changed is not written; while the store is away changes gather. A state that another is likely to
// follow at once waits for a moment, so that a start costs one write. After a write there is a
// pause that grows with the time the store took for it, so that a store under load gets fewer,
// larger ones.
// Nothing is ever polled.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/event_loop.h"
#include "registry/machine_session.h"
#include "registry/registry.h"

namespace flotilla::agent {

enum class Lasting : uint8_t { kLikely, kUnlikely };

class StatePublisher {
 public:
  // Requires: all references outlive the publisher.
  StatePublisher(registry::Registry& registry, base::EventLoop& loop,
                 registry::MachineSession& session);
  ~StatePublisher();
  StatePublisher(const StatePublisher&) = delete;
  StatePublisher& operator=(const StatePublisher&) = delete;

  // `state.machine` is filled in here.
  void publish(registry::UnitState state, Lasting lasting = Lasting::kLikely);
  // As Registry::claim_unit() under the session's lease; the state stands until another is
  // published or it is withdrawn.
  void claim(registry::UnitState state, store::Revision entry_revision,
             std::function<void(base::Status)> done);
  // As Registry::put_finished(), of this machine.
  void tell_finished(registry::UnitHistory history, store::Revision entry_revision,
                     std::function<void(base::Status)> done);
  void withdraw(const std::string& unit);
  // After a change of the session: another lease means that everything is written anew, and that
  // what earlier runs left in the store is looked through.
  void on_session_change();

 private:
  void flush_soon();
  void flush_if_urgent();
  void flush();
  void on_flushed(const base::Status& status);
  void pause();
  void find_leftovers();

  registry::Registry& registry_;
  base::EventLoop& loop_;
  registry::MachineSession& session_;
  std::map<std::string, registry::UnitState> current_;
  // Units to write or withdraw. A unit in neither map and not in dirty_ is not in the store.
  std::set<std::string> dirty_;
  std::map<std::string, registry::UnitState> published_;
  std::set<std::string> maybe_published_;  // in the store, or written without an answer
  store::LeaseId lease_ = 0;               // under which `published_` was written
  bool is_urgent_ = false;  // something in dirty_ has waited long enough, or may not wait
  bool is_flush_due_ = false;
  bool is_flushing_ = false;
  base::MonotonicTime flushed_at_{};  // when the last write began
  base::RegistrationPtr pause_;       // until its pause ends
  base::RegistrationPtr patience_;
  base::RegistrationPtr retry_;
  base::RegistrationPtr search_retry_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace flotilla::agent
