// A line on a terminal that tells how many units of a wait are there yet: "[#####-----] 12/24".
// Prints nothing where standard error is no terminal, or for a single unit.
#pragma once

#include <string>

#include "fctl/output.h"

namespace flotilla::fctl {

class Progress {
 public:
  Progress(Output& output, size_t total);
  ~Progress();  // takes the line away
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Takes the line away, so that another can be printed.
  void hide();
  void show(size_t done);

 private:
  Output& output_;
  size_t total_;
  bool enabled_;
  bool shown_ = false;
};

// "[##########----------] 12/24"; 20 signs between the brackets. Requires: total > 0.
std::string progress_bar(size_t done, size_t total);

}  // namespace flotilla::fctl
