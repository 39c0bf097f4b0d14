#include "logs/export_format.h"

#include <ctime>
#include <utility>
#include <vector>

#include "logs/short_format.h"

namespace flotilla::logs {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kFacilityName = "SYSLOG_FACILITY";
constexpr const char* kDaemonFacility = "3";

// In journalctl's order: what the reader knows, then what the service's side said.
Fields fields_of(const Entry& entry, const LogOrigin& origin) {
  Fields fields;
  const auto add = [&](const char* name, std::string value) {
    if (!value.empty()) fields.emplace_back(name, std::move(value));
  };
  add("_TRANSPORT", "stdout");
  add("PRIORITY", std::to_string(entry.priority));
  Fields extra;
  bool has_facility = false;
  for (const std::string& field : entry.fields) {
    const size_t equals = field.find('=');
    if (equals == std::string::npos) continue;
    has_facility |= std::string_view(field).substr(0, equals) == kFacilityName;
    extra.emplace_back(field.substr(0, equals), field.substr(equals + 1));
  }
  if (!has_facility) add("SYSLOG_FACILITY", kDaemonFacility);
  add("SYSLOG_IDENTIFIER", entry.identifier);
  if (entry.pid > 0) add("_PID", std::to_string(entry.pid));
  add("_BOOT_ID", entry.boot_id);
  add("_HOSTNAME", origin.host);
  add("_SYSTEMD_UNIT", origin.unit);
  for (auto& field : extra) fields.push_back(std::move(field));
  fields.emplace_back("MESSAGE", entry.message);
  return fields;
}

// The size of the UTF-8 character at the beginning of a text that is not empty; 0: none, or one
// that is not for printing.
size_t printable_size(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80)
    return (first < 0x20 && first != '\t' && first != '\n') || first == 0x7f ? 0 : 1;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Over-long forms, surrogates, what is beyond Unicode, and the C1 control characters.
  if (first == 0xe0 && byte(1) < 0xa0) return 0;
  if (first == 0xed && byte(1) >= 0xa0) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) >= 0x90) return 0;
  return first == 0xc2 && byte(1) < 0xa0 ? 0 : size;
}

bool is_printable(std::string_view text) {
  while (!text.empty()) {
    const size_t size = printable_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

void append_value(std::string& out, std::string_view value) {
  if (!is_printable(value)) {
    out += '[';
    for (const char c : value) {
      if (out.back() != '[') out += ',';
      out += std::to_string(static_cast<unsigned char>(c));
    }
    out += ']';
    return;
  }
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out.append(1, '\\').append(1, c);
    } else if (c == '\n' || c == '\t') {
      out += c == '\n' ? "\\n" : "\\t";
    } else {
      out += c;
    }
  }
  out += '"';
}

// With what is known of the entry itself in front.
Fields whole_fields_of(const Entry& entry, const LogOrigin& origin) {
  Fields fields = fields_of(entry, origin);
  fields.insert(fields.begin(),
                {{"__CURSOR", std::to_string(entry.cursor)},
                 {"__REALTIME_TIMESTAMP", std::to_string(entry.time.since_epoch.count())}});
  return fields;
}

// What stands between the parts of an object: nothing, or lines and tabs.
struct JsonLayout {
  const char* begin = "{";
  const char* next = ",";
  const char* colon = ":";
  const char* list = "[";
  const char* item = ",";
  const char* list_end = "]";
  const char* end = "}\n";
};
constexpr JsonLayout kPretty{"{\n\t", ",\n\t", " : ", "[\n\t\t", ",\n\t\t", "\n\t]", "\n}\n"};

std::string json_of(const Entry& entry, const LogOrigin& origin, const JsonLayout& layout) {
  const Fields fields = whole_fields_of(entry, origin);
  std::string out;
  for (size_t i = 0; i < fields.size(); ++i) {
    const std::string& name = fields[i].first;
    const auto is_it = [&](size_t other) { return fields[other].first == name; };
    bool is_told = false;
    for (size_t j = 0; j < i; ++j) is_told |= is_it(j);
    if (is_told) continue;
    std::vector<std::string_view> values;
    for (size_t j = i; j < fields.size(); ++j) {
      if (is_it(j)) values.push_back(fields[j].second);
    }
    out.append(out.empty() ? layout.begin : layout.next).append("\"").append(name).append("\"");
    out += layout.colon;
    if (values.size() > 1) out += layout.list;
    for (size_t j = 0; j < values.size(); ++j) {
      if (j > 0) out += layout.item;
      append_value(out, values[j]);
    }
    if (values.size() > 1) out += layout.list_end;
  }
  return out += layout.end;
}

// The journal's export format: a value that is no text has its size in front, and no "=".
std::string export_of(const Entry& entry, const LogOrigin& origin) {
  std::string out;
  for (const auto& [name, value] : whole_fields_of(entry, origin)) {
    out += name;
    if (is_printable(value) && value.find('\n') == std::string::npos) {
      out.append("=").append(value).append("\n");
      continue;
    }
    out += '\n';
    for (unsigned shift = 0; shift < 64; shift += 8) {
      out += static_cast<char>(static_cast<uint64_t>(value.size()) >> shift & 0xFFU);
    }
    out.append(value).append("\n");
  }
  return out += '\n';
}

// Safe for terminals.
std::string text_of(std::string_view value) {
  if (is_printable(value) && value.find('\n') == std::string_view::npos) return std::string(value);
  return "[" + std::to_string(value.size()) + "B blob data]";
}

std::string verbose_of(const Entry& entry, const LogOrigin& origin) {
  const std::time_t seconds = entry.time.since_epoch.count() / 1'000'000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char stamp[64], zone[32];
  std::strftime(stamp, sizeof stamp, "%a %Y-%m-%d %H:%M:%S", &parts);
  std::strftime(zone, sizeof zone, "%Z", &parts);
  std::string micros = std::to_string(entry.time.since_epoch.count() % 1'000'000);
  micros.insert(0, 6 - micros.size(), '0');
  std::string out = stamp;
  out.append(".").append(micros).append(" ").append(zone);
  out.append(" [").append(std::to_string(entry.cursor)).append("]\n");
  for (const auto& [name, value] : fields_of(entry, origin)) {
    out.append("    ").append(name).append("=").append(text_of(value)).append("\n");
  }
  return out;
}

struct NamedForm {
  std::string_view name;
  LogForm form;
};
constexpr NamedForm kForms[] = {
    {"short", LogForm::kShort},
    {"short-precise", LogForm::kShortPrecise},
    {"short-full", LogForm::kShortFull},
    {"short-iso", LogForm::kShortIso},
    {"short-iso-precise", LogForm::kShortIsoPrecise},
    {"short-unix", LogForm::kShortUnix},
    {"with-unit", LogForm::kWithUnit},
    {"cat", LogForm::kCat},
    {"verbose", LogForm::kVerbose},
    {"export", LogForm::kExport},
    {"json", LogForm::kJson},
    {"json-pretty", LogForm::kJsonPretty},
    {"json-sse", LogForm::kJsonSse},
    {"json-seq", LogForm::kJsonSeq},
};

}  // namespace

std::optional<LogForm> parse_log_form(std::string_view name) {
  for (const NamedForm& known : kForms) {
    if (known.name == name) return known.form;
  }
  return std::nullopt;
}

std::string log_form_names() {
  std::string text;
  for (const NamedForm& known : kForms) {
    if (!text.empty()) text += known.form == LogForm::kJsonSeq ? " or " : ", ";
    text += known.name;
  }
  return text;
}

std::string format_entry(const Entry& entry, LogForm form, const LogOrigin& origin) {
  const auto line = [&](ShortTime time) {
    return format_short(entry, origin.host, time, entry.identifier);
  };
  switch (form) {
    case LogForm::kShort:
      return line(ShortTime::kPlain);
    case LogForm::kShortPrecise:
      return line(ShortTime::kPrecise);
    case LogForm::kShortFull:
      return line(ShortTime::kFull);
    case LogForm::kShortIso:
      return line(ShortTime::kIso);
    case LogForm::kShortIsoPrecise:
      return line(ShortTime::kIsoPrecise);
    case LogForm::kShortUnix:
      return line(ShortTime::kUnix);
    case LogForm::kWithUnit:
      return format_short(entry, origin.host, ShortTime::kFull, origin.unit);
    case LogForm::kCat:
      return entry.message + "\n";
    case LogForm::kVerbose:
      return verbose_of(entry, origin);
    case LogForm::kExport:
      return export_of(entry, origin);
    case LogForm::kJson:
      return json_of(entry, origin, {});
    case LogForm::kJsonPretty:
      return json_of(entry, origin, kPretty);
    case LogForm::kJsonSse:
      return "data: " + json_of(entry, origin, {}) + "\n";
    case LogForm::kJsonSeq:
      return "\x1e" + json_of(entry, origin, {});
  }
  return {};
}

}  // namespace flotilla::logs
