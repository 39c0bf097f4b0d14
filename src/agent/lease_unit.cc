#include "agent/lease_unit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace flotilla::agent {

LeaseUnit::LeaseUnit(LeaseUnitOptions options) : options_(std::move(options)) {}

std::string LeaseUnit::path() const { return options_.directory + "/" + kLeaseUnit; }
std::string LeaseUnit::record_path() const { return options_.directory + "/.lease"; }

// No StartLimit: it is started anew after each partition. WatchdogSec= is set by the program, which
// knows how long the lease is.
std::string LeaseUnit::unit_text() const {
  return fmt::format(
      "# Written by fleetd. Units with OnPartition=stop are bound to it.\n"
      "[Unit]\n"
      "Description=Lease of this machine in the cluster\n"
      "StartLimitIntervalSec=0\n"
      "\n"
      "[Service]\n"
      "Type=notify\n"
      "ExecStart={} {} {} {}\n"
      "WatchdogSec=1h\n"
      "WatchdogSignal=SIGKILL\n",
      options_.program, record_path(), options_.manager_socket, kLeaseUnit);
}

base::Status LeaseUnit::prepare() {
  if (is_prepared_) return {};
  const std::string text = unit_text();
  const std::string temporary = options_.directory + "/.#" + kLeaseUnit;
  {
    const base::Fd fd(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd) return base::system_error(errno, "open {}", temporary);
    ::fchmod(fd.get(), 0644);
    if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      return base::system_error(errno, "write {}", temporary);
    }
  }
  if (::rename(temporary.c_str(), path().c_str()) != 0) {
    return base::system_error(errno, "rename to {}", path());
  }
  const std::string record = record_path();
  record_ = base::Fd(::open(record.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!record_) return base::system_error(errno, "open {}", record);
  is_prepared_ = true;
  return {};
}

std::string LeaseUnit::bind(const std::string& text) const {
  if (!is_used()) return text;
  return fmt::format(
      "{}\n# Added by fleetd: stopped where the machine's lease may end.\n"
      "[Unit]\nBindsTo={}\nAfter={}\n",
      text, kLeaseUnit, kLeaseUnit);
}

void LeaseUnit::renew(const LeaseRecord& record) {
  if (!is_used()) return;
  base::Status status = prepare();
  const std::string line = encode(record);
  if (status &&
      ::pwrite(record_.get(), line.data(), line.size(), 0) != static_cast<ssize_t>(line.size())) {
    status = base::system_error(errno, "write {}", record_path());
  }
  if (!status) SPDLOG_ERROR("Failed to renew the lease of units: {}", status.error().message);
}

}  // namespace flotilla::agent
