// Properties as StartTransientUnit and SetUnitProperties carry them, written as lines of a unit
// file: what a program says over the bus is read, checked and kept as if it stood in a file. Pure.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bus/value.h"
#include "unit/unit_name.h"

namespace flotilla::init {

struct PropertyText {
  std::string section;  // "Unit", "Service", ...
  std::string name;     // of the property; what is before the "=" of a line is the directive
  std::vector<std::string> lines;
  bool is_live = false;     // may be set while the unit runs
  std::vector<pid_t> pids;  // PIDs= of a scope: no line of a file
  // In a drop-in, where systemd rounds what it writes there; empty: the lines.
  std::vector<std::string> rounded{};
};

// Turns the properties of one unit into text, in the order in which they come: some complete what
// an earlier one said.
class PropertyWriter {
 public:
  explicit PropertyWriter(unit::UnitName unit) : unit_(std::move(unit)) {}

  // Errors, with systemd's names: a property that there is not, of another type, or whose value
  // the reader of unit files would not take.
  base::Result<PropertyText> write(const std::string& name, const bus::Value& value);

 private:
  void add_earlier_commands(std::vector<std::string>& lines);
  base::Result<PropertyText> write_unchecked(const std::string& name, const bus::Value& value);

  unit::UnitName unit_;
  std::map<std::string, std::string> hard_limits_;
  std::map<std::string, std::vector<std::string>> commands_;  // the lines of a list so far
};

// Fails, with systemd's error, where programs may not ask for units of this type.
base::Status check_transient_type(unit::UnitType type);

// One unit that a program asks for.
struct TransientUnit {
  std::string name;
  std::vector<PropertyText> settings;
};

// The text of a unit file or drop-in with these settings.
std::string unit_file_text(std::string_view heading, const std::vector<PropertyText>& settings);

}  // namespace flotilla::init
