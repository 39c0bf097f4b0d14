// The variables a process starts with, and the two ways a unit writes them: Environment= and the
// file of EnvironmentFile=. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "unit/diagnostic.h"
#include "unit/specifier.h"

namespace flotilla::unit {

// Letters, digits and "_", not beginning with a digit.
bool is_valid_variable_name(std::string_view name) noexcept;
// "NAME=VALUE" with a valid name and a value in UTF-8.
bool is_valid_assignment(std::string_view assignment) noexcept;

// NAME=VALUE in order of first setting; setting a name again keeps its place. Names are found in
// constant time, however many there are.
class Environment {
 public:
  // The readers below stop there; a unit file has no room for more anyway.
  static constexpr std::size_t kMaxVariables = 100'000;

  Environment() = default;
  // Later ones win.
  explicit Environment(const std::vector<std::string>& assignments);

  void set(std::string_view name, std::string_view value);
  // Requires: is_valid_assignment(assignment).
  void set_assignment(std::string_view assignment);
  void unset(std::string_view name);
  // Each word is a name, or a whole assignment: then the variable goes if it has that value.
  void unset_all(const std::vector<std::string>& words);
  // Takes over all of other's variables.
  void merge(const Environment& other);
  void clear() noexcept;

  // To go on with what release() gave. An Environment that gets its own back finds names at once.
  void adopt(std::vector<std::string> assignments);
  // Empties the environment.
  std::vector<std::string> release();

  // Nothing if there is no such variable. The view ends with the next change.
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  bool empty() const noexcept { return assignments_.empty(); }
  // As for envp.
  const std::vector<std::string>& assignments() const noexcept { return assignments_; }

  bool operator==(const Environment& other) const { return assignments_ == other.assignments_; }

 private:
  static constexpr std::size_t kNowhere = SIZE_MAX;

  // Where the name stands in assignments_, or kNowhere.
  std::size_t locate(std::string_view name) const noexcept;
  // Puts what is not yet in slots_ there, if there are enough names to be worth it.
  void index();
  void put_in_slot(std::size_t place) noexcept;
  void forget_index() noexcept;

  std::vector<std::string> assignments_;
  // A hash table with open addressing of the first indexed_ of them: places counted from 1, 0 for
  // an empty slot.
  std::vector<uint32_t> slots_;
  std::size_t indexed_ = 0;
};

// One Environment= line: words in quotes with C escapes, specifiers expanded. A bad assignment is
// reported and left out; at bad quoting or an unknown escape the rest of the line is. An empty
// value empties the environment, as for every list.
void read_environment_setting(std::string_view value, const SpecifierContext& context,
                              const Reporter& reporter, Environment& environment);

// The bytes of an EnvironmentFile=: NAME=VALUE lines, "#" and ";" comments, quotes as in a shell
// without expansion, "\" to go on in the next line. Lines with bad names are reported, if `reports`
// is there, and left out. Errors: kInvalid for invalid UTF-8 or NUL, kTooLarge beyond 4 MiB or
// kMaxVariables.
base::Result<Environment> parse_environment_file(std::string_view bytes, std::string_view file,
                                                 std::vector<Diagnostic>* reports = nullptr);

// PassEnvironment= and UnsetEnvironment= name variables, the latter also whole assignments: the
// valid ones among the words; the others are reported.
enum class VariableWords : uint8_t { kNames, kNamesAndAssignments };
std::vector<std::string> read_variable_names(std::string_view value, VariableWords words,
                                             const SpecifierContext& context,
                                             const Reporter& reporter);

}  // namespace flotilla::unit
