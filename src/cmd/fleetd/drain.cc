#include "cmd/fleetd/drain.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "registry/cordon.h"

namespace flotilla::fleetd {

namespace json = boost::json;

namespace {

constexpr std::string_view kKey = "fleetd/drained";  // in the State: the mark before, or ""
constexpr base::Micros kPause = std::chrono::milliseconds(50);

}  // namespace

Drain::Drain(base::EventLoop& loop, registry::Registry& registry, registry::ClusterView& view,
             overlord::State& state, std::string machine, std::function<bool()> has_stopped)
    : loop_(loop),
      registry_(registry),
      view_(view),
      state_(state),
      machine_(std::move(machine)),
      has_stopped_(std::move(has_stopped)) {}

Drain::~Drain() { *alive_ = false; }

void Drain::mark(std::optional<std::string> value, std::function<void()> then) {
  registry_.edit_metadata(machine_, std::string(registry::kCordonKey), std::move(value),
                          [alive = alive_, then = std::move(then)](const auto& edited) {
                            if (!*alive) return;
                            if (edited) return then();
                            SPDLOG_ERROR("Failed to mark this machine: {}", edited.error().message);
                          });
}

void Drain::begin(base::Micros limit, std::function<void()> done) {
  done_ = std::move(done);
  limit_ =
      loop_.after(limit, [this] { finish("not all units have found another machine in time"); });
  view_hold_ = view_.hold();
  if (view_.has_data()) return begin_with_view();
  change_ = view_.subscribe([this](const registry::ClusterChange&) {
    if (!view_.has_data()) return;
    change_.reset();
    begin_with_view();
  });
}

void Drain::begin_with_view() {
  const auto& edits = view_.cluster().metadata_edits;
  const auto found = edits.find(machine_);
  std::string before;
  if (found != edits.end()) {
    const auto mark = found->second.find(std::string(registry::kCordonKey));
    if (mark != found->second.end()) before = mark->second;
  }
  overlord::StateTxn txn;
  txn.put(overlord::kDataKind, kKey, json::serialize(json::value(json::string(before))));
  if (const base::Status kept = state_.commit(txn); !kept) {
    SPDLOG_ERROR("{}", kept.error().message);
    return finish("what to come back to cannot be kept");
  }
  SPDLOG_INFO("Draining: units that other machines can take go there first");
  mark("drain", [this] {
    scheduler_ = std::make_unique<engine::Scheduler>();
    scheduler_->read(view_.cluster());
    change_ = view_.subscribe([this](const registry::ClusterChange& change) {
      scheduler_->update(view_.cluster(), change);
      if (!look_) look_ = loop_.after(kPause, [this] { look(); });
    });
    look();
  });
}

void Drain::look() {
  look_.reset();
  if (has_movable_units()) return;
  if (has_stopped_()) return finish("done");
  look_ = loop_.after(kPause, [this] { look(); });
}

bool Drain::has_movable_units() {
  const registry::Cluster& cluster = view_.cluster();
  return std::any_of(cluster.schedule.begin(), cluster.schedule.end(), [&](const auto& of_unit) {
    if (!of_unit.second.contains(machine_)) return false;
    const auto verdicts = scheduler_->explain(of_unit.first);
    return std::any_of(verdicts.begin(), verdicts.end(), [&](const engine::Verdict& verdict) {
      return verdict.machine != machine_ && verdict.why_not.empty();
    });
  });
}

void Drain::finish(const char* how) {
  change_.reset();
  limit_.reset();
  look_.reset();
  view_hold_.reset();
  SPDLOG_INFO("Draining: {}", how);
  // Not from inside the view's call.
  loop_.post([alive = alive_, done = std::exchange(done_, {})] {
    if (*alive && done) done();
  });
}

void Drain::undo() {
  const std::string* kept = state_.find(overlord::kDataKind, kKey);
  if (kept == nullptr) return;
  boost::system::error_code error;
  const json::value value = json::parse(*kept, error);
  std::optional<std::string> before;
  if (!error && value.is_string() && !value.get_string().empty()) {
    before = std::string(value.get_string().data(), value.get_string().size());
  }
  mark(before, [this] {
    overlord::StateTxn txn;
    txn.erase(overlord::kDataKind, kKey);
    if (const base::Status done = state_.commit(txn); !done) {
      SPDLOG_ERROR("{}", done.error().message);
    }
    SPDLOG_INFO("This machine takes units again");
  });
}

}  // namespace flotilla::fleetd
