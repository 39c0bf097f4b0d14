#include "registry/format_watch.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "registry/codec.h"

namespace flotilla::registry {

FormatWatch::FormatWatch(store::Store& store, base::EventLoop& loop, store::GatedStore& gate,
                         Registry& registry)
    : store_(store), loop_(loop), gate_(gate), registry_(registry), keys_(registry.prefix()) {}

void FormatWatch::start(std::function<void()> on_change) {
  on_change_ = std::move(on_change);
  MirrorHandler handler;
  handler.on_put = [this](const store::KeyValue& record) { on_put(record); };
  handler.on_delete = [this](const std::string&) { on_delete(); };
  handler.on_step = [](store::Revision) {};
  mirror_ =
      std::make_unique<Mirror>(store_, loop_, keys_.format(), std::string(), std::move(handler));
}

void FormatWatch::on_put(const store::KeyValue& record) {
  const base::Status status = check_format(record);
  if (status) return open_gate();
  // What was last known stays in force.
  if (status.error().code != base::Errc::kUnsupported) {
    SPDLOG_ERROR("{}", status.error().message);
    return;
  }
  SPDLOG_CRITICAL(
      "{}: this machine keeps its units as they are, and neither leads nor changes anything until "
      "its fleetd is upgraded",
      status.error().message);
  // Another must be able to lead, while our lease is kept.
  gate_.shut(status.error().message, [leader = keys_.leader()](const store::TxnRequest& txn) {
    const bool only_reads_else = std::all_of(
        txn.else_ops.begin(), txn.else_ops.end(),
        [](const store::Op& op) { return std::holds_alternative<store::RangeRequest>(op); });
    return only_reads_else &&
           std::all_of(txn.then_ops.begin(), txn.then_ops.end(), [&](const store::Op& op) {
             const auto* erased = std::get_if<store::DeleteRangeOp>(&op);
             return erased != nullptr && erased->key == leader && erased->range_end.empty();
           });
  });
  on_change_();
}

// Who has emptied the store has not written a newer format into it.
void FormatWatch::on_delete() {
  open_gate();
  registry_.open([](const base::Status& status) {
    if (!status) SPDLOG_ERROR("Failed to open the registry: {}", status.error().message);
  });
}

void FormatWatch::open_gate() {
  if (!gate_.is_shut()) return;
  SPDLOG_INFO("The store has a format that this version knows again; going on");
  gate_.open();
  on_change_();
}

}  // namespace flotilla::registry
