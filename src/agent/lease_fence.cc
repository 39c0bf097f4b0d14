#include "agent/lease_fence.h"

#include <spdlog/spdlog.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace flotilla::agent {

namespace json = boost::json;

namespace {

constexpr std::string_view kKey = "agent/lease";

}  // namespace

LeaseFence::LeaseFence(base::EventLoop& loop, registry::MachineSession& session,
                       overlord::State& state, LeaseUnit& unit, std::string boot_id,
                       std::function<void()> on_change)
    : loop_(loop),
      session_(session),
      state_(state),
      unit_(unit),
      boot_id_(std::move(boot_id)),
      on_change_(std::move(on_change)) {
  restore();
}

void LeaseFence::restore() {
  const std::string* text = state_.find(overlord::kDataKind, kKey);
  if (text == nullptr) return;
  boost::system::error_code error;
  const json::value value = json::parse(*text, error);
  const json::object* object = error ? nullptr : value.if_object();
  const json::value* boot = object != nullptr ? object->if_contains("boot") : nullptr;
  const json::value* sent = object != nullptr ? object->if_contains("acknowledged_usec") : nullptr;
  const bool is_of_this_boot =
      boot != nullptr && boot->is_string() && boot->get_string() == json::string_view(boot_id_);
  if (!is_of_this_boot || sent == nullptr || !sent->is_int64()) return;
  acknowledged_ = {base::Micros(sent->get_int64())};
}

void LeaseFence::remember() {
  unit_.renew(record());
  overlord::StateTxn txn;
  txn.put(overlord::kDataKind, kKey,
          json::serialize(json::object{{"boot", boot_id_},
                                       {"acknowledged_usec", acknowledged_.since_epoch.count()}}));
  if (const base::Status status = state_.commit(txn); !status) {
    SPDLOG_ERROR("Failed to remember the lease: {}", status.error().message);
  }
}

void LeaseFence::set_needed(bool is_needed) {
  if (is_needed_ == is_needed) return;
  is_needed_ = is_needed;
  timer_.reset();
  if (!is_needed_) return unit_.renew({boot_id_, acknowledged_, base::Micros(0)});
  if (acknowledged_.is_set()) remember();
  arm();
}

void LeaseFence::on_acknowledged() {
  const bool was_open = is_open();
  acknowledged_ = session_.acknowledged_at();
  if (!is_needed_) return;
  remember();
  arm();
  if (!was_open) on_change_();
}

void LeaseFence::arm() {
  const base::BoottimeTime next = is_open() ? record().closes_at() : record().kills_at();
  timer_.reset();
  if (now() >= next) return;
  timer_ = loop_.after(next - now(), [this] {
    arm();  // when suspended, the two clocks go apart
    on_change_();
  });
}

}  // namespace flotilla::agent
