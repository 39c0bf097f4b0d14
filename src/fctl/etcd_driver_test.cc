#include "fctl/fleetctl_test.h"

namespace flotilla::fctl {
namespace {

class EtcdDriver : public FleetctlTest {};

TEST_F(EtcdDriver, IsGivenWhatTheFlagsSay) {
  EXPECT_EQ(run_words({"--driver=etcd", "--endpoint=https://a,https://b", "--etcd-key-prefix=/x/",
                       "--ca-file=ca", "--cert-file=cert", "--key-file=key", "--etcd-username=me",
                       "--etcd-password=secret", "--request-timeout=1.5", "list-machines"}),
            0);
  ASSERT_TRUE(etcd_used);
  EXPECT_EQ(etcd_used->servers, "https://a,https://b");
  EXPECT_EQ(etcd_used->key_prefix, "/x/");
  EXPECT_EQ(etcd_used->ca_file, "ca");
  EXPECT_EQ(etcd_used->cert_file, "cert");
  EXPECT_EQ(etcd_used->key_file, "key");
  EXPECT_EQ(etcd_used->username, "me");
  EXPECT_EQ(etcd_used->password, "secret");
  EXPECT_EQ(etcd_used->request_timeout, 1.5);
  EXPECT_TRUE(endpoints_used.empty());
  EXPECT_TRUE(probed.empty());
}

TEST_F(EtcdDriver, LooksOnThisMachineUnlessToldWhere) {
  variables["FLEETCTL_DRIVER"] = "etcd";
  EXPECT_EQ(run_words({"--etcd-cafile=old", "list-machines"}), 0);
  ASSERT_TRUE(etcd_used);
  EXPECT_EQ(etcd_used->servers, "http://127.0.0.1:2379,http://127.0.0.1:4001");
  EXPECT_EQ(etcd_used->key_prefix, "/flotilla");
  EXPECT_EQ(etcd_used->ca_file, "old");
  EXPECT_EQ(etcd_used->request_timeout, 3);
}

TEST_F(EtcdDriver, IsUsedWhereEtcdAnswersAtTheEndpoint) {
  etcd_answers = true;
  variables["FLEETCTL_ENDPOINT"] = "http://127.0.0.1:2379,http://127.0.0.1:4001";
  EXPECT_EQ(run_words({"list-machines"}), 0);
  EXPECT_EQ(probed.size(), 2u);
  ASSERT_TRUE(etcd_used);
  EXPECT_EQ(etcd_used->servers, "http://127.0.0.1:2379,http://127.0.0.1:4001");
}

TEST_F(EtcdDriver, IsNotUsedWhereAnApiAnswers) {
  EXPECT_EQ(run_words({"--endpoint=http://10.0.0.1:49153", "list-machines"}), 0);
  EXPECT_EQ(probed.size(), 1u);
  EXPECT_FALSE(etcd_used);
  EXPECT_EQ(endpoints_used.size(), 1u);
}

TEST_F(EtcdDriver, IsNotLookedForOnASocketOfThisMachineOrBehindATunnel) {
  etcd_answers = true;
  EXPECT_EQ(run_words({"list-machines"}), 0);
  EXPECT_EQ(run_words({"--tunnel=bastion", "--endpoint=http://127.0.0.1:2379", "list-machines"}),
            0);
  EXPECT_TRUE(probed.empty());
  EXPECT_FALSE(etcd_used);
  EXPECT_EQ(run_words({"--tunnel=bastion", "--driver=etcd", "list-machines"}), 1);
  EXPECT_EQ(output.err_text,
            "Unable to initialize client: the etcd driver cannot go through --tunnel; use the API "
            "driver\n");
}

}  // namespace
}  // namespace flotilla::fctl
