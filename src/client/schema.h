// The entities of the HTTP API (version 1) as values. A field that is absent in an answer is empty
// here.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "unit/fleet_file.h"

namespace flotilla::client {

struct Unit {
  std::string name;
  std::string current_state;  // inactive, loaded, launched; empty for a global unit
  std::string desired_state;
  std::string machine_id;  // where it is scheduled
  std::vector<unit::UnitOption> options;
  std::string finished_on = {};  // of a oneshot that has ended well: the machine
  uint64_t finished_usec = 0;    // and when
};

struct UnitState {
  std::string name;
  std::string machine_id;
  std::string hash;
  std::string load_state;
  std::string active_state;
  std::string sub_state;
  uint64_t active_enter_usec = 0;  // wall clock, microseconds since 1970; 0: unknown
  std::string problem = {};        // why it is not as it should be there
};

struct Machine {
  std::string id;
  std::string primary_ip;
  std::map<std::string, std::string> metadata;
};

// Whether a machine may run a unit, and if not, why.
struct Eligibility {
  std::string machine_id;
  bool eligible = false;
  std::string reason;
};

// A unit that rebalancing takes from one machine to another.
struct Move {
  std::string unit;
  std::string from;
  std::string to;
  std::string why = {};
};

struct Rebalance {
  std::vector<Move> moves;    // that would be made now
  bool is_under_way = false;  // asked for, or some unit is between two machines
};

// What `systemctl status` prints on the machine that runs the unit, and the exit status it would
// have.
struct StatusText {
  std::string text;
  int exit_status = 0;
};

}  // namespace flotilla::client
