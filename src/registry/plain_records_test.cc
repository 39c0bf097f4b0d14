// What the fast reader says is what the whole parser says.
#include "registry/plain_records.h"

#include <gtest/gtest.h>

#include <random>

#include "registry/codec.h"

namespace flotilla::registry {
namespace {

std::string unit_record() {
  Unit unit;
  unit.options = {{"Unit", "Description", "a \"b\" \\ /c\n\td"}, {"Service", "ExecStart", ""}};
  unit.desired = TargetState::kLaunched;
  return encode(unit);
}

std::string entry_record() {
  ScheduleEntry entry;
  entry.hash = "abc";
  entry.text = "[Service]\nExecStart=/bin/x\n";
  entry.target = TargetState::kLoaded;
  entry.is_leaving = true;
  return encode(entry);
}

std::string state_record() {
  UnitState state;
  state.hash = "abc";
  state.load_state = "loaded";
  state.active_state = "active";
  state.sub_state = "running";
  state.active_enter_usec = 1'700'000'000'000'000;
  state.launched = true;
  state.problem = "it \"fails\"";
  return encode(state);
}

// The whole parser's, as no record that begins with a blank is a plain one.
template <typename Decode>
void expect_same(const std::string& record, const Decode& decode) {
  const auto read = decode(record);
  const auto slowly = decode(" " + record);
  ASSERT_EQ(read.has_value(), slowly.has_value()) << record;
  if (read) {
    EXPECT_TRUE(*read == *slowly) << record;
  } else {
    EXPECT_EQ(read.error().message, slowly.error().message) << record;
  }
}

void expect_same(const std::string& record) {
  expect_same(record, [](const std::string& text) { return decode_unit(text); });
  expect_same(record, [](const std::string& text) { return decode_schedule_entry(text); });
  expect_same(record, [](const std::string& text) { return decode_unit_state(text); });
}

TEST(PlainRecords, WhatWeWriteIsReadFast) {
  EXPECT_TRUE(read_plain_unit(unit_record()));
  EXPECT_TRUE(read_plain_schedule_entry(entry_record(), true));
  EXPECT_TRUE(read_plain_unit_state(state_record()));
  for (const std::string& record : {unit_record(), entry_record(), state_record()}) {
    expect_same(record);
  }
}

TEST(PlainRecords, WhatIsNotPlainIsReadAllTheSame) {
  for (const char* record : {
           "{}",
           "{",
           "[]",
           R"({"hash":"a","text":"b","target":"loaded"})",
           R"({"hash":"a","text":"b","target":"loaded","news":1})",
           R"({"hash":"a","text":"b","target":"loaded",})",
           R"({"hash":"a","text":"b","target":"loaded"} )",
           R"({"hash":"a","text":"b","target":"loaded"}x)",
           R"({"hash":"a","text":"b","target":"loaded","leaving":1})",
           R"({"hash":"a","hash":"b","text":"b","target":"loaded"})",
           R"({"hash":"a","text":"b","target":"nothing"})",
           R"({"hash":"a","text":"b"})",
           R"({"hash":1,"text":"b","target":"loaded"})",
           R"({"hash":"\u0061","text":"b","target":"loaded"})",
           R"({"h\u0061sh":"a","text":"b","target":"loaded"})",
           R"({"hash":"a\x","text":"b","target":"loaded"})",
           R"({"hash":"ä","text":"b","target":"loaded"})",
           "{\"hash\":\"\xff\",\"text\":\"b\",\"target\":\"loaded\"}",
           "{\"hash\":\"\n\",\"text\":\"b\",\"target\":\"loaded\"}",
           "{\"hash\":\"\x7f\",\"text\":\"b\",\"target\":\"loaded\"}",
           R"({"hash":"a","active_enter_usec":0})",
           R"({"hash":"a","active_enter_usec":01})",
           R"({"hash":"a","active_enter_usec":-1})",
           R"({"hash":"a","active_enter_usec":1.5})",
           R"({"hash":"a","active_enter_usec":1e3})",
           R"({"hash":"a","active_enter_usec":18446744073709551615})",
           R"({"hash":"a","active_enter_usec":18446744073709551616})",
           R"({"hash":"a","launched":truefalse})",
           R"({"hash":"a","launched":null,"problem":3})",
           R"({"options":[],"desired":"loaded"})",
           R"({"options":[{}],"desired":"loaded","hash":7})",
           R"({"options":[{"section":"a","name":"b"}],"desired":"loaded"})",
           R"({"options":[{"name":"b","section":"a","value":"c"}],"desired":"loaded"})",
           R"({"options":[{"section":"a","name":"b","value":"c"},],"desired":"loaded"})",
       }) {
    expect_same(record);
  }
}

TEST(PlainRecords, RandomChangesMakeNoDifference) {
  std::mt19937 random(1);
  const std::string bytes = "\"\\{}[],: 0129.eE-+atrufls\n\x80";
  for (const std::string& good : {unit_record(), entry_record(), state_record()}) {
    for (int i = 0; i < 3000; ++i) {
      std::string record = good;
      for (auto changes = random() % 3 + 1; changes > 0; --changes) {
        const size_t at = random() % record.size();
        if (random() % 3 == 0) {
          record.erase(at, random() % 4);
        } else {
          record[at] = bytes[random() % bytes.size()];
        }
        if (record.empty()) break;
      }
      if (record.empty() || record.front() == ' ') continue;
      expect_same(record);
    }
  }
}

TEST(PlainRecords, ATextThatIsNotWantedIsLeftOut) {
  for (const std::string blank : {"", " "}) {
    const auto entry = decode_schedule_entry(blank + entry_record(), EntryText::kLeftOut);
    ASSERT_TRUE(entry);
    EXPECT_TRUE(entry->text.empty());
    EXPECT_EQ(entry->hash, "abc");
  }
}

}  // namespace
}  // namespace flotilla::registry
