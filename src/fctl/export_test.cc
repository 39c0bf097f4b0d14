#include <gmock/gmock.h>

#include "fctl/fleetctl_test.h"

namespace flotilla::fctl {
namespace {

class ExportAndImport : public FleetctlTest {
 protected:
  void SetUp() override {
    add_unit("a.service", kHello, "launched");
    add_unit("b.service", kHello, "inactive");
    api.edits = {{"m1", {}, {{"fleet.cordon", "cordon"}, {"old", ""}}}};
  }
  std::string machine() const { return api.machine_list[0].id; }
};

TEST_F(ExportAndImport, WhatWasExportedComesBack) {
  EXPECT_EQ(run_words({"export", "out.json"}), 0);
  EXPECT_EQ(output.out_text, "Exported 2 units and the metadata of 1 machines to out.json\n");
  EXPECT_EQ(run_words({"export", "-"}), 0);
  EXPECT_EQ(output.out_text, files["out.json"]);
  api.unit_map.clear();
  api.edits.clear();
  api.calls.clear();
  files["-"] = files["out.json"];
  EXPECT_EQ(run_words({"import", "-"}), 0);
  EXPECT_EQ(output.out_text,
            "Imported metadata of machine m1\nImported unit a.service launched\n"
            "Imported unit b.service inactive\n");
  EXPECT_THAT(api.calls, testing::ElementsAre("metadata m1 fleet.cordon=cordon", "metadata m1 old=",
                                              "import a.service launched on " + machine(),
                                              "import b.service inactive"));
}

TEST_F(ExportAndImport, WhatHasFinishedComesBackFinished) {
  api.unit_map["a.service"].finished_on = machine();
  api.unit_map["a.service"].finished_usec = 1700000000000000;
  EXPECT_EQ(run_words({"export", "x"}), 0);
  api.unit_map.clear();
  api.calls.clear();
  EXPECT_EQ(run_words({"import", "x"}), 0);
  EXPECT_THAT(api.calls, testing::Contains("import a.service launched on " + machine() +
                                           " finished on " + machine()));
  EXPECT_EQ(api.unit_map["a.service"].finished_usec, 1700000000000000U);
}

TEST_F(ExportAndImport, WhatIsThereAlreadyIsLeftAlone) {
  EXPECT_EQ(run_words({"export", "x"}), 0);
  EXPECT_EQ(run_words({"import", "x"}), 0);
  EXPECT_EQ(output.out_text,
            "Unit a.service is in the cluster already\nUnit b.service is in the cluster already\n");
}

TEST_F(ExportAndImport, AConflictRefusesTheWholeUnlessTold) {
  EXPECT_EQ(run_words({"export", "x"}), 0);
  add_unit("a.service", "[Service]\nExecStart=/bin/other\n", "launched");
  api.unit_map["b.service"].desired_state = "loaded";
  api.edits[0].metadata["fleet.cordon"] = "drain";
  api.calls.clear();
  EXPECT_EQ(run_words({"import", "x"}), 1);
  EXPECT_EQ(output.err_text,
            "Machine m1 has fleet.cordon=\"drain\" in the cluster, not \"cordon\"\n"
            "Unit a.service is in the cluster with other contents\n"
            "Unit b.service has the desired state loaded in the cluster, not inactive\n"
            "Error importing the registry: nothing was imported; --replace takes what the document "
            "says\n");
  EXPECT_TRUE(api.calls.empty());
  EXPECT_EQ(run_words({"import", "--replace", "x"}), 0);
  EXPECT_EQ(output.out_text,
            "Imported metadata of machine m1\nImported unit a.service launched\n"
            "Imported unit b.service inactive\n");
}

TEST_F(ExportAndImport, SaysWhatIsWrong) {
  files["bad"] = "{}";
  EXPECT_EQ(run_words({"import", "bad"}), 1);
  EXPECT_EQ(output.err_text,
            "Error importing the registry: bad: this is no document of fleetctl export\n");
  EXPECT_EQ(run_words({"import", "none"}), 1);
  EXPECT_EQ(output.err_text, "Error importing the registry: open none: no such file\n");
  EXPECT_EQ(run_words({"import"}), 1);
  EXPECT_EQ(output.err_text, "One file must be provided; - is standard input.\n");
  EXPECT_EQ(run_words({"export"}), 1);
  EXPECT_EQ(output.err_text, "One file must be provided; - is standard output.\n");
  api.failure = {base::Errc::kUnavailable, "away"};
  EXPECT_EQ(run_words({"export", "x"}), 1);
  EXPECT_EQ(output.err_text, "Error exporting the registry: away\n");
}

}  // namespace
}  // namespace flotilla::fctl
