#include "store/etcd_errors.h"

#include <gtest/gtest.h>

namespace flotilla::store {
namespace {

using base::Errc;

TEST(EtcdErrors, WhatAFailureMeansAndHowItIsSaid) {
  struct Case {
    RpcStatus status;
    RpcVerdict verdict;
    Errc code;
    std::string text;
  };
  for (const Case& c : std::vector<Case>{
           {{RpcCode::kNotFound, "etcdserver: requested lease not found"},
            RpcVerdict::kFinal,
            Errc::kNotFound,
            "etcd: requested lease not found"},
           {{RpcCode::kOutOfRange, "etcdserver: mvcc: required revision has been compacted"},
            RpcVerdict::kFinal,
            Errc::kNotFound,
            "etcd: mvcc: required revision has been compacted"},
           {{RpcCode::kOutOfRange, "etcdserver: mvcc: required revision is a future revision"},
            RpcVerdict::kFinal,
            Errc::kInvalid,
            "etcd: mvcc: required revision is a future revision"},
           {{RpcCode::kInvalidArgument, "etcdserver: request is too large"},
            RpcVerdict::kFinal,
            Errc::kTooLarge,
            "etcd: request is too large"},
           {{RpcCode::kInvalidArgument,
             "etcdserver: authentication failed, invalid user ID or password"},
            RpcVerdict::kFinal,
            Errc::kDenied,
            "etcd refuses the user name or the password"},
           {{RpcCode::kInvalidArgument, "auth: revision in header is old"},
            RpcVerdict::kRenewToken,
            Errc::kInvalid,
            "etcd: auth: revision in header is old"},
           {{RpcCode::kUnauthenticated, "etcdserver: invalid auth token"},
            RpcVerdict::kRenewToken,
            Errc::kDenied,
            "etcd asks for authentication: set a user name and its password, or a client "
            "certificate"},
           {{RpcCode::kInvalidArgument, "etcdserver: user name is empty"},
            RpcVerdict::kRenewToken,
            Errc::kDenied,
            "etcd asks for authentication: set a user name and its password, or a client "
            "certificate"},
           {{RpcCode::kPermissionDenied, "etcdserver: permission denied"},
            RpcVerdict::kFinal,
            Errc::kDenied,
            "etcd: permission denied: the user needs a role that may read and write there"},
           {{RpcCode::kResourceExhausted, "etcdserver: too many requests"},
            RpcVerdict::kBusy,
            Errc::kUnavailable,
            "etcd: too many requests"},
           {{RpcCode::kUnavailable, "etcdserver: no leader"},
            RpcVerdict::kNotDone,
            Errc::kUnavailable,
            "etcd: no leader"},
           {{RpcCode::kUnavailable,
             "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to "
             "connect to remote host: Connection refused"},
            RpcVerdict::kNotDone,
            Errc::kUnavailable,
            "etcd: connection refused"},
           {{RpcCode::kUnavailable,
             "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: tcp "
             "handshaker shutdown"},
            RpcVerdict::kNotDone,
            Errc::kUnavailable,
            "etcd: no answer in time"},
           {{RpcCode::kUnavailable, "etcdserver: request timed out"},
            RpcVerdict::kUnknown,
            Errc::kTimedOut,
            "etcd: request timed out; whether the write was done is unknown"},
           {{RpcCode::kUnavailable, "Socket closed"},
            RpcVerdict::kUnknown,
            Errc::kTimedOut,
            "etcd: Socket closed; whether the write was done is unknown"},
           {{RpcCode::kDeadlineExceeded, "Deadline Exceeded"},
            RpcVerdict::kUnknown,
            Errc::kTimedOut,
            "etcd: no answer in time; whether the write was done is unknown"},
           {{static_cast<RpcCode>(13), "RST_STREAM"},
            RpcVerdict::kUnknown,
            Errc::kTimedOut,
            "etcd: RST_STREAM; whether the write was done is unknown"},
       }) {
    EXPECT_EQ(verdict_of(c.status), c.verdict) << c.status.message;
    const base::Error error = error_of(c.status, true);
    EXPECT_EQ(error.code, c.code) << c.status.message;
    EXPECT_EQ(error.message, c.text);
  }
}

TEST(EtcdErrors, AConnectionThatEndsIsExplainedByWhatIsKnownOfBothSides) {
  const RpcStatus status{RpcCode::kUnavailable,
                         "failed to connect to all addresses; last error: UNAVAILABLE: "
                         "ipv4:127.0.0.1:1: Endpoint read failed"};
  const EtcdEndpoint tls{"https://127.0.0.1:1", "127.0.0.1:1", true};
  const EtcdEndpoint plain{"http://127.0.0.1:1", "127.0.0.1:1", false};
  EXPECT_EQ(describe(status, plain, ""), "it ends the connection; if it speaks TLS, use https://");
  EXPECT_EQ(describe(status, tls, ""),
            "it ends the connection; it may ask for a client certificate");
  EXPECT_EQ(describe(status, tls, "no certificate"),
            "it ends the connection; it may refuse the client certificate");
  const RpcStatus refused{RpcCode::kUnavailable, "Connection refused"};
  EXPECT_EQ(describe(refused, tls, ""), "connection refused");
}

TEST(EtcdErrors, AnAnswerThatIsTooLargeIsAReadersTroubleAndAWritersRiddle) {
  const RpcStatus status{RpcCode::kResourceExhausted,
                         "Received message larger than max (40000000 vs. 33554432)"};
  EXPECT_EQ(error_of(status, false).code, Errc::kTooLarge);
  EXPECT_EQ(error_of(status, true).code, Errc::kTimedOut);
}

}  // namespace
}  // namespace flotilla::store
