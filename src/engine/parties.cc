#include "engine/parties.h"

#include <algorithm>
#include <numeric>

#include "unit/fleet_glob.h"

namespace flotilla::engine {

namespace {

bool is_pattern(const std::string& peer) {
  return peer.find_first_of("*?[\\") != std::string::npos;
}

// Who follows whom on one machine, by places in the list of its units.
class Ties {
 public:
  Ties(const std::vector<std::string>& units, const WishLedger::Wants& wants)
      : units_(units), follows_(units.size()), is_followed_(units.size()), head_(units.size()) {
    std::iota(head_.begin(), head_.end(), size_t{0});
    for (size_t i = 0; i < units.size(); ++i) {
      for (const std::string& peer : wants.at(units[i]).peers) add(i, peer);
    }
  }

  std::vector<Party> parties() {
    std::vector<std::vector<size_t>> members(units_.size());
    for (size_t i = 0; i < units_.size(); ++i) members[head_of(i)].push_back(i);
    std::vector<Party> parties;
    for (const std::vector<size_t>& party : members) {
      if (party.size() > 1) parties.push_back(in_order(party));
    }
    return parties;
  }

 private:
  void add(size_t follower, const std::string& peer) {
    const auto tie = [&](size_t i) {
      if (i == follower) return;
      follows_[follower].push_back(i);
      is_followed_[i] = true;
      head_[head_of(i)] = head_of(follower);
    };
    if (!is_pattern(peer)) {
      const auto found = std::lower_bound(units_.begin(), units_.end(), peer);
      if (found != units_.end() && *found == peer) tie(static_cast<size_t>(found - units_.begin()));
      return;
    }
    for (size_t i = 0; i < units_.size(); ++i) {
      if (unit::glob_matches(peer, units_[i])) tie(i);
    }
  }

  size_t head_of(size_t i) {
    while (head_[i] != i) i = head_[i] = head_[head_[i]];
    return i;
  }

  Party in_order(std::vector<size_t> waiting) const {
    Party party;
    std::vector<bool> is_in(units_.size());
    while (!waiting.empty()) {
      auto next = std::find_if(waiting.begin(), waiting.end(), [&](size_t i) {
        return std::all_of(follows_[i].begin(), follows_[i].end(),
                           [&](size_t peer) { return is_in[peer]; });
      });
      if (next == waiting.end()) next = waiting.begin();
      is_in[*next] = true;
      party.units.push_back(units_[*next]);
      party.is_followed.push_back(is_followed_[*next]);
      waiting.erase(next);
    }
    return party;
  }

  const std::vector<std::string>& units_;
  std::vector<std::vector<size_t>> follows_;
  std::vector<bool> is_followed_;
  std::vector<size_t> head_;  // of the party, by way of others of it
};

}  // namespace

std::vector<Party> parties_among(const std::vector<std::string>& units,
                                 const WishLedger::Wants& wants) {
  return Ties(units, wants).parties();
}

}  // namespace flotilla::engine
