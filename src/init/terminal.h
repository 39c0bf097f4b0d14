// Terminals of services: put into a sane state, hung up, cleared and given to their user. Calls
// that do not wait; what fails is left as it is, for the process itself will see it. Loop thread
// only.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/fd.h"

namespace flotilla::init {

// Without becoming ours and without waiting for a line. Not open: errno says why, ENOTTY for what
// is no terminal.
base::Fd open_terminal(const std::string& path, int access_mode) noexcept;

void reset_terminal(const std::string& path) noexcept;
void hang_up_terminal(const std::string& path) noexcept;
// Clears a virtual terminal and gives its memory back; nothing for other terminals.
void disallocate_terminal(const std::string& path) noexcept;
void set_terminal_size(int fd, std::optional<uint32_t> rows,
                       std::optional<uint32_t> columns) noexcept;
// Returns 0 or an errno; a file that is no terminal is left alone.
int give_terminal(int fd, uid_t owner) noexcept;
// Root's again, with the group that may write to terminals.
void take_terminal_back(const std::string& path) noexcept;

// What $TERM says where nobody knows better.
std::string default_term(const std::string& tty_path);

}  // namespace flotilla::init
