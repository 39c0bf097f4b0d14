#include "tls/context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "tls/context_impl.h"

namespace flotilla::tls {
namespace {

using SslContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

base::Result<SslContext> make_context(const SSL_METHOD* method) {
  SslContext context(SSL_CTX_new(method), &SSL_CTX_free);
  if (!context) return base::internal("cannot set up TLS");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // An idle connection keeps no buffers; nobody comes back to an old session.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(context.get(), 0);
  // A key with a pass phrase would ask for it on the terminal.
  SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return -1; });
  return context;
}

base::Status check_readable(const std::string& path) {
  if (access(path.c_str(), R_OK) == 0) return {};
  return base::system_error(errno, "{} cannot be read", path);
}

// What OpenSSL has noted since is of no use to anybody else.
bool succeeded(int result) {
  if (result == 1) return true;
  ERR_clear_error();
  return false;
}

base::Status load_ca(SSL_CTX* context, const std::string& path) {
  FLOTILLA_TRY(check_readable(path));
  if (!succeeded(SSL_CTX_load_verify_file(context, path.c_str()))) {
    return base::invalid("{} has no certificates in PEM form", path);
  }
  // What a server tells its clients of whom it accepts.
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(path.c_str()));
  return {};
}

base::Status load_cert(SSL_CTX* context, const std::string& path) {
  FLOTILLA_TRY(check_readable(path));
  if (succeeded(SSL_CTX_use_certificate_chain_file(context, path.c_str()))) return {};
  return base::invalid("{} has no certificate in PEM form", path);
}

base::Status load_key(SSL_CTX* context, const std::string& path, const std::string& cert_file) {
  FLOTILLA_TRY(check_readable(path));
  if (!succeeded(SSL_CTX_use_PrivateKey_file(context, path.c_str(), SSL_FILETYPE_PEM))) {
    // The certificate is there already: a key of another one is refused here.
    const SslContext alone(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
    SSL_CTX_set_default_passwd_cb(alone.get(), [](char*, int, int, void*) { return -1; });
    if (!succeeded(SSL_CTX_use_PrivateKey_file(alone.get(), path.c_str(), SSL_FILETYPE_PEM))) {
      return base::invalid("{} has no private key in PEM form without a pass phrase", path);
    }
  } else if (succeeded(SSL_CTX_check_private_key(context))) {
    return {};
  }
  return base::invalid("{} is not the key of the certificate in {}", path, cert_file);
}

}  // namespace

base::Status check_ca_file(const std::string& path) {
  FLOTILLA_ASSIGN(const SslContext context, make_context(TLS_method()));
  return load_ca(context.get(), path);
}

base::Status check_cert_file(const std::string& path) {
  FLOTILLA_ASSIGN(const SslContext context, make_context(TLS_method()));
  return load_cert(context.get(), path);
}

base::Status check_key_file(const std::string& path, const std::string& cert_file) {
  FLOTILLA_ASSIGN(const SslContext context, make_context(TLS_method()));
  FLOTILLA_TRY(load_cert(context.get(), cert_file));
  return load_key(context.get(), path, cert_file);
}

Context::Context(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Context::~Context() = default;

base::Result<std::shared_ptr<const Context>> Context::for_server(const Files& files) {
  FLOTILLA_ASSIGN(SslContext context, make_context(TLS_server_method()));
  FLOTILLA_TRY(load_ca(context.get(), files.ca_file));
  FLOTILLA_TRY(load_cert(context.get(), files.cert_file));
  FLOTILLA_TRY(load_key(context.get(), files.key_file, files.cert_file));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  auto impl = std::make_unique<Impl>(Impl{boost::asio::ssl::context(context.release())});
  return std::shared_ptr<const Context>(new Context(std::move(impl)));
}

base::Result<std::shared_ptr<const Context>> Context::for_client(const Files& files) {
  FLOTILLA_ASSIGN(SslContext context, make_context(TLS_client_method()));
  if (files.cert_file.empty() != files.key_file.empty()) {
    return base::invalid(
        "a client certificate needs its key, and a key its certificate: {} stands "
        "alone",
        files.cert_file.empty() ? files.key_file : files.cert_file);
  }
  if (!files.ca_file.empty()) {
    FLOTILLA_TRY(load_ca(context.get(), files.ca_file));
  } else {
    SSL_CTX_set_default_verify_paths(context.get());
  }
  if (!files.cert_file.empty()) {
    FLOTILLA_TRY(load_cert(context.get(), files.cert_file));
    FLOTILLA_TRY(load_key(context.get(), files.key_file, files.cert_file));
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  auto impl = std::make_unique<Impl>(Impl{boost::asio::ssl::context(context.release())});
  return std::shared_ptr<const Context>(new Context(std::move(impl)));
}

}  // namespace flotilla::tls
