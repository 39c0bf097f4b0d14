#include "init/property_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "init/bus_table.h"
#include "init/directives.h"
#include "init/directives_context.h"
#include "init/directives_values.h"
#include "init/property_text_forms.h"
#include "init/property_text_quote.h"
#include "init/unit_loader.h"
#include "unit/time_span.h"

namespace flotilla::init {

using base::Errc;
using base::Result;
using bus::Value;

namespace {

constexpr size_t kMaxValueLength = size_t{1} << 20;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}
bool begins_with(std::string_view text, std::string_view begin) {
  return text.substr(0, begin.size()) == begin;
}

base::Unexpected read_only(const std::string& name) {
  return base::unexpected({Errc::kInvalid,
                           fmt::format("Cannot set property {}, or unknown property.", name), 0,
                           "org.freedesktop.DBus.Error.PropertyReadOnly"});
}
base::Unexpected wrong_type() {
  return base::unexpected({Errc::kInvalid,
                           "Failed to set unit properties: Unexpected message contents", ENXIO,
                           "System.Error.ENXIO"});
}
// What is wrong with a device, an address or a word of a list; empty: nothing we have words for.
std::string describe_bad_list(const std::string& name, const Value& value) {
  const auto has_flags = [](const Value& device) {
    const std::string& flags = *(*device.as_list())[1].as_string();
    return !flags.empty() && flags.find_first_not_of("rwm") == std::string::npos;
  };
  const std::vector<Value>* const list = value.as_list();
  if (list == nullptr) return {};
  if (value.signature == "a(st)") {
    for (const Value& device : *list) {
      const std::string& path = *(*device.as_list())[0].as_string();
      // The words are systemd's, which mixes the two up.
      if (!parse_normal_path(path))
        return fmt::format("Path '{}' specified in {}= is not normalized.", name, path);
    }
    return fmt::format("{}= value out of range", name);
  }
  if (name == "DeviceAllow" && value.signature == "a(ss)") {
    return std::all_of(list->begin(), list->end(), has_flags)
               ? "DeviceAllow= requires device node or pattern"
               : "DeviceAllow= requires combination of rwm flags";
  }
  return {};
}

base::Unexpected bad_value(const std::string& name, const Value& value, bool is_live = false) {
  std::string text = is_live ? describe_bad_list(name, value) : "";
  if (!text.empty()) {
    // It says more.
  } else if (is_live && (value.signature == "t" || value.signature == "u")) {
    text = ends_with(name, "USec") ? fmt::format("{}= value out of range", name)
                                   : fmt::format("Value specified in {} is out of range", name);
  } else if (is_live && value.as_string() != nullptr) {
    text = "Failed to set unit properties: Invalid argument";
  } else if (const std::string* s = value.as_string()) {
    text = fmt::format("Invalid {} setting: {}", name, *s);
  } else if (std::holds_alternative<int64_t>(value.data)) {
    text = fmt::format("Invalid {} value: {}", name, std::get<int64_t>(value.data));
  } else if (std::holds_alternative<uint64_t>(value.data)) {
    text = fmt::format("Invalid {} value: {}", name, std::get<uint64_t>(value.data));
  } else {
    text = fmt::format("Invalid {} setting", name);
  }
  return base::invalid("{}", text);
}

// What systemd keeps of a share in a drop-in: whole percents of a CPU, and of tasks a tenth of
// them.
std::optional<std::string> rounded_text(std::string_view name, const Value& value) {
  const uint64_t number = value.as_unsigned(UINT64_MAX);
  if (number == UINT64_MAX) return std::nullopt;
  if (name == "CPUQuotaPerSecUSec") return fmt::format("{}%", number / 10000);
  if (name != "TasksMaxScale") return std::nullopt;
  const uint64_t share = (number * 100 + UINT32_MAX - 1) / UINT32_MAX;
  return fmt::format("{}.{}%", share / 10, share % 10);
}

// What may change while the unit runs: its description and what its cgroup is given.
bool is_live_directive(std::string_view name) {
  static constexpr std::string_view kPrefixes[] = {"CPUWeight",
                                                   "CPUQuota",
                                                   "CPUShares",
                                                   "CPUAccounting",
                                                   "StartupCPU",
                                                   "AllowedCPUs",
                                                   "AllowedMem",
                                                   "StartupAll",
                                                   "Memory",
                                                   "DefaultMemory",
                                                   "TasksMax",
                                                   "TasksAcc",
                                                   "IOWeight",
                                                   "IOAccounting",
                                                   "IODevice",
                                                   "IORead",
                                                   "IOWrite",
                                                   "StartupIO",
                                                   "BlockIO",
                                                   "StartupBlock",
                                                   "DeviceAllow",
                                                   "DevicePolicy",
                                                   "IPAccounting",
                                                   "IPAddress",
                                                   "ManagedOOM",
                                                   "SocketBind",
                                                   "RestrictNetworkInterfaces",
                                                   "DisableControllers"};
  if (name == "Description") return true;
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&](std::string_view prefix) { return begins_with(name, prefix); }) &&
         name != "MemoryDenyWriteExecute";
}

bool is_dependency(const std::string& name) {
  static constexpr std::string_view kNames[] = {"After",
                                                "Before",
                                                "BindsTo",
                                                "Conflicts",
                                                "JoinsNamespaceOf",
                                                "OnFailure",
                                                "OnSuccess",
                                                "PartOf",
                                                "PropagatesReloadTo",
                                                "PropagatesStopTo",
                                                "Requires",
                                                "Requisite",
                                                "ReloadPropagatedFrom",
                                                "StopPropagatedFrom",
                                                "Upholds",
                                                "Wants"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

// The type the property has when it is read; empty: no such property.
std::string_view type_when_read(unit::UnitType type, const std::string& name) {
  for (const BusInterface* interface : {&bus_type_interface(type), &bus_unit_interface()}) {
    if (const BusProperty* property = interface->find_property(name)) return property->signature;
  }
  return {};
}

// Where a directive of this name stands for units of this type.
const Directive* find_for(unit::UnitType type, std::string_view name) {
  const Directive* directive = find_directive("Unit", name);
  return directive != nullptr ? directive : find_directive(unit_section_of(type), name);
}

// A value of a basic type, as a file has it.
Result<std::vector<std::string>> plain_text(const std::string& name, const Value& value) {
  if (value.signature == "s" || value.signature == "o") {
    return std::vector<std::string>{escape_specifiers(*value.as_string())};
  }
  if (value.signature == "b") return std::vector<std::string>{value.as_bool(false) ? "yes" : "no"};
  if (value.signature == "as") {
    std::vector<std::string> lines;
    for (const Value& word : *value.as_list()) {
      lines.push_back(is_dependency(name) ? escape_specifiers(*word.as_string())
                                          : quote_for_file(*word.as_string()));
    }
    if (lines.empty()) lines.emplace_back();
    return lines;
  }
  if (value.signature == "d")
    return std::vector<std::string>{fmt::format("{}", std::get<double>(value.data))};
  if (std::holds_alternative<int64_t>(value.data)) {
    return std::vector<std::string>{std::to_string(std::get<int64_t>(value.data))};
  }
  if (!std::holds_alternative<uint64_t>(value.data)) return wrong_type();
  const uint64_t number = std::get<uint64_t>(value.data);
  if (value.signature == "t" && number == UINT64_MAX) return std::vector<std::string>{"infinity"};
  if (!ends_with(name, "USec")) return std::vector<std::string>{std::to_string(number)};
  const auto span = unit::TimeSpan(static_cast<int64_t>(std::min<uint64_t>(number, INT64_MAX)));
  return std::vector<std::string>{unit::format_time_span(span)};
}

bool has_line_end(const std::vector<std::string>& lines) {
  return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos ||
           line.size() > kMaxValueLength;
  });
}

}  // namespace

base::Status check_transient_type(unit::UnitType type) {
  if (type != unit::UnitType::kTarget && type != unit::UnitType::kDevice &&
      type != unit::UnitType::kSwap)
    return {};
  return base::invalid("Unit type {} does not support transient units.", to_string(type));
}

Result<PropertyText> PropertyWriter::write_unchecked(const std::string& name, const Value& value) {
  const unit::UnitType type = unit_.type();
  PropertyText text;
  if (name == "PIDs" && type == unit::UnitType::kScope) {
    if (value.signature != "au") return wrong_type();
    for (const Value& pid : *value.as_list()) {
      text.pids.push_back(static_cast<pid_t>(pid.as_unsigned(0)));
    }
    return text;
  }
  if (name == "Conditions" || name == "Asserts") {
    if (value.signature != "a(sbbs)") return wrong_type();
    text.section = "Unit";
    text.name = name;
    for (const Value& one : *value.as_list()) {
      const auto& members = *one.as_list();
      const std::string& kind = *members[0].as_string();
      if (find_parser("Unit", kind) == nullptr) return bad_value(kind, members[3]);
      text.lines.push_back(kind + "=" + (members[1].as_bool(false) ? "|" : "") +
                           (members[2].as_bool(false) ? "!" : "") +
                           escape_specifiers(*members[3].as_string()));
    }
    if (text.lines.empty()) {
      text.lines.push_back(name == "Conditions" ? "ConditionPathExists=" : "AssertPathExists=");
    }
    return text;
  }
  // Who the processes of a scope are for; nothing here asks for it.
  if (type == unit::UnitType::kScope && (name == "User" || name == "Group")) {
    if (value.signature != "s") return wrong_type();
    return text;
  }
  // A file's setting that systemd does not take over the bus.
  if (name == "StandardInputText" || name == "JobTimeoutUSec") return read_only(name);
  const PropertyForm* form = find_property_form(name);
  std::string directive_name(form != nullptr && !form->directive.empty() ? form->directive : name);
  std::string soft_of;
  if (begins_with(name, "Limit") && ends_with(name, "Soft")) {
    directive_name.resize(name.size() - 4);
    soft_of = directive_name;
  }
  const Directive* directive = find_for(type, directive_name);
  if (directive == nullptr && ends_with(name, "USec")) {
    directive_name = name.substr(0, name.size() - 4) + "Sec";
    directive = find_for(type, directive_name);
  }
  if (directive == nullptr) return read_only(name);
  std::string_view wanted = form != nullptr ? form->signature : type_when_read(type, name);
  if (wanted.empty() && directive->kind() == "BOOLEAN") wanted = "b";
  if (wanted.empty() && ends_with(name, "USec")) wanted = "t";
  if (!wanted.empty() && wanted != value.signature) return wrong_type();
  text.section = std::string(directive->section());
  text.name = name;
  text.is_live = is_live_directive(directive_name);
  std::vector<std::string> values;
  if (form != nullptr) {
    auto written = form->write(value);
    if (!written) return bad_value(name, value, text.is_live);
    values = std::move(*written);
  } else {
    FLOTILLA_ASSIGN(values, plain_text(name, value));
  }
  if (!soft_of.empty()) {
    const auto hard = hard_limits_.find(soft_of);
    values[0] += ":" + (hard == hard_limits_.end() ? "infinity" : hard->second);
  } else if (begins_with(name, "Limit")) {
    hard_limits_[name] = values[0];
  }
  for (const std::string& line : values) {
    text.lines.push_back(fmt::format("{}={}", directive_name, line));
  }
  if (const auto rounded = rounded_text(name, value)) {
    text.rounded = {directive_name + "=" + *rounded};
  }
  return text;
}

// Commands are added to those that came before; an empty list takes them all away.
void PropertyWriter::add_earlier_commands(std::vector<std::string>& lines) {
  if (lines.empty() || lines[0].substr(0, 4) != "Exec" || lines[0].back() != '=') return;
  std::vector<std::string>& known = commands_[lines[0]];
  if (lines.size() == 1) return known.clear();
  known.insert(known.end(), lines.begin() + 1, lines.end());
  lines.resize(1);
  lines.insert(lines.end(), known.begin(), known.end());
}

Result<PropertyText> PropertyWriter::write(const std::string& name, const Value& value) {
  FLOTILLA_ASSIGN(PropertyText text, write_unchecked(name, value));
  if (text.section == "Service") add_earlier_commands(text.lines);
  // A line more than it seems would be a setting that nobody checked.
  if (has_line_end(text.lines)) return bad_value(name, Value{"s", std::string("line break")});
  if (name == "Slice" && !unit::UnitName::is_valid(*value.as_string())) {
    return base::invalid("Invalid unit name '{}'", *value.as_string());
  }
  // A file has the word, too; here it is no family.
  if (name == "RestrictAddressFamilies" && text.lines.back() == name + "=none") {
    return base::invalid("Failed to set unit properties: Invalid argument");
  }
  // Below the directory of the runtime, which only the reader of files knows.
  if (name == "PIDFile" && !value.as_string()->empty() && value.as_string()->front() != '/') {
    return text;
  }
  std::vector<unit::Diagnostic> diagnostics;
  UnitSettings scratch{unit_};
  SettingMarks marks;
  const unit::SpecifierContext specifiers{unit_, nullptr, {}, {}};
  const unit::Reporter reporter("", 0, diagnostics);
  for (const std::string& line : text.lines) {
    const size_t equals = line.find('=');
    const std::string key = line.substr(0, equals);
    const DirectiveParser parser = find_parser(text.section, key);
    if (parser == nullptr) continue;
    parser(scratch, {specifiers, reporter, key, marks, false}, line.substr(equals + 1));
  }
  if (diagnostics.empty()) return text;
  if (is_dependency(name) && value.as_list() != nullptr) {
    for (const Value& other : *value.as_list()) {
      if (unit::UnitName::is_valid(*other.as_string())) continue;
      return base::invalid("Invalid unit name {}", *other.as_string());
    }
  }
  if (name == "Environment") return base::invalid("Invalid environment block.");
  return bad_value(name, value, text.is_live);
}

std::string unit_file_text(std::string_view heading, const std::vector<PropertyText>& settings) {
  std::string text(heading);
  std::string_view section;
  for (const PropertyText& setting : settings) {
    if (setting.lines.empty()) continue;
    if (setting.section != section) {
      text += fmt::format("{}[{}]\n", section.empty() ? "" : "\n", setting.section);
      section = setting.section;
    }
    for (const std::string& line : setting.lines) text += line + "\n";
  }
  return text;
}

}  // namespace flotilla::init
