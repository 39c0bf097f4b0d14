#include "init/bus_unit_files.h"

#include <gmock/gmock.h>

#include "base/memory_file_tree.h"

namespace flotilla::init {
namespace {

using Lifetime = UnitFileLinks::Lifetime;
using Force = UnitFileLinks::Force;

class UnitFiles : public testing::Test {
 protected:
  UnitFiles() {
    tree_.add_file("/lib/a.service",
                   "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
                   "Alias=b.service\n");
    tree_.add_file("/lib/plain.service", "[Service]\nExecStart=/bin/true\n");
    tree_.add_file("/lib/t@.service",
                   "[Service]\nExecStart=/bin/true\n[Install]\nRequiredBy=x.target\n");
    tree_.add_file("/srv/far.service",
                   "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=x.target\n");
  }

  static std::vector<std::string> files_of(const std::vector<UnitFileChange>& changes) {
    std::vector<std::string> files;
    for (const UnitFileChange& change : changes) files.push_back(change.file);
    return files;
  }

  base::MemoryFileTree tree_;
  UnitFileLinks links_{
      tree_, {{{"/run/u", &tree_}, {"/etc/u", &tree_}, {"/lib", &tree_}}, "/run/u", "/etc/u"}};
};

TEST_F(UnitFiles, EnablingMakesTheLinksOfTheInstallSectionOnce) {
  EXPECT_EQ(links_.state_of("a.service").value_or(""), "disabled");
  auto enabled = links_.enable({"a.service"}, Lifetime::kLasting, Force::kNo);
  ASSERT_TRUE(enabled.has_value()) << enabled.error().message;
  EXPECT_TRUE(enabled->carries_install_info);
  EXPECT_THAT(files_of(enabled->changes),
              testing::ElementsAre("/etc/u/multi-user.target.wants/a.service", "/etc/u/b.service"));
  EXPECT_EQ(links_.state_of("a.service").value_or(""), "enabled");
  EXPECT_EQ(links_.state_of("b.service").value_or(""), "alias");
  auto again = links_.enable({"a.service"}, Lifetime::kLasting, Force::kNo);
  ASSERT_TRUE(again.has_value());
  EXPECT_THAT(again->changes, testing::IsEmpty());
}

TEST_F(UnitFiles, DisablingRemovesEveryLinkAndEmptyDirectory) {
  ASSERT_TRUE(links_.enable({"a.service"}, Lifetime::kRuntime, Force::kNo).has_value());
  EXPECT_EQ(links_.state_of("a.service").value_or(""), "enabled-runtime");
  auto disabled = links_.disable({"a.service"}, Lifetime::kRuntime);
  ASSERT_TRUE(disabled.has_value());
  EXPECT_EQ(disabled->size(), 2U);
  EXPECT_FALSE(tree_.stat("/run/u/multi-user.target.wants").has_value());
  EXPECT_EQ(links_.state_of("a.service").value_or(""), "disabled");
}

TEST_F(UnitFiles, AFileFromElsewhereIsLinkedAndUnlinked) {
  auto enabled = links_.enable({"/srv/far.service"}, Lifetime::kRuntime, Force::kYes);
  ASSERT_TRUE(enabled.has_value()) << enabled.error().message;
  EXPECT_THAT(files_of(enabled->changes),
              testing::ElementsAre("/run/u/far.service", "/run/u/x.target.wants/far.service"));
  auto disabled = links_.disable({"far.service"}, Lifetime::kRuntime);
  ASSERT_TRUE(disabled.has_value());
  EXPECT_EQ(disabled->size(), 2U);
  EXPECT_EQ(links_.state_of("far.service").error().bus_name,
            "org.freedesktop.DBus.Error.FileNotFound");
}

TEST_F(UnitFiles, TemplatesAreEnabledByInstance) {
  EXPECT_FALSE(links_.enable({"t@.service"}, Lifetime::kLasting, Force::kNo).has_value());
  auto enabled = links_.enable({"t@one.service"}, Lifetime::kLasting, Force::kNo);
  ASSERT_TRUE(enabled.has_value()) << enabled.error().message;
  EXPECT_THAT(files_of(enabled->changes),
              testing::ElementsAre("/etc/u/x.target.requires/t@one.service"));
  EXPECT_EQ(links_.disable({"t@.service"}, Lifetime::kLasting)->size(), 1U);
}

TEST_F(UnitFiles, TellsTheStateOfEveryFile) {
  ASSERT_TRUE(tree_.make_directories("/etc/u", 0755).has_value());
  ASSERT_TRUE(tree_.make_symlink("/dev/null", "/etc/u/gone.service").has_value());
  EXPECT_EQ(links_.state_of("gone.service").value_or(""), "masked");
  EXPECT_EQ(links_.state_of("plain.service").value_or(""), "static");
  EXPECT_EQ(links_.list().size(), 4U);
  auto masked = links_.enable({"gone.service"}, Lifetime::kLasting, Force::kNo);
  ASSERT_FALSE(masked.has_value());
  EXPECT_EQ(masked.error().bus_name, "org.freedesktop.systemd1.UnitMasked");
  auto missing = links_.enable({"no.service"}, Lifetime::kLasting, Force::kNo);
  EXPECT_EQ(missing.error().message, "Unit file no.service does not exist.");
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
}

}  // namespace
}  // namespace flotilla::init
