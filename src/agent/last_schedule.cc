#include "agent/last_schedule.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <array>
#include <boost/crc.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <utility>

#include "base/rooted_file_tree.h"

namespace flotilla::agent {

namespace json = boost::json;

namespace {

constexpr std::string_view kMagic = "flotilla-schedule 1 ";
constexpr size_t kMaxBytes = size_t{256} * 1024 * 1024;
constexpr base::Micros kPause = std::chrono::seconds(1);
constexpr base::Micros kRetry = std::chrono::seconds(30);

constexpr std::array<std::pair<InstallSection, std::string_view>, 3> kInstallWords{
    {{InstallSection::kNone, "none"},
     {InstallSection::kNames, "names"},
     {InstallSection::kOther, "other"}}};

std::string head_of(std::string_view body) {
  boost::crc_32_type crc;
  crc.process_bytes(body.data(), body.size());
  return fmt::format("{}{:08x}\n", kMagic, crc.checksum());
}

std::string_view install_word(InstallSection section) {
  for (const auto& [value, word] : kInstallWords) {
    if (value == section) return word;
  }
  return {};
}

std::optional<std::string> text_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->get_string().data(), value->get_string().size());
}

base::Status take_unit(AssignedUnits& assigned, const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr) return base::invalid("a unit is no object");
  const auto name = text_in(*object, "name");
  const auto hash = text_in(*object, "hash");
  const auto text = text_in(*object, "text");
  const auto target = text_in(*object, "target");
  const auto install = text_in(*object, "install");
  const json::value* once = object->if_contains("runs_once");
  if (!name || !hash || !text || !target || !install || once == nullptr || !once->is_bool()) {
    return base::invalid("a member of a unit is missing");
  }
  Assignment unit;
  unit.hash = *hash;
  unit.text = *text;
  FLOTILLA_ASSIGN(unit.target, registry::parse_target_state(*target));
  unit.runs_once = once->get_bool();
  for (const auto& [section, word] : kInstallWords) {
    if (word == *install) unit.install = section;
  }
  assigned.has_units_that_run_once |= unit.runs_once;
  assigned.units.insert_or_assign(*name, std::move(unit));
  return {};
}

}  // namespace

std::string encode_schedule(const std::string& machine, const AssignedUnits& assigned) {
  json::array units;
  for (const auto& [name, unit] : assigned.units) {
    // A boot without the store must not run again what has finished.
    const std::string_view target =
        registry::to_string(unit.is_finished ? registry::TargetState::kLoaded : unit.target);
    const std::string_view install = install_word(unit.install);
    units.push_back(json::object{{"name", name},
                                 {"hash", unit.hash},
                                 {"text", unit.text},
                                 {"target", json::string_view(target.data(), target.size())},
                                 {"runs_once", unit.runs_once},
                                 {"install", json::string_view(install.data(), install.size())}});
  }
  const std::string body =
      json::serialize(json::object{{"machine", machine}, {"units", std::move(units)}}) + "\n";
  return head_of(body) + body;
}

base::Result<AssignedUnits> decode_schedule(const std::string& machine, std::string_view text) {
  const size_t head_end = text.find('\n');
  if (text.substr(0, kMagic.size()) != kMagic || head_end == std::string_view::npos) {
    return base::invalid("it does not begin with \"{}\"", kMagic);
  }
  const std::string_view body = text.substr(head_end + 1);
  if (text.substr(0, head_end + 1) != head_of(body)) {
    return base::invalid("it is cut off or damaged");
  }
  boost::system::error_code error;
  const json::value value = json::parse({body.data(), body.size()}, error);
  const json::object* object = error ? nullptr : value.if_object();
  const json::value* units = object != nullptr ? object->if_contains("units") : nullptr;
  if (units == nullptr || !units->is_array()) return base::invalid("its units are missing");
  const std::string of = text_in(*object, "machine").value_or("");
  if (of != machine) return base::invalid("it is that of Machine({})", of);
  AssignedUnits assigned;
  for (const json::value& unit : units->get_array()) FLOTILLA_TRY(take_unit(assigned, unit));
  return assigned;
}

LastSchedule::LastSchedule(base::EventLoop& loop, overlord::Executor& executor, std::string path,
                           std::string machine)
    : loop_(loop),
      executor_(executor),
      path_(std::filesystem::absolute(std::move(path)).string()),
      machine_(std::move(machine)) {}

LastSchedule::~LastSchedule() { *alive_ = false; }

std::optional<AssignedUnits> LastSchedule::load() const {
  const auto read = [this]() -> base::Result<std::string> {
    FLOTILLA_ASSIGN(const auto tree, base::RootedFileTree::open("/"));
    return tree->read(path_, kMaxBytes);
  };
  base::Result<std::string> text = read();
  if (!text && text.error().code == base::Errc::kNotFound) return std::nullopt;
  base::Result<AssignedUnits> assigned =
      text ? decode_schedule(machine_, *text) : base::unexpected(std::move(text).error());
  if (assigned) return std::move(*assigned);
  SPDLOG_ERROR("{}: the last known schedule cannot be used: {}", path_, assigned.error().message);
  return std::nullopt;
}

void LastSchedule::save_soon(std::function<const AssignedUnits&()> current) {
  current_ = std::move(current);
  if (timer_ || is_writing_) {
    is_due_ = is_writing_;
    return;
  }
  timer_ = loop_.after(kPause, [this] {
    timer_.reset();
    write();
  });
}

void LastSchedule::flush() {
  if (!timer_) return;
  timer_.reset();
  const std::string text = encode_schedule(machine_, current_());
  if (text == written_) return;
  const auto tree = base::RootedFileTree::open("/");
  const base::Status status = tree ? (*tree)->write_atomic(path_, text, 0600)
                                   : base::Status(base::unexpected(tree.error()));
  if (!status) SPDLOG_ERROR("Failed to keep the schedule: {}", status.error().message);
}

void LastSchedule::write() {
  auto text = std::make_shared<const std::string>(encode_schedule(machine_, current_()));
  if (*text == written_) return;
  is_writing_ = true;
  auto status = std::make_shared<base::Status>();
  executor_.submit(
      [path = path_, text, status] {
        const auto tree = base::RootedFileTree::open("/");
        *status = tree ? (*tree)->write_atomic(path, *text, 0600)
                       : base::Status(base::unexpected(tree.error()));
      },
      [this, alive = alive_, text, status] {
        if (!*alive) return;
        is_writing_ = false;
        const bool is_due = std::exchange(is_due_, false);
        if (*status) {
          written_ = *text;
          if (is_due) save_soon(current_);
          return;
        }
        SPDLOG_ERROR("Failed to keep the schedule: {}", status->error().message);
        timer_ = loop_.after(kRetry, [this] {
          timer_.reset();
          write();
        });
      });
}

}  // namespace flotilla::agent
