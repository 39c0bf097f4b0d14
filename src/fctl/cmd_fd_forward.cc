#include <signal.h>
#include <unistd.h>

#include "client/connection.h"
#include "fctl/commands.h"
#include "fctl/forward.h"

namespace flotilla::fctl {

int cmd_fd_forward(const Environment& environment, const CommandLine& line) {
  Output& output = environment.output;
  if (line.arguments.size() != 1) {
    output.err_line("Provide a single argument");
    return 1;
  }
  client::Endpoint endpoint;
  endpoint.path = line.arguments[0];
  const base::Result<client::Connection> connection = client::Connection::open(endpoint);
  if (!connection) {
    // fleet's exits with 0 here; the other side notices the end of the stream.
    output.err_line("Failed dialing remote address: " + connection.error().message);
    return 0;
  }
  signal(SIGPIPE, SIG_IGN);  // a peer that has gone is an error to report
  const base::Status copied = forward(STDIN_FILENO, STDOUT_FILENO, connection->fd());
  if (copied) return 0;
  output.err_line("Encountered error during copy: " + copied.error().message);
  return 1;
}

}  // namespace flotilla::fctl
