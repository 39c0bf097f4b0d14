#include "fctl/completion.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "fctl/commands.h"
#include "fctl/fleetctl_test.h"

namespace flotilla::fctl {
namespace {

class Completion : public FleetctlTest {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/flotilla-completion-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    std::ofstream(folder + "/bash") << bash_completion();
    std::ofstream(folder + "/zsh") << zsh_completion();
    std::ofstream(folder + "/fleetctl")
        << "#!/bin/sh\ncase $1 in\nlist-unit-files) echo hello.service; echo web@1.service ;;\n"
           "list-machines) echo 113f16a7 ;;\nesac\n";
    std::filesystem::permissions(folder + "/fleetctl", std::filesystem::perms::owner_all);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  // What a shell prints, both streams.
  static std::string output_of(const std::string& command) {
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen((command + " 2>&1").c_str(), "r"),
                                                     pclose);
    std::string text;
    std::array<char, 256> piece{};
    while (fgets(piece.data(), piece.size(), pipe.get()) != nullptr) text += piece.data();
    return text;
  }
  // The answers of bash to the last of the words, one in each line.
  std::string answers(const std::string& words) const {
    return output_of("PATH=" + folder + ":$PATH bash -c '. " + folder + "/bash; COMP_WORDS=(" +
                     words +
                     "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _fleetctl; "
                     "printf \"%s\\n\" \"${COMPREPLY[@]}\"'");
  }

  std::string folder;
};

TEST_F(Completion, KnowsEveryCommandAndFlag) {
  for (const std::string& script : {bash_completion(), zsh_completion()}) {
    for (const Command& command : all_commands()) {
      if (command.listed != Command::Listed::kYes) continue;
      EXPECT_NE(script.find(command.name), std::string::npos) << command.name;
      for (const std::string_view flag : command.flags) {
        if (flag.size() < 2) continue;
        EXPECT_NE(script.find("--" + std::string(flag)), std::string::npos) << flag;
      }
    }
    EXPECT_EQ(script.find('@' + std::string("COMMANDS")), std::string::npos);
  }
}

TEST_F(Completion, BashCompletesCommandsFlagsAndUnits) {
  EXPECT_EQ(answers("fleetctl list-u"), "list-unit-files\nlist-units\n");
  EXPECT_EQ(answers("fleetctl start --bl"), "--block-attempts=\n");
  EXPECT_EQ(answers("fleetctl --endpoint = unix:///x status he"), "hello.service\n");
  EXPECT_EQ(answers("fleetctl stop \"\""), "hello.service\nweb@1.service\n");
  EXPECT_EQ(answers("fleetctl ssh 11"), "113f16a7\n");
  EXPECT_EQ(answers("fleetctl help ver"), "version\n");
  EXPECT_EQ(answers("fleetctl fd-forward " + folder + "/fl"), folder + "/fleetctl\n");
}

TEST_F(Completion, ZshCanReadIt) {
  if (std::system("command -v zsh >/dev/null") != 0) GTEST_SKIP() << "zsh is not installed";
  EXPECT_EQ(output_of("zsh -n " + folder + "/zsh"), "");
}

TEST_F(Completion, IsPrintedByAVerb) {
  EXPECT_EQ(run_words({"completion", "bash"}), 0);
  EXPECT_EQ(output.out_text, bash_completion());
  EXPECT_EQ(run_words({"completion", "fish"}), 2);
  EXPECT_EQ(run_words({"compl", "bash"}), 2);
}

}  // namespace
}  // namespace flotilla::fctl
