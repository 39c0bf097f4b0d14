#include "store/etcd_options.h"

#include <gtest/gtest.h>

namespace flotilla::store {
namespace {

std::string targets_of(std::string_view text) {
  const auto endpoints = parse_etcd_endpoints(text);
  if (!endpoints) return endpoints.error().message;
  std::string out;
  for (const EtcdEndpoint& endpoint : *endpoints) {
    out += (out.empty() ? "" : " ") + endpoint.target + (endpoint.is_tls ? "+tls" : "");
  }
  return out;
}

TEST(EtcdOptions, EndpointsInTheFormsThatPeopleWriteThem) {
  const std::string expected = ": expected http://HOST:PORT or https://HOST:PORT";
  struct Case {
    std::string text;
    std::string targets;
  };
  for (const Case& c : std::vector<Case>{
           {"http://127.0.0.1:2379", "127.0.0.1:2379"},
           {"https://etcd-1.example/", "etcd-1.example:2379+tls"},
           {"a:1, http://b:2 ,https://c:3", "a:1 b:2 c:3+tls"},
           {"[\"http://a:1\", 'http://b:2']", "a:1 b:2"},
           {"http://[::1]:4001", "[::1]:4001"},
           {"[fd00::7]", "[fd00::7]:2379"},
           {"unix:///run/etcd.sock", "unix:/run/etcd.sock"},
           {"http://a:1,http://a:1", "a:1"},
           {"", "etcd: expected a URL, got \"\""},
           {" , ", "etcd: expected a URL, got \" , \""},
           {"unix://", "etcd endpoint \"unix://\": expected a path after unix://"},
           {"http://", "etcd endpoint \"http://\"" + expected},
           {"ftp://a:1", "etcd endpoint \"ftp://a:1\"" + expected},
           {"http://a:1/v2", "etcd endpoint \"http://a:1/v2\"" + expected},
           {"http://a:0", "etcd endpoint \"http://a:0\"" + expected},
           {"http://a:99999", "etcd endpoint \"http://a:99999\"" + expected},
           {"http://a b:1", "etcd endpoint \"http://a b:1\"" + expected},
           {"http://[::1", "etcd endpoint \"http://[::1\"" + expected},
       }) {
    EXPECT_EQ(targets_of(c.text), c.targets) << c.text;
  }
}

TEST(EtcdOptions, CombinationsThatMakeNoSenseAreRefused) {
  EtcdSettings credentials;
  credentials.cert_file = "/x.pem";
  EXPECT_EQ(make_etcd_options("https://a", credentials).error().message,
            "etcd: a client certificate needs both its file and its key's");
  credentials = {};
  credentials.password = "secret";
  EXPECT_EQ(make_etcd_options("https://a", credentials).error().message,
            "etcd: a password needs a user name");
  credentials = {};
  credentials.ca_file = "/nowhere/ca.pem";
  EXPECT_EQ(make_etcd_options("https://a", credentials).error().message,
            "etcd: read /nowhere/ca.pem: No such file or directory");
  credentials.ca_file = "/etc/passwd";
  EXPECT_EQ(make_etcd_options("https://a", credentials).error().message,
            "etcd: /etc/passwd is not in PEM format");
  EXPECT_TRUE(make_etcd_options("http://a", credentials));
}

}  // namespace
}  // namespace flotilla::store
