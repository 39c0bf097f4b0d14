// Context: who one is in TLS and whom one believes, read from files and checked. Server and client
// of the API, and the daemons among each other, use the same. Immutable, shared by connections.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace flotilla::tls {

// Paths of PEM files.
struct Files {
  std::string ca_file;    // of the authorities whose certificates are accepted
  std::string cert_file;  // this side's certificate, and those between it and its authority
  std::string key_file;   // its private key

  friend bool operator==(const Files&, const Files&) = default;
};

// Whether one file can be used; the sentences name it. Blocks.
base::Status check_ca_file(const std::string& path);
base::Status check_cert_file(const std::string& path);
base::Status check_key_file(const std::string& path, const std::string& cert_file);

class Context {
 public:
  // Asks each client for a certificate of the authorities. Requires all three files.
  static base::Result<std::shared_ptr<const Context>> for_server(const Files& files);
  // Without ca_file the system's authorities; certificate and key both or neither.
  static base::Result<std::shared_ptr<const Context>> for_client(const Files& files);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  struct Impl;  // context_impl.h
  Impl& impl() const { return *impl_; }

 private:
  explicit Context(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::tls
