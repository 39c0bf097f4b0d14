// Parsers of [Mount] that concern the mount itself; what its commands run in is as with services.
#include "init/directives_context.h"
#include "init/directives_parsers.h"
#include "init/directives_values.h"
#include "unit/scalar.h"
#include "unit/time_span.h"

namespace flotilla::init {
namespace {

MountSettings& mount(UnitSettings& settings) { return settings.extras.edit().mount.edit(); }

template <bool MountSettings::*Member>
void parse_flag(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (const auto flag = context.read_flag(value)) mount(settings).*Member = *flag;
}

template <std::string MountSettings::*Member>
void parse_text(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (auto text = context.expand(value)) mount(settings).*Member = std::move(*text);
}

void parse_where(UnitSettings& settings, const SettingContext& context, std::string_view value) {
  if (value.empty()) return mount(settings).where.clear();
  const auto text = context.expand(value);
  if (!text) return;
  auto path = parse_absolute_path(*text);
  if (!path) return context.reporter.warn("Where= path is not absolute, ignoring: {}", *text);
  mount(settings).where = std::move(*path);
}

void parse_directory_mode(UnitSettings& settings, const SettingContext& context,
                          std::string_view value) {
  if (value.empty()) {
    mount(settings).directory_mode = MountSettings().directory_mode;
    return;
  }
  const auto mode = unit::parse_mode(value);
  if (!mode) return context.warn_bad_value(value);
  mount(settings).directory_mode = *mode;
}

void parse_timeout_sec(UnitSettings& settings, const SettingContext& context,
                       std::string_view value) {
  const auto span = unit::parse_timeout(value);
  if (!span) return context.warn_bad_value(value);
  ServiceSettings& service = settings.service.edit();
  service.timeout_start = service.timeout_stop = *span;
}

constexpr NamedParser kParsers[] = {
    {"DirectoryMode", parse_directory_mode},
    {"ForceUnmount", parse_flag<&MountSettings::force_unmount>},
    {"LazyUnmount", parse_flag<&MountSettings::lazy_unmount>},
    {"Options", parse_text<&MountSettings::options>},
    {"ReadWriteOnly", parse_flag<&MountSettings::read_write_only>},
    {"SloppyOptions", parse_flag<&MountSettings::sloppy_options>},
    {"TimeoutSec", parse_timeout_sec},
    {"Type", parse_text<&MountSettings::type>},
    {"What", parse_text<&MountSettings::what>},
    {"Where", parse_where},
};

}  // namespace

std::span<const NamedParser> mount_parsers() noexcept { return kParsers; }

}  // namespace flotilla::init
