// LeaseRecord: until when units that must not run twice may run on this machine, as fleetd writes
// it down for fleet-lease, which stops them when fleetd cannot. One line of fixed length in a file
// below /run, so that one write(2) replaces it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace flotilla::agent {

struct LeaseRecord {
  std::string boot_id;  // of the kernel whose clock it is counted on
  // When the last keep-alive was sent that the store has acknowledged, and how long it holds.
  // A ttl of 0: no unit here needs it.
  base::BoottimeTime acknowledged{};
  base::Micros ttl{0};

  bool is_released() const { return ttl == base::Micros(0); }
  base::BoottimeTime closes_at() const { return acknowledged + ttl * 2 / 3; }  // they are stopped
  base::BoottimeTime kills_at() const { return acknowledged + ttl * 11 / 12; }
  base::BoottimeTime ends_at() const { return acknowledged + ttl; }

  friend bool operator==(const LeaseRecord&, const LeaseRecord&) = default;
};

std::string encode(const LeaseRecord& record);
// Nothing for what is no such record, or one that was read while it was written.
std::optional<LeaseRecord> decode_lease_record(std::string_view text);

}  // namespace flotilla::agent
