// What OpenSSL says, in words for people, and whose certificate the peer has. Private to src/tls.
#pragma once

#include <openssl/ossl_typ.h>

#include <boost/system/error_code.hpp>
#include <string>
#include <vector>

namespace flotilla::tls {

// A clause about the peer: "its certificate has expired". Empty for a connection that just ended.
std::string describe_failure(SSL* ssl, const boost::system::error_code& error);

// The common name and the DNS names of the peer's certificate.
std::vector<std::string> names_of_peer(SSL* ssl);

}  // namespace flotilla::tls
