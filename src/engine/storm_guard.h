// StormGuard: whether the leader may believe that machines are gone. A leader whose own view has
// just come up, or that sees many machines vanish at once, is more likely to be mistaken (or cut
// off) than the machines are to be dead, and moving their units would make it worse.
//
// Pure but for what it remembers; time comes in with each call.
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "store/store.h"

namespace flotilla::engine {

class StormGuard {
 public:
  // `lease_time`: how long a machine's lease lasts.
  explicit StormGuard(base::Micros lease_time) : lease_time_(lease_time) {}

  // The machines that are there, each with the revision that made its record: with another one it
  // has vanished and is back. 0: not known.
  using Present = std::map<std::string, store::Revision>;

  // Call with each new look at the cluster. `watching_since`: since when the view has been
  // uninterrupted.
  void look(base::MonotonicTime now, base::MonotonicTime watching_since, Present present);
  // The same where no machine has come or gone since the last look.
  void look(base::MonotonicTime now, base::MonotonicTime watching_since);

  // From when on absence may be believed; never() while there is no view.
  base::MonotonicTime trusted_from() const { return trusted_from_; }
  // Whether trusted_from() was put off because many machines vanished together.
  bool is_storm() const { return is_storm_; }

 private:
  void judge(base::MonotonicTime now, base::MonotonicTime watching_since, bool has_new);
  void forget_those_back();

  base::Micros lease_time_;
  Present present_;
  std::map<std::string, base::MonotonicTime>
      vanished_;  // within the last lease time, or in a storm
  base::MonotonicTime trusted_from_ = base::MonotonicTime::never();
  base::MonotonicTime storm_until_;
  bool is_storm_ = false;
};

}  // namespace flotilla::engine
