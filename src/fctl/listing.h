// What the list verbs share: --fields, --no-legend, and the table.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fctl/context.h"

namespace flotilla::fctl {

// One column of a list of T; `value` may print a warning through the context.
template <typename T>
struct Column {
  std::string_view name;
  std::function<std::string(const T&)> value;
};

// The names of --fields, or `initial` if it was not given. Prints what is wrong and returns an
// empty list.
std::vector<std::string> chosen_fields(Context& context, std::string_view initial,
                                       const std::vector<std::string_view>& known);
void print_rows(Context& context, const std::vector<std::string>& fields,
                std::vector<std::vector<std::string>> rows);

template <typename T>
int print_list(Context& context, std::string_view initial, const std::vector<Column<T>>& columns,
               const std::vector<T>& items) {
  std::vector<std::string_view> known;
  for (const Column<T>& column : columns) known.push_back(column.name);
  const std::vector<std::string> fields = chosen_fields(context, initial, known);
  if (fields.empty()) return 1;
  std::vector<std::vector<std::string>> rows;
  rows.reserve(items.size());
  for (const T& item : items) {
    std::vector<std::string> row;
    for (const std::string& field : fields) {
      for (const Column<T>& column : columns) {
        if (column.name == field) row.push_back(column.value(item));
      }
    }
    rows.push_back(std::move(row));
  }
  print_rows(context, fields, std::move(rows));
  return 0;
}

// "-" for an empty text.
std::string or_dash(const std::string& text);
// The first 7 characters, or all with --full; "-" if empty.
std::string shown_hash(const Context& context, const std::string& hash);
bool wants_full(const Context& context);

}  // namespace flotilla::fctl
