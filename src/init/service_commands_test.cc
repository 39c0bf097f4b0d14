#include "init/service_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace flotilla::init {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Kind = ServiceCommand;

unit::Command command(const char* path) { return {path, {path}}; }

std::vector<std::string> paths(const ServiceCommands::Lines& lines) {
  std::vector<std::string> found;
  for (const unit::Command& line : lines) found.emplace_back(line.path());
  return found;
}

TEST(ServiceCommands, GiveTheLinesOfAKindInTheirOrder) {
  ServiceCommands commands;
  EXPECT_THAT(paths(commands[Kind::kStart]), IsEmpty());
  EXPECT_TRUE(commands[Kind::kStart].empty());
  commands.add(Kind::kStop, command("/stop"));
  commands.add(Kind::kStart, command("/one"));
  commands.add(Kind::kStartPre, command("/pre"));
  commands.add(Kind::kStart, command("/two"));
  EXPECT_THAT(paths(commands[Kind::kStart]), ElementsAre("/one", "/two"));
  EXPECT_EQ(commands[Kind::kStart].size(), 2U);
  EXPECT_EQ(commands[Kind::kStart].front().path(), "/one");
  EXPECT_EQ(commands[Kind::kStart][1].path(), "/two");
  EXPECT_THAT(paths(commands[Kind::kStop]), ElementsAre("/stop"));
  EXPECT_TRUE(commands[Kind::kReload].empty());
}

TEST(ServiceCommands, ForgetOneKindAlone) {
  ServiceCommands commands;
  commands.add(Kind::kStartPre, command("/pre"));
  commands.add(Kind::kStart, command("/one"));
  commands.add(Kind::kStartPre, command("/pre2"));
  commands.clear(Kind::kStartPre);
  EXPECT_TRUE(commands[Kind::kStartPre].empty());
  EXPECT_THAT(paths(commands[Kind::kStart]), ElementsAre("/one"));
  commands.clear(Kind::kStart);
  EXPECT_EQ(commands.begin(), commands.end());
}

TEST(ServiceCommands, AreCopiedAsValues) {
  ServiceCommands commands;
  commands.add(Kind::kStart, command("/one"));
  const ServiceCommands before = commands;
  commands.begin()->ignore_failure = true;
  commands.add(Kind::kStart, command("/two"));
  EXPECT_THAT(paths(before[Kind::kStart]), ElementsAre("/one"));
  EXPECT_FALSE(before[Kind::kStart].front().ignore_failure);
}

}  // namespace
}  // namespace flotilla::init
