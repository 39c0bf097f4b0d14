// What the manager tells a log of the units that run, in the words of systemd's: links and a file
// below /run/systemd/units, for whoever keeps what programs log by themselves (flotilla-logd, or
// systemd-journald where one runs). They are written before a unit's first process and stay as they
// are until it is inactive: what is changed meanwhile holds from its next start on.
//
//   invocation:UNIT               the invocation id
//   log-level-max:UNIT            LogLevelMax=, a number
//   log-rate-limit-interval:UNIT  LogRateLimitIntervalSec=, in microseconds
//   log-rate-limit-burst:UNIT     LogRateLimitBurst=
//   log-extra-fields:UNIT         a file: the fields, each behind its size in 64 bits,
//   little-endian
//
// Owned by the program. What is not set costs nothing; what cannot be written is not there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "init/exec_extras.h"

namespace flotilla::init {

// Bits, one for each that a unit has.
using LinkSet = uint8_t;
inline constexpr LinkSet kInvocationLink = 1;
inline constexpr LinkSet kAllLinks = 0x1f;
// A manager before may have left some.
inline constexpr LinkSet kUnknownLinks = 0x20;

class UnitLinks {
 public:
  enum class Kinds { kAll, kInvocation };
  // `directory`: its host path; made with the first link.
  UnitLinks(std::string directory, Kinds kinds) : directory_(std::move(directory)), kinds_(kinds) {}

  // Those of a unit's run. Returns which were written, what is there already with them.
  LinkSet write(const std::string& unit, const std::string& invocation,
                const ExecExtras& extras) const;
  void remove(const std::string& unit, LinkSet links) const;

 private:
  bool put_link(std::string_view name, const std::string& unit, const std::string& target) const;
  bool put_fields(const std::string& unit, const std::vector<std::string>& fields) const;
  std::string path_of(std::string_view name, const std::string& unit) const;

  std::string directory_;
  Kinds kinds_;
};

}  // namespace flotilla::init
