#include "client/endpoint.h"

#include <gtest/gtest.h>

namespace flotilla::client {
namespace {

TEST(Endpoint, ReadsUnixSockets) {
  const auto endpoint = parse_endpoint("unix:///var/run/fleet.sock");
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->kind, Endpoint::Kind::kUnix);
  EXPECT_EQ(endpoint->path, "/var/run/fleet.sock");
  EXPECT_EQ(parse_endpoint("file:///x/y")->path, "/x/y");
}

TEST(Endpoint, ReadsHostsAndPorts) {
  EXPECT_EQ(parse_endpoint("http://127.0.0.1:49153")->port, "49153");
  EXPECT_EQ(parse_endpoint("http://machine")->port, "80");
  EXPECT_EQ(parse_endpoint("http://machine/")->host, "machine");
  EXPECT_EQ(parse_endpoint("http://[::1]:8080/")->host, "::1");
  EXPECT_EQ(parse_endpoint("http://[::1]:8080/")->port, "8080");
}

TEST(Endpoint, KnowsTls) {
  EXPECT_TRUE(parse_endpoint("https://machine")->is_tls);
  EXPECT_EQ(parse_endpoint("https://machine")->port, "443");
  EXPECT_EQ(parse_endpoint("https://[::1]")->port, "443");
  EXPECT_EQ(describe(*parse_endpoint("https://machine:49153")), "https://machine:49153");
  EXPECT_FALSE(parse_endpoint("http://machine")->is_tls);
}

TEST(Endpoint, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"/var/run/fleet.sock", "URL scheme undefined"},
      {"", "URL scheme undefined"},
      {"unix://var/run/fleet.sock", "unable to connect to host \"var\" with scheme \"unix\""},
      {"http://", "endpoint \"http://\" names no host"},
      {"http://h:x", "endpoint \"http://h:x\": \"x\" is no port"},
      {"http://h:99999", "endpoint \"http://h:99999\": \"99999\" is no port"},
      {"ftp://h", "endpoint \"ftp://h\": unknown scheme \"ftp\"; use unix://, http:// or https://"},
  };
  for (const auto& [text, why] : cases) {
    const auto endpoint = parse_endpoint(text);
    ASSERT_FALSE(endpoint) << text;
    EXPECT_EQ(endpoint.error().message, why);
  }
}

TEST(Endpoint, ListsHaveCommasBetween) {
  const auto endpoints = parse_endpoints("http://a:1, unix:///b,,");
  ASSERT_TRUE(endpoints);
  ASSERT_EQ(endpoints->size(), 2U);
  EXPECT_EQ(describe((*endpoints)[0]), "http://a:1");
  EXPECT_EQ(describe((*endpoints)[1]), "unix:///b");
  EXPECT_EQ(parse_endpoints(" , ").error().message, "URL scheme undefined");
  EXPECT_FALSE(parse_endpoints("http://a,bad"));
}

}  // namespace
}  // namespace flotilla::client
