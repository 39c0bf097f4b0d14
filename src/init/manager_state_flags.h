// The flags and forms in which manager_state.cc writes the state file and manager_adopt.cc reads
// it. For these two alone. What stands here is on disk over a daemon-reexec: numbers keep their
// meaning.
#pragma once

#include "init/state_record.h"
#include "init/unit.h"

namespace flotilla::init {

// UnitRecord::flags.
enum UnitFlag : uint32_t {
  kMainPidKnown = 1u << 0,
  kMainPidAlien = 1u << 1,
  kHasMainCommand = 1u << 2,
  kHasControlCommand = 1u << 3,
  kBusNameOwned = 1u << 4,
  kWaitsForPidFile = 1u << 5,
  kStoppedByJob = 1u << 6,
  kConditionFailed = 1u << 7,
  kFlushRestarts = 1u << 8,
  kSimpleActive = 1u << 9,
  kConditionResult = 1u << 10,
  kAssertResult = 1u << 11,
  kStreamsOpen = 1u << 12,
  kJobIrreversible = 1u << 13,
  kJobIgnoresOrder = 1u << 14,
  kSpawnPending = 1u << 15,
  kSpawnIsControl = 1u << 16,
  kNotifyShift = 17,  // two bits: NotifyState
  // 1u << 19: of earlier versions
  // A change of state that nobody has drawn the consequences of yet: it is told again.
  kChangePending = 1u << 20,
  kChangeRestarts = 1u << 21,
  kChangeShift = 22,  // three bits: the ActiveState before
  // The pending change has met the unit's job already, and what it asks for besides was not all
  // queued yet; whether it was nobody's wish.
  kChangeJudged = 1u << 25,
  kChangeUnexpected = 1u << 26,
  kMarkersShift = 27,  // two bits: UnitMarker
};
inline constexpr uint32_t kMarkersMask = 3;

inline constexpr auto kLastActiveState = static_cast<uint32_t>(ActiveState::kMaintenance);

// ManagerRecord::flags.
enum ManagerFlag : uint32_t {
  kBooting = 1u << 0,
  kEnding = 1u << 1,
  kEndForced = 1u << 2,
  kGeneratorsRun = 1u << 3,  // what they write is not whole yet
  kNoServiceWatchdogs = 1u << 4,
  kEndShift = 8,         // eight bits: FinalAction
  kLogLevelShift = 16,   // four bits: what a client has set, plus one; 0: nobody has
  kLogTargetShift = 20,  // two bits: the same of kLogTargets
};

inline StateTimestamp to_record(const Timestamps& time) {
  return {time.wall.since_epoch.count(), time.monotonic.since_epoch.count()};
}
inline Timestamps from_record(const StateTimestamp& time) {
  return {{Micros(time.wall_usec)}, {Micros(time.monotonic_usec)}};
}

inline CommandRecord to_record(const CommandRun& run) {
  return {to_record(run.start), to_record(run.exit), run.pid, run.code, run.status, 0};
}
inline CommandRun from_record(const CommandRecord& record) {
  return {from_record(record.start), from_record(record.exit), record.pid,
          static_cast<int16_t>(record.code), static_cast<int16_t>(record.status)};
}

}  // namespace flotilla::init
