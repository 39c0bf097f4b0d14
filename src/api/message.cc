#include "api/message.h"

#include "api/json_text.h"

namespace flotilla::api {

Response json_response(int status, std::string body) {
  Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = std::move(body);
  return response;
}

Response error_response(int status, std::string_view message) {
  JsonText json;
  json.begin_object().key("error").begin_object();
  json.key("code").number(status).key("message").text(message);
  json.end_object().end_object();
  return json_response(status, std::move(json).str());
}

Response empty_response(int status) {
  Response response;
  response.status = status;
  return response;
}

}  // namespace flotilla::api
