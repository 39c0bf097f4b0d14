#include "init/unit_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "base/memory_file_tree.h"

namespace flotilla::init {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using unit::UnitName;

class UnitLoaderTest : public ::testing::Test {
 protected:
  void etc(const std::string& name, const std::string& text) {
    tree_.add_file("/etc/systemd/system/" + name, text);
  }
  void lib(const std::string& name, const std::string& text) {
    tree_.add_file("/usr/lib/systemd/system/" + name, text);
  }
  void link(const std::string& target, const std::string& path) {
    const std::string whole = "/etc/systemd/system/" + path;
    ASSERT_TRUE(tree_.make_directories(whole.substr(0, whole.rfind('/')), 0755));
    ASSERT_TRUE(tree_.make_symlink(target, whole));
  }
  UnitSettings load(const std::string& name) {
    UnitLoaderOptions options;
    options.directories = {{"/etc/systemd/system", &tree_}, {"/usr/lib/systemd/system", &tree_}};
    options.host = unit::HostValues::of_system_manager();
    loader_ = std::make_unique<UnitLoader>(std::move(options));
    return loader_->load(*UnitName::parse(name));
  }
  static std::vector<std::string> names(const UnitSettings& settings, Dependency kind) {
    std::vector<std::string> found;
    for (const UnitName& name : settings.dependencies[static_cast<size_t>(kind)]) {
      found.push_back(name.str());
    }
    return found;
  }
  static std::vector<unit::Command> commands(const UnitSettings& settings, ServiceCommand which) {
    const auto lines = settings.commands[which];
    return {lines.begin(), lines.end()};
  }

  base::MemoryFileTree tree_;
  std::unique_ptr<UnitLoader> loader_;
};

TEST_F(UnitLoaderTest, ReadsAServiceWithItsTypes) {
  etc("a.service",
      "[Unit]\nDescription=The %p\nAfter=b.service c.service\n[Service]\nType=notify\n"
      "ExecStart=/bin/a --name=%n\nRestart=on-failure\nRestartSec=1500ms\nTimeoutStopSec=5\n"
      "UMask=0077\nNice=5\nLimitNOFILE=1024:4096\nKillSignal=SIGINT\nEnvironment=A=1 \"B=2 3\"\n"
      "SuccessExitStatus=7 TEMPFAIL SIGUSR1\nStandardOutput=append:/tmp/x\nUser=nobody\n");
  const UnitSettings s = load("a.service");
  EXPECT_EQ(s.load_state, LoadState::kLoaded);
  EXPECT_THAT(s.extras->warnings, IsEmpty());
  EXPECT_EQ(s.description.view(), "The a");
  EXPECT_EQ(s.fragment_path(), "/etc/systemd/system/a.service");
  EXPECT_EQ(s.service->type, ServiceType::kNotify);
  EXPECT_EQ(s.service->notify_access, NotifyAccess::kMain);
  EXPECT_EQ(s.service->restart_sec, 1500ms);
  EXPECT_EQ(s.service->timeout_stop, 5s);
  EXPECT_EQ(commands(s, ServiceCommand::kStart)[0].argv[1], "--name=a.service");
  EXPECT_EQ(s.exec->umask, 0077u);
  EXPECT_EQ(s.exec->nice, 5);
  EXPECT_EQ(s.exec->limits[RLIMIT_NOFILE]->rlim_max, 4096u);
  EXPECT_EQ(s.kill.kill_signal, 2);
  EXPECT_THAT(s.exec->environment, ElementsAre("A=1", "B=2 3"));
  EXPECT_THAT(s.service->extras->success_status.statuses, ElementsAre(7, 75));
  EXPECT_THAT(s.service->extras->success_status.signals, ElementsAre(10));
  EXPECT_EQ(s.exec->standard_output.kind, StreamSetting::Kind::kAppend);
}

TEST_F(UnitLoaderTest, AddsTheDefaultDependenciesOfAService) {
  etc("a.service", "[Service]\nExecStart=/bin/a\n");
  const UnitSettings s = load("a.service");
  EXPECT_THAT(names(s, Dependency::kRequires), ElementsAre("system.slice", "sysinit.target"));
  EXPECT_THAT(names(s, Dependency::kAfter), ElementsAre("systemd-journald.socket", "system.slice",
                                                        "sysinit.target", "basic.target"));
  EXPECT_THAT(names(s, Dependency::kConflicts), ElementsAre("shutdown.target"));
  EXPECT_THAT(names(s, Dependency::kBefore), ElementsAre("shutdown.target"));
}

TEST_F(UnitLoaderTest, AnEmptyValueResetsAListAndTheLastOfOthersWins) {
  etc("a.service",
      "[Service]\nType=oneshot\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/b\n"
      "ExecStart=/bin/c\nUMask=022\nUMask=077\n");
  const UnitSettings s = load("a.service");
  ASSERT_EQ(commands(s, ServiceCommand::kStart).size(), 2u);
  EXPECT_EQ(commands(s, ServiceCommand::kStart)[0].path(), "/bin/b");
  EXPECT_EQ(s.exec->umask, 077u);
  EXPECT_EQ(s.service->timeout_start, kInfinity);
}

TEST_F(UnitLoaderTest, ConditionsStandInTheOrderOfTheirLines) {
  etc("a.service",
      "[Unit]\nConditionPathExists=/one\nConditionUser=root\nAssertPathExists=/one\n"
      "AssertPathExists=/two\n[Service]\nExecStart=/bin/a\n");
  const UnitSettings s = load("a.service");
  ASSERT_EQ(s.extras->conditions.size(), 2U);
  EXPECT_EQ(s.extras->conditions[1].kind, "User");
  EXPECT_EQ(s.extras->assertions[1].parameter, "/two");
}

TEST_F(UnitLoaderTest, ReportsWhatItDoesNotKnowAndWhatItDoesNotDo) {
  etc("a.service",
      "[Service]\nExecStart=/bin/a\nExecStat=/bin/b\nRootImage=yes\nX-Mine=1\nNice=500\n"
      "[Servic]\nA=b\n[X-Other]\nc=d\n");
  const UnitSettings s = load("a.service");
  EXPECT_EQ(s.load_state, LoadState::kLoaded);
  EXPECT_THAT(s.extras->ignored_directives, ElementsAre("Service.RootImage"));
  ASSERT_EQ(s.extras->warnings.size(), 4u);
  EXPECT_THAT(s.extras->warnings,
              Contains("/etc/systemd/system/a.service:3: Unknown key name 'ExecStat' in "
                       "section 'Service', ignoring."));
  EXPECT_THAT(s.extras->warnings, Contains(HasSubstr("a.service:6: Failed to parse Nice=")));
  EXPECT_THAT(s.extras->warnings, Contains(HasSubstr("Unknown section 'Servic'")));
}

TEST_F(UnitLoaderTest, RefusesServicesThatCannotBe) {
  const std::pair<const char*, const char*> cases[] = {
      {"[Service]\nType=simple\n",
       "Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing."},
      {"[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n",
       "Service has more than one ExecStart= setting, which is only allowed for Type=oneshot "
       "services. Refusing."},
      {"[Service]\nType=oneshot\nExecStart=/bin/a\nRestart=always\n",
       "Service has Restart= set to either always or on-success, which isn't allowed for "
       "Type=oneshot services. Refusing."},
      {"[Service]\nExecStop=/bin/a\n",
       "Service has no ExecStart= and no SuccessAction= settings and does not have "
       "RemainAfterExit=yes set. Refusing."},
  };
  for (const auto& [text, reason] : cases) {
    etc("a.service", text);
    const UnitSettings s = load("a.service");
    EXPECT_EQ(s.load_state, LoadState::kBadSetting) << text;
    EXPECT_EQ(s.extras->load_error, "Unit a.service has a bad unit file setting.");
    EXPECT_THAT(s.extras->warnings, Contains(std::string("a.service: ") + reason));
  }
}

TEST_F(UnitLoaderTest, RefusesUsersAndDirectoriesThatNobodyCanHave) {
  for (const char* bad : {"User=4294967295", "User=99999999999", "User=-1", "User=007", "Group=a:b",
                          "WorkingDirectory=here", "WorkingDirectory=/a/../b"}) {
    etc("a.service", std::string("[Service]\nExecStart=/bin/a\n") + bad + "\n");
    EXPECT_EQ(load("a.service").load_state, LoadState::kBadSetting) << bad;
  }
  for (const char* good : {"User=a b", "User=7", "Group=0", "WorkingDirectory=-here",
                           "WorkingDirectory=", "WorkingDirectory=-/a/../b"}) {
    etc("a.service", std::string("[Service]\nExecStart=/bin/a\n") + good + "\n");
    EXPECT_EQ(load("a.service").load_state, LoadState::kLoaded) << good;
  }
}

TEST_F(UnitLoaderTest, WhatAProgramMustNotRunWithoutEndsTheReadingOfAFile) {
  for (const char* bad :
       {"User=%z", "Group=a:b", "SupplementaryGroups=audio %z", "SupplementaryGroups=a/b",
        "WorkingDirectory=%z", "ExecStop=relative/x", "ExecStart=/bin/a\\\\b",
        "ExecReload=/bin/%i\\\\x", "RootDirectory=x", "DynamicUser=maybe"}) {
    etc("a.service", std::string("[Service]\nNice=1\n") + bad + "\nExecStart=/bin/a\nNice=2\n");
    etc("a.service.d/x.conf", "[Service]\nNice=3\n");
    link("../b.service", "a.service.wants/b.service");
    const UnitSettings s = load("a.service");
    EXPECT_EQ(s.load_state, LoadState::kBadSetting) << bad;
    EXPECT_EQ(s.exec->nice, 1) << bad;
    EXPECT_EQ(s.slice.view(), "") << bad;
    EXPECT_THAT(s.extras->drop_in_paths, IsEmpty());
    EXPECT_THAT(names(s, Dependency::kWants), IsEmpty());
  }
  etc("s.service", "[Service]\nSlice=x.slice\nUser=%z\nExecStart=/bin/a\n");
  EXPECT_EQ(load("s.service").slice.view(), "x.slice");
  etc("p.service", "[Service]\nPIDFile=/a/../b\nNice=2\nExecStart=/bin/a\n");
  EXPECT_EQ(load("p.service").load_state, LoadState::kError);
  EXPECT_FALSE(load("p.service").exec->nice);
}

TEST_F(UnitLoaderTest, ADropInThatIsBrokenOffCountsUpToThere) {
  etc("a.service", "[Service]\nExecStart=/bin/a\n");
  etc("a.service.d/1.conf", "[Service]\nNice=1\nUser=%z\nNice=2\n");
  etc("a.service.d/2.conf", "[Service]\nOOMScoreAdjust=5\n");
  const UnitSettings s = load("a.service");
  EXPECT_EQ(s.load_state, LoadState::kLoaded);
  EXPECT_EQ(s.exec->nice, 1);
  EXPECT_EQ(s.exec->oom_score_adjust, 5);
}

TEST_F(UnitLoaderTest, ACommandWhoseFirstWordIsNoneIsNoCommand) {
  etc("a.service", "[Service]\nExecStart=/bin/a\nExecStop='open\nNice=2\n");
  const UnitSettings s = load("a.service");
  EXPECT_EQ(s.load_state, LoadState::kLoaded);
  EXPECT_EQ(s.exec->nice, 2);
  EXPECT_TRUE(commands(s, ServiceCommand::kStop).empty());
}

TEST_F(UnitLoaderTest, LinksBesideTheNamesItBeginsWithAndItsTypeAreTakenToo) {
  etc("a-b.service", "[Service]\nExecStart=/bin/a\n");
  etc("a-t@.service", "[Service]\nExecStart=/bin/a\n");
  link("../c.service", "a-.service.wants/c.service");
  link("../d.service", "service.wants/d.service");
  link("../e.service", "a-.service.requires/e.service");
  for (const char* name : {"a-b.service", "a-t@1.service"}) {
    const UnitSettings s = load(name);
    EXPECT_THAT(names(s, Dependency::kWants), ElementsAre("c.service", "d.service")) << name;
    EXPECT_THAT(names(s, Dependency::kRequires), Contains("e.service")) << name;
  }
}

TEST_F(UnitLoaderTest, AServiceThatCannotBeHasItsPlaceAmongTheOthersAllTheSame) {
  etc("a.service", "[Service]\nType=simple\n");
  const UnitSettings s = load("a.service");
  EXPECT_EQ(s.load_state, LoadState::kBadSetting);
  EXPECT_EQ(s.slice.view(), "system.slice");
  EXPECT_THAT(s.dependencies[static_cast<size_t>(Dependency::kAfter)],
              Contains(*unit::UnitName::parse("sysinit.target")));
}

TEST_F(UnitLoaderTest, OldWaysOfWritingStillCount) {
  etc("a.service",
      "[Unit]\nRequiresOverridable=b.service\nRequisiteOverridable=c.service\n"
      "[Service]\nExecStart=/bin/a\nPIDFile=/var/run/a.pid\n");
  const UnitSettings s = load("a.service");
  EXPECT_EQ(s.service->extras->pid_file, "/run/a.pid");
  EXPECT_THAT(s.dependencies[static_cast<size_t>(Dependency::kRequires)],
              Contains(*unit::UnitName::parse("b.service")));
  EXPECT_THAT(s.dependencies[static_cast<size_t>(Dependency::kRequisite)],
              Contains(*unit::UnitName::parse("c.service")));
}

TEST_F(UnitLoaderTest, NobodyComesBeforeADevice) {
  etc("a.service",
      "[Unit]\nBefore=dev-x.device b.service\nAfter=dev-y.device\n[Service]\nExecStart=/bin/a\n");
  const UnitSettings s = load("a.service");
  const auto& before = s.dependencies[static_cast<size_t>(Dependency::kBefore)];
  EXPECT_THAT(before, Contains(*unit::UnitName::parse("b.service")));
  EXPECT_THAT(before, Not(Contains(*unit::UnitName::parse("dev-x.device"))));
  EXPECT_THAT(s.dependencies[static_cast<size_t>(Dependency::kAfter)],
              Contains(*unit::UnitName::parse("dev-y.device")));
}

TEST_F(UnitLoaderTest, AServiceIsOfTheBusOnlyWithANameThatMayBeOne) {
  for (const char* bad : {"one", "a..b", "a.", ".a", "a.1b", "a b.c", "a.b c"}) {
    etc("a.service", std::string("[Service]\nExecStart=/bin/a\nBusName=") + bad + "\n");
    EXPECT_EQ(load("a.service").service->type, ServiceType::kSimple) << bad;
  }
  etc("a.service", "[Service]\nExecStart=/bin/a\nBusName=org.example.a-b_1\n");
  EXPECT_EQ(load("a.service").service->type, ServiceType::kDbus);
}

TEST_F(UnitLoaderTest, PermissionsStartOnlyFreesTheOtherCommands) {
  using Privilege = unit::Command::Privilege;
  etc("a.service",
      "[Service]\nPermissionsStartOnly=yes\nExecStartPre=/bin/b\nExecStart=/bin/a\n"
      "ExecReload=!/bin/c\nExecStop=/bin/d\n");
  const UnitSettings a = load("a.service");
  EXPECT_EQ(commands(a, ServiceCommand::kStart)[0].effective_privilege(), Privilege::kAsConfigured);
  for (const ServiceCommand which :
       {ServiceCommand::kStartPre, ServiceCommand::kReload, ServiceCommand::kStop}) {
    EXPECT_EQ(commands(a, which)[0].effective_privilege(), Privilege::kFull)
        << static_cast<int>(which);
    EXPECT_NE(commands(a, which)[0].privilege, Privilege::kFull) << "what is shown";
  }
  EXPECT_THAT(a.extras->ignored_directives, IsEmpty());
  etc("a.service.d/no.conf", "[Service]\nPermissionsStartOnly=no\n");
  EXPECT_EQ(commands(load("a.service"), ServiceCommand::kStartPre)[0].effective_privilege(),
            Privilege::kAsConfigured);
}

TEST_F(UnitLoaderTest, ExitStatusesStandInTheirOrder) {
  etc("a.service", "[Service]\nExecStart=/bin/a\nSuccessExitStatus=DATAERR 1 SIGTERM SIGHUP 1\n");
  const ExitStatusSet set = load("a.service").service->extras->success_status;
  EXPECT_THAT(set.statuses, ElementsAre(1, 65));
  EXPECT_THAT(set.signals, ElementsAre(SIGHUP, SIGTERM));
}

TEST_F(UnitLoaderTest, DropInsCountByNameAcrossAllTheirDirectories) {
  etc("foo-bar.service", "[Service]\nExecStart=/bin/a\nEnvironment=A=file\n");
  lib("foo-bar.service.d/20.conf", "[Service]\nEnvironment=A=20lib\n");
  etc("foo-.service.d/10.conf", "[Service]\nEnvironment=A=10 B=10\n");
  etc("service.d/30.conf", "[Service]\nEnvironment=C=30\n");
  lib("foo-bar.service.d/40.conf", "[Service]\nEnvironment=D=40lib\n");
  link("/dev/null", "foo-bar.service.d/40.conf");
  const UnitSettings s = load("foo-bar.service");
  EXPECT_THAT(s.exec->environment, ElementsAre("A=20lib", "B=10", "C=30"));
  EXPECT_EQ(s.extras->drop_in_paths.size(), 4u);
}

TEST_F(UnitLoaderTest, DropInsAreKnownByTheirRealPlace) {
  UnitLoaderOptions options;
  ASSERT_TRUE(tree_.make_symlink("/usr/lib", "/lib"));
  options.directories = {{"/lib/systemd/system", &tree_}};
  lib("a.service", "[Service]\nExecStart=/bin/a\n");
  lib("a.service.d/1.conf", "[Unit]\nDescription=A\n");
  UnitLoader loader(std::move(options));
  const UnitSettings s = loader.load(*UnitName::parse("a.service"));
  EXPECT_EQ(s.fragment_path(), "/lib/systemd/system/a.service");
  EXPECT_EQ(s.description.view(), "A");
  EXPECT_THAT(s.extras->drop_in_paths, ElementsAre("/usr/lib/systemd/system/a.service.d/1.conf"));
}

TEST_F(UnitLoaderTest, AnInstanceHasTheDropInsOfShorterTemplatesToo) {
  etc("a-b@.service", "[Service]\nExecStart=/bin/a\n");
  const std::vector<std::string> names{"a-", "a-@", "a-@x", "a-b@", "a-b@x", "a-b-", "a-@y"};
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    etc(names[i] + ".service.d/" + number + ".conf", "[Service]\nEnvironment=V" + number + "=\n");
  }
  EXPECT_THAT(load("a-b@x.service").exec->environment,
              ElementsAre("V1=", "V2=", "V3=", "V4=", "V5="));
}

TEST_F(UnitLoaderTest, DropInsCountForMaskedUnitsAndNotForThoseThatAreNotThere) {
  link("/dev/null", "m.service");
  etc("m.service.d/1.conf", "[Unit]\nDescription=Masked\n");
  etc("none.service.d/1.conf", "[Unit]\nDescription=None\n");
  const UnitSettings masked = load("m.service");
  EXPECT_EQ(masked.load_state, LoadState::kMasked);
  EXPECT_EQ(masked.description.view(), "Masked");
  EXPECT_EQ(masked.slice.view(), "");
  const UnitSettings none = load("none.service");
  EXPECT_EQ(none.description.view(), "");
  EXPECT_THAT(none.extras->drop_in_paths, IsEmpty());
  EXPECT_FALSE(loader_->is_outdated(none));
}

TEST_F(UnitLoaderTest, FollowsAliasesTemplatesAndMasks) {
  lib("real.service", "[Service]\nExecStart=/bin/real\n");
  link("/usr/lib/systemd/system/real.service", "alias.service");
  lib("t@.service", "[Unit]\nDescription=For %i\n[Service]\nExecStart=/bin/t %I\n");
  lib("m.service", "[Service]\nExecStart=/bin/m\n");
  link("/dev/null", "m.service");
  etc("empty.service", "");

  const UnitSettings alias = load("alias.service");
  EXPECT_EQ(alias.name.str(), "real.service");
  ASSERT_EQ(alias.extras->aliases.size(), 1u);
  EXPECT_EQ(alias.extras->aliases[0].str(), "alias.service");

  const UnitSettings instance = load("t@a-b.service");
  EXPECT_EQ(instance.description.view(), "For a-b");
  EXPECT_EQ(commands(instance, ServiceCommand::kStart)[0].argv[1], "a/b");
  EXPECT_EQ(load("m.service").load_state, LoadState::kMasked);
  EXPECT_EQ(load("empty.service").load_state, LoadState::kMasked);
  EXPECT_EQ(load("none.service").load_state, LoadState::kNotFound);
}

TEST_F(UnitLoaderTest, KnowsAllNamesOfAUnitOverSeveralLinks) {
  etc("a.service", "[Service]\nExecStart=/bin/a\n");
  link("a.service", "b.service");
  link("b.service", "c.service");
  etc("t@.service", "[Service]\nExecStart=/bin/t\n");
  link("t@.service", "u@.service");
  link("t@x.service", "v@x.service");
  const auto names_of = [&](const std::string& name) {
    const UnitSettings settings = load(name);
    std::vector<std::string> names{settings.name.str()};
    for (const UnitName& alias : settings.extras->aliases) names.push_back(alias.str());
    return names;
  };
  EXPECT_THAT(names_of("c.service"), ElementsAre("a.service", "b.service", "c.service"));
  EXPECT_THAT(names_of("u@x.service"), ElementsAre("t@x.service", "v@x.service", "u@x.service"));
  EXPECT_THAT(names_of("t@y.service"), ElementsAre("t@y.service", "u@y.service"));
}

TEST_F(UnitLoaderTest, TheFileIsReadUnderTheNameThatWasAskedFor) {
  etc("a@.service", "[Unit]\nDescription=%n %p %i\n[Service]\nExecStart=/x\n");
  etc("a@.service.d/x.conf", "[Service]\nSyslogIdentifier=%n\n");
  link("a@.service", "b@.service");
  const UnitSettings settings = load("b@x.service");
  EXPECT_EQ(settings.name.str(), "a@x.service");
  EXPECT_EQ(settings.description.view(), "b@x.service b x");
  EXPECT_EQ(settings.exec->syslog_identifier, "a@x.service");
  EXPECT_EQ(load("a@x.service").description.view(), "a@x.service a x");
}

TEST_F(UnitLoaderTest, ASocketIsForTheServiceOfItsName) {
  etc("s.socket", "[Socket]\nListenStream=/run/s\nListenDatagram=99\n");
  const UnitSettings settings = load("s.socket");
  EXPECT_THAT(names(settings, Dependency::kTriggers), ElementsAre("s.service"));
  const auto& listens = *settings.extras->listens;
  ASSERT_EQ(listens.size(), 2u);
  EXPECT_EQ(listens[0], std::pair(std::string("Stream"), std::string("/run/s")));
  EXPECT_EQ(listens[1], std::pair(std::string("Datagram"), std::string("[::]:99")));
  etc("t.socket", "[Socket]\nListenStream=/run/t\nListenStream=\nService=s.service\n");
  EXPECT_THAT(names(load("t.socket"), Dependency::kTriggers), ElementsAre("s.service"));
  EXPECT_TRUE(load("t.socket").extras->listens->empty());
}

TEST_F(UnitLoaderTest, WhatIsNoLegalAliasIsAsGoodAsNotThere) {
  etc("a.service", "[Service]\nExecStart=/bin/a\n");
  etc("t@.service", "[Service]\nExecStart=/bin/t\n");
  lib("self.service", "[Service]\nExecStart=/bin/self\n");
  for (const auto& [target, alias] :
       {std::pair("a.service", "x.target"), std::pair("t@.service", "plain.service"),
        std::pair("a.service", "y@.service"), std::pair("none.service", "gone.service"),
        std::pair("circle.service", "circle.service")}) {
    link(target, alias);
    EXPECT_EQ(load(alias).name.str(), alias);
    EXPECT_EQ(load(alias).load_state, LoadState::kNotFound) << alias;
  }
  link("t@y.service", "t@z.service");
  EXPECT_EQ(load("t@z.service").name.str(), "t@z.service");
  EXPECT_EQ(load("t@z.service").fragment_path(), "/etc/systemd/system/t@.service");
  link("/usr/lib/systemd/system/self.service", "self.service");
  EXPECT_EQ(load("self.service").fragment_path(), "/usr/lib/systemd/system/self.service");
}

TEST_F(UnitLoaderTest, ATemplateThatIsNamedMeansTheInstanceBesideTheUnit) {
  etc("a.service", "[Unit]\nWants=t@.service\n[Service]\nExecStart=/bin/a\n");
  etc("i@.service", "[Unit]\nAfter=t@.service\n[Service]\nExecStart=/bin/a\n");
  EXPECT_THAT(names(load("a.service"), Dependency::kWants), ElementsAre("t@a.service"));
  EXPECT_THAT(names(load("i@b.service"), Dependency::kAfter), Contains("t@b.service"));
}

TEST_F(UnitLoaderTest, LinksInDirectoriesOfDependenciesCanBeMasked) {
  etc("a.target", "");
  lib("a.target.wants/file.service", "x");
  link("/dev/null", "a.target.wants/off.service");
  ASSERT_TRUE(
      tree_.make_symlink("../off.service", "/usr/lib/systemd/system/a.target.wants/off.service"));
  ASSERT_TRUE(
      tree_.make_symlink("../on.service", "/usr/lib/systemd/system/a.target.wants/on.service"));
  link("../t@.service", "a.target.wants/t@.service");
  EXPECT_THAT(names(load("a.target"), Dependency::kWants),
              ElementsAre("t@a.service", "on.service"));
}

TEST_F(UnitLoaderTest, AHigherDirectoryWinsAndStandardUnitsAreLowest) {
  lib("a.service", "[Service]\nExecStart=/bin/lib\n");
  etc("a.service", "[Service]\nExecStart=/bin/etc\n");
  EXPECT_EQ(commands(load("a.service"), ServiceCommand::kStart)[0].path(), "/bin/etc");
  EXPECT_EQ(load("sysinit.target").description.view(), "System Initialization");
  EXPECT_EQ(load("default.target").name.str(), "multi-user.target");
  etc("sysinit.target", "[Unit]\nDescription=Mine\n");
  EXPECT_EQ(load("sysinit.target").description.view(), "Mine");
  link("graphical.target", "default.target");
  EXPECT_EQ(load("default.target").name.str(), "graphical.target");
}

TEST_F(UnitLoaderTest, TakesWantsAndRequiresFromLinks) {
  etc("a.target", "[Unit]\nWants=x.service\n");
  link("../y.service", "a.target.wants/y.service");
  link("../z.service", "a.target.requires/z.service");
  const UnitSettings s = load("a.target");
  EXPECT_THAT(names(s, Dependency::kWants), ElementsAre("x.service", "y.service"));
  EXPECT_THAT(names(s, Dependency::kRequires), ElementsAre("z.service"));
}

TEST_F(UnitLoaderTest, SurvivesFilesThatAreNone) {
  etc("nul.service", std::string("[Service]\nExecStart=\0/bin/a\n", 28));
  EXPECT_NE(load("nul.service").load_state, LoadState::kLoaded);
  etc("big.service", "[Service]\n" + std::string(2 << 20, '#'));
  EXPECT_EQ(load("big.service").load_state, LoadState::kError);
  ASSERT_TRUE(tree_.make_directories("/etc/systemd/system/dir.service", 0755));
  EXPECT_EQ(load("dir.service").load_state, LoadState::kNotFound);
  link("loop.service", "loop2.service");
  link("loop2.service", "loop.service");
  EXPECT_NE(load("loop.service").load_state, LoadState::kLoaded);
}

TEST_F(UnitLoaderTest, KnowsWhenFilesChanged) {
  etc("a.service", "[Service]\nExecStart=/bin/a\n");
  etc("a.service.d/1.conf", "[Service]\nNice=1\n");
  const UnitSettings s = load("a.service");
  EXPECT_FALSE(loader_->is_outdated(s));
  etc("a.service.d/2.conf", "[Service]\nNice=2\n");
  EXPECT_TRUE(loader_->is_outdated(s));
}

TEST_F(UnitLoaderTest, KnowsWhenTheSourceOfAGeneratedFileChanged) {
  ASSERT_TRUE(tree_.write_atomic("/etc/source", "1", 0644));
  etc("a.service", "[Unit]\nSourcePath=/etc/source\n[Service]\nExecStart=/bin/a\n");
  const UnitSettings s = load("a.service");
  EXPECT_FALSE(loader_->is_outdated(s));
  ASSERT_TRUE(tree_.write_atomic("/etc/source", "2", 0644));
  EXPECT_TRUE(loader_->is_outdated(s));
  const UnitSettings again = load("a.service");
  EXPECT_FALSE(loader_->is_outdated(again));
  ASSERT_TRUE(tree_.remove("/etc/source"));
  EXPECT_TRUE(loader_->is_outdated(again));
}

TEST(SearchPath, IsSystemdsAndObeysItsVariable) {
  const auto usual = unit_search_path(ManagerScope::kSystem, {});
  EXPECT_THAT(usual, Contains("/etc/systemd/system"));
  EXPECT_EQ(usual.front(), "/etc/systemd/system.control");
  SearchPathVariables variables;
  variables.systemd_unit_path = "/a:relative:/b";
  EXPECT_THAT(unit_search_path(ManagerScope::kSystem, variables), ElementsAre("/a", "/b"));
  variables.systemd_unit_path = "/a:";
  EXPECT_EQ(unit_search_path(ManagerScope::kSystem, variables).size(), usual.size() + 1);
}

TEST_F(UnitLoaderTest, RemembersWhatFilesLookedLikeAndSeesEachKindOfChange) {
  const base::WallTime later{base::Micros(INT64_MAX / 2)};
  etc("a.service", "[Service]\nExecStart=/bin/a\n");
  etc("a.service.d/1.conf", "[Unit]\nDescription=x\n");
  const auto changed = [&] {
    loader_->refresh();
    const UnitSettings settings = loader_->load_more(*UnitName::parse("a.service"));
    const bool is_changed = !loader_->is_unchanged(settings);
    loader_->remember(settings, later);
    return is_changed;
  };
  load("a.service");
  EXPECT_TRUE(changed());
  EXPECT_FALSE(changed());
  etc("a.service", "[Service]\nExecStart=/bin/other\n");
  EXPECT_TRUE(changed());
  etc("a.service.d/2.conf", "[Unit]\nDescription=y\n");
  EXPECT_TRUE(changed());
  link("../b.service", "a.service.wants/b.service");
  EXPECT_TRUE(changed());
  link("a.service", "c.service");
  EXPECT_TRUE(changed());
  EXPECT_FALSE(changed());
  // A file of this very moment may change again without a sign of it.
  const UnitSettings settings = loader_->load_more(*UnitName::parse("a.service"));
  loader_->remember(settings, base::WallTime{base::Micros(settings.files_mtime_usec)});
  EXPECT_FALSE(loader_->is_unchanged(settings));
}

TEST_F(UnitLoaderTest, ALinkToAFileFromElsewhereIsThatFileUnderTheNameOfTheLink) {
  tree_.add_file("/srv/far.service", "[Service]\nExecStart=/bin/far\n");
  link("/srv/far.service", "near.service");
  link("/srv/none.service", "gone.service");
  EXPECT_EQ(load("near.service").name.str(), "near.service");
  EXPECT_EQ(load("near.service").fragment_path(), "/etc/systemd/system/near.service");
  EXPECT_EQ(load("gone.service").load_state, LoadState::kNotFound);
  EXPECT_EQ(load("gone.service").fragment_path(), "");
}

TEST_F(UnitLoaderTest, ABrokenFileIsAnErrorAndABrokenDropInIsLeftOut) {
  etc("bad.service", "[Service\nx\n");
  etc("b.service", "[Service]\nExecStart=/bin/b\n");
  etc("b.service.d/x.conf", "[Unit\n");
  const UnitSettings bad = load("bad.service");
  EXPECT_EQ(bad.load_state, LoadState::kError);
  EXPECT_EQ(bad.extras->load_error_bus_name, "org.freedesktop.DBus.Error.InconsistentMessage");
  EXPECT_EQ(load("b.service").load_state, LoadState::kLoaded);
  EXPECT_EQ(load("x.timer").load_state, LoadState::kNotFound);
  etc("x.timer", "[Unit]\n");
  EXPECT_EQ(load("x.timer").load_state, LoadState::kBadSetting);
}

}  // namespace
}  // namespace flotilla::init
