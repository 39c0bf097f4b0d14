// The verbs, from their words to what they print and return, over the fake cluster.
#include "fctl/run.h"

#include <gtest/gtest.h>

#include "fctl/commands.h"
#include "fctl/fleetctl_test.h"

namespace flotilla::fctl {
namespace {

class Fleetctl : public FleetctlTest {};

TEST_F(Fleetctl, StartSubmitsLaunchesAndSaysWhere) {
  files["examples/hello.service"] = kHello;
  EXPECT_EQ(run_words({"start", "examples/hello.service"}), 0);
  EXPECT_EQ(output.out_text,
            "Unit hello.service inactive\nUnit hello.service launched on 113f16a7.../192.0.2.10\n");
  EXPECT_EQ(output.err_text, "");
  EXPECT_EQ(api.calls,
            (std::vector<std::string>{"create hello.service", "set hello.service launched"}));
}

TEST_F(Fleetctl, StartOfALaunchedUnitSaysNothing) {
  add_unit("hello.service", kHello, "launched");
  EXPECT_EQ(run_words({"start", "hello"}), 0);
  EXPECT_EQ(output.out_text + output.err_text, "");
}

TEST_F(Fleetctl, StartGivesUpAfterItsAttempts) {
  files["x.service"] = kHello;
  api.stuck.insert("x.service");
  EXPECT_EQ(run_words({"start", "--block-attempts=2", "x.service"}), 1);
  EXPECT_EQ(output.out_text, "Unit x.service inactive\n");
  EXPECT_EQ(
      output.err_text,
      "Error waiting for units: timed out waiting for unit x.service to report state launched\n"
      "Error waiting for unit states, exit status: timed out waiting for unit x.service to report "
      "state "
      "launched\n");
}

TEST_F(Fleetctl, StartOfAUnitThatFailsExitsWithOne) {
  files["x.service"] = kHello;
  api.active_state_when_launched = "failed";
  EXPECT_EQ(run_words({"start", "x"}), 1);
  EXPECT_EQ(output.err_text,
            "Error waiting for units: Failed to find an active unit x.service within 2s, err: "
            "Failed to fetch "
            "states within 2s\nError waiting for systemd unit states, err: Failed to find an "
            "active unit x.service "
            "within 2s, err: Failed to fetch states within 2s\n");
}

TEST_F(Fleetctl, StartOfAUnitThatIsActiveForAMomentExitsWithOne) {
  files["x.service"] = files["y.service"] = kHello;
  pacer.start = std::chrono::seconds(1436168318);  // when the fake's units become active
  bool falls = true;
  pacer.on_pause = [&] {
    const auto found = api.state_map.find("x.service");
    if (falls && found != api.state_map.end()) found->second.active_state = "failed";
  };
  EXPECT_EQ(run_words({"start", "x", "y"}), 1);
  EXPECT_NE(output.err_text.find("Failed to find an active unit x.service within 2s"),
            std::string::npos)
      << output.err_text;
  falls = false;
  files["z.service"] = kHello;
  EXPECT_EQ(run_words({"start", "z"}), 0);
  EXPECT_EQ(output.err_text, "");
}

TEST_F(Fleetctl, NoBlockOnlyTriggers) {
  files["x.service"] = kHello;
  EXPECT_EQ(run_words({"start", "--no-block", "x"}), 0);
  EXPECT_EQ(output.out_text, "Unit x.service inactive\nTriggered unit x.service start\n");
}

TEST_F(Fleetctl, GlobalUnitsAreTriggeredAndNotWaitedFor) {
  add_unit("g.service", "[Service]\nExecStart=/x\n[X-Fleet]\nGlobal=true\n", "inactive");
  EXPECT_EQ(run_words({"load", "g"}), 0);
  EXPECT_EQ(run_words({"start", "g"}), 0);
  EXPECT_EQ(output.out_text, "Triggered global unit g.service start\n");
  EXPECT_EQ(run_words({"stop", "g"}), 0);
  EXPECT_EQ(output.out_text, "Triggered global unit g.service stop\n");
  EXPECT_EQ(output.err_text, "Successfully stopped units [].\n");
}

TEST_F(Fleetctl, InstancesComeFromTheTemplateInTheRegistryFirst) {
  add_unit("a@.service", kHello, "inactive");
  files["dir/a@.service"] = "[Service]\nExecStart=/other\n";
  EXPECT_EQ(run_words({"submit", "dir/a@1.service"}), 0);
  EXPECT_EQ(output.err_text,
            "WARNING: Unit a@.service in registry differs from local template unit file "
            "dir/a@1.service. Add "
            "--replace to override.\n");
  EXPECT_EQ(unit::serialize(api.unit_map["a@1.service"].options), kHello);
}

TEST_F(Fleetctl, InstancesComeFromTheTemplateBesideTheArgument) {
  files["dir/a@.service"] = kHello;
  EXPECT_EQ(run_words({"submit", "dir/a@1"}), 0);
  EXPECT_EQ(output.out_text, "Unit a@1.service inactive\n");
}

TEST_F(Fleetctl, WhatCannotBeFoundIsSaid) {
  EXPECT_EQ(run_words({"submit", "nope"}), 1);
  EXPECT_EQ(
      output.err_text,
      "Error creating units: unable to find Unit(nope.service) in Registry or on filesystem\n");
  EXPECT_EQ(run_words({"submit", "nope@1"}), 1);
  EXPECT_EQ(output.err_text,
            "Error creating units: failed getting Unit(nope@1.service) from template: unable to "
            "find template "
            "Unit(nope@.service) in Registry or on filesystem\n");
}

TEST_F(Fleetctl, BadUnitsAreRefusedBeforeTheyAreSent) {
  files["bad.service"] = "[Service]\nExecStart=/x\n[X-Fleet]\nMachineID=x\nGlobal=true\n";
  EXPECT_EQ(run_words({"submit", "bad.service"}), 1);
  EXPECT_EQ(output.err_text, "Error creating units: MachineID cannot be used with Global\n");
  files["broken.service"] = "[Service\n";
  EXPECT_EQ(run_words({"submit", "broken.service"}), 1);
  EXPECT_EQ(output.err_text,
            "Error creating units: failed getting Unit(broken.service) from file: unable to find "
            "end of section\n");
  EXPECT_EQ(run_words({"submit", "hello@*.service"}), 1);
  EXPECT_EQ(output.err_text, "Error creating units: invalid character '*' in unit name\n");
  files["empty.service"] = "";
  EXPECT_EQ(run_words({"submit", "empty"}), 1);
  EXPECT_EQ(output.err_text,
            "Error creating units: failed creating unit empty.service: googleapi: Error 409: unit "
            "does not exist "
            "and options field empty\n");
  EXPECT_EQ(api.unit_map.size(), 0U);
}

TEST_F(Fleetctl, UnknownRequirementsAreWarnedAboutAndAccepted) {
  files["x.service"] = "[Service]\nExecStart=/x\n[X-Fleet]\nKey=1\n";
  EXPECT_EQ(run_words({"submit", "x.service"}), 0);
  EXPECT_NE(output.err_text.find(" WARN fleetctl.go:674: Unit x.service: unrecognized requirement "
                                 "in [X-Fleet] section: \"Key\"\n"),
            std::string::npos);
}

TEST_F(Fleetctl, LocalFilesThatDifferAreWarnedAboutOrReplaced) {
  add_unit("x.service", kHello, "inactive");
  files["x.service"] = "[Service]\nExecStart=/other\n";
  EXPECT_EQ(run_words({"submit", "x.service"}), 0);
  EXPECT_EQ(output.err_text,
            "WARNING: Unit x.service in registry differs from local unit file x.service. Add "
            "--replace to "
            "override.\n");
  EXPECT_EQ(run_words({"submit", "--replace", "x.service"}), 0);
  EXPECT_EQ(output.out_text, "Unit x.service inactive\n");
  EXPECT_EQ(run_words({"submit", "--replace", "x.service"}), 0);
  EXPECT_EQ(output.out_text, "Found same Unit(x.service) in Registry, nothing to do\n");
  api.unit_map["x.service"].desired_state = "launched";
  files["x.service"] = kHello;
  EXPECT_EQ(run_words({"submit", "--replace", "x.service"}), 0);
  EXPECT_EQ(output.err_text,
            "Warning: can not replace Unit(x.service) in state 'launched', use the appropriate "
            "command\n");
  files.clear();
  EXPECT_EQ(run_words({"submit", "--replace", "x.service"}), 1);
  EXPECT_EQ(output.err_text,
            "Error creating units: error Unit x.service does not seem to be a template unit\n");
}

TEST_F(Fleetctl, StopSaysSoOnStderr) {
  add_unit("hello.service", kHello, "launched");
  EXPECT_EQ(run_words({"stop", "hello"}), 0);
  EXPECT_EQ(output.out_text, "Unit hello.service loaded on 113f16a7.../192.0.2.10\n");
  EXPECT_EQ(output.err_text, "Successfully stopped units [hello.service].\n");
  EXPECT_EQ(run_words({"stop", "hello"}), 0);
  EXPECT_EQ(output.out_text, "");
  add_unit("idle.service", kHello, "inactive");
  EXPECT_EQ(run_words({"stop", "idle"}), 1);
  EXPECT_EQ(output.err_text, "Unable to stop unit idle.service in state inactive\n");
}

TEST_F(Fleetctl, UnloadSkipsWhatIsInactive) {
  add_unit("a.service", kHello, "launched");
  add_unit("b.service", kHello, "inactive");
  EXPECT_EQ(run_words({"unload", "a", "b"}), 0);
  EXPECT_EQ(output.out_text, "Unit a.service inactive\n");
  EXPECT_EQ(output.err_text, "Successfully unloaded units [a.service].\n");
  EXPECT_EQ(api.calls, (std::vector<std::string>{"set a.service inactive"}));
}

TEST_F(Fleetctl, DestroyWaitsAndPassesOverUnknownUnits) {
  add_unit("a.service", kHello, "launched");
  EXPECT_EQ(run_words({"destroy", "a", "nope"}), 0);
  EXPECT_EQ(output.out_text, "Destroyed a.service\n");
  EXPECT_EQ(run_words({"destroy", "nope"}), 0);
  EXPECT_EQ(output.err_text, "Units not found in registry\n");
}

TEST_F(Fleetctl, DestroyAsksForAllBeforeItWaitsForOne) {
  add_unit("a.service", kHello, "launched");
  add_unit("b.service", kHello, "launched");
  api.stuck = {"a.service", "b.service"};
  EXPECT_EQ(run_words({"destroy", "--block-attempts=1", "a", "b"}), 1);
  EXPECT_EQ(api.calls, (std::vector<std::string>{"destroy a.service", "destroy b.service"}));
  EXPECT_EQ(output.err_text,
            "Error destroying units: timed out waiting for unit a.service to be gone\n"
            "Error destroying units: timed out waiting for unit b.service to be gone\n");
}

TEST_F(Fleetctl, CatPrintsTheUnitAsItIsStored) {
  add_unit("a.service", "# gone\n[Service]\nExecStart = /x\n", "inactive");
  EXPECT_EQ(run_words({"cat", "a"}), 0);
  EXPECT_EQ(output.out_text, "[Service]\nExecStart=/x\n");
  EXPECT_EQ(run_words({"cat", "b"}), 1);
  EXPECT_EQ(output.err_text, "Unit b.service not found\n");
  EXPECT_EQ(run_words({"cat"}), 1);
  EXPECT_EQ(output.err_text, "One unit file must be provided\n");
}

TEST_F(Fleetctl, StatusExitsAsSystemctlWould) {
  add_unit("a.service", kHello, "launched");
  add_unit("b.service", kHello, "launched");
  EXPECT_EQ(run_words({"status", "a", "b"}), 0);
  EXPECT_EQ(output.out_text, "a.service: active\n\nb.service: active\n");
  api.state_map["a.service"].active_state = "failed";
  EXPECT_EQ(run_words({"status", "a", "b"}), 3);
  EXPECT_EQ(run_words({"status", "nope"}), 1);
  EXPECT_EQ(output.err_text, "Unit nope.service does not exist.\n");
  add_unit("c.service", kHello, "inactive");
  EXPECT_EQ(run_words({"status", "c"}), 1);
  EXPECT_EQ(output.err_text, "Unit c.service does not appear to be loaded.\n");
  EXPECT_EQ(run_words({"status"}), 0);
}

TEST_F(Fleetctl, JournalAsksForLinesAndFollows) {
  add_unit("a.service", kHello, "launched");
  EXPECT_EQ(run_words({"journal", "--lines", "3", "--follow", "a"}), 0);
  EXPECT_EQ(output.out_text, "hello, world\n");
  EXPECT_EQ(api.calls, (std::vector<std::string>{"log a.service 3 follow"}));
  EXPECT_EQ(run_words({"journal", "--lines=-1", "a"}), 2);
  EXPECT_EQ(run_words({"journal"}), 1);
  EXPECT_EQ(output.err_text, "One unit file must be provided.\n");
  EXPECT_EQ(run_words({"journal", "--lines=x", "a"}), 2);
}

TEST_F(Fleetctl, ListsAreTables) {
  add_unit("global.service",
           "[Unit]\nDescription=All\n[Service]\nExecStart=/x\n[X-Fleet]\nGlobal=true\n",
           "launched");
  add_unit("hello.service", kHello, "launched");
  api.unit_map["global.service"].machine_id.clear();
  EXPECT_EQ(run_words({"list-units"}), 0);
  EXPECT_EQ(output.out_text,
            "UNIT\t\tMACHINE\t\t\tACTIVE\tSUB\tUPTIME\n"
            "global.service\t113f16a7.../192.0.2.10\tactive\trunning\t-\n"
            "hello.service\t113f16a7.../192.0.2.10\tactive\trunning\t-\n");
  EXPECT_EQ(run_words({"list-unit-files", "--no-legend",
                       "--fields=unit,dstate,state,target,desc,global"}),
            0);
  EXPECT_EQ(output.out_text,
            "global.service\tlaunched\t-\t\tglobal\t\t\tAll\ttrue\n"
            "hello.service\tlaunched\tlaunched\t113f16a7.../192.0.2.10\t-\tfalse\n");
  EXPECT_EQ(run_words({"list-machines", "--full"}), 0);
  EXPECT_EQ(output.out_text,
            "MACHINE\t\t\t\t\tIP\t\tMETADATA\n113f16a7aaaabbbbccccddddeeeeffff\t192.0.2.10\t-\n");
}

TEST_F(Fleetctl, ListsKnowTheirFields) {
  EXPECT_EQ(run_words({"list-units", "--fields=foo"}), 1);
  EXPECT_EQ(output.err_text, "Invalid key in output format: \"foo\"\n");
  EXPECT_EQ(run_words({"list-units", "--fields="}), 1);
  EXPECT_EQ(output.err_text, "Must define output format\n");
  EXPECT_EQ(run_words({"list-unit-files", "--fields=tmachine"}), 0);
  EXPECT_EQ(output.out_text, "TMACHINE\n");
}

TEST_F(Fleetctl, AFailingApiIsNamed) {
  api.failure = {base::Errc::kUnavailable, "cannot connect"};
  EXPECT_EQ(run_words({"list-machines"}), 1);
  EXPECT_EQ(
      output.err_text,
      "Error retrieving list of active machines from fleet API (cannot connect)\nPossible issues:\n"
      "  etcd is unhealthy and/or lost quorum\n"
      "  connection cannot be established to any etcd servers\n");
  EXPECT_EQ(run_words({"list-units"}), 1);
  EXPECT_EQ(output.err_text, "Error retrieving list of units from repository: cannot connect\n");
}

TEST_F(Fleetctl, CommandsMayBeShortened) {
  EXPECT_EQ(run_words({"list-m"}), 0);
  EXPECT_EQ(output.out_text, "MACHINE\t\tIP\t\tMETADATA\n113f16a7...\t192.0.2.10\t-\n");
  EXPECT_EQ(run_words({"list"}), 2);
  EXPECT_NE(output.err_text.find("Error: unknown command \"list\" for \"fleetctl\"\n"),
            std::string::npos);
  EXPECT_NE(output.err_text.find("\tlist-units\n"), std::string::npos);
}

TEST_F(Fleetctl, WrongUsageExitsWithTwoAndSaysSoInThreeLines) {
  EXPECT_EQ(run_words({"bogus"}), 2);
  EXPECT_EQ(output.out_text, "");
  EXPECT_EQ(output.err_text,
            "Error: unknown command \"bogus\" for \"fleetctl\"\n"
            "Run 'fleetctl --help' for usage.\n"
            "cannot execute cmdFleet: unknown command \"bogus\" for \"fleetctl\"\n");
  EXPECT_EQ(run_words({"list-units", "--bogus"}), 2);
  EXPECT_EQ(output.out_text.substr(0, 20), "NAME:\n\tlist-units - ");
  EXPECT_EQ(output.err_text,
            "Error: unknown flag: --bogus\n\ncannot execute cmdFleet: unknown flag: --bogus\n");
  EXPECT_EQ(run_words({"journal", "--lines=x", "a"}), 2);
  EXPECT_EQ(output.err_text.substr(0, 47), "Error: invalid argument \"x\" for \"--lines\" flag:");
  EXPECT_EQ(run_words({"start", "-A", "x"}), 2);
  EXPECT_EQ(run_words({"start", "--endpoint"}), 2);
}

TEST_F(Fleetctl, SaysWhatAMistypedWordMayHaveMeant) {
  EXPECT_EQ(run_words({"strat"}), 2);
  EXPECT_EQ(output.err_text,
            "Error: unknown command \"strat\" for \"fleetctl\"\n\nDid you mean this?\n"
            "\tstart\n\nRun 'fleetctl --help' for usage.\n"
            "cannot execute cmdFleet: unknown command \"strat\" for \"fleetctl\"\n\n"
            "Did you mean this?\n\tstart\n\n");
  EXPECT_EQ(run_words({"start", "--no-blok"}), 2);
  EXPECT_EQ(output.err_text,
            "Error: unknown flag: --no-blok\n\nDid you mean this?\n\t--no-block\n\n\n"
            "cannot execute cmdFleet: unknown flag: --no-blok\n");
  add_unit("hello.service", kHello, "launched");
  EXPECT_EQ(run_words({"status", "helo"}), 1);
  EXPECT_EQ(output.err_text, "Unit helo.service does not exist.\n");
}

TEST_F(Fleetctl, FlagsOfOtherCommandsAreWarnedAboutAndAccepted) {
  add_unit("hello.service", kHello, "launched");
  EXPECT_EQ(run_words({"status", "--no-block", "hello"}), 0);
  EXPECT_EQ(output.out_text, "hello.service: active\n");
  EXPECT_EQ(output.err_text, "WARNING: --no-block has no effect on fleetctl status\n");
}

TEST_F(Fleetctl, HelpAndVersionNeedNoApi) {
  EXPECT_EQ(run_words({"version"}), 0);
  EXPECT_EQ(output.out_text.substr(0, 17), "fleetctl version ");
  EXPECT_EQ(run_words({"--version"}), 0);
  EXPECT_EQ(run_words({"list-units", "--version"}), 0);
  EXPECT_EQ(output.out_text.substr(0, 20), "NAME:\n\tlist-units - ");
  EXPECT_EQ(run_words({}), 0);
  EXPECT_NE(output.out_text.find("\nAvailable Commands:\n"), std::string::npos);
  EXPECT_EQ(output.out_text.find("verify"), std::string::npos);
  EXPECT_EQ(run_words({"help"}), 0);
  EXPECT_NE(output.out_text.find("COMMANDS:\n"), std::string::npos);
  for (const Command& command : all_commands()) {
    EXPECT_EQ(run_words({"help", std::string(command.name)}), 0);
    EXPECT_NE(output.out_text.find(std::string(command.name) + " - "), std::string::npos);
    EXPECT_EQ(run_words({std::string(command.name), "--help"}), 0);
  }
  EXPECT_TRUE(endpoints_used.empty());
}

TEST_F(Fleetctl, DebugTellsOfRequests) {
  EXPECT_EQ(run_words({"--debug", "list-machines", "--no-legend"}), 0);
  EXPECT_EQ(output.err_text.substr(output.err_text.find(" DEBUG")), " DEBUG http.go:32: HTTP\n");
  variables["FLEETCTL_DEBUG"] = "true";
  EXPECT_EQ(run_words({"list-machines", "--no-legend"}), 0);
  EXPECT_NE(output.err_text, "");
  EXPECT_EQ(run_words({"--debug=false", "list-machines", "--no-legend"}), 0);
  EXPECT_EQ(output.err_text, "");
}

TEST_F(Fleetctl, AListOfEndpointsGoesToTheClient) {
  variables["FLEETCTL_ENDPOINT"] = "http://a:1, unix:///b";
  EXPECT_EQ(run_words({"list-units"}), 0);
  ASSERT_EQ(endpoints_used.size(), 2U);
  EXPECT_EQ(endpoints_used[0].host, "a");
  EXPECT_EQ(endpoints_used[1].path, "/b");
  EXPECT_EQ(output.err_text, "");
}

TEST_F(Fleetctl, SaysWhyThereIsNoClient) {
  const std::pair<const char*, const char*> cases[] = {
      {"--driver=x", "unrecognized driver \"x\""},
      {"--endpoint=/x", "URL scheme undefined"},
      {"--endpoint=unix://x/y", "unable to connect to host \"x\" with scheme \"unix\""},
  };
  for (const auto& [flag, why] : cases) {
    EXPECT_EQ(run_words({flag, "list-units"}), 1);
    EXPECT_EQ(output.err_text, std::string("Unable to initialize client: ") + why + "\n");
  }
}

TEST_F(Fleetctl, AUnitMayHaveANameLongerThanAnyFiles) {
  const std::string name = std::string(248, 'a') + ".service";
  add_unit(name, kHello, "inactive");
  EXPECT_EQ(run_words({"load", "--no-block", name}), 0);
  EXPECT_EQ(output.err_text, "");
}

TEST_F(Fleetctl, SaysWhenNoUnitsAreGiven) {
  for (const char* verb :
       {"submit", "load", "start", "stop", "unload", "destroy", "restart", "overwrite"}) {
    EXPECT_EQ(run_words({verb}), 0) << verb;
    EXPECT_EQ(output.err_text, "No units given\n");
  }
}

}  // namespace
}  // namespace flotilla::fctl
