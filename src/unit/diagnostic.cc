#include "unit/diagnostic.h"

namespace flotilla::unit {

std::string to_string(const Diagnostic& diagnostic) {
  if (diagnostic.file.empty()) return diagnostic.message;
  if (diagnostic.line == 0) return fmt::format("{}: {}", diagnostic.file, diagnostic.message);
  return fmt::format("{}:{}: {}", diagnostic.file, diagnostic.line, diagnostic.message);
}

void Reporter::report(Severity severity, std::string message) const {
  sink_->push_back(Diagnostic{file_, line_, severity, std::move(message)});
}

}  // namespace flotilla::unit
