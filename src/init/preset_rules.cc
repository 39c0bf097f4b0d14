#include "init/preset_rules.h"

#include <fnmatch.h>

#include <map>

#include "unit/unit_name.h"
#include "unit/words.h"

namespace flotilla::init {
namespace {

constexpr size_t kMaxFileSize = size_t{1} << 20;
constexpr size_t kMaxRules = 100'000;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

PresetRules PresetRules::read(const base::FileTree& tree,
                              const std::vector<std::string>& directories) {
  std::map<std::string, std::string> files;  // the name gives the order
  for (const std::string& directory : directories) {
    for (const base::DirectoryEntry& entry : tree.list(directory).value_or({})) {
      if (!ends_with(entry.name, ".preset") || entry.kind == base::FileKind::kDirectory) continue;
      files.emplace(entry.name, directory + "/" + entry.name);
    }
  }
  PresetRules rules;
  for (const auto& [name, path] : files) {
    // A link to /dev/null is no regular file: it only hides others.
    if (const auto text = tree.read(path, kMaxFileSize)) rules.add(*text);
  }
  return rules;
}

void PresetRules::add(std::string_view text) {
  while (!text.empty() && rules_.size() < kMaxRules) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line = unit::trim(line);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    const auto words = unit::split_words(line);
    if (!words || words->size() < 2) continue;
    const bool enable = words->front() == "enable";
    if (!enable && words->front() != "disable") continue;
    Rule rule{enable, (*words)[1], {}};
    const auto name = unit::UnitName::parse(rule.pattern);
    if (enable && name && name->is_template()) {
      for (size_t i = 2; i < words->size(); ++i) {
        if (auto instance = name->with_instance((*words)[i])) {
          rule.instances.push_back(instance->str());
        }
      }
    }
    rules_.push_back(std::move(rule));
  }
}

PresetRules::Answer PresetRules::find(std::string_view unit) const {
  const std::string name(unit);
  const auto parsed = unit::UnitName::parse(name);
  for (const Rule& rule : rules_) {
    if (fnmatch(rule.pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0) {
      return {rule.enable, rule.instances};
    }
    // An instance is named by its template's rule: by any that lists none, or lists it.
    if (parsed && parsed->is_instance() && !rule.instances.empty()) {
      for (const std::string& instance : rule.instances) {
        if (instance == name) return {rule.enable, {}};
      }
    }
  }
  return {};
}

}  // namespace flotilla::init
