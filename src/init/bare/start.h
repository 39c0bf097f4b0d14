// The entry of a program without a C library. It defines start(), and what it calls of libc is in
// libc.cc.
#pragma once

namespace flotilla::init::bare {

// The program's main; what it returns is the exit code.
int start(int argc, char** argv) noexcept;

}  // namespace flotilla::init::bare
