#include "logs/export_format.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace flotilla::logs {
namespace {

class ExportFormat : public testing::Test {
 protected:
  ExportFormat() {
    setenv("TZ", "UTC", 1);
    tzset();
    entry_.cursor = 7;
    entry_.time = {base::Micros(1'700'000'000'000'456)};
    entry_.identifier = "hello";
    entry_.pid = 42;
    entry_.boot_id = "ab";
    entry_.message = "hello, \"world\"";
  }
  std::string format(LogForm form) const {
    return format_entry(entry_, form, {"host", "a.service"});
  }
  Entry entry_;
};

TEST_F(ExportFormat, NamesAreThoseOfTheJournal) {
  EXPECT_EQ(parse_log_form("json"), LogForm::kJson);
  EXPECT_EQ(parse_log_form("short"), LogForm::kShort);
  EXPECT_EQ(parse_log_form("short-monotonic"), std::nullopt);
  EXPECT_EQ(
      log_form_names(),
      "short, short-precise, short-full, short-iso, short-iso-precise, short-unix, with-unit, "
      "cat, verbose, export, json, json-pretty, json-sse or json-seq");
}

TEST_F(ExportFormat, ShortFormsDifferInTheirTimes) {
  const std::string rest = " host hello[42]: hello, \"world\"\n";
  for (const auto& [name, wanted] : {
           std::pair<const char*, std::string>("short", "Nov 14 22:13:20" + rest),
           {"short-precise", "Nov 14 22:13:20.000456" + rest},
           {"short-full", "Tue 2023-11-14 22:13:20 UTC" + rest},
           {"short-iso", "2023-11-14T22:13:20+0000" + rest},
           {"short-iso-precise", "2023-11-14T22:13:20.000456+0000" + rest},
           {"short-unix", "1700000000.000456" + rest},
           {"with-unit", "Tue 2023-11-14 22:13:20 UTC host a.service[42]: hello, \"world\"\n"},
       }) {
    EXPECT_EQ(format(*parse_log_form(name)), wanted) << name;
  }
}

TEST_F(ExportFormat, JsonMayBeIndentedOrOnesOfAStream) {
  entry_.fields = {"A=1", "A=2"};
  EXPECT_EQ(format(LogForm::kJsonPretty),
            "{\n\t\"__CURSOR\" : \"7\",\n\t\"__REALTIME_TIMESTAMP\" : \"1700000000000456\",\n"
            "\t\"_TRANSPORT\" : \"stdout\",\n\t\"PRIORITY\" : \"6\",\n"
            "\t\"SYSLOG_FACILITY\" : \"3\",\n\t\"SYSLOG_IDENTIFIER\" : \"hello\",\n"
            "\t\"_PID\" : \"42\",\n\t\"_BOOT_ID\" : \"ab\",\n\t\"_HOSTNAME\" : \"host\",\n"
            "\t\"_SYSTEMD_UNIT\" : \"a.service\",\n\t\"A\" : [\n\t\t\"1\",\n\t\t\"2\"\n\t],\n"
            "\t\"MESSAGE\" : \"hello, \\\"world\\\"\"\n}\n");
  EXPECT_EQ(format(LogForm::kJsonSse), "data: " + format(LogForm::kJson) + "\n");
  EXPECT_EQ(format(LogForm::kJsonSeq), "\x1e" + format(LogForm::kJson));
}

TEST_F(ExportFormat, ExportHasTheSizeOfWhatIsNoText) {
  EXPECT_EQ(format(LogForm::kExport),
            "__CURSOR=7\n__REALTIME_TIMESTAMP=1700000000000456\n_TRANSPORT=stdout\nPRIORITY=6\n"
            "SYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=hello\n_PID=42\n_BOOT_ID=ab\n_HOSTNAME=host\n"
            "_SYSTEMD_UNIT=a.service\nMESSAGE=hello, \"world\"\n\n");
  entry_.message = "\x1b[m";
  const std::string text = format(LogForm::kExport);
  EXPECT_EQ(text.substr(text.find("MESSAGE")),
            "MESSAGE\n" + std::string("\3\0\0\0\0\0\0\0", 8) + "\x1b[m\n\n");
}

TEST_F(ExportFormat, JsonIsAnObjectInALine) {
  entry_.fields = {"SYSLOG_FACILITY=16", "A=1", "B=x", "A=2"};
  EXPECT_EQ(format(LogForm::kJson),
            "{\"__CURSOR\":\"7\",\"__REALTIME_TIMESTAMP\":\"1700000000000456\","
            "\"_TRANSPORT\":\"stdout\",\"PRIORITY\":\"6\",\"SYSLOG_IDENTIFIER\":\"hello\","
            "\"_PID\":\"42\",\"_BOOT_ID\":\"ab\",\"_HOSTNAME\":\"host\","
            "\"_SYSTEMD_UNIT\":\"a.service\",\"SYSLOG_FACILITY\":\"16\",\"A\":[\"1\",\"2\"],"
            "\"B\":\"x\",\"MESSAGE\":\"hello, \\\"world\\\"\"}\n");
}

TEST_F(ExportFormat, JsonHasBytesForWhatIsNoText) {
  for (const auto& [message, wanted] :
       {std::pair<std::string, std::string>("grün\t\\", "\"grün\\t\\\\\""),
        {"\x1b[m", "[27,91,109]"},
        {"\xff", "[255]"},
        {"\xed\xa0\x80", "[237,160,128]"},
        {"\xc3", "[195]"},
        {"", "\"\""}}) {
    entry_.message = message;
    const std::string text = format(LogForm::kJson);
    EXPECT_EQ(text.substr(text.find("\"MESSAGE\":")), "\"MESSAGE\":" + wanted + "}\n");
  }
}

TEST_F(ExportFormat, VerboseHasALineForEachField) {
  entry_.fields = {"A=1"};
  EXPECT_EQ(format(LogForm::kVerbose),
            "Tue 2023-11-14 22:13:20.000456 UTC [7]\n    _TRANSPORT=stdout\n    PRIORITY=6\n"
            "    SYSLOG_FACILITY=3\n    SYSLOG_IDENTIFIER=hello\n    _PID=42\n    _BOOT_ID=ab\n"
            "    _HOSTNAME=host\n    _SYSTEMD_UNIT=a.service\n    A=1\n"
            "    MESSAGE=hello, \"world\"\n");
  entry_.message = "\x1b[m";
  EXPECT_NE(format(LogForm::kVerbose).find("MESSAGE=[3B blob data]"), std::string::npos);
}

TEST_F(ExportFormat, CatIsTheTextAlone) { EXPECT_EQ(format(LogForm::kCat), "hello, \"world\"\n"); }

}  // namespace
}  // namespace flotilla::logs
