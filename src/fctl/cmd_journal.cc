#include <mutex>
#include <optional>
#include <thread>

#include "fctl/commands.h"
#include "fctl/connect.h"
#include "fctl/remote.h"
#include "fctl/unit_args.h"

namespace flotilla::fctl {
namespace {

bool follows(const Context& context) {
  return context.flags.is_set("follow") || context.flags.is_set("f");
}

// Those that show the time since boot, which the API's log does not have.
bool is_journalctls_alone(const std::string& form) {
  return form == "short-monotonic" || form == "short-delta";
}

// Whether the lines of several machines may stand between each other.
bool has_whole_lines(const std::string& form) {
  return form != "export" && form != "json-pretty" && form != "json-sse" && form != "verbose" &&
         !is_journalctls_alone(form);
}

// A document for programs has no headings.
bool is_for_programs(const std::string& form) {
  return form == "export" || form.compare(0, 4, "json") == 0;
}

client::LogWish wish_of(const Context& context) {
  const std::string& form = context.flags.text("output");
  return {context.flags.number("lines"), follows(context), form == "short" ? std::string() : form};
}

int print_over_ssh(Context& context, const std::string& name, const std::string& machine) {
  const std::string& output = context.flags.text("output");
  std::vector<std::string> words;
  if (context.flags.is_set("sudo")) words.emplace_back("sudo");
  words.insert(words.end(), {"journalctl", "--unit", name, "--no-pager", "-n",
                             std::to_string(context.flags.number("lines")), "--output",
                             output.empty() ? "short" : output});
  if (follows(context)) words.emplace_back("-f");
  const base::Result<int> exit_status = run_on_machine(context, machine, words);
  if (exit_status) return *exit_status;
  context.output.err_line(exit_status.error().message);
  return 1;
}

int print_journal(Context& context, const client::Unit& unit, const std::string& machine) {
  if (is_journalctls_alone(context.flags.text("output"))) {
    return print_over_ssh(context, unit.name, machine);
  }
  bool has_begun = false;
  const base::Status read =
      context.api.unit_log(unit.name, is_global(unit) ? machine : std::string(), wish_of(context),
                           [&](std::string_view text) {
                             has_begun = true;
                             context.output.out(text);
                           });
  if (read) return 0;
  // What has been printed is not printed again from elsewhere.
  if (!has_begun && may_fall_back(read.error())) {
    return print_over_ssh(context, unit.name, machine);
  }
  context.output.err_line("Error retrieving the journal of unit " + unit.name + ": " +
                          read.error().message);
  return 1;
}

// The last piece of a line waits for its rest, so that lines of several machines do not mix.
class WholeLines {
 public:
  WholeLines(Output& output, std::mutex& mutex) : output_(output), mutex_(mutex) {}
  ~WholeLines() {
    if (!rest_.empty()) add("\n");
  }
  WholeLines(const WholeLines&) = delete;
  WholeLines& operator=(const WholeLines&) = delete;

  void add(std::string_view text) {
    rest_ += text;
    const size_t end = rest_.rfind('\n');
    if (end == std::string::npos) return;
    const std::lock_guard lock(mutex_);
    output_.out(std::string_view(rest_).substr(0, end + 1));
    rest_.erase(0, end + 1);
  }

 private:
  Output& output_;
  std::mutex& mutex_;
  std::string rest_;
};

// Each machine by a connection of its own, for none of them ends; the lines as they come, which
// name their hosts. SSH is no way out here: several of its processes would fight over the terminal.
int follow_all(Context& context, const std::string& unit,
               const std::vector<std::string>& machines) {
  std::mutex mutex;  // of the output and of what is below
  int exit_status = 0;
  const auto fail = [&](const std::string& machine, const base::Error& error) {
    const std::lock_guard lock(mutex);
    context.output.err_line(fmt::format("Error retrieving the journal of unit {} on machine {}: {}",
                                        unit, machine, error.message));
    exit_status = 1;
  };
  std::vector<std::thread> threads;
  for (const std::string& machine : machines) {
    auto api = connect(context.flags, context.environment);
    if (!api) {
      fail(machine, api.error());
      continue;
    }
    threads.emplace_back([&, machine, api = *api] {
      WholeLines lines(context.output, mutex);
      const base::Status read = api->unit_log(unit, machine, wish_of(context),
                                              [&](std::string_view text) { lines.add(text); });
      if (!read) fail(machine, read.error());
    });
  }
  for (std::thread& thread : threads) thread.join();
  return exit_status;
}

}  // namespace

int cmd_journal(Context& context) {
  Output& output = context.output;
  if (context.arguments.size() != 1) {
    output.err_line("One unit file must be provided.");
    return 1;
  }
  if (context.flags.number("lines") < 0) {
    output.err_line("--lines: expected a number that is not negative");
    return 2;
  }
  const std::string name = unit_name_of(context.arguments[0]);
  const base::Result<std::optional<client::Unit>> unit = context.api.unit(name);
  if (!unit) {
    output.err_line("Error retrieving Unit " + name + ": " + unit.error().message);
    return 1;
  }
  if (!*unit) {
    output.err_line("Unit " + name + " does not exist.");
    suggest_units(context, name);
    return 1;
  }
  const base::Result<std::vector<std::string>> machines = (*unit)->current_state == "inactive"
                                                              ? std::vector<std::string>()
                                                              : machines_of(context, **unit);
  if (!machines) {
    output.err_line(machines.error().message);
    return 1;
  }
  if (machines->empty()) {
    output.err_line("Unit " + name + " does not appear to be running.");
    return 1;
  }
  const std::string& form = context.flags.text("output");
  if (machines->size() > 1 && follows(context)) {
    if (has_whole_lines(form)) return follow_all(context, name, *machines);
    output.err_line(fmt::format(
        "Unit {} runs on {} machines; name one by --machine to follow it with --output={}.", name,
        machines->size(), form));
    return 1;
  }
  for (const std::string& machine : *machines) {
    if (machines->size() > 1 && !is_for_programs(form))
      output.out_line("-- machine " + machine + " --");
    if (const int exit_status = print_journal(context, **unit, machine); exit_status != 0) {
      return exit_status;
    }
  }
  return 0;
}

}  // namespace flotilla::fctl
