#include "init/bus_unit_files.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>

#include "base/memory_file_tree.h"
#include "base/rooted_file_tree.h"

namespace flotilla::init {
namespace {

using Lifetime = UnitFileLinks::Lifetime;
using Force = UnitFileLinks::Force;

class UnitFiles : public testing::Test {
 protected:
  UnitFiles() {
    tree_.add_file("/usr/lib/u/a.service",
                   "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
                   "Alias=b.service\n");
    tree_.add_file("/usr/lib/u/plain.service", "[Service]\nExecStart=/bin/true\n");
    tree_.add_file("/usr/lib/u/t@.service",
                   "[Service]\nExecStart=/bin/true\n[Install]\nRequiredBy=x.target\n");
    tree_.add_file("/srv/far.service",
                   "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=x.target\n");
  }

  base::MemoryFileTree tree_;
  UnitFileLinks links_{tree_,
                       {{{"/etc/u", &tree_}, {"/run/u", &tree_}, {"/usr/lib/u", &tree_}},
                        "/run/u",
                        "/etc/u",
                        {"/etc/p"},
                        nullptr}};
};

// The type and place of each change, one a line.
std::string text_of(const UnitFileLinks::Changes& changes) {
  std::string text;
  for (const UnitFileChange& change : changes) {
    text += change.type + " " + change.file;
    if (!change.destination.empty()) text += " " + change.destination;
    text += "\n";
  }
  return text;
}

TEST_F(UnitFiles, EnablingMakesTheLinksOfTheInstallSectionOnce) {
  EXPECT_EQ(links_.state_of("a.service").value_or(""), "disabled");
  auto enabled = links_.enable({"a.service"}, Lifetime::kLasting, Force::kNo);
  ASSERT_TRUE(enabled.has_value()) << enabled.error().message;
  EXPECT_TRUE(enabled->carries_install_info);
  EXPECT_EQ(text_of(enabled->changes),
            "symlink /etc/u/b.service /usr/lib/u/a.service\n"
            "symlink /etc/u/multi-user.target.wants/a.service /usr/lib/u/a.service\n");
  EXPECT_EQ(links_.state_of("a.service").value_or(""), "enabled");
  EXPECT_EQ(links_.state_of("b.service").value_or(""), "alias");
  auto again = links_.enable({"a.service"}, Lifetime::kLasting, Force::kNo);
  ASSERT_TRUE(again.has_value());
  EXPECT_THAT(again->changes, testing::IsEmpty());
}

TEST_F(UnitFiles, DisablingRemovesEveryLinkAndEmptyDirectory) {
  ASSERT_TRUE(links_.enable({"a.service"}, Lifetime::kRuntime, Force::kNo).has_value());
  EXPECT_EQ(links_.state_of("a.service").value_or(""), "enabled-runtime");
  EXPECT_EQ(links_.disable({"a.service"}, Lifetime::kLasting)->size(), 0U);
  EXPECT_EQ(links_.links_of("a.service", Lifetime::kRuntime).size(), 2U);
  auto disabled = links_.disable({"a.service"}, Lifetime::kRuntime);
  ASSERT_TRUE(disabled.has_value());
  EXPECT_EQ(disabled->size(), 2U);
  EXPECT_FALSE(tree_.stat("/run/u/multi-user.target.wants").has_value());
  EXPECT_EQ(links_.state_of("a.service").value_or(""), "disabled");
}

TEST_F(UnitFiles, AFileFromElsewhereIsLinkedAndUnlinked) {
  auto enabled = links_.enable({"/srv/far.service"}, Lifetime::kRuntime, Force::kYes);
  ASSERT_TRUE(enabled.has_value()) << enabled.error().message;
  EXPECT_EQ(text_of(enabled->changes),
            "symlink /run/u/far.service /srv/far.service\n"
            "symlink /run/u/x.target.wants/far.service /srv/far.service\n"
            "destination not present x.target /srv/far.service\n");
  auto disabled = links_.disable({"far.service"}, Lifetime::kRuntime);
  ASSERT_TRUE(disabled.has_value());
  EXPECT_EQ(disabled->size(), 2U);
  EXPECT_EQ(links_.state_of("far.service").error().bus_name,
            "org.freedesktop.DBus.Error.FileNotFound");
  EXPECT_EQ(text_of(*links_.link({"/srv/far.service"}, Lifetime::kLasting, Force::kNo)),
            "symlink /etc/u/far.service /srv/far.service\n");
  EXPECT_EQ(links_.state_of("far.service").value_or(""), "linked");
  EXPECT_EQ(links_.link({"/srv/far"}, Lifetime::kLasting, Force::kNo).error().message,
            "\"/srv/far\" is not a valid unit name.");
}

TEST_F(UnitFiles, TemplatesAreEnabledByInstance) {
  EXPECT_EQ(links_.enable({"t@.service"}, Lifetime::kLasting, Force::kNo).error().message,
            "Destination unit x.target is a non-template unit.");
  auto enabled = links_.enable({"t@one.service"}, Lifetime::kLasting, Force::kNo);
  ASSERT_TRUE(enabled.has_value()) << enabled.error().message;
  EXPECT_EQ(enabled->changes[0].file, "/etc/u/x.target.requires/t@one.service");
  EXPECT_EQ(links_.state_of("t@one.service").value_or(""), "enabled");
  EXPECT_EQ(links_.state_of("t@two.service").value_or(""), "disabled");
  EXPECT_EQ(links_.state_of("t@.service").value_or(""), "indirect");
  EXPECT_EQ(links_.disable({"t@.service"}, Lifetime::kLasting)->size(), 1U);
}

TEST_F(UnitFiles, ADefaultInstanceStandsForItsTemplate) {
  tree_.add_file("/usr/lib/u/d@.service",
                 "[Install]\nWantedBy=y@%i.target\nAlias=e@.service f@%i.service\n"
                 "DefaultInstance=main\n");
  auto enabled = links_.enable({"d@.service"}, Lifetime::kLasting, Force::kNo);
  ASSERT_TRUE(enabled.has_value()) << enabled.error().message;
  EXPECT_EQ(enabled->changes[0].file, "/etc/u/e@.service");
  EXPECT_EQ(enabled->changes[1].file, "/etc/u/f@main.service");
  EXPECT_EQ(enabled->changes[2].file, "/etc/u/y@main.target.wants/d@main.service");
  EXPECT_EQ(links_.state_of("d@.service").value_or(""), "enabled");
}

TEST_F(UnitFiles, AlsoIsEnabledAndDisabledWithTheUnitThatNamesIt) {
  tree_.add_file("/usr/lib/u/p.service", "[Install]\nAlso=q.service gone.service\n");
  tree_.add_file("/usr/lib/u/q.service",
                 "[Install]\nWantedBy=multi-user.target\nUpheldBy=multi-user.target\n");
  EXPECT_EQ(links_.state_of("p.service").value_or(""), "indirect");
  auto enabled = links_.enable({"p.service"}, Lifetime::kLasting, Force::kNo);
  ASSERT_TRUE(enabled.has_value()) << enabled.error().message;
  EXPECT_EQ(text_of(enabled->changes),
            "symlink /etc/u/multi-user.target.wants/q.service /usr/lib/u/q.service\n"
            "symlink /etc/u/multi-user.target.upholds/q.service /usr/lib/u/q.service\n"
            "auxiliary unit failed gone.service\n");
  EXPECT_EQ(links_.disable({"p.service"}, Lifetime::kLasting)->size(), 2U);
}

TEST_F(UnitFiles, SaysWhyItCannotEnable) {
  struct Case {
    const char *install, *error;
  };
  const Case cases[] = {
      {"WantedBy=a/b.target", "\"a/b.target\" is not a valid unit name."},
      {"WantedBy=%Z.target", "Invalid specifier in %Z.target."},
      {"Alias=c.target", "Cannot alias c.service as c.target."},
      {"Alias=c@.service", "Cannot alias c.service as c@.service."},
      {"Alias=x.target.wants/d.service", "Cannot alias c.service as x.target.wants/d.service."},
      {"Alias=bad/c.service", "Invalid unit reference bad/c.service."},
      {"Also=%i.service", "File c.service: Invalid argument"},
      {"Alias=own.service", "File /etc/u/own.service already exists."},
  };
  tree_.add_file("/etc/u/own.service", "[Unit]\n");
  for (const Case& one : cases) {
    tree_.add_file("/usr/lib/u/c.service", std::string("[Install]\n") + one.install + "\n");
    const auto enabled = links_.enable({"c.service"}, Lifetime::kLasting, Force::kNo);
    ASSERT_FALSE(enabled.has_value()) << one.install;
    EXPECT_EQ(enabled.error().message, one.error);
  }
  EXPECT_EQ(links_.enable({"x"}, Lifetime::kLasting, Force::kNo).error().message,
            "File x: Invalid argument");
}

TEST_F(UnitFiles, AnAliasLinkIsNotEnabledAndAnotherOneIsReplacedByForceAlone) {
  ASSERT_TRUE(links_.enable({"a.service"}, Lifetime::kLasting, Force::kNo).has_value());
  EXPECT_EQ(links_.enable({"b.service"}, Lifetime::kLasting, Force::kNo).error().message,
            "Refusing to operate on alias name or linked unit file: b.service");
  tree_.add_file("/usr/lib/u/c.service", "[Install]\nAlias=b.service\n");
  EXPECT_EQ(links_.enable({"c.service"}, Lifetime::kLasting, Force::kNo).error().message,
            "File /etc/u/b.service already exists and is a symlink to /usr/lib/u/a.service.");
  EXPECT_EQ(text_of(links_.enable({"c.service"}, Lifetime::kLasting, Force::kYes)->changes),
            "unlink /etc/u/b.service\nsymlink /etc/u/b.service /usr/lib/u/c.service\n");
}

TEST_F(UnitFiles, TellsTheStateOfEveryFile) {
  ASSERT_TRUE(tree_.make_directories("/etc/u", 0755).has_value());
  ASSERT_TRUE(tree_.make_symlink("/dev/null", "/etc/u/gone.service").has_value());
  ASSERT_TRUE(tree_.make_symlink("/srv/none.service", "/etc/u/dangling.service").has_value());
  tree_.add_file("/etc/u/empty.service", "");
  tree_.add_file("/etc/u/bad.service", "[Service\n");
  EXPECT_EQ(links_.state_of("gone.service").value_or(""), "masked");
  EXPECT_EQ(links_.state_of("empty.service").value_or(""), "masked");
  EXPECT_EQ(links_.state_of("plain.service").value_or(""), "static");
  EXPECT_EQ(links_.state_of("bad.service").error().message, "Bad message");
  EXPECT_EQ(links_.list().size(), 7U);
  EXPECT_EQ(links_.list([](const std::string& name) { return name[0] == 'd'; })[0].state, "bad");
  auto masked = links_.enable({"gone.service"}, Lifetime::kLasting, Force::kNo);
  ASSERT_FALSE(masked.has_value());
  EXPECT_EQ(masked.error().bus_name, "org.freedesktop.systemd1.UnitMasked");
  auto missing = links_.enable({"no.service"}, Lifetime::kLasting, Force::kNo);
  EXPECT_EQ(missing.error().message, "Unit file no.service does not exist.");
  EXPECT_EQ(links_.disable({"dangling.service"}, Lifetime::kLasting)->size(), 1U);
}

TEST_F(UnitFiles, MasksAndUnmasks) {
  tree_.add_file("/etc/u/own.service", "[Unit]\n");
  EXPECT_EQ(text_of(*links_.mask({"a.service", "new.service"}, Lifetime::kLasting, Force::kNo)),
            "symlink /etc/u/a.service /dev/null\nsymlink /etc/u/new.service /dev/null\n");
  EXPECT_EQ(links_.mask({"own.service"}, Lifetime::kLasting, Force::kYes).error().message,
            "File /etc/u/own.service already exists.");
  EXPECT_EQ(text_of(*links_.disable({"a.service"}, Lifetime::kLasting)),
            "masked /etc/u/a.service\n");
  EXPECT_EQ(text_of(*links_.unmask({"a.service", "own.service", "no.service"}, Lifetime::kLasting)),
            "unlink /etc/u/a.service\n");
  ASSERT_TRUE(links_.mask({"a.service"}, Lifetime::kRuntime, Force::kNo).has_value());
  EXPECT_EQ(links_.state_of("a.service").value_or(""), "masked-runtime");
}

TEST_F(UnitFiles, RevertGoesBackToWhatTheVendorShipped) {
  tree_.add_file("/etc/u/a.service", "[Unit]\n");
  tree_.add_file("/etc/u/a.service.d/1.conf", "[Unit]\n");
  tree_.add_file("/run/u/a.service.d/2.conf", "[Unit]\n");
  tree_.add_file("/usr/lib/u/a.service.d/3.conf", "[Unit]\n");
  tree_.add_file("/etc/u/own.service", "[Unit]\n");
  EXPECT_EQ(text_of(*links_.revert({"a.service", "own.service", "no.service"})),
            "unlink /etc/u/a.service.d/1.conf\nunlink /etc/u/a.service.d\n"
            "unlink /run/u/a.service.d/2.conf\nunlink /run/u/a.service.d\n"
            "unlink /etc/u/a.service\n");
}

TEST_F(UnitFiles, PresetsTellOfWhatIsMaskedByItsFile) {
  tree_.add_file("/etc/p/1.preset", "enable on.service\ndisable *\n");
  ASSERT_TRUE(tree_.make_directories("/etc/u", 0755).has_value());
  ASSERT_TRUE(tree_.make_symlink("/dev/null", "/etc/u/on.service").has_value());
  ASSERT_TRUE(tree_.make_symlink("/dev/null", "/etc/u/off.service").has_value());
  using Mode = UnitFileLinks::PresetMode;
  const auto one = [&](const char* name, Mode mode) {
    const auto done = links_.preset({name}, Lifetime::kLasting, mode, Force::kNo);
    return done ? text_of(done->changes) : done.error().bus_name;
  };
  EXPECT_EQ(one("off.service", Mode::kFull), "masked /etc/u/off.service\n");
  EXPECT_EQ(one("off.service", Mode::kEnableOnly), "");
  EXPECT_EQ(one("on.service", Mode::kDisableOnly), "org.freedesktop.systemd1.UnitMasked");
  const auto all = [&](Mode mode) {
    const auto done = links_.preset_all(Lifetime::kLasting, mode, Force::kNo);
    return done ? text_of(*done) : done.error().message;
  };
  EXPECT_EQ(all(Mode::kDisableOnly), "masked /etc/u/off.service\n");
}

TEST_F(UnitFiles, PresetsEnableAndDisable) {
  tree_.add_file("/etc/p/1.preset", "enable a.service\nenable t@.service x y\ndisable *\n");
  tree_.add_file("/usr/lib/u/off.service", "[Install]\nWantedBy=multi-user.target\n");
  ASSERT_TRUE(links_.enable({"off.service"}, Lifetime::kLasting, Force::kNo).has_value());
  EXPECT_EQ(links_.preset_of("a.service"), "enabled");
  EXPECT_EQ(links_.preset_of("off.service"), "disabled");
  const UnitFileLinks::Names names{"a.service", "off.service"};
  const auto only =
      links_.preset(names, Lifetime::kLasting, UnitFileLinks::PresetMode::kEnableOnly, Force::kNo);
  EXPECT_EQ(only->changes.size(), 2U);
  const auto all =
      links_.preset_all(Lifetime::kLasting, UnitFileLinks::PresetMode::kFull, Force::kNo);
  ASSERT_TRUE(all.has_value()) << all.error().message;
  EXPECT_EQ(text_of(*all),
            "unlink /etc/u/multi-user.target.wants/off.service\n"
            "symlink /etc/u/x.target.requires/t@x.service /usr/lib/u/t@.service\n"
            "destination not present x.target /usr/lib/u/t@.service\n"
            "symlink /etc/u/x.target.requires/t@y.service /usr/lib/u/t@.service\n"
            "destination not present x.target /usr/lib/u/t@.service\n");
}

TEST_F(UnitFiles, AddsADependencyWithoutAnInstallSection) {
  tree_.add_file("/usr/lib/u/x.target", "[Unit]\n");
  const auto add = [&](const std::string& unit, const std::string& target) {
    return links_.add_dependencies({unit}, target, UnitFileLinks::DependencyKind::kRequires,
                                   Lifetime::kLasting, Force::kNo);
  };
  EXPECT_EQ(text_of(*add("plain.service", "x.target")),
            "symlink /etc/u/x.target.requires/plain.service /usr/lib/u/plain.service\n");
  EXPECT_EQ(add("plain.service", "no.target").error().message,
            "Unit file no.target does not exist.");
  EXPECT_EQ(links_.state_of("plain.service").value_or(""), "enabled");
}

TEST_F(UnitFiles, SetsTheDefaultTarget) {
  tree_.add_file("/usr/lib/u/x.target", "[Unit]\n");
  EXPECT_EQ(links_.default_target().value_or(""), "multi-user.target");
  EXPECT_EQ(text_of(*links_.set_default_target("x.target", Force::kNo)),
            "symlink /etc/u/default.target /usr/lib/u/x.target\n");
  EXPECT_EQ(links_.default_target().value_or(""), "x.target");
  EXPECT_FALSE(links_.set_default_target("graphical.target", Force::kNo).has_value());
  EXPECT_EQ(links_.set_default_target("a.service", Force::kNo).error().message, "Invalid argument");
}

TEST_F(UnitFiles, DisablingWhatIsNotThereSaysSo) {
  const auto disabled = links_.disable({"no.service"}, Lifetime::kLasting);
  ASSERT_FALSE(disabled.has_value());
  EXPECT_EQ(disabled.error().message, "Unit file no.service does not exist.");
  EXPECT_TRUE(links_.disable({"plain.service"}, Lifetime::kLasting).has_value());
}

TEST_F(UnitFiles, RefusesNamesThatLeadElsewhere) {
  EXPECT_FALSE(links_.enable({"../a.service"}, Lifetime::kLasting, Force::kNo).has_value());
  EXPECT_FALSE(links_.disable({"../a.service"}, Lifetime::kLasting).has_value());
  EXPECT_FALSE(links_.disable({"a\n.service"}, Lifetime::kLasting).has_value());
  EXPECT_FALSE(links_.mask({"../a.service"}, Lifetime::kLasting, Force::kNo).has_value());
  EXPECT_FALSE(links_.revert({"a/../b.service"}).has_value());
}

// A client of a manager below a root names files as it sees them itself.
TEST(UnitFilesBelowARoot, APathThatBeginsWithTheRootIsTheFileInTheTree) {
  char pattern[] = "/tmp/flotilla-files-XXXXXX";
  const std::string root = ::mkdtemp(pattern);
  {
    const auto tree = std::move(base::RootedFileTree::open(root)).value();
    ASSERT_TRUE(tree->make_directories("/run/fleet", 0755).has_value());
    ASSERT_TRUE(tree->write_atomic("/run/fleet/far.service",
                                   "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=x.target\n",
                                   0644)
                    .has_value());
    UnitFileLinks links{
        *tree, {{{"/etc/u", tree.get()}, {"/run/u", tree.get()}}, "/run/u", "/etc/u", {}, nullptr}};
    const std::string given = tree->host_path("/run/fleet/far.service");
    auto enabled = links.enable({given}, Lifetime::kLasting, Force::kNo);
    ASSERT_TRUE(enabled.has_value()) << enabled.error().message;
    EXPECT_EQ(tree->read_link("/etc/u/far.service").value_or(""), "/run/fleet/far.service");
    EXPECT_EQ(tree->read_link("/etc/u/x.target.wants/far.service").value_or(""),
              "/run/fleet/far.service");
    // What does not begin with the root is a path in the tree already.
    auto again = links.enable({"/run/fleet/far.service"}, Lifetime::kLasting, Force::kNo);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(text_of(again->changes).find("symlink"), std::string::npos);
  }
  std::filesystem::remove_all(root);
}

TEST_F(UnitFiles, DisablingRemovesTheLinksOfWhatIsGoneAndElseSaysThatItIs) {
  ASSERT_TRUE(tree_.make_directories("/etc/u/x.target.wants", 0755));
  ASSERT_TRUE(tree_.make_symlink("/usr/lib/u/gone.service", "/etc/u/x.target.wants/gone.service"));
  const auto disabled = links_.disable({"none.service", "gone.service"}, Lifetime::kLasting);
  ASSERT_TRUE(disabled.has_value()) << disabled.error().message;
  EXPECT_EQ(text_of(*disabled), "unlink /etc/u/x.target.wants/gone.service\n");
  const auto nothing = links_.disable({"plain.service", "none.service"}, Lifetime::kLasting);
  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().message, "Unit file none.service does not exist.");
}

TEST_F(UnitFiles, WhatIsNoLegalAliasIsRefused) {
  ASSERT_TRUE(tree_.make_directories("/etc/u", 0755));
  ASSERT_TRUE(tree_.make_symlink("/usr/lib/u/t@.service", "/etc/u/p.service"));
  ASSERT_TRUE(tree_.make_symlink("/usr/lib/u/plain.service", "/etc/u/plain.service"));
  ASSERT_TRUE(tree_.make_symlink("nothing.service", "/etc/u/d.service"));
  EXPECT_EQ(links_.state_of("p.service").error().error_number, EXDEV);
  EXPECT_EQ(links_.state_of("plain.service").error().error_number, ELOOP);
  EXPECT_EQ(links_.state_of("d.service").error().error_number, ENOLINK);
  EXPECT_EQ(links_.enable({"p.service"}, Lifetime::kLasting, Force::kNo).error().message,
            "Invalid unit reference p.service.");
  EXPECT_FALSE(links_.disable({"p.service"}, Lifetime::kLasting).has_value());
  EXPECT_TRUE(tree_.lstat("/etc/u/p.service"));
  const auto disabled = links_.disable({"d.service"}, Lifetime::kLasting);
  ASSERT_TRUE(disabled.has_value()) << disabled.error().message;
  EXPECT_EQ(text_of(*disabled), "dangling /etc/u/d.service\nunlink /etc/u/d.service\n");
}

}  // namespace
}  // namespace flotilla::init
