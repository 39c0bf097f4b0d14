#include "cmd/fleetd/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace flotilla::fleetd {
namespace {

using Options = std::map<std::string, std::string>;

TEST(ParseIni, ReadsWhatFleetReads) {
  const auto options = parse_ini(
      "# comment\n; too\n\nPublic_IP = 192.0.2.1 # here\nmetadata=\"a=b, c # d\"\n"
      "quoted='x;y'\nlong = one,\\\n  two\r\nempty=\n[etcd]\nverbosity=1\n",
      "f");
  ASSERT_TRUE(options);
  EXPECT_EQ(*options, (std::vector<IniOption>{{"public_ip", "192.0.2.1", 4},
                                              {"metadata", "a=b, c # d", 5},
                                              {"quoted", "x;y", 6},
                                              {"long", "one,two", 7},
                                              {"empty", "", 9}}));
}

TEST(ParseIni, QuotesCountAroundTheWholeValue) {
  const std::pair<const char*, const char*> cases[] = {
      {"\"a\" # b", "a"},
      {"'a\"b'", "a\"b"},
      {"\"a\",\"b\"", "\"a\",\"b\""},
      {"\"a\", \"b\" # c", "\"a\", \"b\""},
      {"\"a # b", "\"a"},
      {"\"\"", ""},
  };
  for (const auto& [text, value] : cases) {
    const auto options = parse_ini(std::string("k=") + text, "f");
    ASSERT_TRUE(options);
    EXPECT_EQ((*options)[0].value, value) << text;
  }
}

TEST(ParseIni, NamesTheLineThatIsWrong) {
  EXPECT_EQ(parse_ini("a=1\n\nnonsense\n", "/etc/f").error().message,
            "iniparser: syntax error at '/etc/f:3'.");
  for (const char* wrong : {"=x", " = x", "two words=1", "[open\na=1", "[s]\nnonsense"}) {
    EXPECT_FALSE(parse_ini(wrong, "f")) << wrong;
  }
}

TEST(GoDuration, ReadsItsForms) {
  EXPECT_EQ(parse_go_duration("30s")->count(), 30);
  EXPECT_EQ(parse_go_duration("1m30s")->count(), 90);
  EXPECT_EQ(parse_go_duration("1.5h")->count(), 5400);
  EXPECT_EQ(parse_go_duration("500ms")->count(), 1);
  for (const char* bad : {"", "30", "s", "1x", "-1s", "1s2", "1e3s", "9999999999h", "..s"}) {
    EXPECT_FALSE(parse_go_duration(bad)) << bad;
  }
}

struct ConfigTest : testing::Test {
  ConfigTest() {
    char name[] = "/tmp/flotilla-config-XXXXXX";
    directory = ::mkdtemp(name);
  }
  ~ConfigTest() override { std::filesystem::remove_all(directory); }
  std::string write(const std::string& text) {
    std::ofstream(directory + "/fleet.conf") << text;
    return directory + "/fleet.conf";
  }
  std::string directory;
};

TEST_F(ConfigTest, TheEnvironmentBeatsTheFileAndNonsenseChangesNothing) {
  const auto config = load_config(
      write("metadata=region=us, disk = ssd,junk\ntoken_limit=70000\nverbosity=1\nnews=1\n"
            "listen=/a.sock, 127.0.0.1:80\npublic_ip=192.0.2.1\n"),
      {"FLEET_PUBLIC_IP=192.0.2.2", "FLEET_VERBOSITY=much", "PATH=/bin", "FLEET_METADATA=a=b"});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->metadata, (Options{{"a", "b"}}));
  EXPECT_EQ(config->token_limit, 100);
  EXPECT_EQ(config->verbosity, 0);
  EXPECT_EQ(config->public_ip, "192.0.2.2");
  EXPECT_EQ(config->listen, (std::vector<std::string>{"/a.sock", "127.0.0.1:80"}));
  const std::string file = directory + "/fleet.conf";
  EXPECT_EQ(
      config->warnings,
      (std::vector<std::string>{
          file + ":4: news=: no such option; ignored",
          file + ":2: token_limit=: expected a number from 1 to 65535, got \"70000\"; left as "
                 "it is",
          "$FLEET_VERBOSITY: verbosity=: expected a number, got \"much\"; left as it is"}));
}

TEST_F(ConfigTest, APageHasRoomForAtLeastOne) {
  const auto config = load_config(write("token_limit=0\nverify_units=true\nenable_grpc=1\n"), {});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->token_limit, 100);
  EXPECT_EQ(config->warnings.size(), 1U);
}

TEST_F(ConfigTest, SaysWhatIsNoLongerSupported) {
  const auto config = load_config(write("verify_units=true\nauthorized_keys_file=/k\n"), {});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->errors,
            (std::vector<std::string>{
                "Config option authorized_keys_file is no longer supported - ignoring",
                "Config option verify_units is no longer supported - ignoring"}));
  const auto unset = load_config(write("verify_units=false\nauthorized_keys_file=\n"), {});
  ASSERT_TRUE(unset);
  EXPECT_TRUE(unset->errors.empty());
  EXPECT_TRUE(unset->warnings.empty());
}

TEST_F(ConfigTest, TheUsersManagerIsFoundByTheRunTimeDirectory) {
  const auto config = load_config(write("systemd_user=true\n"), {"XDG_RUNTIME_DIR=/run/user/7"});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->manager_socket, "/run/user/7/systemd/private");
  EXPECT_EQ(config->units_directory, "/run/user/7/fleet/units");
  EXPECT_EQ(config->log_directory, "/run/user/7/flotilla/log");
  const auto chosen = load_config(
      write("systemd_user=t\nunits_directory=/u\nmanager_socket=/m\nlog_directory=/l\n"),
      {"XDG_RUNTIME_DIR=/run/user/7"});
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->manager_socket, "/m");
  EXPECT_EQ(chosen->units_directory, "/u");
  EXPECT_EQ(chosen->log_directory, "/l");
  EXPECT_EQ(load_config(write("\nsystemd_user=1\n"), {}).error().message,
            directory +
                "/fleet.conf:2: systemd_user=: the user's service manager is found by "
                "XDG_RUNTIME_DIR, which is not set");
  const auto system = load_config(write("systemd_user=false\n"), {});
  ASSERT_TRUE(system);
  EXPECT_EQ(system->manager_socket, "/run/systemd/private");
}

TEST_F(ConfigTest, RefusesWhatItCannotUse) {
  EXPECT_EQ(load_config(directory, {}).error().message,
            "Provided config " + directory + " is a directory, not a file");
  EXPECT_EQ(load_config(directory + "/none", {}).error().message,
            "Unable to use config file " + directory + "/none: No such file or directory");
  EXPECT_EQ(load_config(write("\nagent_ttl=soon"), {}).error().message,
            directory +
                "/fleet.conf:2: agent_ttl=: expected a duration like 30s or 1m30s, got "
                "\"soon\"");
  EXPECT_FALSE(load_config(write("agent_ttl=1s"), {}));
  EXPECT_EQ(load_config(write("drain_on_sigterm=2m"), {})->drain_on_sigterm,
            std::chrono::seconds(120));
  EXPECT_EQ(load_config(write("drain_on_sigterm=0s"), {})->drain_on_sigterm,
            std::chrono::seconds(0));
  EXPECT_FALSE(load_config(write("drain_on_sigterm=never"), {}));
  EXPECT_EQ(load_config(write("etcd_servers=http://a/b"), {}).error().message,
            directory +
                "/fleet.conf:1: etcd_servers=: etcd endpoint \"http://a/b\": expected "
                "http://HOST:PORT or https://HOST:PORT");
}

TEST_F(ConfigTest, TheApiHasAnAddressForOthers) {
  EXPECT_EQ(load_config(write("api_address=[::1]:80"), {})->api_address, "http://[::1]:80");
  EXPECT_EQ(load_config(write("api_address="), {})->api_address, "");
  EXPECT_EQ(load_config(write("api_address=here"), {}).error().message,
            directory +
                "/fleet.conf:1: api_address=: expected http://HOST:PORT or https://HOST:PORT of "
                "this machine's API, got \"here\": the port is missing");
}

TEST_F(ConfigTest, EtcdIsNamedAsFleetNamesIt) {
  const auto registry_of = [&](const std::string& text) {
    const auto config = load_config(write(text), {});
    return config ? config->registry : config.error().message;
  };
  EXPECT_EQ(registry_of("etcd_servers=[\"http://a:2379\", \"http://b:2379\"]"),
            "etcd:[\"http://a:2379\", \"http://b:2379\"]");
  EXPECT_EQ(registry_of("etcd_servers=\"http://a\",\"http://b\""),
            "etcd:\"http://a\",\"http://b\"");
  EXPECT_EQ(registry_of("etcd_servers=http://a\nregistry=sqlite:/x"), "sqlite:/x");
  EXPECT_EQ(registry_of("etcd_servers=http://a\nregistry="), "etcd:http://a");
  EXPECT_EQ(registry_of("etcd_servers=\n"), "");
  const auto config =
      load_config(write("registry=etcd:https://a,https://b\netcd_cafile=/ca\netcd_certfile=/cert\n"
                        "etcd_keyfile=/key\netcd_username=fleet\netcd_password=\"a;b\"\n"
                        "etcd_request_timeout=1.5\netcd_key_prefix=/x/\netcd_color=blue\n"),
                  {});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->key_prefix, "/x");
  EXPECT_EQ(Config().key_prefix, "/flotilla");
  EXPECT_FALSE(load_config(write("etcd_key_prefix=a b"), {}));
  EXPECT_EQ(config->etcd.ca_file, "/ca");
  EXPECT_EQ(config->etcd.cert_file, "/cert");
  EXPECT_EQ(config->etcd.key_file, "/key");
  EXPECT_EQ(config->etcd.username, "fleet");
  EXPECT_EQ(config->etcd.password, "a;b");
  EXPECT_EQ(config->etcd.request_timeout, std::chrono::milliseconds(1500));
  EXPECT_THAT(config->warnings, testing::ElementsAre(testing::HasSubstr("etcd_color=: no such")));
}

}  // namespace
}  // namespace flotilla::fleetd
