#include "cmd/fleetd/config_api.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "tls/test_certificates.h"

namespace flotilla::fleetd {
namespace {

struct ConfigApiTest : testing::Test {
  ConfigApiTest() {
    char name[] = "/tmp/flotilla-config-XXXXXX";
    directory = ::mkdtemp(name);
    const tls::TestAuthority authority(directory, "authority");
    files = authority.issue("machine");
  }
  ~ConfigApiTest() override { std::filesystem::remove_all(directory); }

  base::Result<Config> load(const std::string& text) const {
    std::ofstream(directory + "/fleet.conf") << text;
    return load_config(directory + "/fleet.conf", {});
  }
  std::string error_of(const std::string& text) const {
    const auto config = load(text);
    return config ? "none" : config.error().message;
  }
  std::string all() const {
    return "api_cafile=" + files.ca_file + "\napi_certfile=" + files.cert_file +
           "\napi_keyfile=" + files.key_file + "\n";
  }

  std::string directory;
  tls::Files files;
};

TEST_F(ConfigApiTest, TlsHasThreeFilesAndNamesOfAdmins) {
  const auto config = load(all() + "api_admins=root, node-1 ,\nlisten=https://192.0.2.1:443\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->api_tls, files);
  EXPECT_EQ(config->api_admins, (std::vector<std::string>{"root", "node-1"}));
  EXPECT_TRUE(config->warnings.empty());
}

TEST_F(ConfigApiTest, ErrorsNameFileAndLine) {
  const std::string at = directory + "/fleet.conf:";
  EXPECT_EQ(error_of("listen=https://192.0.2.1:443\n"),
            at + "1: listen=https://192.0.2.1:443: TLS needs api_cafile=, api_certfile= and "
                 "api_keyfile=");
  EXPECT_EQ(error_of("\napi_cafile=" + files.ca_file + "\napi_certfile=" + files.cert_file + "\n"),
            at + "3: api_certfile=: api_cafile, api_certfile and api_keyfile belong together; "
                 "api_keyfile is missing");
  EXPECT_EQ(error_of(all() + "api_keyfile=" + files.cert_file + "\n"),
            at + "4: api_keyfile=: " + files.cert_file +
                " has no private key in PEM form without a pass phrase");
  EXPECT_EQ(error_of(all() + "api_cafile=/none\n"),
            at + "4: api_cafile=: /none cannot be read: No such file or directory");
  EXPECT_EQ(error_of(all() + "api_certfile=" + directory + "/fleet.conf\n"),
            at + "4: api_certfile=: " + directory + "/fleet.conf has no certificate in PEM form");
}

TEST_F(ConfigApiTest, AnnouncesTheFirstAddressThatOthersCanReach) {
  const auto announced = [&](const std::string& more) {
    const auto config = load(all() + more + "\n");
    return config ? config->api_address : config.error().message;
  };
  EXPECT_EQ(announced("listen=/a,https://192.0.2.1:443"), "https://192.0.2.1:443");
  EXPECT_EQ(announced("listen=https://0.0.0.0:1\npublic_ip=192.0.2.7"), "https://192.0.2.7:1");
  EXPECT_EQ(announced("listen=https://[::]:1\npublic_ip=192.0.2.7"), "https://192.0.2.7:1");
  EXPECT_EQ(announced("listen=https://127.0.0.1:1,https://[2001:db8::1]:2"),
            "https://[2001:db8::1]:2");
  EXPECT_EQ(announced("listen=https://127.0.0.1:1,127.0.0.1:2"), "");
  EXPECT_EQ(announced("listen=https://192.0.2.1:443\napi_address=https://node:8443"),
            "https://node:8443");
}

}  // namespace
}  // namespace flotilla::fleetd
