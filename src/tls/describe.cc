#include "tls/describe.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <memory>

namespace flotilla::tls {
namespace {

// Why the peer's certificate was not accepted; empty if it was.
std::string describe_verification(long result) {
  switch (result) {
    case X509_V_OK:
      return {};
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "its certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "its certificate is not valid yet";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "its certificate is for another name";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "its certificate is not signed by the given authority";
    case X509_V_ERR_INVALID_PURPOSE:
      return "its certificate is not made for this purpose";
    default:
      return std::string("its certificate is not accepted: ") +
             X509_verify_cert_error_string(result);
  }
}

}  // namespace

std::string describe_failure(SSL* ssl, const boost::system::error_code& error) {
  namespace asio = boost::asio;
  if (std::string why = describe_verification(SSL_get_verify_result(ssl)); !why.empty()) return why;
  if (error.category() != asio::error::get_ssl_category()) {
    const bool is_end = error == asio::error::eof || error == asio::ssl::error::stream_truncated ||
                        error == asio::error::connection_reset || error == asio::error::broken_pipe;
    if (!is_end) return error.message();
    return SSL_is_init_finished(ssl) != 0 ? std::string()
                                          : "it hung up during the handshake of TLS";
  }
  switch (ERR_GET_REASON(static_cast<unsigned long>(error.value()))) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "it asks for a client certificate";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "it has no certificate";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "it does not know the authority of our certificate";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "it refuses our certificate, which has expired";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return "it refuses our certificate";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return "it refuses the handshake of TLS; it may ask for a client certificate";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
      return "it does not speak TLS";
    default:
      return error.message();
  }
}

std::vector<std::string> names_of_peer(SSL* ssl) {
  std::vector<std::string> names;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl),
                                                                &X509_free);
  if (!certificate) return names;
  const auto add = [&](const ASN1_STRING* text) {
    unsigned char* utf8 = nullptr;
    const int length = ASN1_STRING_to_UTF8(&utf8, text);
    if (length > 0) names.emplace_back(reinterpret_cast<char*>(utf8), static_cast<size_t>(length));
    OPENSSL_free(utf8);
  };
  const X509_NAME* const subject = X509_get_subject_name(certificate.get());
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) add(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> others(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (int i = 0; others && i < sk_GENERAL_NAME_num(others.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(others.get(), i);
    if (name->type == GEN_DNS) add(name->d.dNSName);
  }
  return names;
}

}  // namespace flotilla::tls
