// Parsers of [Socket]: where it listens and whom it is for, so that it can be shown. Nothing
// listens there yet.
#include <algorithm>
#include <array>

#include "init/directives_context.h"
#include "init/directives_parsers.h"
#include "unit/unit_name.h"

namespace flotilla::init {
namespace {

// A port alone is one of every address.
std::string address_of(std::string text) {
  const bool is_port = !text.empty() && std::all_of(text.begin(), text.end(),
                                                    [](char c) { return c >= '0' && c <= '9'; });
  return is_port ? "[::]:" + text : text;
}

// The kind is in the key: "Stream" of ListenStream=. An empty value takes back all kinds.
void parse_listen(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  auto& listens = settings.extras.edit().listens.edit();
  if (value.empty()) return listens.clear();
  auto text = context.expand(value);
  if (!text) return;
  std::string kind(context.key.substr(std::string_view("Listen").size()));
  listens.emplace_back(std::move(kind), address_of(std::move(*text)));
}

void parse_service(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  const auto text = context.expand(value);
  if (!text) return;
  const auto name = unit::UnitName::parse(*text);
  if (!name || name->type() != unit::UnitType::kService) return context.warn_bad_value(value);
  settings.dependencies[static_cast<size_t>(Dependency::kTriggers)] = {*name};
}

constexpr NamedParser kParsers[] = {
    {"ListenDatagram", parse_listen},
    {"ListenFIFO", parse_listen},
    {"ListenMessageQueue", parse_listen},
    {"ListenNetlink", parse_listen},
    {"ListenSequentialPacket", parse_listen},
    {"ListenSpecial", parse_listen},
    {"ListenStream", parse_listen},
    {"ListenUSBFunction", parse_listen},
    {"Service", parse_service},
};

}  // namespace

std::span<const NamedParser> socket_parsers() noexcept { return kParsers; }

}  // namespace flotilla::init
