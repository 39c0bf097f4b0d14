// Authorities and certificates made on the spot, for tests. Link libcrypto.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>

#include "tls/context.h"

namespace flotilla::tls {

class TestAuthority {
 public:
  // Writes its certificate to FOLDER/NAME.pem.
  TestAuthority(std::string folder, const std::string& name)
      : folder_(std::move(folder)),
        file_(folder_ + "/" + name + ".pem"),
        key_(EVP_EC_gen("P-256"), &EVP_PKEY_free),
        certificate_(make(name, key_.get(), kDay, {})) {
    add_extension(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    sign(certificate_.get());
    write_certificate(certificate_.get(), file_);
  }

  const std::string& file() const { return file_; }

  // A certificate for NAME (also its DNS name) and 127.0.0.1, as FOLDER/NAME.pem and .key. A
  // negative life is one that has ended.
  Files issue(const std::string& name, long seconds = kDay,
              const std::string& addresses = "IP:127.0.0.1") const {
    const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    const Certificate certificate = make(name, key.get(), seconds, certificate_.get());
    add_extension(certificate.get(), NID_subject_alt_name,
                  (name.find_first_not_of("0123456789.") == std::string::npos ? "IP:" : "DNS:") +
                      name + (addresses.empty() ? "" : "," + addresses));
    sign(certificate.get());
    Files files{file_, folder_ + "/" + name + ".pem", folder_ + "/" + name + ".key"};
    write_certificate(certificate.get(), files.cert_file);
    FILE* const file = fopen(files.key_file.c_str(), "w");
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    fclose(file);
    return files;
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
  static constexpr long kDay = 24L * 3600;

  static Certificate make(const std::string& name, EVP_PKEY* key, long seconds, X509* issuer) {
    static long serial = 0;
    Certificate certificate(X509_new(), &X509_free);
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -2 * kDay);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), seconds);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate.get(),
                         X509_get_subject_name(issuer == nullptr ? certificate.get() : issuer));
    X509_set_pubkey(certificate.get(), key);
    return certificate;
  }
  static void add_extension(X509* certificate, int nid, const std::string& value) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  void sign(X509* certificate) const { X509_sign(certificate, key_.get(), EVP_sha256()); }
  static void write_certificate(X509* certificate, const std::string& path) {
    FILE* const file = fopen(path.c_str(), "w");
    PEM_write_X509(file, certificate);
    fclose(file);
  }

  const std::string folder_;
  const std::string file_;
  const Key key_;
  const Certificate certificate_;
};

}  // namespace flotilla::tls
