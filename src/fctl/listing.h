// What the list verbs share: --fields, --no-legend, -o, --watch, and the table.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fctl/context.h"
#include "fctl/document.h"

namespace flotilla::fctl {

// One column of a list of T; `value` may print a warning through the context.
template <typename T>
struct Column {
  std::string_view name;
  std::function<std::string(const T&)> value;
};

// A list as a verb knows it: what each form of output needs.
template <typename T>
struct Listing {
  std::string_view fields;       // where no --fields are given
  std::string_view wide_fields;  // the same, of -o wide
  std::string_view key;          // of the list in a document, as the API has it
  std::vector<Column<T>> columns;
  std::function<std::string(const T&)> name;
  std::function<Document::Fields(const T&)> entity;
};

enum class Form { kTable, kWide, kJson, kYaml, kName };

// The form that -o asks for. Errors: kInvalid for an unknown one.
base::Result<Form> form_of(const Flags& flags);

// What a list prints at one moment, and what of it tells whether it has changed.
struct Printed {
  std::string text;
  std::string content;
};

// Prints what `render` returns; with --watch again whenever it changes, without end. An error has
// the lines to print on standard error. Returns the exit code.
int print_list(Context& context, const std::function<base::Result<Printed>()>& render);

// The names of --fields, or the listing's. Errors: kInvalid with fleet's texts.
base::Result<std::vector<std::string>> chosen_fields(const Context& context,
                                                     std::string_view initial,
                                                     const std::vector<std::string_view>& known);

// A table with its heading, unless --no-legend is given.
std::string table_text(const Context& context, const std::vector<std::string>& fields,
                       std::vector<std::vector<std::string>> rows);

// "-" for an empty text.
std::string or_dash(const std::string& text);
// The first 7 characters, or all with --full; "-" if empty.
std::string shown_hash(const Context& context, const std::string& hash);
// --full, --l or -o wide.
bool wants_full(const Context& context);

template <typename T>
Document document_of(const Listing<T>& listing, const std::vector<T>& items) {
  Document::List list;
  for (const T& item : items) list.emplace_back(listing.entity(item));
  return Document(Document::Fields{{std::string(listing.key), Document(std::move(list))}});
}

template <typename T>
base::Result<std::string> render_table(Context& context, const Listing<T>& listing,
                                       std::string_view initial, const std::vector<T>& items) {
  std::vector<std::string_view> known;
  for (const Column<T>& column : listing.columns) known.push_back(column.name);
  FLOTILLA_ASSIGN(const std::vector<std::string> fields, chosen_fields(context, initial, known));
  std::vector<std::vector<std::string>> rows;
  rows.reserve(items.size());
  for (const T& item : items) {
    std::vector<std::string> row;
    for (const std::string& field : fields) {
      for (const Column<T>& column : listing.columns) {
        if (column.name == field) row.push_back(column.value(item));
      }
    }
    rows.push_back(std::move(row));
  }
  return table_text(context, fields, std::move(rows));
}

template <typename T>
base::Result<Printed> render_list(Context& context, const Listing<T>& listing,
                                  const std::vector<T>& items) {
  FLOTILLA_ASSIGN(const Form form, form_of(context.flags));
  Printed printed;
  if (context.flags.is_set("watch")) printed.content = to_json(document_of(listing, items));
  switch (form) {
    case Form::kTable:
    case Form::kWide: {
      FLOTILLA_ASSIGN(
          printed.text,
          render_table(context, listing, form == Form::kWide ? listing.wide_fields : listing.fields,
                       items));
      break;
    }
    case Form::kJson:
      printed.text = to_json(document_of(listing, items));
      break;
    case Form::kYaml:
      printed.text = to_yaml(document_of(listing, items));
      break;
    case Form::kName: {
      std::string last;
      for (const T& item : items) {
        const std::string name = listing.name(item);
        if (name != last) printed.text += name + "\n";
        last = name;
      }
      break;
    }
  }
  return printed;
}

}  // namespace flotilla::fctl
