#include "engine/leader_watch.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "registry/codec.h"

namespace flotilla::engine {

LeaderWatch::LeaderWatch(store::Store& store, base::EventLoop& loop, std::string key,
                         std::function<void()> on_change)
    : store_(store), loop_(loop), key_(std::move(key)), on_change_(std::move(on_change)) {}

void LeaderWatch::open() {
  registry::MirrorHandler handler;
  handler.on_put = [this](const store::KeyValue& kv) { on_put(kv); };
  handler.on_delete = [this](const std::string&) {
    leader_.reset();
    mod_revision_ = 0;
    lease_ = 0;
  };
  handler.on_step = [this](store::Revision) {
    if (is_live()) on_change_();
  };
  handler.on_live = [this](bool is_live) {
    since_ = is_live ? loop_.clock().monotonic() : base::MonotonicTime::never();
    on_change_();
  };
  mirror_ =
      std::make_unique<registry::Mirror>(store_, loop_, key_, std::string(), std::move(handler));
}

void LeaderWatch::close() { mirror_.reset(); }

void LeaderWatch::on_put(const store::KeyValue& kv) {
  mod_revision_ = kv.mod_revision;
  lease_ = kv.lease;
  base::Result<registry::Leader> leader = registry::decode_leader(kv.value);
  if (!leader) {
    SPDLOG_ERROR("{}: unreadable record: {}", kv.key, leader.error().message);
    leader_.reset();
    return;
  }
  leader->mod_revision = kv.mod_revision;
  leader->create_revision = kv.create_revision;
  leader->lease = kv.lease;
  leader_ = std::move(*leader);
}

}  // namespace flotilla::engine
