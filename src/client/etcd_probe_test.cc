#include "client/etcd_probe.h"

#include <gtest/gtest.h>

namespace flotilla::client {
namespace {

TEST(EtcdProbe, KnowsEtcdByTheNameOfItsServer) {
  EXPECT_TRUE(is_etcd_version(R"({"etcdserver":"3.4.23","etcdcluster":"3.4.0"})"));
  for (const char* other : {"", "{}", "[]", "etcd 2.0.3", R"({"etcdserver":3})",
                            R"({"error":{"code":404,"message":""}})"}) {
    EXPECT_FALSE(is_etcd_version(other)) << other;
  }
}

}  // namespace
}  // namespace flotilla::client
