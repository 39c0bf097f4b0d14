#include "store/etcd_errors.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "store/etcd_certificate.h"

namespace flotilla::store {

using base::Errc;
using base::Error;

namespace {

bool says(const RpcStatus& status, std::string_view text) {
  return status.message.find(text) != std::string::npos;
}

// gRPC never put the call on a wire: no connection could be made.
bool was_never_sent(const RpcStatus& status) {
  constexpr std::array<std::string_view, 5> kTexts{
      "failed to connect to all addresses", "connections to all backends failing",
      "DNS resolution failed", "empty address list", "Ssl handshake failed"};
  return status.code == RpcCode::kUnavailable &&
         std::any_of(kTexts.begin(), kTexts.end(),
                     [&](std::string_view text) { return says(status, text); });
}

bool is_token_gone(const RpcStatus& status) {
  return status.code == RpcCode::kUnauthenticated || says(status, "auth: revision in header") ||
         says(status, "invalid auth token") || says(status, "user name is empty");
}

// etcd's own words without its name in front.
std::string_view plain(std::string_view message) {
  constexpr std::string_view kName = "etcdserver: ";
  if (message.starts_with(kName)) message.remove_prefix(kName.size());
  return message;
}

}  // namespace

RpcVerdict verdict_of(const RpcStatus& status) {
  if (is_token_gone(status)) return RpcVerdict::kRenewToken;
  switch (status.code) {
    case RpcCode::kInvalidArgument:
    case RpcCode::kNotFound:
    case RpcCode::kPermissionDenied:
    case RpcCode::kFailedPrecondition:
    case RpcCode::kOutOfRange:
      return RpcVerdict::kFinal;
    case RpcCode::kResourceExhausted:
      return says(status, "too many requests") ? RpcVerdict::kBusy : RpcVerdict::kFinal;
    case RpcCode::kUnavailable:
      if (was_never_sent(status) || says(status, "etcdserver: no leader") ||
          says(status, "rpc not supported for learner")) {
        return RpcVerdict::kNotDone;
      }
      return RpcVerdict::kUnknown;
    case RpcCode::kOk:
    case RpcCode::kCancelled:
    case RpcCode::kDeadlineExceeded:
    case RpcCode::kUnauthenticated:
      break;
  }
  return RpcVerdict::kUnknown;
}

Error error_of(const RpcStatus& status, bool is_write) {
  const auto error = [](Errc code, std::string text) { return Error{code, std::move(text)}; };
  switch (status.code) {
    case RpcCode::kNotFound:
      return error(Errc::kNotFound, fmt::format("etcd: {}", plain(status.message)));
    case RpcCode::kOutOfRange:
      return error(says(status, "compacted") ? Errc::kNotFound : Errc::kInvalid,
                   fmt::format("etcd: {}", plain(status.message)));
    case RpcCode::kInvalidArgument:
      // Authentication has been enabled, and nobody is named here.
      if (says(status, "user name is empty")) break;
      if (says(status, "authentication failed")) {
        return error(Errc::kDenied, "etcd refuses the user name or the password");
      }
      if (says(status, "too large") || says(status, "too many operations")) {
        return error(Errc::kTooLarge, fmt::format("etcd: {}", plain(status.message)));
      }
      return error(Errc::kInvalid, fmt::format("etcd: {}", plain(status.message)));
    case RpcCode::kPermissionDenied:
      return error(Errc::kDenied,
                   "etcd: permission denied: the user needs a role that may read and write there");
    case RpcCode::kResourceExhausted:
      if (says(status, "database space exceeded")) {
        return {Errc::kInternal,
                "etcd takes no writes, its database is full (NOSPACE alarm): compact and "
                "defragment it, then disarm the alarm",
                ENOSPC};
      }
      // Received message larger than max: the answer to a call that was done.
      if (says(status, "larger than max")) {
        return error(is_write ? Errc::kTimedOut : Errc::kTooLarge,
                     "etcd's answer is larger than this client takes");
      }
      return error(Errc::kUnavailable, fmt::format("etcd: {}", plain(status.message)));
    default:
      break;
  }
  if (is_token_gone(status)) {
    return error(Errc::kDenied,
                 "etcd asks for authentication: set a user name and its password, or a client "
                 "certificate");
  }
  if (verdict_of(status) == RpcVerdict::kUnknown) {
    return error(Errc::kTimedOut, is_write ? fmt::format("etcd: {}; whether the write was done is "
                                                         "unknown",
                                                         describe(status))
                                           : fmt::format("etcd: {}", describe(status)));
  }
  return error(Errc::kUnavailable, fmt::format("etcd: {}", describe(status)));
}

std::string describe(const RpcStatus& status) {
  struct Known {
    std::string_view text;
    std::string_view clause;
  };
  constexpr std::array<Known, 14> kKnown{{
      {"CERTIFICATE_VERIFY_FAILED",
       "its certificate is not signed by the given authority, or not valid now"},
      {"certificate verify failed",
       "its certificate is not signed by the given authority, or not valid now"},
      {"Hostname Verification Check failed", "its certificate is for another name"},
      {"Peer name", "its certificate is for another name"},
      {"WRONG_VERSION_NUMBER", "it does not speak TLS; use http://"},
      {"wrong version number", "it does not speak TLS; use http://"},
      {"CERTIFICATE_REQUIRED", "it asks for a client certificate"},
      {"BAD_CERTIFICATE", "it refuses the client certificate"},
      {"Invalid cert chain file", "the client certificate cannot be read"},
      {"Connection refused", "connection refused"},
      {"No such file or directory", "there is no such socket"},
      {"DNS resolution failed", "its name cannot be resolved"},
      {"imeout occurred", "no answer in time"},
      {"handshaker shutdown", "no answer in time"},
  }};
  if (status.code == RpcCode::kDeadlineExceeded) return "no answer in time";
  for (const Known& known : kKnown) {
    if (says(status, known.text)) return std::string(known.clause);
  }
  std::string text(plain(status.message));
  // One line, of a length that can be read.
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  if (text.size() > 300) text.resize(300);
  if (text.empty()) text = fmt::format("gRPC error {}", static_cast<int>(status.code));
  return text;
}

// In TLS 1.3 a client is done with the handshake before the server has looked at its certificate:
// of a server that refuses it gRPC may tell no more than that nothing could be read.
std::string describe(const RpcStatus& status, const EtcdEndpoint& endpoint,
                     std::string_view certificate) {
  const bool is_end = was_never_sent(status) &&
                      (says(status, "Endpoint read failed") || says(status, "Socket closed"));
  if (!endpoint.is_tls) {
    return is_end ? "it ends the connection; if it speaks TLS, use https://" : describe(status);
  }
  const bool is_refusal = is_end || says(status, "BAD_CERTIFICATE") ||
                          says(status, "bad certificate") || says(status, "CERTIFICATE_EXPIRED") ||
                          says(status, "certificate expired");
  if (!is_refusal) return describe(status);
  if (certificate.empty()) return "it ends the connection; it may ask for a client certificate";
  switch (validity_of_certificate(certificate)) {
    case Validity::kExpired:
      return "it refuses the client certificate, which has expired";
    case Validity::kNotYet:
      return "it refuses the client certificate, which is not valid yet";
    case Validity::kNow:
    case Validity::kUnknown:
      break;
  }
  return is_end ? "it ends the connection; it may refuse the client certificate"
                : "it refuses the client certificate";
}

}  // namespace flotilla::store
