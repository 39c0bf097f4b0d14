// UnitFiles: the unit files that the agent writes for the service manager, in a directory that is
// the agent's alone. What is in it was put there by an agent; nothing outside of it is ever
// touched.
//
// Files live as long as the machine runs (the directory is under /run), so they are replaced
// atomically but not synced: a file that a power cut has torn is found by its hash and written
// anew.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flotilla::agent {

class UnitFiles {
 public:
  // `directory` is absolute.
  explicit UnitFiles(std::string directory);

  // Makes the directory (0755) if there is none.
  base::Status prepare();
  // The units there with their texts; a file that cannot be read counts as empty. Names that no
  // unit can have are logged and left out.
  base::Result<std::map<std::string, std::string>> list() const;
  base::Status write(const std::string& unit, std::string_view text);
  // No error if there is none.
  base::Status remove(const std::string& unit);

  std::string path_of(const std::string& unit) const { return directory_ + "/" + unit; }

 private:
  std::string directory_;
};

}  // namespace flotilla::agent
