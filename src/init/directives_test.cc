#include "init/directives.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "init/directives_parsers.h"

namespace flotilla::init {
namespace {

TEST(Directives, EveryImplementedOneHasAParserAndNoOtherHas) {
  for (const Directive* d = directives_begin(); d != directives_end(); ++d) {
    EXPECT_EQ(find_parser(d->section(), d->name()) != nullptr,
              d->status == DirectiveStatus::kImplemented || d->status == DirectiveStatus::kShown)
        << d->section() << "." << d->name();
  }
}

TEST(Directives, EveryParserIsOfAnImplementedDirective) {
  const auto check = [](std::string_view section, std::span<const NamedParser> parsers) {
    std::string_view previous;
    for (const NamedParser& parser : parsers) {
      EXPECT_LT(previous, parser.name);
      previous = parser.name;
      if (parser.name[0] == '~') continue;
      const Directive* directive = find_directive(section, parser.name);
      ASSERT_NE(directive, nullptr) << parser.name;
      EXPECT_TRUE(directive->status == DirectiveStatus::kImplemented ||
                  directive->status == DirectiveStatus::kShown)
          << parser.name;
    }
  };
  check("Unit", unit_section_parsers());
  check("Unit", action_parsers());
  check("Service", service_section_parsers());
  check("Service", exec_parsers());
  check("Service", sandbox_parsers());
  check("Service", exec_extras_parsers());
  for (const char* section : {"Service", "Slice", "Scope"}) {
    check(section, cgroup_parsers());
    check(section, cgroup_network_parsers());
  }
}

TEST(Directives, KnowsTheSectionsOfSystemd) {
  for (const char* section : {"Unit", "Service", "Socket", "Mount", "Automount", "Swap", "Timer",
                              "Path", "Slice", "Scope", "Install"}) {
    EXPECT_TRUE(is_known_section(section)) << section;
  }
  EXPECT_FALSE(is_known_section("Servic"));
  EXPECT_EQ(find_directive("Service", "ExecStat"), nullptr);
  EXPECT_EQ(find_directive("Unit", "ExecStart"), nullptr);
}

}  // namespace
}  // namespace flotilla::init
