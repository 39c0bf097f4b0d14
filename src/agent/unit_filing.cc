// What AgentManager asks the service manager about unit files: links, [Install] sections, their
// removal. Each such call has the manager look through its directories, so that hundreds of units
// go into one; where that is refused, each is asked for alone.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/agent_manager.h"
#include "agent/local_unit.h"

namespace flotilla::agent {

using registry::TargetState;

namespace {

std::vector<std::string> units_of(const std::vector<Filing>& filings) {
  std::vector<std::string> units;
  units.reserve(filings.size());
  for (const Filing& filing : filings) units.push_back(filing.unit);
  return units;
}

}  // namespace

std::vector<std::string> AgentManager::paths_of(const std::vector<Filing>& filings) const {
  std::vector<std::string> paths;
  paths.reserve(filings.size());
  for (const Filing& filing : filings) paths.push_back(files_.path_of(filing.unit));
  return paths;
}

std::vector<std::string> AgentManager::paths_to_link(const std::vector<Filing>& filings) {
  std::vector<std::string> paths = paths_of(filings);
  const auto& units = assigned().units;
  const bool is_bound = std::any_of(filings.begin(), filings.end(), [&](const Filing& filing) {
    const auto found = units.find(filing.unit);
    return found != units.end() && found->second.runs_once;
  });
  if (!is_bound || !lease_unit_.is_used()) return paths;
  if (const base::Status prepared = lease_unit_.prepare(); prepared) {
    paths.push_back(lease_unit_.path());
  } else {
    // Then nothing that is bound to it can be started.
    SPDLOG_ERROR("{}", prepared.error().message);
  }
  return paths;
}

// `then` hears of every filing once, of many or of one at a time; then comes `ended`.
void AgentManager::file_together(std::vector<Filing> filings, const FilingCall& call,
                                 const FilingsDone& then, Batch<Filing>::Ended ended) {
  auto shared = std::make_shared<const std::vector<Filing>>(std::move(filings));
  call(*shared, guarded<bool>([this, shared, call, then, ended = std::move(ended)](auto result) {
    const bool is_refusal = !result && result.error().code != base::Errc::kUnavailable;
    if (!is_refusal || shared->size() == 1) {
      then(*shared, result);
      return ended();
    }
    // One of them is at fault; which one shows when each is asked for alone.
    auto left = std::make_shared<size_t>(shared->size());
    for (const Filing& filing : *shared) {
      file_together({filing}, call, then, [left, ended] {
        if (--*left == 0) ended();
      });
    }
  }));
}

void AgentManager::send_links(std::vector<Filing> filings, Batch<Filing>::Ended ended) {
  const auto call = [this](const std::vector<Filing>& all, bus::Done<bool> done) {
    unit_manager_.link_unit_files(paths_to_link(all), [done = std::move(done)](auto changes) {
      if (!changes) return done(base::unexpected(std::move(changes).error()));
      done(true);
    });
  };
  file_together(
      std::move(filings), call,
      [this](const std::vector<Filing>& all, const base::Result<bool>& linked) {
        if (!linked) return undo_loads(all, linked.error());
        std::vector<Filing> loaded;
        for (const Filing& filing : all) {
          if (filing.install == InstallSection::kNone) {
            loaded.push_back(filing);
          } else {
            enables_.add(filing);
          }
        }
        if (!loaded.empty()) on_loaded(loaded);
      },
      std::move(ended));
}

// Of many units the manager says only whether any of them has something to enable: those that say
// nothing of where they belong are not among them.
void AgentManager::send_enables(std::vector<Filing> filings, Batch<Filing>::Ended ended) {
  const auto call = [this](const std::vector<Filing>& all, bus::Done<bool> done) {
    unit_manager_.enable_unit_files(paths_of(all), [done = std::move(done)](auto outcome) {
      if (!outcome) return done(base::unexpected(std::move(outcome).error()));
      done(outcome->carries_install_info);
    });
  };
  const auto then = [this](const std::vector<Filing>& all, const base::Result<bool>& carries) {
    if (carries && *carries) return on_loaded(all);
    for (const Filing& filing : all) {
      const std::string why =
          carries ? "its [Install] section says nothing" : carries.error().message;
      base::Error error;
      error.code = carries ? base::Errc::kInvalid : carries.error().code;
      error.message = fmt::format("Failed to enable systemd unit {}: {}", filing.unit, why);
      undo_loads({filing}, error);
    }
  };
  auto left = std::make_shared<size_t>(1);
  const auto one_ended = [left, ended = std::move(ended)] {
    if (--*left == 0) ended();
  };
  std::vector<Filing> together;
  for (Filing& filing : filings) {
    if (filing.install == InstallSection::kNames) {
      together.push_back(std::move(filing));
    } else {
      ++*left;
      file_together({std::move(filing)}, call, then, one_ended);
    }
  }
  if (together.empty()) return one_ended();
  file_together(std::move(together), call, then, one_ended);
}

void AgentManager::on_loaded(const std::vector<Filing>& filings) {
  for (const Filing& filing : filings) set_reached(filing.unit, TargetState::kLoaded, true);
  // Asked before the starts that may follow, so that what a start signals comes on top.
  read_states(units_of(filings));
  for (const Filing& filing : filings) finish(filing.unit, filing.operation, {});
}

void AgentManager::undo_loads(const std::vector<Filing>& filings, const base::Error& why) {
  unit_manager_.disable_unit_files(
      units_of(filings), guarded<std::vector<bus::UnitFileChange>>([this, filings, why](auto) {
        for (const Filing& filing : filings) {
          Local& local = *locals_.at(filing.unit);
          if (base::Status removed = files_.remove(filing.unit); !removed) {
            SPDLOG_ERROR("{}", removed.error().message);
          }
          local.is_loaded = false;
          local.shown = {};
          marks_.erase(filing.unit);
          finish(filing.unit, filing.operation, base::unexpected(why));
        }
      }));
}

void AgentManager::send_removals(std::vector<Filing> filings, Batch<Filing>::Ended ended) {
  const auto call = [this](const std::vector<Filing>& all, bus::Done<bool> done) {
    unit_manager_.disable_unit_files(units_of(all), [done = std::move(done)](auto changes) {
      if (!changes) return done(base::unexpected(std::move(changes).error()));
      done(true);
    });
  };
  file_together(
      std::move(filings), call,
      [this](const std::vector<Filing>& all, const base::Result<bool>& disabled) {
        for (const Filing& filing : all) on_disabled(filing, disabled);
      },
      std::move(ended));
}

void AgentManager::on_disabled(const Filing& filing, const base::Result<bool>& disabled) {
  if (!disabled && disabled.error().code == base::Errc::kUnavailable) {
    return finish(filing.unit, filing.operation, base::unexpected(disabled.error()));
  }
  if (!disabled) SPDLOG_WARN("Failed to disable {}: {}", filing.unit, disabled.error().message);
  // A unit that the manager has forgotten by now has nothing to reset.
  unit_manager_.reset_failed(
      filing.unit, guarded<void>([this, filing](const base::Status&) { forget(filing); }));
}

void AgentManager::forget(const Filing& filing) {
  const base::Status removed = files_.remove(filing.unit);
  if (removed) {
    Local& local = *locals_.at(filing.unit);
    local.is_loaded = false;
    local.shown = {};
    local.active_enter_usec = 0;
    local.claimed_lease = 0;
    marks_.erase(filing.unit);
    publisher_.withdraw(filing.unit);
  }
  finish(filing.unit, filing.operation, removed);
}

}  // namespace flotilla::agent
