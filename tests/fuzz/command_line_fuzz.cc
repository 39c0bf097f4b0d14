// libraries: flotilla_unit
// Any bytes as the value of ExecStart=, with variables that hold quotes and blanks.
#include <cstdlib>

#include "unit/command_line.h"
#include "unit/words.h"

namespace {

using namespace flotilla::unit;  // NOLINT: a program of one file

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const SpecifierContext context{UnitName::parse("fuzz@i.service").value(), nullptr, "", ""};
  static const Environment environment({"A=a 'b c' \\d", "B=\"open", "V="});
  std::vector<Diagnostic> reports;
  const Reporter reporter("fuzz.service", 1, reports);
  const auto commands = parse_command_line(bytes, context, reporter);
  if (!commands) return 0;
  for (const Command& command : *commands) {
    require(!command.path().empty() && !command.argv.empty());
    for (const std::string& word : expand_arguments(command, environment)) {
      const auto back = split_words(quote_word(word));
      require(back.has_value() && back->size() == 1 && back->front() == word);
    }
  }
  return 0;
}
