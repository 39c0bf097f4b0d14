// What a hostile or generated unit file costs: as much as it is long, whatever it repeats. A loader
// that takes the square of it does not end within the limit that every test has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/memory_file_tree.h"
#include "init/directives.h"
#include "init/unit_loader.h"

namespace flotilla::init {
namespace {

constexpr int kLines = 20'000;
constexpr size_t kFileSize = 1'000'000;

UnitSettings load(base::MemoryFileTree& tree, const std::string& name = "a.service") {
  UnitLoaderOptions options;
  options.directories = {{"/etc/systemd/system", &tree}};
  options.host = unit::HostValues::of_system_manager();
  UnitLoader loader(std::move(options));
  return loader.load(*unit::UnitName::parse(name));
}

UnitSettings load_text(const std::string& text) {
  base::MemoryFileTree tree;
  tree.add_file("/etc/systemd/system/a.service", text);
  return load(tree);
}

// What several lines of the directive may well say, each another.
std::string value_of(std::string_view directive, int line) {
  const std::string number = std::to_string(line);
  if (directive.starts_with("Environment")) {
    return directive == "Environment" ? "V" + number + "=x" : "/etc/e" + number;
  }
  if (directive.ends_with("Environment")) return "V" + number;
  if (directive.starts_with("Exec")) return "/bin/x " + number;
  if (directive.starts_with("Condition") || directive.starts_with("Assert")) return "|/x" + number;
  if (directive.ends_with("Groups")) return "g" + number;
  if (directive.ends_with("Status")) return std::to_string(line % 256);
  if (directive.find("Path") != std::string_view::npos ||
      directive.find("Directory") != std::string_view::npos || directive == "RequiresMountsFor") {
    return "/p" + number;
  }
  if (directive == "Documentation") return "man:m" + number;
  return "u" + number + ".service";
}

TEST(LoadingBigFiles, EveryDirectiveMayStandInEveryLine) {
  for (const Directive* directive = directives_begin(); directive != directives_end();
       ++directive) {
    if (directive->status != DirectiveStatus::kImplemented) continue;
    if (directive->section() != "Unit" && directive->section() != "Service") continue;
    SCOPED_TRACE(directive->name());
    std::string text = "[Service]\nType=oneshot\nExecStart=/bin/true\n[" +
                       std::string(directive->section()) + "]\n";
    for (int i = 0; i < kLines / 4; ++i) {
      text.append(directive->name())
          .append("=")
          .append(value_of(directive->name(), i))
          .append("\n");
    }
    EXPECT_EQ(load_text(text).fragment_path(), "/etc/systemd/system/a.service");
  }
}

TEST(LoadingBigFiles, AllVariablesOfTwentyThousandLinesAreThere) {
  std::string text = "[Service]\nExecStart=/bin/true\n";
  for (int i = 0; i < kLines; ++i) text += "Environment=V" + std::to_string(i) + "=x\n";
  text += "Environment=V7=y\n";
  const UnitSettings settings = load_text(text);
  ASSERT_EQ(settings.exec->environment.size(), static_cast<size_t>(kLines));
  EXPECT_EQ(settings.exec->environment[7], "V7=y");
  EXPECT_EQ(settings.exec->environment.back(), "V19999=x");
}

TEST(LoadingBigFiles, RepeatedDependenciesCountOnceWhereTheyStandFirst) {
  std::string text = "[Unit]\nDefaultDependencies=no\nAfter=b.service a2.service\n";
  for (int i = 0; i < kLines; ++i) {
    text += "After=u" + std::to_string(i % 10'000) + ".service b.service\n";
  }
  const UnitSettings settings = load_text(text + "[Service]\nExecStart=/bin/true\n");
  const auto& after = settings.dependencies[static_cast<size_t>(Dependency::kAfter)];
  ASSERT_GE(after.size(), 10'002U);
  EXPECT_EQ(after[0].str(), "b.service");
  EXPECT_EQ(after[1].str(), "a2.service");
  EXPECT_EQ(after[2].str(), "u0.service");
  EXPECT_EQ(after[10'001].str(), "u9999.service");
  EXPECT_LE(after.size(), 10'010U);
}

TEST(LoadingBigFiles, ADirectoryMayWantThousands) {
  base::MemoryFileTree tree;
  tree.add_file("/etc/systemd/system/a.service", "[Service]\nExecStart=/bin/true\n");
  const std::string directory = "/etc/systemd/system/a.service.wants";
  ASSERT_TRUE(tree.make_directories(directory, 0755));
  for (int i = 0; i < kLines; ++i) {
    ASSERT_TRUE(tree.make_symlink("/x", directory + "/u" + std::to_string(i) + ".service"));
  }
  const UnitSettings settings = load(tree);
  EXPECT_EQ(settings.dependencies[static_cast<size_t>(Dependency::kWants)].size(),
            static_cast<size_t>(kLines));
}

TEST(LoadingBigFiles, DropInsAddUpWithoutReadingOneTwice) {
  base::MemoryFileTree tree;
  tree.add_file("/etc/systemd/system/a.service", "[Service]\nExecStart=/bin/true\n");
  for (int i = 0; i < 2000; ++i) {
    const std::string number = std::to_string(10'000 + i);
    tree.add_file("/etc/systemd/system/a.service.d/" + number + ".conf",
                  "[Service]\nEnvironment=V" + number + "=x W" + number + "=x\n");
  }
  EXPECT_EQ(load(tree).exec->environment.size(), 4000U);
}

TEST(LoadingBigFiles, SectionsWithoutEndAreReportedUpToALimit) {
  std::string text = "[Service]\nExecStart=/bin/true\n";
  for (int i = 0; text.size() < kFileSize; ++i) text += "[" + std::to_string(i) + "]\n";
  const UnitSettings settings = load_text(text);
  EXPECT_EQ(settings.load_state, LoadState::kLoaded);
  ASSERT_EQ(settings.extras->warnings.size(), 1001U);
  EXPECT_THAT(settings.extras->warnings.back(),
              testing::HasSubstr("further problems are not listed."));
}

TEST(LoadingBigFiles, ContinuedLinesAreOneLineHoweverManyThereAre) {
  std::string text = "[Unit]\nDefaultDependencies=no\nWants= \\\n";
  for (int i = 0; i < kLines; ++i) text += "u" + std::to_string(i) + ".service \\\n";
  const UnitSettings settings = load_text(text + "\n[Service]\nExecStart=/bin/true\n");
  EXPECT_EQ(settings.dependencies[static_cast<size_t>(Dependency::kWants)].size(),
            static_cast<size_t>(kLines));
}

}  // namespace
}  // namespace flotilla::init
