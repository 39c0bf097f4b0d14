// How many lines of a unit are let through, in its streams and of what its programs log by
// themselves together, and how those are told of that were not.
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "logs/log_daemon.h"

namespace flotilla::logs {
namespace {

// A directory that was changed no longer ago may be changed once more without another time stamp.
constexpr std::int64_t kSettledNsec = 100'000'000;

}  // namespace

// The window that is running goes on under the new rule.
bool LogDaemon::set_rate_limit(UnitEntry& unit, const RateLimit::Rule& rule) noexcept {
  if (unit.rate == nullptr) {
    if (rate_limits_ >= sweep_at_) sweep_rate_limits(unit);
    void* const memory = std::malloc(sizeof(RateLimit));
    if (memory == nullptr) return false;
    unit.rate = new (memory) RateLimit();
    ++rate_limits_;
  }
  unit.rate->set(rule);
  return true;
}

bool LogDaemon::is_let_through(LogStream& stream, std::uint8_t priority, bool partial) noexcept {
  const bool is_first_piece = !stream.in_line;
  stream.in_line = partial;
  if (!is_first_piece) return !stream.is_left_out;
  const auto now = static_cast<std::uint64_t>(config_.place.wall_nsec()) / 1000;
  const RateLimit::Verdict verdict = stream.unit->rate->on_line(priority, now);
  stream.is_left_out = !verdict.is_let_through;
  if (verdict.suppressed > 0) {
    write_batch(stream);  // what came before
    tell_suppressed(*stream.unit, verdict.suppressed, Idle::kErase);
  }
  return verdict.is_let_through;
}

// Of a whole message.
bool LogDaemon::is_let_through(UnitEntry& unit, std::uint8_t priority) noexcept {
  const auto now = static_cast<std::uint64_t>(config_.place.wall_nsec()) / 1000;
  const RateLimit::Verdict verdict = unit.rate->on_line(priority, now);
  if (verdict.suppressed > 0) tell_suppressed(unit, verdict.suppressed, Idle::kErase);
  return verdict.is_let_through;
}

// As journald does.
void LogDaemon::tell_suppressed(UnitEntry& unit, std::uint32_t lines, Idle idle) noexcept {
  if (!unit.log.is_open()) make_room_for(unit, idle);
  char text[64 + kMaxUnitName];
  std::string_view name = unit.log.unit();
  // Without its namespace.
  if (const std::size_t mark = name.find('='); mark != name.npos) name.remove_prefix(mark + 1);
  const int size = std::snprintf(text, sizeof(text), "Suppressed %u messages from %.*s", lines,
                                 static_cast<int>(name.size()), name.data());
  unit.log.say(config_.place, {text, static_cast<std::size_t>(size)});
  if (unit.log.is_open()) note_open(unit);
  if (unit.log.lost_lines() > 0) has_losses_ = true;
}

// Nothing is told of them later.
void LogDaemon::tell_all_suppressed() noexcept {
  units_.for_each([this](UnitEntry& unit) {
    if (unit.rate == nullptr) return;
    // Nothing may be erased from the table that is being walked.
    if (const std::uint32_t lines = unit.rate->take_suppressed(); lines > 0) {
      tell_suppressed(unit, lines, Idle::kKeep);
    }
  });
}

bool LogDaemon::has_running_limit(const UnitEntry& unit) const noexcept {
  return unit.rate != nullptr &&
         unit.rate->is_in_use(static_cast<std::uint64_t>(config_.place.wall_nsec()) / 1000);
}

// Units whose programs log no more leave their counts behind.
void LogDaemon::sweep_rate_limits(const UnitEntry& in_use) noexcept {
  tell_all_suppressed();
  units_.for_each([&](UnitEntry& unit) {
    if (&unit != &in_use) erase_if_idle(unit);
  });
  sweep_at_ = rate_limits_ * 2 > kFirstSweep ? rate_limits_ * 2 : kFirstSweep;
}

// Fills sender_limits_. Most units have none: that is known until the manager tells of anything.
void LogDaemon::load_limits(const char* name, UnitEntry* unit) noexcept {
  knows_limits_ = true;
  if (!notice_changes() || (unit != nullptr && unit->unlimited_at == told_changes_)) {
    return sender_limits_.clear();
  }
  sender_limits_.load(told_.get(), name);
  if (unit != nullptr && sender_limits_.are_none()) unit->unlimited_at = told_changes_;
}

// False: nothing is told at all.
bool LogDaemon::notice_changes() noexcept {
  if (config_.units == nullptr) return false;
  struct stat status {};
  if (!told_ || ::fstat(told_.get(), &status) != 0 || status.st_nlink == 0) {
    told_.reset(::open(config_.units, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!told_ || ::fstat(told_.get(), &status) != 0) return false;
    told_is_settled_ = false;
  }
  const std::int64_t at =
      std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  if (told_is_settled_ && at == told_at_) return true;
  told_at_ = at;
  told_is_settled_ = config_.place.wall_nsec() - at > kSettledNsec;
  ++told_changes_;
  return true;
}

}  // namespace flotilla::logs
