#include "bus/unit_status.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <ctime>

#include "unit/exit_status.h"
#include "unit/signal_name.h"

namespace flotilla::bus {
namespace {

std::string_view text(const Properties& properties, std::string_view name) {
  return string_property(properties, name);
}

uint64_t number(const Properties& properties, std::string_view name) {
  return unsigned_property(properties, name, 0);
}

std::string_view dot_of(std::string_view active_state) {
  if (active_state == "failed") return "×";
  if (active_state == "inactive") return "○";
  if (active_state == "reloading") return "↻";
  return "●";
}

std::string loaded_line(const Properties& properties) {
  std::string line = "     Loaded: ";
  line += text(properties, "LoadState");
  std::vector<std::string> details;
  if (const auto path = text(properties, "FragmentPath"); !path.empty()) details.emplace_back(path);
  if (const auto state = text(properties, "UnitFileState"); !state.empty())
    details.emplace_back(state);
  if (const auto preset = text(properties, "UnitFilePreset"); !preset.empty()) {
    details.push_back("preset: " + std::string(preset));
  }
  if (const Value* error = find_property(properties, "LoadError");
      error != nullptr && error->as_list() != nullptr) {
    const std::vector<Value>& parts = *error->as_list();
    if (parts.size() == 2 && parts[1].as_string() != nullptr && !parts[1].as_string()->empty()) {
      details.insert(details.begin(), "Reason: " + *parts[1].as_string());
    }
  }
  if (!details.empty()) line += fmt::format(" ({})", fmt::join(details, "; "));
  return line + "\n";
}

// When the present state began, by the time stamp that tells of it.
uint64_t state_began(const Properties& properties) {
  const std::string_view state = text(properties, "ActiveState");
  if (state == "active" || state == "reloading") return number(properties, "ActiveEnterTimestamp");
  if (state == "inactive" || state == "failed") return number(properties, "InactiveEnterTimestamp");
  if (state == "activating") return number(properties, "InactiveExitTimestamp");
  return number(properties, "ActiveExitTimestamp");
}

std::string active_line(const Properties& properties, base::WallTime now) {
  std::string line = fmt::format("     Active: {} ({})", text(properties, "ActiveState"),
                                 text(properties, "SubState"));
  if (text(properties, "ActiveState") == "failed") {
    line = fmt::format("     Active: failed (Result: {})", text(properties, "Result"));
  }
  if (const uint64_t began = state_began(properties); began != 0) {
    const auto seconds = static_cast<std::time_t>(began / 1'000'000);
    std::tm parts{};
    localtime_r(&seconds, &parts);
    char stamp[64];
    std::strftime(stamp, sizeof stamp, "%a %Y-%m-%d %H:%M:%S %Z", &parts);
    line += fmt::format(" since {}; {}", stamp,
                        format_age(now.since_epoch - base::Micros(static_cast<int64_t>(began))));
  }
  return line + "\n";
}

// "code=exited, status=1/FAILURE" or "code=killed, signal=TERM".
std::string how_it_ended(int64_t code, int64_t status) {
  if (code == CLD_EXITED) {
    const std::string_view name = unit::exit_status_name(static_cast<int>(status));
    return fmt::format("code=exited, status={}{}{}", status, name.empty() ? "" : "/", name);
  }
  return fmt::format("code={}, signal={}", code == CLD_DUMPED ? "dumped" : "killed",
                     unit::signal_name(static_cast<int>(status)));
}

// A line for each command that has ended: all but the main process. ExecX= is a(sasbttttuii).
std::string command_lines(const Properties& properties) {
  std::string lines;
  for (const std::string_view property :
       {"ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop",
        "ExecStopPost"}) {
    const Value* commands = find_property(properties, property);
    if (commands == nullptr || commands->as_list() == nullptr) continue;
    for (const Value& command : *commands->as_list()) {
      const std::vector<Value>* fields = command.as_list();
      if (fields == nullptr || fields->size() != 10) continue;
      const auto field = [&](size_t i) { return (*fields)[i].as_signed(0); };
      const int64_t pid = field(7);
      if (pid == 0 || field(8) == 0) continue;  // never run, or still running
      if (static_cast<uint64_t>(pid) == number(properties, "ExecMainPID")) continue;
      std::string argv;
      if (const std::vector<Value>* words = (*fields)[1].as_list(); words != nullptr) {
        for (const Value& word : *words) {
          if (word.as_string() != nullptr)
            argv.append(argv.empty() ? "" : " ").append(*word.as_string());
        }
      }
      lines += fmt::format("    Process: {} {}={} ({})\n", pid, property, argv,
                           how_it_ended(field(8), field(9)));
    }
  }
  return lines;
}

std::string main_line(const UnitStatusInput& input) {
  const Properties& properties = input.properties;
  if (const uint64_t pid = number(properties, "MainPID"); pid != 0) {
    return input.main_command.empty()
               ? fmt::format("   Main PID: {}\n", pid)
               : fmt::format("   Main PID: {} ({})\n", pid, input.main_command);
  }
  const uint64_t pid = number(properties, "ExecMainPID");
  const Value* code = find_property(properties, "ExecMainCode");
  const Value* status = find_property(properties, "ExecMainStatus");
  if (pid == 0 || code == nullptr || status == nullptr || code->as_signed(0) == 0) return {};
  return fmt::format("   Main PID: {} ({})\n", pid,
                     how_it_ended(code->as_signed(0), status->as_signed(0)));
}

std::string process_tree(const UnitStatusInput& input) {
  const std::string_view group = text(input.properties, "ControlGroup");
  if (group.empty() || input.processes.empty()) return {};
  std::string lines = fmt::format("     CGroup: {}\n", group);
  std::vector<UnitProcess> processes = input.processes;
  std::sort(processes.begin(), processes.end(),
            [](const UnitProcess& a, const UnitProcess& b) { return a.pid < b.pid; });
  const size_t width = std::to_string(processes.back().pid).size();
  for (const UnitProcess& process : processes) {
    const bool last = &process == &processes.back();
    lines += fmt::format("             {}{:>{}} {}\n", last ? "└─" : "├─", process.pid, width,
                         process.command_line);
  }
  return lines;
}

}  // namespace

std::string format_age(base::Micros age) {
  const int64_t total = std::max<int64_t>(age.count() / 1'000'000, 0);
  // The two largest units that fit, as systemd shows them.
  static constexpr int64_t kMinute = 60;
  static constexpr int64_t kHour = 60 * kMinute;
  static constexpr int64_t kDay = 24 * kHour;
  static constexpr int64_t kWeek = 7 * kDay;
  static constexpr int64_t kMonth = 2'629'800;  // a twelfth of 365.25 days
  static constexpr int64_t kYear = 12 * kMonth;
  const auto words = [](int64_t n, const char* one, const char* many) {
    return fmt::format("{} {}", n, n == 1 ? one : many);
  };
  if (total >= kYear) {
    return words(total / kYear, "year", "years") + " " +
           words(total % kYear / kMonth, "month", "months") + " ago";
  }
  if (total >= kMonth) {
    return words(total / kMonth, "month", "months") + " " +
           words(total % kMonth / kDay, "day", "days") + " ago";
  }
  if (total >= kWeek) {
    return words(total / kWeek, "week", "weeks") + " " +
           words(total % kWeek / kDay, "day", "days") + " ago";
  }
  if (total >= 2 * kDay) return fmt::format("{} days ago", total / kDay);
  if (total >= 25 * kHour) return fmt::format("1 day {}h ago", (total - kDay) / kHour);
  if (total >= 6 * kHour) return fmt::format("{}h ago", total / kHour);
  if (total >= kHour) return fmt::format("{}h {}min ago", total / kHour, total % kHour / kMinute);
  if (total >= 5 * kMinute) return fmt::format("{}min ago", total / kMinute);
  if (total >= kMinute) return fmt::format("{}min {}s ago", total / kMinute, total % kMinute);
  if (total > 0) return fmt::format("{}s ago", total);
  return fmt::format("{}ms ago", std::max<int64_t>(age.count() / 1000, 0));
}

std::string format_unit_status(const UnitStatusInput& input) {
  const Properties& properties = input.properties;
  std::string out =
      fmt::format("{} {}", dot_of(text(properties, "ActiveState")), text(properties, "Id"));
  if (const auto description = text(properties, "Description");
      !description.empty() && description != text(properties, "Id")) {
    out += fmt::format(" - {}", description);
  }
  out += "\n";
  out += loaded_line(properties);
  if (const Value* drop_ins = find_property(properties, "DropInPaths");
      drop_ins != nullptr && drop_ins->as_list() != nullptr) {
    const char* head = "    Drop-In: ";
    for (const Value& path : *drop_ins->as_list()) {
      if (path.as_string() == nullptr) continue;
      out += head + *path.as_string() + "\n";
      head = "             ";
    }
  }
  out += active_line(properties, input.now);
  out += command_lines(properties);
  out += main_line(input);
  if (const auto status = text(properties, "StatusText"); !status.empty()) {
    out += fmt::format("     Status: \"{}\"\n", status);
  }
  return out + process_tree(input);
}

int status_exit_code(const Properties& properties) {
  if (text(properties, "LoadState") == "not-found") return 4;
  const std::string_view state = text(properties, "ActiveState");
  return state == "active" || state == "reloading" ? 0 : 3;
}

}  // namespace flotilla::bus
