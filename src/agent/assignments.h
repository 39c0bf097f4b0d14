// What this machine must run: the entries of its own schedule, and the global units that fit it.
// Listens to those keys and nothing else, so that a change elsewhere wakes nobody here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/assigner.h"
#include "registry/keys.h"
#include "registry/mirror.h"
#include "registry/objects.h"

namespace flotilla::agent {

// Loop thread only. Keeps what it last knew while the store is away.
class Assignments {
 public:
  Assignments(store::Store& store, base::EventLoop& loop, std::string prefix, std::string machine,
              registry::Metadata own_metadata, std::function<void()> on_change);

  void start();
  void stop();
  // Whether everything has been read once. Before that nothing may be concluded.
  bool has_data() const;
  // As of now. Requires: has_data().
  const AssignedUnits& current() { return assigner_.assigned(); }
  // Another number for each other content of current().
  uint64_t version() const { return version_; }

 private:
  void on_put(const store::KeyValue& kv);
  void on_delete(const std::string& key);
  void forget_unreadable(const std::string& key);
  base::Status take(const registry::ParsedKey& key, const store::KeyValue& kv);
  std::unique_ptr<registry::Mirror> mirror(std::string key, std::string range_end);

  store::Store& store_;
  base::EventLoop& loop_;
  const registry::Keys keys_;
  const std::string machine_;
  const registry::Metadata own_metadata_;
  const std::function<void()> on_change_;
  Assigner assigner_;
  std::map<std::string, std::string> unreadable_;  // key -> unit
  uint64_t version_ = 1;
  std::unique_ptr<registry::Mirror> schedule_mirror_;
  std::unique_ptr<registry::Mirror> globals_mirror_;
  std::unique_ptr<registry::Mirror> metadata_mirror_;
};

}  // namespace flotilla::agent
