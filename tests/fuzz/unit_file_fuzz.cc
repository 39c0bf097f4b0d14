// libraries: flotilla_unit
// Any bytes as a unit file; every value then goes through the readers of values too.
#include <cstdlib>

#include "unit/command_line.h"
#include "unit/environment.h"
#include "unit/exit_status.h"
#include "unit/rlimit.h"
#include "unit/scalar.h"
#include "unit/size.h"
#include "unit/specifier.h"
#include "unit/time_span.h"
#include "unit/unit_file.h"
#include "unit/unit_name.h"

namespace {

using namespace flotilla::unit;  // NOLINT: a program of one file

void require(bool condition) {
  if (!condition) std::abort();
}

void read_value(const std::string& value, const SpecifierContext& context) {
  std::vector<Diagnostic> reports;
  const Reporter reporter("fuzz.service", 1, reports);
  Environment environment({"A=a 'b c' \\d", "V="});
  read_environment_setting(value, context, reporter, environment);
  if (const auto commands = parse_command_line(value, context, reporter)) {
    for (const Command& command : *commands) {
      require(!command.path().empty() && !command.argv.empty());
      (void)expand_arguments(command, environment);
    }
  }
  if (const auto span = parse_time_span(value)) {
    require(parse_time_span(format_time_span(*span)).value() == *span);
  }
  if (const auto name = UnitName::parse(value)) {
    require(name->str().find('/') == std::string::npos);
    require(name->str() == std::string(name->stem()) + std::string(name->suffix()));
  }
  (void)mangle_unit_name(value);
  (void)parse_size(value);
  (void)parse_permyriad(value);
  (void)parse_boolean(value);
  (void)parse_mode(value);
  for (int resource = 0; resource < kRlimitCount; ++resource) (void)parse_rlimit(resource, value);
  ExitStatusSet statuses;
  read_exit_status_set(value, reporter, statuses);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const HostValues host = HostValues::of_system_manager();
  static const SpecifierContext context{UnitName::parse("fuzz@i.service").value(), &host,
                                        "/etc/systemd/system/fuzz@.service", ""};
  (void)parse_environment_file(bytes, "fuzz");
  const auto file = parse_unit_file(bytes, "fuzz.service");
  if (!file) return 0;
  for (const Setting& setting : file->settings) {
    require(!setting.key.empty() && setting.line > 0);
    read_value(setting.value, context);
  }
  return 0;
}
