#include "unit/rlimit.h"

#include <array>

#include "unit/scalar.h"
#include "unit/size.h"
#include "unit/time_span.h"
#include "unit/words.h"

namespace flotilla::unit {
namespace {

enum class Kind { kCount, kSize, kSeconds, kMicroseconds, kNice };

struct Entry {
  int resource;
  std::string_view name;
  Kind kind;
};

constexpr std::array<Entry, kRlimitCount> kLimits = {{
    {RLIMIT_CPU, "CPU", Kind::kSeconds},
    {RLIMIT_FSIZE, "FSIZE", Kind::kSize},
    {RLIMIT_DATA, "DATA", Kind::kSize},
    {RLIMIT_STACK, "STACK", Kind::kSize},
    {RLIMIT_CORE, "CORE", Kind::kSize},
    {RLIMIT_RSS, "RSS", Kind::kSize},
    {RLIMIT_NOFILE, "NOFILE", Kind::kCount},
    {RLIMIT_AS, "AS", Kind::kSize},
    {RLIMIT_NPROC, "NPROC", Kind::kCount},
    {RLIMIT_MEMLOCK, "MEMLOCK", Kind::kSize},
    {RLIMIT_LOCKS, "LOCKS", Kind::kCount},
    {RLIMIT_SIGPENDING, "SIGPENDING", Kind::kCount},
    {RLIMIT_MSGQUEUE, "MSGQUEUE", Kind::kSize},
    {RLIMIT_NICE, "NICE", Kind::kNice},
    {RLIMIT_RTPRIO, "RTPRIO", Kind::kCount},
    {RLIMIT_RTTIME, "RTTIME", Kind::kMicroseconds},
}};

const Entry* find_entry(int resource) noexcept {
  for (const Entry& entry : kLimits) {
    if (entry.resource == resource) return &entry;
  }
  return nullptr;
}

base::Result<rlim_t> parse_nice(std::string_view text) {
  constexpr std::int64_t kZero = 20;  // the kernel counts from nice 20 down to -20
  if (text.starts_with('+') || text.starts_with('-')) {
    FLOTILLA_ASSIGN(const std::int64_t nice, parse_integer(text, -20, 19));
    return static_cast<rlim_t>(kZero - nice);
  }
  FLOTILLA_ASSIGN(const std::uint64_t raw, parse_unsigned(text, 40));
  return rlim_t{raw};
}

base::Result<rlim_t> parse_one(Kind kind, std::string_view text) {
  const bool has_units = kind != Kind::kCount && kind != Kind::kNice;
  if (!has_units && trim(text) != text) {
    return base::invalid("expected a number without blanks, got \"{}\"", text);
  }
  // There is no nice level without an end.
  if (text == "infinity" && kind != Kind::kNice) return rlim_t{RLIM_INFINITY};
  switch (kind) {
    case Kind::kCount: {
      FLOTILLA_ASSIGN(const std::uint64_t count, parse_unsigned(text, RLIM_INFINITY - 1));
      return rlim_t{count};
    }
    case Kind::kSize: {
      FLOTILLA_ASSIGN(const std::uint64_t size, parse_size(text));
      return rlim_t{size};
    }
    case Kind::kSeconds: {
      FLOTILLA_ASSIGN(const TimeSpan span, parse_time_span(text));
      // Rounded up: a limit of half a second must not become none.
      return static_cast<rlim_t>((span.count() + 999'999) / 1'000'000);
    }
    case Kind::kMicroseconds: {
      FLOTILLA_ASSIGN(const TimeSpan span, parse_time_span(text, std::chrono::microseconds(1)));
      return static_cast<rlim_t>(span.count());
    }
    case Kind::kNice:
      return parse_nice(text);
  }
  return base::internal("unknown kind of limit");
}

}  // namespace

std::optional<int> find_rlimit(std::string_view key) noexcept {
  if (!key.starts_with("Limit")) return std::nullopt;
  key.remove_prefix(5);
  for (const Entry& entry : kLimits) {
    if (entry.name == key) return entry.resource;
  }
  return std::nullopt;
}

std::string_view rlimit_name(int resource) noexcept {
  const Entry* entry = find_entry(resource);
  return entry == nullptr ? std::string_view() : entry->name;
}

base::Result<rlimit> parse_rlimit(int resource, std::string_view text) {
  const Entry* entry = find_entry(resource);
  if (entry == nullptr) return base::invalid("there is no resource limit number {}", resource);
  text = trim(text);
  const std::size_t colon = text.find(':');
  FLOTILLA_ASSIGN(const rlim_t soft, parse_one(entry->kind, text.substr(0, colon)));
  if (colon == std::string_view::npos) return rlimit{soft, soft};
  FLOTILLA_ASSIGN(const rlim_t hard, parse_one(entry->kind, text.substr(colon + 1)));
  if (soft > hard)
    return base::invalid("the soft limit is higher than the hard one in \"{}\"", text);
  return rlimit{soft, hard};
}

}  // namespace flotilla::unit
