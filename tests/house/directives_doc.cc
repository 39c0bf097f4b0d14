// Writes docs/directives.md to its standard output, from the table of directives, their defaults
// and their parsers. The house test compares it with the file.
#include <cstdio>
#include <iterator>
#include <map>
#include <string>
#include <string_view>

#include "init/directives.h"
#include "init/directives_parsers.h"

namespace {

using flotilla::init::Directive;
using flotilla::init::DirectiveStatus;

struct Default {
  std::string_view section, name, value;
};
constexpr Default kDefaults[] = {
#include "init/directives_defaults.inc"
};

std::string_view default_of(const Directive& directive) {
  for (const Default& row : kDefaults) {
    if (row.section == directive.section() && row.name == directive.name()) return row.value;
  }
  return "";
}

std::string_view word(DirectiveStatus status) {
  switch (status) {
    case DirectiveStatus::kImplemented:
      return "yes";
    case DirectiveStatus::kShown:
      return "shown";
    case DirectiveStatus::kAccepted:
      return "accepted";
    case DirectiveStatus::kNotYet:
      break;
  }
  return "no";
}

// Where the value is read.
std::string_view place_of(const Directive& directive) {
  namespace init = flotilla::init;
  static const struct {
    std::span<const init::NamedParser> parsers;
    std::string_view file;
  } kPlaces[] = {{init::unit_section_parsers(), "directives_unit.cc"},
                 {init::service_section_parsers(), "directives_service.cc"},
                 {init::exec_parsers(), "directives_exec.cc"},
                 {init::exec_extras_parsers(), "directives_exec_extras.cc"},
                 {init::cgroup_parsers(), "directives_cgroup.cc"},
                 {init::cgroup_network_parsers(), "directives_cgroup_network.cc"},
                 {init::sandbox_parsers(), "directives_sandbox.cc"},
                 {init::mount_parsers(), "directives_mount.cc"},
                 {init::socket_parsers(), "directives_socket.cc"},
                 {init::action_parsers(), "directives_actions.cc"}};
  const auto parser = init::find_parser(directive.section(), directive.name());
  if (parser == nullptr) return "";
  for (const auto& place : kPlaces) {
    for (const init::NamedParser& candidate : place.parsers) {
      if (candidate.parse == parser) return place.file;
    }
  }
  return "other";
}

// Nothing in a cell may end it.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

constexpr const char* kHead =
    "# Directives\n"
    "\n"
    "Every directive of systemd 252, and what `flotilla-init` does with it. This page is written "
    "by\n"
    "a program (`directives_doc`, see below) from the tables that the loader itself reads.\n"
    "\n"
    "- **yes**: read, and it does what it says.\n"
    "- **shown**: read and shown by `systemctl show`, but without effect.\n"
    "- **accepted**: nothing for a running manager to do, such as what `systemctl enable` reads.\n"
    "- **no**: known, and not done yet.\n"
    "\n"
    "What is *shown* or *no* is logged when the unit is loaded and listed in its property\n"
    "`IgnoredDirectives`, and so are limits of cgroups where the kernel has no controller for "
    "them.\n"
    "A directive that is not on this page is unknown; names and sections that begin with `X-` are\n"
    "nobody's business. The last column names the file of `src/init` that reads the value; an "
    "empty\n"
    "default is an empty list, an empty text or \"not set\".\n"
    "\n"
    "To write the page anew: `ninja -C build/dev directives_doc && build/dev/tests/directives_doc "
    ">\n"
    "docs/directives.md`.\n";

void print_summary() {
  std::map<std::string_view, std::map<std::string_view, int>> counts;
  for (const Directive* d = flotilla::init::directives_begin();
       d != flotilla::init::directives_end(); ++d) {
    ++counts[d->section()][word(d->status)];
  }
  std::puts("\n| Section | yes | shown | accepted | no |\n|---|---|---|---|---|");
  for (auto& [section, by_word] : counts) {
    std::printf("| [%s] | %d | %d | %d | %d |\n", std::string(section).c_str(), by_word["yes"],
                by_word["shown"], by_word["accepted"], by_word["no"]);
  }
}

}  // namespace

int main() {
  std::fputs(kHead, stdout);
  print_summary();
  std::string_view section;
  for (const Directive* d = flotilla::init::directives_begin();
       d != flotilla::init::directives_end(); ++d) {
    if (d->section() != section) {
      section = d->section();
      std::printf("\n## [%s]\n\n| Directive | Value | Default | Done | Where |\n",
                  std::string(section).c_str());
      std::puts("|---|---|---|---|---|");
    }
    std::printf("| %s= | %s | %s | %s | %s |\n", std::string(d->name()).c_str(),
                cell(d->kind()).c_str(), cell(default_of(*d)).c_str(),
                std::string(word(d->status)).c_str(), std::string(place_of(*d)).c_str());
  }
  return 0;
}
