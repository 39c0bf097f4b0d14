#include "fctl/listing.h"

#include <algorithm>
#include <cctype>

#include "fctl/table.h"

namespace flotilla::fctl {
namespace {

using std::chrono::milliseconds;

// A watched list is looked at this often where the server tells of no events, and shown anew this
// often on a terminal, since times go on.
constexpr milliseconds kWatchPause{2000};

}  // namespace

base::Result<Form> form_of(const Flags& flags) {
  const std::string& form = flags.text("output");
  if (form.empty()) return Form::kTable;
  if (form == "wide") return Form::kWide;
  if (form == "json") return Form::kJson;
  if (form == "yaml") return Form::kYaml;
  if (form == "name") return Form::kName;
  return base::invalid("Unknown output format \"{}\": expected json, yaml, wide or name", form);
}

int print_list(Context& context, const std::function<base::Result<Printed>()>& render) {
  Output& output = context.output;
  if (const base::Result<Form> form = form_of(context.flags); !form) {
    output.err_line(form.error().message);
    return 2;
  }
  base::Result<Printed> printed = render();
  if (printed) output.out(printed->text);
  while (printed && context.flags.is_set("watch")) {
    const base::Status waited = context.api.wait_for_change(kWatchPause);
    if (!waited) {
      if (waited.error().code != base::Errc::kUnsupported) {
        output.err_line("The list is watched no longer: " + waited.error().message);
        return 1;
      }
      context.pacer.pause(kWatchPause);
    }
    base::Result<Printed> next = render();
    if (next && output.is_screen()) {
      output.out("\x1b[H\x1b[2J" + next->text);
    } else if (next && next->content != printed->content) {
      output.out("\n" + next->text);
    }
    printed = std::move(next);
  }
  if (printed) return 0;
  output.err_line(printed.error().message);
  return 1;
}

base::Result<std::vector<std::string>> chosen_fields(const Context& context,
                                                     std::string_view initial,
                                                     const std::vector<std::string_view>& known) {
  const std::string text =
      context.flags.was_given("fields") ? context.flags.text("fields") : std::string(initial);
  if (text.empty()) return base::invalid("Must define output format");
  std::vector<std::string> fields;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    fields.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const std::string& field : fields) {
    if (std::find(known.begin(), known.end(), field) == known.end()) {
      return base::invalid("Invalid key in output format: \"{}\"", field);
    }
  }
  return fields;
}

std::string table_text(const Context& context, const std::vector<std::string>& fields,
                       std::vector<std::vector<std::string>> rows) {
  if (!context.flags.is_set("no-legend")) {
    std::vector<std::string> head = fields;
    for (std::string& name : head) {
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    }
    rows.insert(rows.begin(), std::move(head));
  }
  return format_table(rows);
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

bool wants_full(const Context& context) {
  return context.flags.is_set("full") || context.flags.is_set("l") ||
         context.flags.text("output") == "wide";
}

std::string shown_hash(const Context& context, const std::string& hash) {
  return or_dash(wants_full(context) ? hash : hash.substr(0, 7));
}

}  // namespace flotilla::fctl
