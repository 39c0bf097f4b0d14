#include "unit/specifier.h"

#include "unit/escape.h"

namespace flotilla::unit {
namespace {

using HostField = std::optional<std::string> HostValues::*;

HostField host_field(char letter) noexcept {
  switch (letter) {
    case 'a':
      return &HostValues::architecture;
    case 'A':
      return &HostValues::image_version;
    case 'b':
      return &HostValues::boot_id;
    case 'B':
      return &HostValues::build_id;
    case 'C':
      return &HostValues::cache_directory;
    case 'E':
      return &HostValues::configuration_directory;
    case 'g':
      return &HostValues::group;
    case 'G':
      return &HostValues::gid;
    case 'h':
      return &HostValues::home;
    case 'H':
    case 'l':
      return &HostValues::host_name;
    case 'L':
      return &HostValues::log_directory;
    case 'm':
      return &HostValues::machine_id;
    case 'M':
      return &HostValues::image_id;
    case 'o':
      return &HostValues::os_id;
    case 'q':
      return &HostValues::pretty_host_name;
    case 's':
      return &HostValues::shell;
    case 'S':
      return &HostValues::state_directory;
    case 't':
      return &HostValues::runtime_directory;
    case 'T':
      return &HostValues::temporary_directory;
    case 'u':
      return &HostValues::user;
    case 'U':
      return &HostValues::uid;
    case 'v':
      return &HostValues::kernel_release;
    case 'V':
      return &HostValues::large_temporary_directory;
    case 'w':
      return &HostValues::version_id;
    case 'W':
      return &HostValues::variant_id;
    default:
      return nullptr;
  }
}

// The prefix behind its last "-".
std::string_view last_component(std::string_view prefix) {
  const std::size_t dash = prefix.rfind('-');
  return dash == std::string_view::npos ? prefix : prefix.substr(dash + 1);
}

base::Result<std::string> known(char letter, const std::string& value) {
  if (value.empty()) return base::invalid("\"%{}\" has no value here", letter);
  return value;
}

base::Result<std::string> value_of(char letter, const SpecifierContext& context) {
  const UnitName& name = context.name;
  switch (letter) {
    case 'n':
      return name.str();
    case 'N':
      return std::string(name.stem());
    case 'p':
      return std::string(name.prefix());
    case 'P':
      return unescape_name(name.prefix());
    case 'i':
      return std::string(name.instance());
    case 'I':
      return unescape_name(name.instance());
    case 'j':
      return std::string(last_component(name.prefix()));
    case 'J':
      return unescape_name(last_component(name.prefix()));
    case 'f':
      return unescape_path(name.is_instance() ? name.instance() : name.prefix());
    case 'y':
      return known(letter, context.fragment_path);
    case 'Y':
      return known(
          letter, context.fragment_path.substr(
                      0, std::min(context.fragment_path.rfind('/'), context.fragment_path.size())));
    case 'd':
      return known(letter, context.credentials_directory);
    // Of the days of one hierarchy for each controller: the group of the unit, its slice's, ours.
    case 'c':
      return "/" + name.str();
    case 'r':
    case 'R':
      return std::string();
    default:
      break;
  }
  const HostField field = host_field(letter);
  if (field == nullptr) return base::invalid("unknown specifier \"%{}\"", letter);
  if (context.host == nullptr || !(context.host->*field)) {
    return base::invalid("\"%{}\" has no value here", letter);
  }
  const std::string& value = *(context.host->*field);
  return letter == 'l' ? value.substr(0, value.find('.')) : value;
}

bool may_be_specifier(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

HostValues HostValues::of_system_manager() {
  HostValues values;
  values.image_version = "";
  values.build_id = "";
  values.cache_directory = "/var/cache";
  values.configuration_directory = "/etc";
  values.group = "root";
  values.gid = "0";
  values.home = "/root";
  values.log_directory = "/var/log";
  values.image_id = "";
  values.shell = "/bin/bash";
  values.state_directory = "/var/lib";
  values.runtime_directory = "/run";
  values.temporary_directory = "/tmp";
  values.user = "root";
  values.uid = "0";
  values.large_temporary_directory = "/var/tmp";
  values.version_id = "";
  values.variant_id = "";
  return values;
}

base::Result<std::string> expand_specifiers(std::string_view text, const SpecifierContext& context,
                                            std::size_t max_length) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
    } else if (i + 1 == text.size() || !may_be_specifier(text[i + 1])) {
      out += '%';
      if (i + 1 < text.size() && text[i + 1] == '%') ++i;
    } else {
      ++i;
      auto value = value_of(text[i], context);
      if (!value) {
        return base::in_context(std::move(value).error(), "specifiers of \"{}\"",
                                printable(text.substr(0, 80)));
      }
      out += *value;
    }
    if (out.size() > max_length) {
      return base::too_large("the expanded value is longer than {} bytes", max_length);
    }
  }
  return out;
}

}  // namespace flotilla::unit
