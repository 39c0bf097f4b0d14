#include "client/traced_transport.h"

#include <gtest/gtest.h>

namespace flotilla::client {
namespace {

class CannedTransport final : public Transport {
 public:
  base::Result<HttpResponse> request(std::string_view /*method*/, const std::string& /*target*/,
                                     const std::string& /*json_body*/) override {
    return base::unavailable("nobody listens");
  }
  std::vector<base::Result<HttpResponse>> exchange(
      const std::vector<HttpRequest>& requests) override {
    return std::vector<base::Result<HttpResponse>>(requests.size(), HttpResponse{404, "no"});
  }
  base::Result<HttpResponse> stream(const std::string& /*target*/,
                                    const std::function<void(std::string_view)>& sink) override {
    sink("text");
    return HttpResponse{200, {}};
  }
  base::Status wait_for_change(std::chrono::milliseconds /*at_most*/) override { return {}; }
};

TEST(TracedTransport, TellsOfEachRequestAndItsAnswer) {
  std::vector<std::string> told;
  const auto transport = traced(std::make_unique<CannedTransport>(),
                                [&](const std::string& text) { told.push_back(text); });
  EXPECT_FALSE(transport->request("PUT", "/a", "{}"));
  EXPECT_EQ(transport->exchange({{"GET", "/b", {}}}).size(), 1U);
  EXPECT_TRUE(transport->stream("/c", [](std::string_view) {}));
  EXPECT_EQ(told,
            (std::vector<std::string>{"HTTP PUT /a", "HTTP PUT /a: nobody listens", "HTTP GET /b",
                                      "HTTP GET /b 404", "HTTP GET /c", "HTTP GET /c 200"}));
}

TEST(TracedTransport, IsNotThereWhereNobodyWantsToBeTold) {
  auto transport = std::make_unique<CannedTransport>();
  const Transport* same = transport.get();
  EXPECT_EQ(traced(std::move(transport), {}).get(), same);
}

}  // namespace
}  // namespace flotilla::client
