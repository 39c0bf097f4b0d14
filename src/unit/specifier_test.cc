#include "unit/specifier.h"

#include <gtest/gtest.h>

namespace flotilla::unit {
namespace {

std::string expand(const char* unit, std::string_view text) {
  HostValues host = HostValues::of_system_manager();
  host.host_name = "box.example.org";
  host.machine_id = "0123456789abcdef0123456789abcdef";
  host.kernel_release = "6.1.0";
  const SpecifierContext context{UnitName::parse(unit).value(), &host,
                                 "/etc/systemd/system/a.service", ""};
  auto out = expand_specifiers(text, context);
  return out ? *out : "error: " + out.error().message;
}

TEST(Specifiers, NameTheUnit) {
  EXPECT_EQ(expand("foo-bar.service", "n=%n N=%N p=%p P=%P i=%i I=%I j=%j J=%J f=%f"),
            "n=foo-bar.service N=foo-bar p=foo-bar P=foo/bar i= I= j=bar J=bar f=/foo/bar");
  EXPECT_EQ(expand("a\\x2db-c.service", "p=%p P=%P N=%N j=%j J=%J f=%f"),
            "p=a\\x2db-c P=a-b/c N=a\\x2db-c j=c J=c f=/a-b/c");
  EXPECT_EQ(expand("a-b@x-y\\x20z.service", "n=%n N=%N p=%p i=%i I=%I j=%j f=%f"),
            "n=a-b@x-y\\x20z.service N=a-b@x-y\\x20z p=a-b i=x-y\\x20z I=x/y z j=b f=/x/y z");
  EXPECT_EQ(expand("t@.service", "[%i] %p"), "[] t");
}

TEST(Specifiers, NameTheManagersDirectoriesAndUser) {
  EXPECT_EQ(expand("a.service", "t=%t S=%S C=%C L=%L E=%E T=%T V=%V"),
            "t=/run S=/var/lib C=/var/cache L=/var/log E=/etc T=/tmp V=/var/tmp");
  EXPECT_EQ(expand("a.service", "%u %U %g %G %h"), "root 0 root 0 /root");
}

TEST(Specifiers, NameTheMachine) {
  EXPECT_EQ(expand("a.service", "%H %l %m %v [%A]"),
            "box.example.org box 0123456789abcdef0123456789abcdef 6.1.0 []");
}

TEST(Specifiers, NameTheFragment) {
  EXPECT_EQ(expand("a.service", "y=%y Y=%Y"),
            "y=/etc/systemd/system/a.service Y=/etc/systemd/system");
}

TEST(Specifiers, StrayPercentSignsStay) {
  EXPECT_EQ(expand("a.service", "100%% 5% x %- %"), "100% 5% x %- %");
  EXPECT_EQ(expand("a.service", "%%n"), "%n");
  EXPECT_EQ(expand("a.service", ""), "");
}

TEST(Specifiers, AnUnknownOneIsAnError) {
  EXPECT_EQ(expand("a.service", "x %Q"), "error: specifiers of \"x %Q\": unknown specifier \"%Q\"");
  EXPECT_EQ(expand("a.service", "%0"), "error: specifiers of \"%0\": unknown specifier \"%0\"");
}

TEST(Specifiers, OneWithoutAValueIsAnError) {
  EXPECT_EQ(expand("a.service", "%b"), "error: specifiers of \"%b\": \"%b\" has no value here");
  EXPECT_EQ(expand("a.service", "%d"), "error: specifiers of \"%d\": \"%d\" has no value here");
  const SpecifierContext bare{UnitName::parse("a.service").value(), nullptr, "", ""};
  EXPECT_EQ(expand_specifiers("%n", bare).value(), "a.service");
  EXPECT_FALSE(expand_specifiers("%t", bare).has_value());
  EXPECT_FALSE(expand_specifiers("%y", bare).has_value());
  EXPECT_FALSE(expand_specifiers("%Y", bare).has_value());
}

TEST(Specifiers, TheResultHasALimit) {
  const SpecifierContext bare{UnitName::parse("a.service").value(), nullptr, "", ""};
  EXPECT_EQ(expand_specifiers("%n%n", bare, 18).value().size(), 18U);
  EXPECT_EQ(expand_specifiers("%n%n", bare, 17).error().code, base::Errc::kTooLarge);
}

}  // namespace
}  // namespace flotilla::unit
