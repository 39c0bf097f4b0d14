// The shapes that many properties share, as functions for the tables of the bus façade.
#pragma once

#include <string>
#include <string_view>

#include "bus/message.h"
#include "init/manager.h"

namespace flotilla::init {

// A time span as the bus writes it: microseconds, infinity as the largest number.
void write_span(bus::MessageWriter& body, Micros span);
void write_wall(bus::MessageWriter& body, const Timestamps& time);
void write_monotonic(bus::MessageWriter& body, const Timestamps& time);

// (ssssssouso): one line of ListUnits.
inline constexpr const char* kUnitLine = "ssssssouso";
void write_unit_line(bus::MessageWriter& body, const Manager& manager, const Unit& unit);
// (usssoo): one line of ListJobs.
inline constexpr const char* kJobLine = "usssoo";
void write_job_line(bus::MessageWriter& body, const JobView& job);
// a(sss)
void write_file_changes(bus::MessageWriter& body, const std::vector<UnitFileChange>& changes);
// a(sus): cgroup, pid and command line of each process of a unit.
void write_processes(bus::MessageWriter& body, const Manager& manager, const Unit& unit);

}  // namespace flotilla::init
