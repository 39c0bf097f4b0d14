#include "registry/codec.h"

#include <gtest/gtest.h>

#include "registry/keys.h"

namespace flotilla::registry {
namespace {

TEST(Keys, ReadsAPrefixWithAndWithoutSlashesAtItsEnds) {
  EXPECT_EQ(parse_key_prefix("/_coreos.com/fleet/").value(), "/_coreos.com/fleet");
  EXPECT_EQ(parse_key_prefix("a//b").value(), "/a/b");
  EXPECT_EQ(parse_key_prefix("/").value(), "");
  EXPECT_EQ(parse_key_prefix("").value(), "");
  EXPECT_EQ(Keys(parse_key_prefix("/").value()).format(), "/format");
  EXPECT_EQ(parse_key_prefix("/a b").error().message,
            "expected a prefix of keys like /flotilla, at most 1024 bytes without blanks");
  EXPECT_FALSE(parse_key_prefix("/\xff"));
  EXPECT_FALSE(parse_key_prefix(std::string(2000, 'x')));
}

TEST(Keys, AKeyIsReadBackAsItWasMade) {
  const Keys keys("/flotilla");
  const auto schedule = keys.parse(keys.schedule("m1", "a@b.service"));
  ASSERT_TRUE(schedule);
  EXPECT_EQ(schedule->kind, KeyKind::kSchedule);
  EXPECT_EQ(schedule->first, "m1");
  EXPECT_EQ(schedule->second, "a@b.service");
  const auto state = keys.parse(keys.state("a.service", "m1"));
  ASSERT_TRUE(state);
  EXPECT_EQ(state->kind, KeyKind::kState);
  EXPECT_EQ(state->first, "a.service");
  EXPECT_EQ(state->second, "m1");
  EXPECT_EQ(keys.parse(keys.unit("a.service"))->kind, KeyKind::kUnit);
  EXPECT_EQ(keys.parse(keys.global("a.service"))->kind, KeyKind::kGlobal);
  EXPECT_EQ(keys.parse(keys.machine("m"))->kind, KeyKind::kMachine);
  EXPECT_EQ(keys.parse(keys.metadata("m"))->kind, KeyKind::kMetadata);
  EXPECT_EQ(keys.parse(keys.leader())->kind, KeyKind::kLeader);
  EXPECT_EQ(keys.parse(keys.rebalance())->kind, KeyKind::kRebalance);
  EXPECT_EQ(keys.parse(keys.format())->kind, KeyKind::kFormat);
}

TEST(Keys, WhatIsNoneOfOursIsNothing) {
  const Keys keys("/flotilla");
  for (const char* key : {"", "/", "/flotilla", "/flotilla/", "/flotilla/unit", "/flotilla/unit/",
                          "/flotilla/unit/a/b", "/flotilla/schedule/m", "/flotilla/schedule/m/",
                          "/flotilla/schedule/m/a/b", "/flotilla/state//m", "/flotilla/news/x",
                          "/flotillas/unit/a", "/other/unit/a"}) {
    EXPECT_FALSE(keys.parse(key)) << key;
  }
}

TEST(Codec, AUnitIsReadBackAsItWasWritten) {
  Unit unit;
  unit.options = {{"Service", "ExecStart", "/bin/sleep 3000"}, {"X-Fleet", "Global", ""}};
  unit.hash = unit::hash_hex(unit.options);
  unit.desired = TargetState::kLaunched;
  const auto read = decode_unit(encode(unit));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, unit);
}

TEST(Codec, UnknownMembersAreKept) {
  const auto unit = decode_unit(
      R"({"options":[{"section":"S","name":"A","value":"1"}],"desired":"loaded","owner":{"a":[1]}})");
  ASSERT_TRUE(unit) << unit.error().message;
  EXPECT_EQ(unit->extra, R"({"owner":{"a":[1]}})");
  EXPECT_NE(encode(*unit).find(R"("owner":{"a":[1]})"), std::string::npos);
  const auto machine = decode_machine(R"({"id":"m","capacity":7,"cpus":4})");
  ASSERT_TRUE(machine);
  EXPECT_EQ(machine->cpus, 4u);
  EXPECT_NE(encode(*machine).find("\"capacity\":7"), std::string::npos);
}

TEST(Codec, TheHashIsWhatTheOptionsSay) {
  const auto unit =
      decode_unit(R"({"options":[{"section":"Service","name":"ExecStart","value":"/bin/x"}],)"
                  R"("hash":"forged","desired":"inactive"})");
  ASSERT_TRUE(unit);
  EXPECT_EQ(unit->hash, "77743f616f04ae251970e39c0656153229b74dba");
}

TEST(Codec, ARecordThatLacksWhatItMustHaveIsRefused) {
  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {"", "the record is empty"},
      {"[]", "expected a JSON object"},
      {"{}", "expected an array in \"options\""},
      {R"({"options":{},"desired":"loaded"})", "expected an array in \"options\""},
      {R"({"options":[1],"desired":"loaded"})", "expected objects in \"options\""},
      {R"({"options":[]})", "expected a string in \"desired\""},
      {R"({"options":[],"desired":"bogus"})", "invalid value \"bogus\" for JobState"},
  };
  for (const auto& c : cases) {
    const auto unit = decode_unit(c.text);
    ASSERT_FALSE(unit) << c.text;
    EXPECT_EQ(unit.error().message, c.error) << c.text;
  }
  EXPECT_FALSE(decode_schedule_entry(R"({"hash":"h","target":"loaded"})"));
  EXPECT_FALSE(decode_schedule_entry("{}"));
  EXPECT_FALSE(decode_machine("{}"));
  EXPECT_FALSE(decode_unit_state("null"));
  EXPECT_FALSE(decode_leader(R"({"machine":"m"})"));
  EXPECT_FALSE(decode_metadata(R"({"a":1})"));
  EXPECT_FALSE(decode_unit("{\"options\":[" + std::string(100, '[')));
}

TEST(Codec, TheOtherObjectsAreReadBackAsTheyWereWritten) {
  Machine machine;
  machine.id = "m";
  machine.public_ip = "192.0.2.10";
  machine.metadata = {{"region", "us"}, {"disk", "ssd"}};
  machine.version = "1.0.0";
  machine.boot_id = "b";
  machine.state_id = "s";
  machine.nonce = "n";
  machine.api_address = "192.0.2.10:1";
  machine.cpus = 2;
  machine.memory_bytes = uint64_t{1} << 40;
  machine.ttl_seconds = 30;
  EXPECT_EQ(*decode_machine(encode(machine)), machine);

  UnitState state;
  state.hash = "h";
  state.load_state = "loaded";
  state.active_state = "active";
  state.sub_state = "running";
  state.active_enter_usec = 1'700'000'000'000'000;
  state.launched = true;
  EXPECT_EQ(*decode_unit_state(encode(state)), state);

  ScheduleEntry entry;
  entry.hash = "h";
  entry.text = "[S]\nA=\"<&>\"\\\n";
  entry.target = TargetState::kLoaded;
  EXPECT_EQ(*decode_schedule_entry(encode(entry)), entry);
  EXPECT_EQ(encode(entry).find("leaving"), std::string::npos);
  entry.is_leaving = true;
  entry.extra = R"({"more":1})";
  EXPECT_EQ(*decode_schedule_entry(encode(entry)), entry);

  EXPECT_EQ(encode(entry).find("finished"), std::string::npos);
  entry.is_finished = true;
  EXPECT_EQ(*decode_schedule_entry(encode(entry)), entry);

  UnitHistory history;
  history.hash = "h";
  history.finished_on = "m";
  history.finished_usec = 1'700'000'000'000'000;
  history.moves = 3;
  history.moved_usec = 1'700'000'000'000'001;
  history.extra = R"({"more":1})";
  EXPECT_EQ(*decode_history(encode(history)), history);
  EXPECT_FALSE(decode_history("{}"));

  const Metadata edits{{"a", ""}, {"b", "c"}};
  EXPECT_EQ(*decode_metadata(encode(edits)), edits);
}

TEST(Objects, AnEmptyEditHidesTheMachinesOwnValue) {
  EXPECT_EQ(merged_metadata({{"a", "1"}, {"b", "2"}}, {{"a", ""}, {"b", "3"}, {"c", "4"}}),
            (Metadata{{"b", "3"}, {"c", "4"}}));
}

}  // namespace
}  // namespace flotilla::registry
