#include "store/etcd_flood.h"

namespace flotilla::store {

namespace {

constexpr base::Micros kWhile = std::chrono::seconds(1);
constexpr size_t kMessagesOfAFlood = 500;  // in a while
// After a rest: what came meanwhile is told in large messages, and is worth the next one.
constexpr size_t kLargeMessage = 64;
constexpr size_t kWorthARest = 200;

}  // namespace

void EtcdFlood::on_stream(base::MonotonicTime now) {
  stands_since_ = now;
  events_ = 0;
}

bool EtcdFlood::on_message(base::MonotonicTime now, size_t events) {
  events_ += events;
  if (is_flood_) {
    const bool goes_on = now - stands_since_ < kWhile;
    if (goes_on && events >= kLargeMessage) return false;
    if (goes_on && events_ >= kWorthARest) return true;
    is_flood_ = false;
    messages_ = 0;
  }
  if (messages_ == 0 || now - counted_ >= kWhile) {
    counted_ = now;
    messages_ = 0;
  }
  is_flood_ = ++messages_ >= kMessagesOfAFlood;
  return is_flood_;
}

}  // namespace flotilla::store
