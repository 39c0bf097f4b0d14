// The lists in their forms, patterns, and what is shown on a terminal.
#include <cstdlib>
#include <ctime>

#include "fctl/document.h"
#include "fctl/fleetctl_test.h"
#include "fctl/progress.h"
#include "fctl/uptime.h"

namespace flotilla::fctl {
namespace {

using Words = std::vector<std::string>;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Uptime, IsWrittenAsGoWritesDurations) {
  EXPECT_EQ(go_duration(seconds(0)), "0s");
  EXPECT_EQ(go_duration(seconds(59)), "59s");
  EXPECT_EQ(go_duration(minutes(11) + seconds(39)), "11m39s");
  EXPECT_EQ(go_duration(hours(1)), "1h0m0s");
  EXPECT_EQ(go_duration(hours(50) + seconds(3)), "50h0m3s");
  EXPECT_EQ(go_duration(seconds(-5)), "0s");
}

class Lists : public FleetctlTest {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
  }
};

TEST_F(Lists, UnitsHaveAnUptime) {
  add_unit("a.service", kHello, "launched");
  add_unit("b.service", kHello, "launched");
  api.state_map["a.service"].active_enter_usec = 1436168318'000'000;
  api.state_map["b.service"].active_enter_usec = 1436168318'000'000;
  api.state_map["b.service"].active_state = "failed";
  pacer.start = seconds(1436168318) + minutes(11) + seconds(39) + microseconds(5);
  EXPECT_EQ(run_words({"list-units"}), 0);
  EXPECT_EQ(output.out_text,
            "UNIT\t\tMACHINE\t\t\tACTIVE\tSUB\tUPTIME\n"
            "a.service\t113f16a7.../192.0.2.10\tactive\trunning\t"
            "2015-07-06 07:38:38 AM UTC, Since 11m39s\n"
            "b.service\t113f16a7.../192.0.2.10\tfailed\trunning\t-\n");
}

TEST_F(Lists, UnitsThatNoMachineTellsOfYetAreShown) {
  add_unit("b.service", kHello, "launched");
  api.state_map.clear();
  add_unit("a.service", kHello, "launched");
  add_unit("c.service", kHello, "inactive");
  add_unit("d.service", kHello, "launched");
  api.state_map.erase("d.service");
  api.unit_map["d.service"].machine_id.clear();
  EXPECT_EQ(run_words({"list-units", "--no-legend", "--fields=unit,machine,active,sub,hash,load"}),
            0);
  EXPECT_EQ(output.out_text,
            "a.service\t113f16a7.../192.0.2.10\tactive\trunning\tdda8c27\tloaded\n"
            "b.service\t113f16a7.../192.0.2.10\t-\t-\t-\t-\n"
            "d.service\t-\t\t\t-\t-\t-\t-\n");
}

TEST_F(Lists, ComeAsJsonYamlAndNames) {
  add_unit("a.service", kHello, "launched");
  api.state_map["a.service"].active_enter_usec = 1436168318'000'000;
  EXPECT_EQ(run_words({"list-units", "-o", "json"}), 0);
  EXPECT_EQ(output.out_text,
            "{\n  \"states\": [\n    {\n"
            "      \"hash\": \"dda8c27256e2ccf3cf0c5a85a06e27666f7ea8dd\",\n"
            "      \"machineID\": \"113f16a7aaaabbbbccccddddeeeeffff\",\n"
            "      \"name\": \"a.service\",\n"
            "      \"systemdActiveEnterTimestamp\": 1436168318000000,\n"
            "      \"systemdActiveState\": \"active\",\n"
            "      \"systemdLoadState\": \"loaded\",\n"
            "      \"systemdSubState\": \"running\"\n    }\n  ]\n}\n");
  EXPECT_EQ(run_words({"list-units", "-o", "name"}), 0);
  EXPECT_EQ(output.out_text, "a.service\n");
  api.machine_list[0].metadata = {{"region", "north"}, {"spot", "yes"}};
  EXPECT_EQ(run_words({"list-machines", "-o", "yaml"}), 0);
  EXPECT_EQ(output.out_text,
            "machines:\n  - id: \"113f16a7aaaabbbbccccddddeeeeffff\"\n    metadata:\n"
            "      region: north\n      spot: \"yes\"\n    primaryIP: \"192.0.2.10\"\n");
  EXPECT_EQ(run_words({"list-unit-files", "-o", "yaml"}), 0);
  EXPECT_NE(output.out_text.find("    options:\n      - name: ExecStart\n"
                                 "        section: Service\n        value: \"/bin/hello\"\n"),
            std::string::npos)
      << output.out_text;
  EXPECT_EQ(run_words({"list-units", "-o", "xml"}), 2);
  EXPECT_EQ(output.err_text, "Unknown output format \"xml\": expected json, yaml, wide or name\n");
}

TEST_F(Lists, EmptyOnesAreValidDocuments) {
  EXPECT_EQ(run_words({"list-units", "-o", "json"}), 0);
  EXPECT_EQ(output.out_text, "{\n  \"states\": []\n}\n");
  EXPECT_EQ(run_words({"list-units", "-o", "yaml"}), 0);
  EXPECT_EQ(output.out_text, "states: []\n");
  EXPECT_EQ(run_words({"list-units", "-o", "name"}), 0);
  EXPECT_EQ(output.out_text, "");
}

TEST_F(Lists, TheWideOneCountsWhereGlobalUnitsRun) {
  add_unit("g.service", "[Service]\nExecStart=/x\n[X-Fleet]\nGlobal=true\n", "launched");
  api.more_states = {{"g.service", "2222", "", "loaded", "active", "running", 0},
                     {"g.service", "3333", "", "loaded", "failed", "failed", 0}};
  EXPECT_EQ(run_words({"list-unit-files", "--no-legend", "-o", "wide", "--fields=unit,state"}), 0);
  EXPECT_EQ(output.out_text, "g.service\tlaunched(2)\n");
  EXPECT_EQ(run_words({"list-unit-files", "--no-legend", "--fields=unit,state"}), 0);
  EXPECT_EQ(output.out_text, "g.service\t-\n");
}

TEST_F(Lists, AWatchedOneIsPrintedAgainWhenItChanges) {
  add_unit("a.service", kHello, "launched");
  api.changes_left = 3;
  int changes = 0;
  api.on_change = [&] {
    if (++changes == 2) api.state_map["a.service"].active_state = "failed";
  };
  EXPECT_EQ(run_words({"list-units", "--watch", "--no-legend", "--fields=unit,active"}), 1);
  EXPECT_EQ(output.out_text, "a.service\tactive\n\na.service\tfailed\n");
  EXPECT_EQ(output.err_text, "The list is watched no longer: the events have ended\n");
}

TEST_F(Lists, WithoutEventsAWatchedOneIsLookedAtAtTimes) {
  api.machine_list.clear();
  int looks = 0;
  api.on_machines = [&] {
    if (++looks == 4) api.failure = {base::Errc::kUnavailable, "gone"};
  };
  EXPECT_EQ(run_words({"list-machines", "--watch", "--no-legend"}), 1);
  EXPECT_EQ(pacer.now(), seconds(6));
}

class Patterns : public FleetctlTest {
 protected:
  void SetUp() override {
    for (const char* name : {"web@1.service", "web@2.service", "db.service", "web.socket"}) {
      add_unit(name, kHello, "launched");
    }
  }
};

TEST_F(Patterns, MatchUnitsOfTheRegistry) {
  EXPECT_EQ(run_words({"stop", "--no-block", "web@*"}), 0);
  EXPECT_EQ(output.out_text,
            "Triggered unit web@1.service stop\nTriggered unit web@2.service stop\n");
  EXPECT_EQ(run_words({"stop", "--no-block", "web*.socket", "d?.service"}), 0);
  EXPECT_EQ(output.out_text, "Triggered unit db.service stop\nTriggered unit web.socket stop\n");
}

TEST_F(Patterns, EachUnitIsMeantOnce) {
  EXPECT_EQ(run_words({"destroy", "web@*", "web@[12].service"}), 0);
  EXPECT_EQ(api.calls, (Words{"destroy web@1.service", "destroy web@2.service"}));
}

TEST_F(Patterns, ThatMatchNothingStayAsTheyAre) {
  EXPECT_EQ(run_words({"start", "nope@*.service"}), 1);
  EXPECT_EQ(output.err_text, "Error creating units: invalid character '*' in unit name\n");
}

TEST_F(Patterns, ALocalFileOfThatNameIsMeantFirst) {
  files["web@*.service"] = kHello;
  EXPECT_EQ(run_words({"submit", "web@*.service"}), 1);
  EXPECT_EQ(output.err_text, "Error creating units: invalid character '*' in unit name\n");
}

TEST(Document, QuotesWhatYamlWouldTakeForSomethingElse) {
  const std::pair<const char*, const char*> cases[] = {
      {"plain.service", "plain.service\n"},
      {"", "\"\"\n"},
      {"No", "\"No\"\n"},
      {"12", "\"12\"\n"},
      {"a: b", "\"a: b\"\n"},
      {"a\nb", "\"a\\nb\"\n"},
      {"\"x\\", "\"\\\"x\\\\\"\n"},
      {"- x", "\"- x\"\n"},
      {"null", "\"null\"\n"},
  };
  for (const auto& [text, yaml] : cases) EXPECT_EQ(to_yaml(Document(std::string(text))), yaml);
}

TEST(Progress, IsABarOfTwentySigns) {
  EXPECT_EQ(progress_bar(0, 10), "[--------------------] 0/10");
  EXPECT_EQ(progress_bar(5, 10), "[##########----------] 5/10");
  EXPECT_EQ(progress_bar(10, 10), "[####################] 10/10");
}

class Terminal : public FleetctlTest {};

TEST_F(Terminal, ShowsHowManyUnitsAreThereYet) {
  add_unit("a.service", kHello, "loaded");
  add_unit("b.service", kHello, "loaded");
  api.stuck.insert("b.service");
  is_terminal = true;
  EXPECT_EQ(run_words({"start", "--block-attempts=1", "a", "b"}), 1);
  EXPECT_EQ(output.err_text.find("\r\x1b[K[--------------------] 0/2"), 0U);
  EXPECT_NE(output.err_text.find("\r\x1b[K[##########----------] 1/2"), std::string::npos);
  is_terminal = false;
  EXPECT_EQ(run_words({"start", "--block-attempts=1", "a", "b"}), 0);
  EXPECT_EQ(output.err_text, "");
}

TEST_F(Terminal, SuggestsUnits) {
  add_unit("hello.service", kHello, "launched");
  is_terminal = true;
  EXPECT_EQ(run_words({"status", "helo"}), 1);
  EXPECT_EQ(output.err_text, "Unit helo.service does not exist.\nDid you mean hello.service?\n");
}

class Explain : public FleetctlTest {};

TEST_F(Explain, SaysForEachMachineWhyOrWhyNot) {
  add_unit("a.service", kHello, "launched");
  api.eligibilities = {{"113f16a7aaaabbbbccccddddeeeeffff", true, ""},
                       {"2222aaaabbbbccccddddeeeeffff0000", false, "no ram"}};
  EXPECT_EQ(run_words({"explain", "a"}), 0);
  EXPECT_EQ(output.out_text,
            "MACHINE\t\tELIGIBLE\tREASON\n113f16a7...\tyes\t\t-\n2222aaaa...\tno\t\tno ram\n");
  EXPECT_EQ(run_words({"explain", "b"}), 1);
  EXPECT_EQ(output.err_text, "Unit b.service does not exist.\n");
  EXPECT_EQ(run_words({"explain"}), 1);
}

class Verify : public FleetctlTest {};

TEST_F(Verify, IsDeprecatedAndExitsWithTwo) {
  EXPECT_EQ(run_words({"verify", "a"}), 2);
  EXPECT_EQ(output.err_text,
            "Command \"verify\" is deprecated, DEPRECATED - No longer works\n"
            "WARNING: The signed/verified units feature is DEPRECATED and cannot be used.\n");
}

}  // namespace
}  // namespace flotilla::fctl
