#include "store/etcd_certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <climits>
#include <memory>

namespace flotilla::store {

Validity validity_of_certificate(std::string_view pem) {
  if (pem.empty() || pem.size() > INT_MAX) return Validity::kUnknown;
  const std::unique_ptr<BIO, int (*)(BIO*)> in(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  if (in == nullptr) return Validity::kUnknown;
  const std::unique_ptr<X509, void (*)(X509*)> certificate(
      PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), X509_free);
  if (certificate == nullptr) {
    ERR_clear_error();
    return Validity::kUnknown;
  }
  if (X509_cmp_current_time(X509_get0_notBefore(certificate.get())) > 0) return Validity::kNotYet;
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0) return Validity::kExpired;
  return Validity::kNow;
}

}  // namespace flotilla::store
