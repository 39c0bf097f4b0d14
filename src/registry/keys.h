// The keys of the cluster's objects in the store. The table stands in docs/registry.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flotilla::registry {

inline constexpr std::string_view kDefaultPrefix = "/flotilla";

// A prefix as users write it: "/a/b/", "a/b" and "/a/b" mean the same, "/" the whole store. Returns
// it as Keys wants it. kInvalid for what is no printable text, or too long.
base::Result<std::string> parse_key_prefix(std::string_view text);

enum class KeyKind : uint8_t {
  kFormat,
  kUnit,      // first: unit
  kSchedule,  // first: machine, second: unit
  kGlobal,    // first: unit
  kMachine,   // first: machine
  kMetadata,  // first: machine
  kState,     // first: unit, second: machine
  kLeader,
  kRebalance,
  kHistory,  // first: unit
};

struct ParsedKey {
  KeyKind kind = KeyKind::kFormat;
  std::string first;
  std::string second;
};

class Keys {
 public:
  // `prefix` begins with a slash and does not end with one, or is empty: parse_key_prefix().
  explicit Keys(std::string prefix) : prefix_(std::move(prefix)) {}

  // Everything: a range of keys that start with it.
  std::string all() const { return prefix_ + "/"; }
  std::string format() const { return prefix_ + "/format"; }
  std::string leader() const { return prefix_ + "/leader"; }
  std::string rebalance() const { return prefix_ + "/rebalance"; }
  std::string unit(std::string_view name) const { return join("/unit/", name); }
  std::string global(std::string_view name) const { return join("/global/", name); }
  std::string history(std::string_view unit) const { return join("/history/", unit); }
  std::string globals() const { return prefix_ + "/global/"; }
  std::string machine(std::string_view id) const { return join("/machine/", id); }
  std::string metadata(std::string_view id) const { return join("/metadata/", id); }
  std::string schedule_of(std::string_view machine) const {
    return join("/schedule/", machine) + "/";
  }
  std::string schedule(std::string_view machine, std::string_view unit) const {
    return schedule_of(machine).append(unit);
  }
  std::string states() const { return prefix_ + "/state/"; }
  std::string state(std::string_view unit, std::string_view machine) const {
    return join("/state/", unit).append("/").append(machine);
  }

  // The folders that have something of each unit, in their order.
  std::vector<std::string> large_folders() const {
    return {prefix_ + "/schedule/", prefix_ + "/state/", prefix_ + "/unit/"};
  }

  // Nothing for a key that is none of these: a newer version's, or somebody else's.
  std::optional<ParsedKey> parse(std::string_view key) const;

 private:
  std::string join(std::string_view middle, std::string_view last) const {
    std::string key = prefix_;
    return key.append(middle).append(last);
  }

  std::string prefix_;
};

}  // namespace flotilla::registry
