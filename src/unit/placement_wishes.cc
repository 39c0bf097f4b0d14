#include "unit/placement_wishes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "unit/size.h"

namespace flotilla::unit {

namespace {

constexpr std::array<std::string_view, 9> kKeys = {
    "CPU",    "Disk",  "MaxPerMachine", "Memory", "OnPartition", "Prefer", "RescheduleOnFailure",
    "Spread", "Weight"};
constexpr uint32_t kMaxCount = 1'000'000;
constexpr double kMaxCpus = 1'000'000;

base::Status read_count(std::string_view key, std::string_view value, uint32_t& out) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  const bool is_good = error == std::errc() && end == value.data() + value.size() && number > 0 &&
                       number <= kMaxCount;
  if (!is_good) {
    return base::invalid("{}=: expected a number from 1 to {}, got \"{}\"", key, kMaxCount, value);
  }
  out = number;
  return {};
}

base::Status read_cpus(std::string_view value, uint64_t& out) {
  const bool is_millis = value.ends_with('m');
  const std::string_view digits = is_millis ? value.substr(0, value.size() - 1) : value;
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number,
                                            std::chars_format::fixed);
  const bool is_good = error == std::errc() && end == digits.data() + digits.size() && number > 0 &&
                       number <= (is_millis ? kMaxCpus * 1000 : kMaxCpus);
  if (!is_good) {
    return base::invalid("CPU=: expected processors like 2, 0.5 or 500m, got \"{}\"", value);
  }
  out = static_cast<uint64_t>(std::ceil(is_millis ? number : number * 1000));
  return {};
}

base::Status read_bytes(std::string_view key, std::string_view value, uint64_t& out) {
  const base::Result<uint64_t> size = parse_size(value);
  if (!size || *size == 0) {
    return base::invalid("{}=: expected a size like 512M or 2G, got \"{}\"", key, value);
  }
  out = *size;
  return {};
}

base::Status read_preference(std::string_view value, PlacementWishes& wishes) {
  FLOTILLA_ASSIGN(auto term, parse_metadata_term(value, "Prefer"));
  if (!term) return base::invalid("Prefer=: expected a term like disk=ssd, got \"{}\"", value);
  wishes.prefer.emplace_back(std::move(term->key), std::move(term->rule));
  return {};
}

}  // namespace

bool is_placement_wish(std::string_view key) {
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

base::Status read_placement_wish(std::string_view key, std::string_view value,
                                 PlacementWishes& wishes) {
  if (key == "Weight") return read_count(key, value, wishes.weight);
  if (key == "MaxPerMachine") return read_count(key, value, wishes.max_per_machine);
  if (key == "RescheduleOnFailure") return read_count(key, value, wishes.reschedules);
  if (key == "CPU") return read_cpus(value, wishes.cpu_millis);
  if (key == "Memory") return read_bytes(key, value, wishes.memory_bytes);
  if (key == "Disk") return read_bytes(key, value, wishes.disk_bytes);
  if (key == "Prefer") return read_preference(value, wishes);
  if (key == "Spread") {
    if (value.empty()) return base::invalid("Spread=: expected a metadata key, got \"\"");
    wishes.spread = value;
    return {};
  }
  if (value != "keep" && value != "stop") {
    return base::invalid("OnPartition=: expected keep or stop, got \"{}\"", value);
  }
  wishes.stops_on_partition = value == "stop";
  return {};
}

}  // namespace flotilla::unit
