#include "fctl/waiting.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "fctl/machine_names.h"
#include "fctl/progress.h"

namespace flotilla::fctl {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAttempt{2000};
constexpr milliseconds kLongestPause{250};
// More units than this are looked up in the list of all, which has a hundred in each answer.
constexpr size_t kFewUnits = 32;

// Waiting for many: the next look is when half of the rest should be there, going by what came so
// far, and before a quarter of the time has been added. So a list of all is fetched a few times,
// however long the wait.
milliseconds pause_for(const Standing& standing, milliseconds elapsed) {
  if (standing.left <= kFewUnits) return milliseconds(0);
  const auto there = static_cast<int64_t>(standing.all - standing.left);
  const milliseconds most = std::min(elapsed / 4, kLongestPause);
  if (there == 0) return most;
  return std::min(elapsed * static_cast<int64_t>(standing.left) / there / 2, most);
}

// "on MACHINE" needs the machines; they are asked for once, when the first scheduled unit is there.
class Machines {
 public:
  explicit Machines(client::FleetApi& api) : api_(api) {}
  // " on 113f16a7.../192.0.2.10", or nothing where the machine is not registered.
  std::string place_of(const std::string& id) {
    if (id.empty()) return {};
    if (known_.find(id) == known_.end()) {
      if (auto list = api_.machines()) {
        for (client::Machine& machine : *list)
          known_.insert_or_assign(machine.id, std::move(machine));
      }
    }
    const auto found = known_.find(id);
    return found == known_.end() ? std::string() : " on " + machine_label(found->second, false);
  }

 private:
  client::FleetApi& api_;
  std::map<std::string, client::Machine> known_;
};

base::Result<std::vector<std::optional<client::Unit>>> look_up(
    Context& context, const std::vector<std::string>& names) {
  if (names.size() <= kFewUnits) return context.api.units_named(names);
  FLOTILLA_ASSIGN(std::vector<client::Unit> all, context.api.units_without_options());
  std::map<std::string_view, client::Unit*> by_name;
  for (client::Unit& unit : all) by_name[unit.name] = &unit;
  std::vector<std::optional<client::Unit>> found;
  for (const std::string& name : names) {
    const auto unit = by_name.find(name);
    if (unit == by_name.end()) {
      found.emplace_back();
    } else {
      found.emplace_back(*unit->second);
    }
  }
  return found;
}

base::Result<std::vector<client::UnitState>> look_up_states(Context& context,
                                                            const std::vector<std::string>& names) {
  return names.size() > kFewUnits ? context.api.unit_states()
                                  : context.api.unit_states_named(names);
}

using LookUp = std::function<base::Result<std::vector<std::optional<client::Unit>>>(
    const std::vector<std::string>& names)>;

// Waits until `has_reached` is true of each, and prints their lines.
base::Status wait_for_each(Context& context, const std::vector<std::string>& names,
                           const std::string& state, Patience patience, const LookUp& look_up_all,
                           const std::function<bool(const client::Unit&)>& has_reached) {
  if (names.empty()) return {};
  Machines machines(context.api);
  Progress progress(context.output, names.size());
  std::vector<std::string> waiting = names;
  const auto standing = [&] { return Standing{names.size(), waiting.size()}; };
  const auto look = [&]() -> base::Result<bool> {
    FLOTILLA_ASSIGN(const auto units, look_up_all(waiting));
    std::vector<std::string> left;
    for (size_t i = 0; i < waiting.size(); ++i) {
      if (!units[i] || !has_reached(*units[i])) {
        left.push_back(waiting[i]);
        continue;
      }
      progress.hide();
      context.output.out_line("Unit " + waiting[i] + " " + units[i]->current_state +
                              machines.place_of(units[i]->machine_id));
    }
    waiting = std::move(left);
    if (!waiting.empty()) progress.show(names.size() - waiting.size());
    return waiting.empty();
  };
  const base::Result<bool> done = wait_until(context, patience, look, standing);
  progress.hide();
  if (done && *done) return {};
  base::Error error;
  if (!done) {
    error = done.error();
  } else {
    error = {base::Errc::kTimedOut,
             "timed out waiting for unit " + waiting.front() + " to report state " + state};
  }
  context.output.err_line("Error waiting for units: " + error.message);
  return base::unexpected(std::move(error));
}

}  // namespace

base::Result<bool> wait_until(Context& context, Patience patience,
                              const std::function<base::Result<bool>()>& is_done,
                              const std::function<Standing()>& standing) {
  Pacer& pacer = context.pacer;
  const milliseconds begin = pacer.now();
  milliseconds pause{5};
  for (;;) {
    const milliseconds before = pacer.now();
    FLOTILLA_ASSIGN(const bool done, is_done());
    if (done) return true;
    const milliseconds now = pacer.now();
    if (patience.kind == Patience::Kind::kNone) return false;
    if (patience.kind == Patience::Kind::kAttempts && now - begin >= kAttempt * patience.attempts) {
      return false;
    }
    // Never busier than half of the time, however many events there are.
    milliseconds rest = std::min(now - before, kLongestPause);
    if (standing) rest = std::max(rest, pause_for(standing(), now - begin));
    if (rest > milliseconds(0)) pacer.pause(rest);
    if (!context.api.wait_for_change(kLongestPause)) {
      pacer.pause(pause);
      pause = std::min(pause * 2, kLongestPause);
    }
  }
}

base::Status wait_until_created(Context& context, const std::vector<std::string>& names,
                                Patience patience) {
  // One by one: in a list a global unit has a current state, by itself it has none.
  return wait_for_each(
      context, names, "inactive", patience,
      [&](const std::vector<std::string>& some) { return context.api.units_named(some); },
      [](const client::Unit& unit) {
        return unit.current_state == "inactive" || unit.current_state.empty();
      });
}

base::Status wait_for_states(Context& context, const std::vector<std::string>& names,
                             const std::string& state, Patience patience) {
  return wait_for_each(
      context, names, state, patience,
      [&](const std::vector<std::string>& some) { return look_up(context, some); },
      [&](const client::Unit& unit) { return unit.current_state == state; });
}

base::Status settle_states(Context& context, const std::vector<std::string>& names,
                           const std::string& command, const std::string& state,
                           Patience patience) {
  if (patience.kind == Patience::Kind::kNone) {
    for (const std::string& name : names)
      context.output.out_line("Triggered unit " + name + " " + command);
    return {};
  }
  return wait_for_states(context, names, state, patience);
}

namespace {

// A program that fails at once is active for a moment: what is active must have been so for this
// long. Most of many units have been by the time the last of them is; for that one it is a share of
// the time that all took.
constexpr milliseconds kStay{250};
constexpr int kShareToStay = 6;

milliseconds stay_of(size_t units, milliseconds elapsed) {
  return units > kFewUnits ? std::min(kStay, elapsed / kShareToStay) : kStay;
}

// What is not yet done of the units that are waited for.
struct Inactive {
  std::vector<std::string> missing;  // those that are not active
  std::vector<std::string> young;    // those that have not been active for long enough
  milliseconds left{0};              // until the youngest has
};

// How much longer what became active at `since` has to stay so. The machine's clock may differ:
// never longer than the whole time.
milliseconds left_to_stay(Context& context, milliseconds stay, std::chrono::microseconds since) {
  const auto age = std::chrono::duration_cast<milliseconds>(context.pacer.wall_clock() - since);
  return age < milliseconds(0) ? stay : stay - std::min(age, stay);
}

base::Result<Inactive> find_inactive(Context& context, const std::vector<std::string>& names,
                                     milliseconds stay) {
  std::map<std::string, std::chrono::microseconds> active;  // since when
  FLOTILLA_ASSIGN(const std::vector<client::UnitState> states, look_up_states(context, names));
  for (const client::UnitState& state : states) {
    if (state.active_state != "active" || state.load_state != "loaded") continue;
    active[state.name] = std::chrono::microseconds(state.active_enter_usec);
  }
  Inactive inactive;
  for (const std::string& name : names) {
    const auto found = active.find(name);
    if (found == active.end()) {
      inactive.missing.push_back(name);
    } else if (const milliseconds left = left_to_stay(context, stay, found->second);
               left > milliseconds(0)) {
      inactive.young.push_back(name);
      inactive.left = std::max(inactive.left, left);
    }
  }
  return inactive;
}

}  // namespace

base::Status wait_until_active(Context& context, const std::vector<std::string>& names,
                               Patience patience, std::chrono::milliseconds began) {
  if (patience.kind == Patience::Kind::kNone || names.empty()) return {};
  std::vector<std::string> waiting = names;
  const auto standing = [&] { return Standing{names.size(), waiting.size()}; };
  const auto look = [&]() -> base::Result<bool> {
    const milliseconds stay = stay_of(names.size(), context.pacer.now() - began);
    FLOTILLA_ASSIGN(Inactive inactive, find_inactive(context, waiting, stay));
    if (inactive.missing.empty() && !inactive.young.empty()) {
      context.pacer.pause(inactive.left);
      // Whatever a clock says, they have been looked at twice now.
      FLOTILLA_ASSIGN(inactive, find_inactive(context, inactive.young, stay));
      inactive.young.clear();
    }
    waiting = std::move(inactive.missing);
    waiting.insert(waiting.end(), inactive.young.begin(), inactive.young.end());
    return waiting.empty();
  };
  // As long as units still become active, those behind them have their time as well.
  size_t before = 0;
  base::Result<bool> done = false;
  do {
    before = waiting.size();
    done = wait_until(context, {Patience::Kind::kAttempts, 1}, look, standing);
  } while (done && !*done && waiting.size() < before);
  if (done && *done) return {};
  const std::string why =
      "Failed to find an active unit " + waiting.front() + " within 2s, err: " +
      (done ? std::string("Failed to fetch states within 2s") : done.error().message);
  context.output.err_line("Error waiting for units: " + why);
  return base::timed_out("{}", why);
}

namespace {

// Those of the units that are still there, or of which a machine still reports a state.
base::Result<std::vector<std::string>> find_remaining(Context& context,
                                                      const std::vector<std::string>& names) {
  FLOTILLA_ASSIGN(const auto units, look_up(context, names));
  std::set<std::string> reported;
  FLOTILLA_ASSIGN(const std::vector<client::UnitState> states, look_up_states(context, names));
  for (const client::UnitState& state : states) reported.insert(state.name);
  std::vector<std::string> left;
  for (size_t i = 0; i < names.size(); ++i) {
    if (units[i].has_value() || reported.count(names[i]) != 0) left.push_back(names[i]);
  }
  return left;
}

}  // namespace

base::Result<std::vector<std::string>> wait_until_gone(
    Context& context, const std::vector<std::string>& names, Patience patience,
    const std::function<void(const std::string&)>& on_gone) {
  if (names.empty()) return names;
  Progress progress(context.output, names.size());
  std::vector<std::string> waiting = names;
  const auto standing = [&] { return Standing{names.size(), waiting.size()}; };
  const auto look = [&]() -> base::Result<bool> {
    FLOTILLA_ASSIGN(std::vector<std::string> left, find_remaining(context, waiting));
    for (const std::string& name : waiting) {
      if (std::find(left.begin(), left.end(), name) != left.end()) continue;
      progress.hide();
      on_gone(name);
    }
    waiting = std::move(left);
    if (!waiting.empty()) progress.show(names.size() - waiting.size());
    return waiting.empty();
  };
  FLOTILLA_ASSIGN(const bool done, wait_until(context, patience, look, standing));
  (void)done;
  return waiting;
}

}  // namespace flotilla::fctl
