#include "cmd/fleetd/local_inspector.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <climits>
#include <optional>

#include "bus/unit_status.h"
#include "logs/export_format.h"
#include "logs/reader.h"

namespace flotilla::fleetd {
namespace {

constexpr size_t kEntriesAtOnce = 1000;
constexpr size_t kStatusLines = 10;

std::string short_host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  if (gethostname(name, HOST_NAME_MAX) != 0) return "localhost";
  const std::string full = name;
  return full.substr(0, full.find('.'));
}

// How the log of a unit is to look.
struct LogLook {
  logs::LogForm form = logs::LogForm::kShort;
  logs::LogOrigin origin;
};

std::string text_of(std::vector<logs::Entry> entries, const LogLook& look) {
  logs::join_partial_lines(entries);
  std::string text;
  for (const logs::Entry& entry : entries) {
    text += logs::format_entry(entry, look.form, look.origin);
  }
  return text;
}

// The last lines, and with `follow` what comes behind them.
class LogStream final : public api::BodyStream {
 public:
  LogStream(base::EventLoop& loop, logs::LogReader reader, LogLook look, size_t lines,
            base::Fd watch)
      : loop_(loop),
        reader_(std::move(reader)),
        look_(std::move(look)),
        lines_(lines),
        watch_fd_(std::move(watch)) {}

  void start(std::function<void()> ready) override {
    if (!watch_fd_) return;
    watch_ = loop_.watch(watch_fd_.get(), EPOLLIN, [this, ready = std::move(ready)](uint32_t) {
      logs::LogReader::drain_watch(watch_fd_.get());
      ready();
    });
  }

  bool read(std::string& out) override {
    if (lines_) {
      base::Result<std::vector<logs::Entry>> entries = reader_.last(*lines_);
      lines_.reset();
      if (!entries) return false;
      if (entries->empty() && !watch_fd_) out += "-- No entries --\n";
      out += text_of(std::move(*entries), look_);
      return watch_fd_.is_open();
    }
    base::Result<std::vector<logs::Entry>> entries = reader_.poll_new(kEntriesAtOnce);
    if (!entries) return false;
    out += text_of(std::move(*entries), look_);
    return true;
  }

 private:
  base::EventLoop& loop_;
  logs::LogReader reader_;
  LogLook look_;
  std::optional<size_t> lines_;  // still to be sent
  base::Fd watch_fd_;            // closed: do not follow
  base::RegistrationPtr watch_;  // ends before watch_fd_ is closed
};

// The log of a unit that has not logged yet: becomes its LogStream once there is one.
class ComingLog final : public api::BodyStream {
 public:
  // `watch` becomes readable when something appears in the folder of all logs.
  ComingLog(base::EventLoop& loop, std::string path, LogLook look, size_t lines, base::Fd watch)
      : loop_(loop),
        path_(std::move(path)),
        look_(std::move(look)),
        lines_(lines),
        watch_fd_(std::move(watch)) {}

  void start(std::function<void()> ready) override {
    ready_ = std::move(ready);
    watch_ = loop_.watch(watch_fd_.get(), EPOLLIN, [this](uint32_t) {
      logs::LogReader::drain_watch(watch_fd_.get());
      find();
      if (log_ || failed_) ready_();
    });
    find();  // it may have come since it was asked for
  }

  bool read(std::string& out) override { return log_ ? log_->read(out) : !failed_; }

 private:
  void find() {
    base::Result<logs::LogReader> reader = logs::LogReader::open(path_, loop_.clock());
    if (!reader && reader.error().code == base::Errc::kNotFound) return;
    base::Result<base::Fd> watch = reader ? reader->watch() : base::unexpected(reader.error());
    watch_.reset();
    failed_ = !watch;
    if (failed_) return;
    log_ = std::make_unique<LogStream>(loop_, std::move(*reader), look_, lines_, std::move(*watch));
    log_->start(ready_);
  }

  base::EventLoop& loop_;
  std::string path_;
  LogLook look_;
  size_t lines_;
  base::Fd watch_fd_;
  base::RegistrationPtr watch_;  // ends before watch_fd_ is closed
  std::function<void()> ready_;
  std::unique_ptr<LogStream> log_;
  bool failed_ = false;
};

class NoEntries final : public api::BodyStream {
 public:
  void start(std::function<void()> /*ready*/) override {}
  bool read(std::string& out) override {
    out += "-- No entries --\n";
    return false;
  }
};

std::string command_name(uint64_t pid) {
  const base::Fd fd(open(fmt::format("/proc/{}/comm", pid).c_str(), O_RDONLY | O_CLOEXEC));
  char name[64];
  const ssize_t got = fd ? read(fd.get(), name, sizeof name) : 0;
  if (got <= 0) return {};
  return {name, static_cast<size_t>(got) - (name[got - 1] == '\n' ? 1U : 0U)};
}

}  // namespace

LocalInspector::LocalInspector(base::EventLoop& loop, bus::UnitManager& manager,
                               std::string log_directory)
    : loop_(loop),
      manager_(manager),
      log_directory_(std::move(log_directory)),
      host_(short_host_name()) {}

void LocalInspector::status(const std::string& unit,
                            std::function<void(base::Result<api::UnitStatusText>)> done) {
  manager_.get_properties(unit, [this, unit, done](base::Result<bus::Properties> properties) {
    if (!properties) return done(base::unexpected(properties.error()));
    manager_.get_processes(unit, [this, unit, done, properties = std::move(*properties)](
                                     base::Result<std::vector<bus::UnitProcess>> processes) {
      // A unit without processes has none to tell of: an error here is no reason to say nothing.
      const std::vector<bus::UnitProcess> none;
      const uint64_t pid = bus::unsigned_property(properties, "MainPID", 0);
      api::UnitStatusText status;
      status.text = bus::format_unit_status({properties, processes ? *processes : none,
                                             pid == 0 ? std::string() : command_name(pid),
                                             loop_.clock().wall()});
      status.exit_status = bus::status_exit_code(properties);
      if (const std::string lines = last_lines(unit, kStatusLines); !lines.empty())
        status.text += "\n" + lines;
      done(std::move(status));
    });
  });
}

void LocalInspector::restart(const std::string& unit,
                             std::function<void(base::Result<void>)> done) {
  manager_.restart(unit, bus::JobMode::kReplace, [unit, done](base::Result<bus::JobResult> result) {
    if (!result) return done(base::unexpected(std::move(result).error()));
    if (*result == bus::JobResult::kDone) return done({});
    done(base::conflict("the restart of unit {} ended with result \"{}\"", unit,
                        to_string(*result)));
  });
}

std::string LocalInspector::last_lines(const std::string& unit, size_t count) const {
  base::Result<logs::LogReader> reader =
      logs::LogReader::open(log_directory_ + "/" + unit, loop_.clock());
  if (!reader) return {};
  base::Result<std::vector<logs::Entry>> entries = reader->last(count);
  return entries ? text_of(std::move(*entries), {logs::LogForm::kShort, {host_, unit}})
                 : std::string();
}

base::Result<std::shared_ptr<api::BodyStream>> LocalInspector::log(const std::string& unit,
                                                                   const api::LogRequest& request) {
  LogLook look{logs::LogForm::kShort, {host_, unit}};
  if (!request.form.empty()) {
    const auto form = logs::parse_log_form(request.form);
    if (!form) {
      return base::invalid("invalid value \"{}\" for output: expected {}", request.form,
                           logs::log_form_names());
    }
    look.form = *form;
  }
  const auto lines = static_cast<size_t>(request.lines);
  base::Result<logs::LogReader> reader =
      logs::LogReader::open(log_directory_ + "/" + unit, loop_.clock());
  if (!reader) {
    if (reader.error().code != base::Errc::kNotFound)
      return base::unexpected(std::move(reader).error());
    if (request.follow) {
      base::Fd watch(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
      if (!watch ||
          inotify_add_watch(watch.get(), log_directory_.c_str(), IN_CREATE | IN_MOVED_TO) < 0) {
        return base::system_error(errno, "watch {}", log_directory_);
      }
      return std::shared_ptr<api::BodyStream>(std::make_shared<ComingLog>(
          loop_, log_directory_ + "/" + unit, std::move(look), lines, std::move(watch)));
    }
    return std::shared_ptr<api::BodyStream>(std::make_shared<NoEntries>());
  }
  base::Fd watch;
  if (request.follow) {
    FLOTILLA_ASSIGN(watch, reader->watch());
  }
  return std::shared_ptr<api::BodyStream>(std::make_shared<LogStream>(
      loop_, std::move(*reader), std::move(look), lines, std::move(watch)));
}

}  // namespace flotilla::fleetd
