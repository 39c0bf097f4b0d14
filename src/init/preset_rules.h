// The rules of preset files (man systemd.preset): which unit is to be enabled where nobody has
// decided. Pure but for read(), which reads the directories.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_tree.h"

namespace flotilla::init {

class PresetRules {
 public:
  struct Answer {
    bool enable = true;  // without a rule, too
    // For a template: the units that the rule names.
    std::vector<std::string> instances;
  };

  // The directories in order: a file hides those of its name in later ones.
  static PresetRules read(const base::FileTree& tree, const std::vector<std::string>& directories);

  // Adds the rules of one file behind those that are there.
  void add(std::string_view text);
  Answer find(std::string_view unit) const;

 private:
  struct Rule {
    bool enable;
    std::string pattern;
    std::vector<std::string> instances;
  };
  std::vector<Rule> rules_;
};

}  // namespace flotilla::init
