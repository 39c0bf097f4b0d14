// What `fleetctl rebalance` asks of the leader, in this order:
//   - units whose wishes about their place (Prefer=, Spread=) are met better elsewhere go there;
//   - units of the machines that have the most go to those that have the least, one by one, for as
//     long as that brings two machines closer to each other.
// Each unit is moved at most once, and only where every rule of it allows it and no wish, its own
// or that of its template's units, is met less than before; one with Replaces= goes nowhere where
// it would push others off. Units that follow others of their machine (MachineOf=) go with them, or
// all stay. Never moved is a unit that a global one follows, a oneshot, one that is on its way
// already, waits, or cannot be read, and one that others follow but that must stop first.
//
// What may run twice for a moment runs at its new place before it is stopped at the old one: its
// old entry is marked as leaving, and the scheduler removes it once the unit runs. Pure.
#pragma once

#include <string>
#include <vector>

#include "registry/keys.h"
#include "registry/objects.h"
#include "store/store.h"

namespace flotilla::engine {

// In the order in which they are made; each is allowed once those before it are done.
std::vector<registry::Move> plan_rebalance(const registry::Cluster& cluster);

// The transaction that begins as many moves as fit into one, and ends the request if these are all.
// Valid only while the leader key is at `leads_at` and the entries are as they were. Requires: the
// moves are plan_rebalance()'s of this cluster.
store::TxnRequest begin_moves(const registry::Cluster& cluster, const registry::Keys& keys,
                              const std::vector<registry::Move>& moves, store::Revision leads_at);

}  // namespace flotilla::engine
