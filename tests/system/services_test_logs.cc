// What the log has of a unit's lines besides their texts: the settings of systemd.exec's "Logging".
#include "harness/system_test.h"
#include "logs/reader.h"

namespace flotilla::system_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ServiceLogs : public SystemTest {
 protected:
  // The entries, once there are so many.
  std::vector<logs::Entry> wait_for_entries(const std::string& unit, size_t count) const {
    std::vector<logs::Entry> entries;
    wait_until([&] {
      auto reader = logs::LogReader::open(root() / ("var/log/flotilla/" + unit));
      if (!reader) return false;
      auto all = reader->after(0, 1000);
      if (!all) return false;
      entries.clear();
      for (logs::Entry& entry : *all) {
        // The manager's own lines are not the unit's.
        if (entry.identifier != "flotilla-init") entries.push_back(std::move(entry));
      }
      return entries.size() >= count;
    });
    return entries;
  }
};

TEST_F(ServiceLogs, LinesCarryWhatTheirUnitSays) {
  machine_.add_unit("a.service",
                    "[Service]\nType=oneshot\nSyslogFacility=local0\nSyslogIdentifier=me\n"
                    "SyslogLevel=notice\nSyslogLevelPrefix=no\nLogExtraFields=A=1 \"B=of %n\"\n"
                    "ExecStart=/bin/sh -c 'echo \"<3>one\"'\n");
  machine_.add_unit("plain.service",
                    "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo \"<3>one\"'\n");
  machine_.start();
  EXPECT_THAT(systemctl({"start", "a", "plain"}), Answers(0, "", ""));
  const auto entries = wait_for_entries("a.service", 1);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].message, "<3>one");
  EXPECT_EQ(entries[0].priority, 5);
  EXPECT_EQ(entries[0].identifier, "me");
  EXPECT_THAT(entries[0].fields, ElementsAre("SYSLOG_FACILITY=16", "A=1", "B=of a.service"));
  const auto plain = wait_for_entries("plain.service", 1);
  ASSERT_EQ(plain.size(), 1u);
  EXPECT_EQ(plain[0].message, "one");
  EXPECT_EQ(plain[0].priority, 3);
  EXPECT_EQ(plain[0].identifier, "sh");
  EXPECT_THAT(plain[0].fields, IsEmpty());
}

TEST_F(ServiceLogs, AUnitThatLogsTooMuchIsCutShortAndTheLogSaysSo) {
  machine_.add_unit("a.service",
                    "[Service]\nType=oneshot\nLogRateLimitIntervalSec=1h\nLogRateLimitBurst=3\n"
                    "ExecStart=/bin/sh -c 'for i in 1 2 3 4 5 6 7; do echo $$i; done'\n");
  machine_.start();
  EXPECT_THAT(systemctl({"start", "a"}), Answers(0, "", ""));
  std::vector<std::string> texts;
  for (const logs::Entry& entry : wait_for_entries("a.service", 4)) texts.push_back(entry.message);
  EXPECT_THAT(texts, ElementsAre("1", "2", "3", "Suppressed 4 messages from a.service"));
}

TEST_F(ServiceLogs, ANamespaceHasALogOfItsOwn) {
  machine_.add_unit("a.service",
                    "[Service]\nType=oneshot\nLogNamespace=web\nExecStart=/bin/echo apart\n");
  machine_.start();
  EXPECT_THAT(systemctl({"start", "a"}), Answers(0, "", ""));
  const auto entries = wait_for_entries("web=a.service", 1);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].message, "apart");
  EXPECT_EQ(entries[0].identifier, "echo");
  for (const std::string& line : machine_.log_of("a.service")) EXPECT_NE(line, "apart");
}

TEST_F(ServiceLogs, LinesAboveTheLevelAreLeftOut) {
  machine_.add_unit("a.service",
                    "[Service]\nType=oneshot\nLogLevelMax=warning\n"
                    "ExecStart=/bin/sh -c 'echo info; echo \"<4>warning\"; echo \"<7>debug\"'\n");
  machine_.start();
  EXPECT_THAT(systemctl({"start", "a"}), Answers(0, "", ""));
  const auto entries = wait_for_entries("a.service", 1);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].message, "warning");
}

}  // namespace
}  // namespace flotilla::system_test
