#include "engine/tags.h"

#include <algorithm>
#include <utility>

#include "unit/fleet_glob.h"

namespace flotilla::engine {

namespace {

std::string_view literal_part(std::string_view pattern) {
  return pattern.substr(0, pattern.find_first_of("*?[\\"));
}

}  // namespace

TagId Tags::add_pattern(const std::string& pattern) {
  Known& known = patterns_[pattern];
  if (known.users++ > 0) return known.id;
  known.id = ++last_;
  const std::string prefix(literal_part(pattern));
  const bool is_whole = prefix.size() == pattern.size();
  if (!is_whole) {
    globs_[prefix].push_back({pattern, known.id});
    ++prefix_lengths_[prefix.size()];
  }
  new_.push_back({prefix, is_whole});
  return known.id;
}

TagId Tags::add_group(const std::string& template_name) {
  Known& known = groups_[template_name];
  if (known.users++ > 0) return known.id;
  known.id = ++last_;
  new_.push_back({template_name.substr(0, template_name.find('@') + 1), false});
  return known.id;
}

void Tags::drop_pattern(const std::string& pattern) {
  const auto found = patterns_.find(pattern);
  if (--found->second.users > 0) return;
  const std::string_view prefix = literal_part(pattern);
  if (prefix.size() != pattern.size()) {
    const auto globs = globs_.find(prefix);
    std::erase_if(globs->second, [&](const Glob& glob) { return glob.id == found->second.id; });
    if (globs->second.empty()) globs_.erase(globs);
    const auto length = prefix_lengths_.find(prefix.size());
    if (--length->second == 0) prefix_lengths_.erase(length);
  }
  patterns_.erase(found);
}

void Tags::drop_group(const std::string& template_name) {
  const auto found = groups_.find(template_name);
  if (--found->second.users == 0) groups_.erase(found);
}

std::vector<Tags::New> Tags::take_new() { return std::exchange(new_, {}); }

TagId Tags::group(std::string_view template_name) const {
  const auto found = groups_.find(template_name);
  return found == groups_.end() ? kNoTag : found->second.id;
}

void Tags::collect(std::string_view name, std::string_view template_name,
                   std::vector<TagId>& out) const {
  out.clear();
  if (const auto whole = patterns_.find(name);
      whole != patterns_.end() && literal_part(name).size() == name.size()) {
    out.push_back(whole->second.id);
  }
  for (const auto& [length, count] : prefix_lengths_) {
    if (length > name.size()) break;
    const auto globs = globs_.find(name.substr(0, length));
    if (globs == globs_.end()) continue;
    for (const Glob& glob : globs->second) {
      if (unit::glob_matches(glob.pattern, name)) out.push_back(glob.id);
    }
  }
  if (!template_name.empty()) {
    if (const TagId id = group(template_name); id != kNoTag) out.push_back(id);
  }
  std::sort(out.begin(), out.end());
}

}  // namespace flotilla::engine
