#include "client/etcd_probe.h"

#include <boost/json.hpp>

namespace flotilla::client {

bool is_etcd(Transport& transport) {
  const base::Result<HttpResponse> answer = transport.request("GET", "/version", {});
  return answer && answer->status == 200 && is_etcd_version(answer->body);
}

bool is_etcd_version(std::string_view body) {
  boost::system::error_code error;
  const boost::json::value value =
      boost::json::parse(boost::json::string_view(body.data(), body.size()), error);
  if (error || !value.is_object()) return false;
  const boost::json::value* server = value.get_object().if_contains("etcdserver");
  return server != nullptr && server->is_string();
}

}  // namespace flotilla::client
