#include "logs/journal_message.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace flotilla::logs {
namespace {

struct SyslogRow {
  std::string_view datagram, text, identifier;
  int priority, facility;
};

TEST(JournalMessage, SyslogIsReadAsFarAsItIsThere) {
  const SyslogRow rows[] = {
      {"<13>Nov 21 19:00:00 cron[12]: (root) CMD", "(root) CMD", "cron", 5, 1},
      {"<30>Nov  1 09:00:00 dhcpd: offer", "offer", "dhcpd", 6, 3},
      {"<11>sshd[1]: bye\n", "bye", "sshd", 3, 1},
      {"<165>no tag here", "no tag here", "", 5, 20},
      {"plain", "plain", "", 6, -1},
      {"<0>Nov 21 19:00:00 k: as the kernel", "as the kernel", "k", 0, 1},
      {"<999999>x", "<999999>x", "", 6, -1},
      {"<>x", "<>x", "", 6, -1},
      {"<1", "<1", "", 6, -1},
      {"<14>a:", "", "a", 6, 1},
      {"<14>a[b]c]: x", "x", "a", 6, 1},
      {"<14>: x", "x", "", 6, 1},
      {"<14>Nov 21 19:00:0", "Nov 21 19:00:0", "", 6, 1},
      {std::string_view("<14>t: x\0", 9), "x", "t", 6, 1},
      {"", "", "", 6, -1},
  };
  for (const SyslogRow& row : rows) {
    const JournalMessage message = parse_syslog(row.datagram);
    EXPECT_EQ(message.text, row.text) << row.datagram;
    EXPECT_EQ(message.priority, row.priority) << row.datagram;
    EXPECT_EQ(message.facility, row.facility) << row.datagram;
    EXPECT_EQ(message.identifier, row.identifier) << row.datagram;
  }
}

std::string binary(std::string_view name, std::string_view value, std::uint64_t size) {
  std::string text(name);
  text += '\n';
  text.append(reinterpret_cast<const char*>(&size), sizeof(size));
  return text.append(value).append("\n");
}

TEST(JournalMessage, NativeFieldsComeInBothForms) {
  const std::string datagram = "PRIORITY=3\nCODE_LINE=7\n" + binary("MESSAGE", "two\nlines", 9) +
                               "SYSLOG_IDENTIFIER=me\nSYSLOG_FACILITY=10\n\nMESSAGE=second";
  std::string_view rest = datagram;
  JournalMessage message;
  ASSERT_TRUE(next_native_entry(rest, message));
  EXPECT_EQ(message.text, "two\nlines");
  EXPECT_EQ(message.identifier, "me");
  EXPECT_EQ(message.priority, 3);
  EXPECT_EQ(message.facility, 10);
  ASSERT_TRUE(next_native_entry(rest, message));
  EXPECT_EQ(message.text, "second");
  EXPECT_EQ(message.priority, kPriorityInfo);
  EXPECT_FALSE(next_native_entry(rest, message));
}

TEST(JournalMessage, WhatIsNoEntryIsPassedOver) {
  JournalMessage message;
  for (const std::string& datagram :
       {std::string(), std::string("\n\n"), std::string("PRIORITY=3\n\n"), std::string("NONSENSE"),
        binary("MESSAGE", "x", UINT64_MAX), binary("MESSAGE", "x", 2), std::string("MESSAGE\n1234"),
        std::string("#MESSAGE=x\n.MESSAGE=x\n")}) {
    std::string_view rest = datagram;
    EXPECT_FALSE(next_native_entry(rest, message)) << datagram;
  }
  std::string_view damaged = "MESSAGE=kept\nNONSENSE\n";
  ASSERT_TRUE(next_native_entry(damaged, message));
  EXPECT_EQ(message.text, "kept");
  EXPECT_FALSE(next_native_entry(damaged, message));
}

TEST(JournalMessage, AStreamIsGreetedInSevenLines) {
  StreamGreeting greeting;
  const std::string_view whole = "me\na.service\n4\n1\n0\n0\n0\nfirst line\n";
  ASSERT_EQ(parse_greeting(whole, greeting), GreetingState::kWhole);
  EXPECT_EQ(greeting.identifier, "me");
  EXPECT_EQ(greeting.unit, "a.service");
  EXPECT_EQ(greeting.priority, 4);
  EXPECT_TRUE(greeting.level_prefix);
  EXPECT_EQ(whole.substr(greeting.size), "first line\n");
  EXPECT_EQ(parse_greeting("me\n\n6\n0\n0\n0\n", greeting), GreetingState::kIncomplete);
  EXPECT_EQ(parse_greeting("me\n\n9\n0\n0\n0\n0\n", greeting), GreetingState::kWrong);
  EXPECT_EQ(parse_greeting("me\n\n6\nmaybe\n0\n0\n0\n", greeting), GreetingState::kWrong);
  EXPECT_EQ(parse_greeting(std::string(kMaxGreeting, 'x'), greeting), GreetingState::kWrong);
  EXPECT_EQ(parse_greeting(std::string(5000, 'x') + "\n\n6\n0\n0\n0\n0\n", greeting),
            GreetingState::kWrong);
}

TEST(JournalMessage, AProcessIsOfTheFirstUnitInItsPath) {
  EXPECT_EQ(unit_of_cgroup("0::/system.slice/a.service\n", "/"), "a.service");
  EXPECT_EQ(unit_of_cgroup("0::/system.slice/system-b.slice/b@1.service/inner.scope\n", ""),
            "b@1.service");
  EXPECT_EQ(unit_of_cgroup("0::/system.slice/a.service (deleted)\n", "/"), "a.service");
  EXPECT_EQ(unit_of_cgroup("4:cpu:/x\n1:name=systemd:/s.scope\n", "/"), "s.scope");
  EXPECT_EQ(unit_of_cgroup("1:name=systemd:/s.scope\n0::/t.scope\n", "/"), "t.scope");
  EXPECT_EQ(unit_of_cgroup("0::/docker/x.scope/system.slice/a.service\n", "/docker/x.scope"),
            "a.service");
  EXPECT_EQ(unit_of_cgroup("0::/docker/other/a.service\n", "/docker/x.scope"), "");
  for (const char* none : {"", "0::/\n", "0::/user.slice\n", "garbage", "0::/.service\n", "0::"}) {
    EXPECT_EQ(unit_of_cgroup(none, "/"), "") << none;
  }
}

}  // namespace
}  // namespace flotilla::logs
