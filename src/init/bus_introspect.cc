#include "init/bus_introspect.h"

#include <fmt/format.h>

#include <iterator>

namespace flotilla::init {
namespace {

constexpr std::string_view kHead =
    "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n"
    "\"https://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n"
    "<node>\n"
    " <interface name=\"org.freedesktop.DBus.Peer\">\n"
    "  <method name=\"Ping\"/>\n"
    "  <method name=\"GetMachineId\">\n"
    "   <arg type=\"s\" name=\"machine_uuid\" direction=\"out\"/>\n"
    "  </method>\n"
    " </interface>\n"
    " <interface name=\"org.freedesktop.DBus.Introspectable\">\n"
    "  <method name=\"Introspect\">\n"
    "   <arg name=\"xml_data\" type=\"s\" direction=\"out\"/>\n"
    "  </method>\n"
    " </interface>\n";

constexpr std::string_view kProperties =
    " <interface name=\"org.freedesktop.DBus.Properties\">\n"
    "  <method name=\"Get\">\n"
    "   <arg name=\"interface_name\" direction=\"in\" type=\"s\"/>\n"
    "   <arg name=\"property_name\" direction=\"in\" type=\"s\"/>\n"
    "   <arg name=\"value\" direction=\"out\" type=\"v\"/>\n"
    "  </method>\n"
    "  <method name=\"GetAll\">\n"
    "   <arg name=\"interface_name\" direction=\"in\" type=\"s\"/>\n"
    "   <arg name=\"props\" direction=\"out\" type=\"a{sv}\"/>\n"
    "  </method>\n"
    "  <method name=\"Set\">\n"
    "   <arg name=\"interface_name\" direction=\"in\" type=\"s\"/>\n"
    "   <arg name=\"property_name\" direction=\"in\" type=\"s\"/>\n"
    "   <arg name=\"value\" direction=\"in\" type=\"v\"/>\n"
    "  </method>\n"
    "  <signal name=\"PropertiesChanged\">\n"
    "   <arg type=\"s\" name=\"interface_name\"/>\n"
    "   <arg type=\"a{sv}\" name=\"changed_properties\"/>\n"
    "   <arg type=\"as\" name=\"invalidated_properties\"/>\n"
    "  </signal>\n"
    " </interface>\n";

// Where in `text` the single complete type that begins it ends; npos for none.
size_t end_of_type(std::string_view text) {
  constexpr std::string_view kBasic = "ybnqiuxtdsoghv";
  if (text.empty()) return std::string_view::npos;
  if (kBasic.find(text[0]) != std::string_view::npos) return 1;
  if (text[0] == 'a') {
    const size_t rest = end_of_type(text.substr(1));
    return rest == std::string_view::npos ? rest : rest + 1;
  }
  if (text[0] != '(' && text[0] != '{') return std::string_view::npos;
  const char closing = text[0] == '(' ? ')' : '}';
  size_t at = 1;
  while (at < text.size() && text[at] != closing) {
    const size_t step = end_of_type(text.substr(at));
    if (step == std::string_view::npos) return step;
    at += step;
  }
  return at < text.size() ? at + 1 : std::string_view::npos;
}

void add_arguments(std::string& xml, std::string_view signature, std::string_view direction) {
  for (const std::string& type : split_signature(signature)) {
    fmt::format_to(std::back_inserter(xml), "   <arg type=\"{}\"{}/>\n", type,
                   direction.empty() ? "" : fmt::format(" direction=\"{}\"", direction));
  }
}

std::string_view annotation(Emits emits) {
  switch (emits) {
    case Emits::kConst:
      return "const";
    case Emits::kNothing:
      return "false";
    case Emits::kValue:
      return "true";
    case Emits::kInvalidates:
      return "invalidates";
  }
  return "";
}

void add_interface(std::string& xml, const BusInterface& interface) {
  auto out = std::back_inserter(xml);
  fmt::format_to(out, " <interface name=\"{}\">\n", interface.name);
  for (const BusProperty& property : interface.properties) {
    fmt::format_to(out,
                   "  <property name=\"{}\" type=\"{}\" access=\"{}\">\n"
                   "   <annotation name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\" "
                   "value=\"{}\"/>\n"
                   "  </property>\n",
                   property.name, property.signature,
                   property.set != nullptr ? "readwrite" : "read", annotation(property.emits));
  }
  for (const BusMethod& method : interface.methods) {
    if (method.out == nullptr) continue;
    fmt::format_to(out, "  <method name=\"{}\">\n", method.name);
    add_arguments(xml, method.in, "in");
    add_arguments(xml, method.out, "out");
    xml += "  </method>\n";
  }
  for (const BusSignal& signal : interface.signals) {
    fmt::format_to(out, "  <signal name=\"{}\">\n", signal.name);
    add_arguments(xml, signal.signature, "");
    xml += "  </signal>\n";
  }
  xml += " </interface>\n";
}

}  // namespace

std::vector<std::string> split_signature(std::string_view signature) {
  std::vector<std::string> types;
  while (!signature.empty()) {
    const size_t end = end_of_type(signature);
    if (end == std::string_view::npos) break;
    types.emplace_back(signature.substr(0, end));
    signature.remove_prefix(end);
  }
  return types;
}

std::string introspect(const std::vector<const BusInterface*>& interfaces,
                       const std::vector<std::string>& children) {
  std::string xml(kHead);
  if (!interfaces.empty()) xml += kProperties;
  for (const BusInterface* interface : interfaces) add_interface(xml, *interface);
  for (const std::string& child : children) {
    fmt::format_to(std::back_inserter(xml), " <node name=\"{}\"/>\n", child);
  }
  xml += "</node>\n";
  return xml;
}

}  // namespace flotilla::init
