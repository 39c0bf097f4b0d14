#include "sandbox/syscall_groups.h"

#include <algorithm>

namespace flotilla::sandbox {
namespace {

struct Group {
  std::string_view name;
  std::string_view members;
};

constexpr Group kGroups[] = {
#include "sandbox/syscall_groups.inc"
};

const Group* find_group(std::string_view name) noexcept {
  for (const Group& group : kGroups) {
    if (group.name == name) return &group;
  }
  return nullptr;
}

template <typename Function>
void for_each_member(std::string_view members, Function&& function) {
  while (!members.empty()) {
    const std::string_view name = members.substr(0, members.find(' '));
    members.remove_prefix(std::min(members.size(), name.size() + 1));
    if (!name.empty()) function(name);
  }
}

void collect(std::string_view name, std::set<std::string>& calls) {
  const Group* const group = find_group(name);
  if (group == nullptr) return;
  for_each_member(group->members, [&](std::string_view member) {
    member[0] == '@' ? collect(member, calls) : static_cast<void>(calls.emplace(member));
  });
}

}  // namespace

bool is_syscall_group(std::string_view name) noexcept { return find_group(name) != nullptr; }

bool is_known_syscall(std::string_view name) {
  bool found = false;
  for_each_member(find_group("@known")->members,
                  [&](std::string_view member) { found = found || member == name; });
  return found;
}

std::vector<std::string> syscalls_of_group(std::string_view name) {
  std::set<std::string> calls;
  collect(name, calls);
  return {calls.begin(), calls.end()};
}

}  // namespace flotilla::sandbox
