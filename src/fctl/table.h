// Tables as fleetctl prints them: columns padded with tabs to a multiple of 8, as Go's
// text/tabwriter does with minwidth 0, tabwidth 8, padding 1 and a tab as the pad character. Pure.
#pragma once

#include <string>
#include <vector>

namespace flotilla::fctl {

// Every row has the same number of cells. Widths count characters, not bytes; the last cell is not
// padded.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace flotilla::fctl
