#include "init/property_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flotilla::init {
namespace {

using bus::Value;
using testing::ElementsAre;

Value text(const std::string& s) { return {"s", s}; }
Value number(const char* signature, uint64_t n) { return {signature, n}; }
Value words(std::vector<std::string> list) {
  std::vector<Value> members;
  for (std::string& word : list) members.push_back({"s", std::move(word)});
  return {"as", std::move(members)};
}
Value record(const char* signature, std::vector<Value> members) {
  return {signature, std::move(members)};
}

// The lines, or the error.
std::string written(const std::string& name, const Value& value,
                    const std::string& unit = "a.service") {
  PropertyWriter writer(unit::UnitName::parse(unit).value());
  const auto setting = writer.write(name, value);
  if (!setting) return setting.error().message;
  std::string lines = "[" + setting->section + "]";
  for (const std::string& line : setting->lines) lines += " " + line;
  return lines;
}

TEST(PropertyText, WritesEachKindOfValueAsAUnitFileHasIt) {
  EXPECT_EQ(written("Description", text("50% of it")), "[Unit] Description=50%% of it");
  EXPECT_EQ(written("RemainAfterExit", {"b", true}), "[Service] RemainAfterExit=yes");
  EXPECT_EQ(written("TimeoutStopUSec", number("t", 90'000'000)),
            "[Service] TimeoutStopSec=1min 30s");
  EXPECT_EQ(written("TimeoutStartUSec", number("t", UINT64_MAX)),
            "[Service] TimeoutStartSec=infinity");
  EXPECT_EQ(written("Nice", {"i", int64_t{-5}}), "[Service] Nice=-5");
  EXPECT_EQ(written("UMask", number("u", 027)), "[Service] UMask=0027");
  EXPECT_EQ(written("KillSignal", {"i", int64_t{2}}), "[Service] KillSignal=INT");
  EXPECT_EQ(written("Environment", words({"A=1", "B=x \"y\" %"})),
            "[Service] Environment=\"A=1\" \"B=x \\\"y\\\" %%\"");
  EXPECT_EQ(written("After", words({"b.service", "c.service"})),
            "[Unit] After=b.service After=c.service");
  EXPECT_EQ(written("SuccessExitStatus", record("(aiai)", {record("ai", {{"i", int64_t{3}}}),
                                                           record("ai", {{"i", int64_t{1}}})})),
            "[Service] SuccessExitStatus=3 SuccessExitStatus=HUP");
  EXPECT_EQ(written("CPUQuotaPerSecUSec", number("t", 505'000)), "[Service] CPUQuota=50.50%");
  EXPECT_EQ(written("CPUQuotaPeriodUSec", number("t", UINT64_MAX)), "[Service] CPUQuotaPeriodSec=");
}

TEST(PropertyText, WritesWhatAFileSaysInOtherWords) {
  const Value pair = record("(bs)", {{"b", true}, text("x")});
  EXPECT_EQ(written("AppArmorProfile", pair), "[Service] AppArmorProfile=-x");
  EXPECT_EQ(written("SELinuxContext", text("-x")), "[Service] SELinuxContext=-x");
  EXPECT_EQ(written("CoredumpFilter", number("t", 0x33)), "[Service] CoredumpFilter=0x33");
  EXPECT_EQ(written("DelegateControllers", words({"cpu", "memory"})),
            "[Service] Delegate=cpu memory");
  EXPECT_EQ(written("StateDirectorySymlink",
                    record("a(sst)", {record("(sst)", {text("a"), text("b"), number("t", 0)})})),
            "[Service] StateDirectory=\"a:b\"");
  EXPECT_EQ(written("PIDFile", text("a.pid")), "[Service] PIDFile=a.pid");
}

TEST(PropertyText, RefusesInSystemdsWords) {
  EXPECT_EQ(written("Slice", text("x")), "Invalid unit name 'x'");
  EXPECT_EQ(written("Environment", words({"1x"})), "Invalid environment block.");
  EXPECT_EQ(written("JobTimeoutUSec", number("t", 5)),
            "Cannot set property JobTimeoutUSec, or unknown property.");
  EXPECT_EQ(written("RestrictAddressFamilies", record("(bas)", {{"b", true}, words({"none"})})),
            "Failed to set unit properties: Invalid argument");
}

TEST(PropertyText, WritesSomeSharesLessExactlyInADropIn) {
  PropertyWriter writer(unit::UnitName::parse("a.service").value());
  const auto rounded = [&](const std::string& name, const Value& value) {
    return writer.write(name, value)->rounded;
  };
  EXPECT_THAT(rounded("CPUQuotaPerSecUSec", number("t", 125'000)), ElementsAre("CPUQuota=12%"));
  EXPECT_THAT(rounded("TasksMaxScale", number("u", UINT32_MAX / 8)), ElementsAre("TasksMax=1.3%"));
  EXPECT_THAT(rounded("MemoryMaxScale", number("u", UINT32_MAX / 8)), ElementsAre());
  EXPECT_EQ(written("TasksMaxScale", number("u", UINT32_MAX)),
            "Value specified in TasksMaxScale is out of range");
  EXPECT_EQ(written("MemoryMax", number("t", 0)), "Value specified in MemoryMax is out of range");
}

TEST(PropertyText, WritesWhatTheKernelFiltersBy) {
  const auto byte = [](uint64_t n) { return number("y", n); };
  const Value any = record(
      "(iayu)",
      {{"i", int64_t{2}}, record("ay", {byte(10), byte(0), byte(0), byte(0)}), number("u", 8)});
  EXPECT_EQ(written("IPAddressDeny", record("a(iayu)", {any})),
            "[Service] IPAddressDeny= IPAddressDeny=10.0.0.0/8");
  EXPECT_EQ(written("IPAddressAllow", record("a(iayu)", {})), "[Service] IPAddressAllow=");
  const Value rule =
      record("(iiqq)", {{"i", int64_t{0}}, {"i", int64_t{6}}, number("q", 1), number("q", 80)});
  EXPECT_EQ(written("SocketBindAllow", record("a(iiqq)", {rule})),
            "[Service] SocketBindAllow=tcp:80");
  EXPECT_EQ(written("AllowedCPUs", record("ay", {byte(7)})),
            "[Service] AllowedCPUs= AllowedCPUs=0-2");
  EXPECT_EQ(written("CPUWeight", number("t", 0)), "[Service] CPUWeight=idle");
  EXPECT_EQ(written("RestrictNamespaces", number("t", 0)), "[Service] RestrictNamespaces=yes");
  EXPECT_EQ(written("RestrictNamespaces", number("t", 0x20000)),
            "[Service] RestrictNamespaces= RestrictNamespaces=mnt");
  EXPECT_EQ(written("SecureBits", {"i", int64_t{1}}), "[Service] SecureBits=noroot");
  EXPECT_EQ(written("SecureBits", {"i", int64_t{5}}),
            "[Service] SecureBits=no-setuid-fixup noroot");
  EXPECT_EQ(written("RestrictNamespaces", number("t", UINT64_MAX)),
            "[Service] RestrictNamespaces=no");
  EXPECT_EQ(written("CPUSchedulingPolicy", {"i", int64_t{2}}), "[Service] CPUSchedulingPolicy=rr");
  EXPECT_EQ(written("IOSchedulingClass", {"i", int64_t{3}}), "[Service] IOSchedulingClass=idle");
  EXPECT_EQ(written("LogLevelMax", {"i", int64_t{4}}), "[Service] LogLevelMax=warning");
  EXPECT_EQ(written("SyslogFacility", {"i", int64_t{3}}), "[Service] SyslogFacility=daemon");
  EXPECT_EQ(written("SyslogFacility", {"i", int64_t{12}}), "[Service] SyslogFacility=12");
  EXPECT_EQ(written("NUMAPolicy", {"i", int64_t{2}}), "[Service] NUMAPolicy=bind");
  EXPECT_EQ(written("MountFlags", number("t", 1U << 19)), "[Service] MountFlags=slave");
  EXPECT_EQ(written("ExecSearchPath", words({"/a", "/b"})), "[Service] ExecSearchPath=/a:/b");
  EXPECT_EQ(written("StateDirectory", words({"a", "b"})), "[Service] StateDirectory=\"a\" \"b\"");
  EXPECT_EQ(
      written("LogExtraFields", record("aay", {record("ay", {byte('A'), byte('='), byte('%')})})),
      "[Service] LogExtraFields=A=%%");
  EXPECT_EQ(written("ManagedOOMMemoryPressureLimit", number("u", UINT32_MAX / 2)),
            "[Service] ManagedOOMMemoryPressureLimit=50.00%");
}

TEST(PropertyText, WritesCommandsWithTheirFlagsAndZerothWord) {
  const Value plain = record(
      "a(sasb)",
      {record("(sasb)", {text("/bin/sh"), words({"/bin/sh", "-c", "echo $A %n"}), {"b", false}})});
  EXPECT_EQ(written("ExecStart", plain),
            "[Service] ExecStart= ExecStart=\"/bin/sh\" \"-c\" \"echo $A %%n\"");
  const Value flagged =
      record("a(sasas)", {record("(sasas)", {text("/bin/sh"), words({"shell"}),
                                             words({"ignore-failure", "privileged"})})});
  EXPECT_EQ(written("ExecStopEx", flagged),
            "[Service] ExecStop= ExecStop=-+@\"/bin/sh\" \"shell\"");
}

TEST(PropertyText, CommandsAreAddedToThoseThatCameBefore) {
  const auto list = [](const char* program) {
    return record("a(sasb)", {record("(sasb)", {text(program), words({program}), {"b", false}})});
  };
  PropertyWriter writer(*unit::UnitName::parse("a.service"));
  ASSERT_TRUE(writer.write("ExecStart", list("/bin/a")));
  const auto second = writer.write("ExecStart", list("/bin/b"));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->lines, (std::vector<std::string>{"ExecStart=", "ExecStart=\"/bin/a\"",
                                                     "ExecStart=\"/bin/b\""}));
}

TEST(PropertyText, LimitsComeAsAHardOneAndThenASoftOne) {
  PropertyWriter writer(unit::UnitName::parse("a.service").value());
  EXPECT_EQ(writer.write("LimitNOFILE", number("t", 200))->lines[0], "LimitNOFILE=200");
  EXPECT_EQ(writer.write("LimitNOFILESoft", number("t", 100))->lines[0], "LimitNOFILE=100:200");
}

TEST(PropertyText, ConditionsAreWrittenWithTheirMarks) {
  const Value conditions = record(
      "a(sbbs)",
      {record("(sbbs)", {text("ConditionPathExists"), {"b", true}, {"b", true}, text("/etc/%x")})});
  EXPECT_EQ(written("Conditions", conditions), "[Unit] ConditionPathExists=|!/etc/%%x");
}

TEST(PropertyText, RefusesWhatTheReaderOfUnitFilesWouldNotTake) {
  EXPECT_EQ(written("Nonsense", text("x")), "Cannot set property Nonsense, or unknown property.");
  EXPECT_EQ(written("Type", text("bogus")), "Invalid Type setting: bogus");
  EXPECT_EQ(written("Type", number("u", 1)),
            "Failed to set unit properties: Unexpected message contents");
  EXPECT_EQ(written("Nice", {"i", int64_t{100}}), "Invalid Nice value: 100");
  EXPECT_EQ(written("After", words({"bad name"})), "Invalid unit name bad name");
  EXPECT_EQ(written("Type", text("oneshot"), "a.slice"),
            "Cannot set property Type, or unknown property.");
}

TEST(PropertyText, NoValueCanBecomeTwoLines) {
  EXPECT_EQ(written("Description", text("x\n[Service]\nExecStart=/bin/evil")),
            "Invalid Description setting: line break");
  EXPECT_EQ(written("Environment", words({"A=1\nExecStart=/bin/evil"})),
            "[Service] Environment=\"A=1\\nExecStart=/bin/evil\"");
  EXPECT_EQ(written("After", words({"b.service\nWants=c.service"})),
            "Invalid After setting: line break");
}

TEST(PropertyText, OnlyWhatACgroupIsGivenMayChangeInARunningUnit) {
  PropertyWriter writer(unit::UnitName::parse("a.service").value());
  EXPECT_TRUE(writer.write("MemoryMax", number("t", 1 << 20))->is_live);
  EXPECT_TRUE(writer.write("Description", text("x"))->is_live);
  EXPECT_FALSE(writer.write("Restart", text("always"))->is_live);
}

TEST(PropertyText, AFileHasItsSectionsInTheOrderOfTheProperties) {
  PropertyWriter writer(unit::UnitName::parse("a.service").value());
  std::vector<PropertyText> settings;
  settings.push_back(*writer.write("Description", text("x")));
  settings.push_back(*writer.write("Type", text("oneshot")));
  settings.push_back(*writer.write("After", words({"b.service"})));
  EXPECT_EQ(unit_file_text("# heading\n", settings),
            "# heading\n[Unit]\nDescription=x\n\n[Service]\nType=oneshot\n\n[Unit]\n"
            "After=b.service\n");
}

}  // namespace
}  // namespace flotilla::init
