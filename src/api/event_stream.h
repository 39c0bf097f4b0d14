// EventStream: the changes of the cluster as server-sent events, from a revision on. Reads the
// store's own history by a watch, so that a client may go on where it was even after this daemon
// was started anew. What a slow client has not taken yet is not gathered: the watch pauses and goes
// on later.
//
// An event carries its id only if it is the last of its revision: whoever resumes at an id has all
// of it. Ends when the store or the history is gone; the client then asks anew. Loop thread only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "api/message.h"
#include "registry/keys.h"
#include "store/store.h"

namespace flotilla::api {

class EventStream final : public BodyStream {
 public:
  // Begins with what came after `since`. Requires: `store` outlives the stream.
  EventStream(store::Store& store, std::string prefix, store::Revision since);

  void start(std::function<void()> ready) override;
  bool read(std::string& out) override;

 private:
  void listen();
  void on_events(const store::WatchBatch& batch);

  store::Store& store_;
  const registry::Keys keys_;
  store::Revision position_;  // everything up to it is told or pending
  std::function<void()> ready_;
  std::string pending_;
  bool is_over_ = false;
  base::RegistrationPtr watch_;
};

// One change as clients see it.
struct ClusterEvent {
  store::Revision revision = 0;
  std::string_view type;  // "unit", "state" or "machine"
  std::string name;       // of the unit or machine
  std::string machine;    // where, for states and the schedule
};

// Nothing for keys that are nobody's business. Pure.
std::optional<ClusterEvent> told_of(const registry::Keys& keys, const store::Event& event);
// "data: {...}" and an empty line, with an "id:" line if it is the last of its revision. Pure.
std::string event_text(const ClusterEvent& event, bool is_last);

}  // namespace flotilla::api
