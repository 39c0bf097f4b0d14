// A UnitInspector that knows what it is told.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/unit_inspector.h"

namespace flotilla::api {

// A body given piece by piece.
class FakeBodyStream final : public BodyStream {
 public:
  void start(std::function<void()> ready) override { ready_ = std::move(ready); }
  bool read(std::string& out) override {
    out += pending_;
    pending_.clear();
    return !ended_;
  }
  void add(const std::string& text) {
    pending_ += text;
    if (ready_) ready_();
  }
  void end() {
    ended_ = true;
    if (ready_) ready_();
  }

 private:
  std::string pending_;
  std::function<void()> ready_;
  bool ended_ = false;
};

class FakeInspector final : public UnitInspector {
 public:
  void status(const std::string& unit,
              std::function<void(base::Result<UnitStatusText>)> done) override {
    done(UnitStatusText{unit + " is fine\n", 3});
  }
  void restart(const std::string& unit, std::function<void(base::Result<void>)> done) override {
    asked = "restart " + unit;
    if (restart_error) return done(base::unexpected(*restart_error));
    done({});
  }
  base::Result<std::shared_ptr<BodyStream>> log(const std::string& unit,
                                                const LogRequest& request) override {
    asked = unit + " " + std::to_string(request.lines) + (request.follow ? " follow" : "") +
            (request.form.empty() ? "" : " as " + request.form);
    last_stream = std::make_shared<FakeBodyStream>();
    last_stream->add("first line\n");
    if (!request.follow) last_stream->end();
    return std::shared_ptr<BodyStream>(last_stream);
  }

  std::string asked;
  std::optional<base::Error> restart_error;
  std::shared_ptr<FakeBodyStream> last_stream;
};

}  // namespace flotilla::api
