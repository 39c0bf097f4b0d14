// The records of the registry as JSON text and back. Members that this version does not know are
// kept (ExtraFields). A record that lacks what it must have is kInvalid: never half an object.
// Pure; input may come from anybody who can write to the store.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "registry/objects.h"

namespace flotilla::registry {

// encode: name, machine and revisions are not in the text but in the key. decode: fills what is in
// the text; the caller fills the rest.
std::string encode(const Unit& unit);
std::string encode(const ScheduleEntry& entry);
std::string encode(const GlobalEntry& entry);
std::string encode(const Machine& machine);
std::string encode(const UnitState& state);
std::string encode(const UnitHistory& history);
std::string encode(const Leader& leader);
std::string encode(const Metadata& edits);

base::Result<Unit> decode_unit(std::string_view text);
// Who has the text from the unit leaves that of the entry out.
enum class EntryText : uint8_t { kRead, kLeftOut };
base::Result<ScheduleEntry> decode_schedule_entry(std::string_view text,
                                                  EntryText wanted = EntryText::kRead);
base::Result<GlobalEntry> decode_global_entry(std::string_view text);
base::Result<Machine> decode_machine(std::string_view text);
base::Result<UnitState> decode_unit_state(std::string_view text);
base::Result<UnitHistory> decode_history(std::string_view text);
base::Result<Leader> decode_leader(std::string_view text);
base::Result<Metadata> decode_metadata(std::string_view text);

inline constexpr int kFormatMajor = 1;
inline constexpr int kFormatMinor = 0;

struct Format {
  int64_t major = 0;
  int64_t minor = 0;
};
std::string encode(const Format& format);
base::Result<Format> decode_format(std::string_view text);
// Whether this version may work with a store that has this record of its format. kInternal if it is
// none, kUnsupported for a newer major version.
base::Status check_format(const store::KeyValue& record);

}  // namespace flotilla::registry
