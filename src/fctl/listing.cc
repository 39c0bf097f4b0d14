#include "fctl/listing.h"

#include <algorithm>
#include <cctype>

#include "fctl/table.h"

namespace flotilla::fctl {

std::vector<std::string> chosen_fields(Context& context, std::string_view initial,
                                       const std::vector<std::string_view>& known) {
  const std::string text =
      context.flags.was_given("fields") ? context.flags.text("fields") : std::string(initial);
  if (text.empty()) {
    context.output.err_line("Must define output format");
    return {};
  }
  std::vector<std::string> fields;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    fields.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const std::string& field : fields) {
    if (std::find(known.begin(), known.end(), field) == known.end()) {
      context.output.err_line("Invalid key in output format: \"" + field + "\"");
      return {};
    }
  }
  return fields;
}

void print_rows(Context& context, const std::vector<std::string>& fields,
                std::vector<std::vector<std::string>> rows) {
  if (!context.flags.is_set("no-legend")) {
    std::vector<std::string> head = fields;
    for (std::string& name : head) {
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    }
    rows.insert(rows.begin(), std::move(head));
  }
  context.output.out(format_table(rows));
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

bool wants_full(const Context& context) {
  return context.flags.is_set("full") || context.flags.is_set("l");
}

std::string shown_hash(const Context& context, const std::string& hash) {
  return or_dash(wants_full(context) ? hash : hash.substr(0, 7));
}

}  // namespace flotilla::fctl
