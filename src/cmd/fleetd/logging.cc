#include "cmd/fleetd/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "api/json_text.h"

namespace flotilla::fleetd {

namespace {

class LevelFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    static constexpr std::string_view kNames[] = {"DEBUG", "DEBUG", "INFO", "WARN",
                                                  "ERROR", "FATAL", ""};
    const std::string_view name = kNames[message.level];
    out.append(name.data(), name.data() + name.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<LevelFlag>();
  }
};

class MessageFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    const std::string text = json_escaped({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<MessageFlag>();
  }
};

}  // namespace

std::string json_escaped(std::string_view text) {
  api::JsonText json;
  json.text(text);
  const std::string quoted = std::move(json).str();
  return quoted.substr(1, quoted.size() - 2);
}

void set_up_logging(LogFormat format) {
  auto logger =
      std::make_shared<spdlog::logger>("fleetd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>(
      format == LogFormat::kJson ? spdlog::pattern_time_type::utc
                                 : spdlog::pattern_time_type::local);
  formatter->add_flag<LevelFlag>('*').add_flag<MessageFlag>('~').set_pattern(
      format == LogFormat::kJson
          ? R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%*","source":"%s:%#","message":"%~"})"
          : "%* %s:%#: %v");
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog::get_level());
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace flotilla::fleetd
