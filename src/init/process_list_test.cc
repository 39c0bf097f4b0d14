#include "init/process_list.h"

#include <gtest/gtest.h>

#include <map>

namespace flotilla::init {
namespace {

using std::string_literals::operator""s;

TEST(ProcessList, QuotesArgumentsSoThatAShellReadsThemBack) {
  EXPECT_EQ(quote_command_line("sleep\0001000\0"s), "sleep 1000");
  EXPECT_EQ(quote_command_line("sh\0-c\0sleep 1; : 'a' $x\0"s), "sh -c \"sleep 1; : 'a' \\$x\"");
  EXPECT_EQ(quote_command_line("a\0\0it's\0b\tc\0"s), "a \"\" \"it's\" \"b\\tc\"");
  EXPECT_EQ(quote_command_line("nginx: worker process\0"s), "\"nginx: worker process\"");
  EXPECT_EQ(quote_command_line("x\0\x1b[0m\0"s), "x \"\\033[0m\"");
  EXPECT_EQ(quote_command_line("\xff"s), "?");
  EXPECT_EQ(quote_command_line(""), "");
}

class Tree final : public ProcessTracker {
 public:
  TrackingKind kind() const noexcept override { return TrackingKind::kCgroup; }
  std::unique_ptr<ProcessGroup> make_group(std::string_view, Callback<void()>) override {
    return nullptr;
  }
  std::string cgroup_path(std::string_view path) const override { return "/" + std::string(path); }
  std::string read_file(std::string_view path, const char*) const override {
    const auto found = procs.find(path);
    return found == procs.end() ? std::string() : found->second;
  }
  std::vector<std::string> subgroups(std::string_view path) const override {
    const auto found = inner.find(path);
    return found == inner.end() ? std::vector<std::string>() : found->second;
  }
  std::map<std::string, std::string, std::less<>> procs;
  std::map<std::string, std::vector<std::string>, std::less<>> inner;
};

TEST(ProcessList, GoesIntoTheCgroupsBelow) {
  Tree tree;
  tree.procs = {{"s.slice", ""}, {"s.slice/a.service", "7\n0\n9\n"}, {"s.slice/a.service/in", "8"}};
  tree.inner = {{"s.slice", {"a.service"}}, {"s.slice/a.service", {"in"}}};
  std::string seen;
  for (const ListedProcess& process : list_processes(tree, "s.slice")) {
    seen += process.cgroup + ":" + std::to_string(process.pid) + " ";
  }
  EXPECT_EQ(seen, "/s.slice/a.service:7 /s.slice/a.service:9 /s.slice/a.service/in:8 ");
}

}  // namespace
}  // namespace flotilla::init
