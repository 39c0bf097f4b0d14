// The talkative service of bench/logs:  writer FILE LENGTH TOTAL
// Writes CLOCK_MONOTONIC in nanoseconds as 8 bytes to FILE, then lines of LENGTH bytes, one write each, until
// TOTAL bytes are written, then a line "END", and exits.
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const size_t length = strtoul(argv[2], NULL, 10);
  const size_t total = strtoul(argv[3], NULL, 10);
  char* const line = malloc(length);
  if (line == NULL || length == 0) return 2;
  memset(line, 'x', length);
  line[length - 1] = '\n';
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t stamp = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
  const int fd = open(argv[1], O_WRONLY | O_CLOEXEC);
  if (fd < 0 || pwrite(fd, &stamp, sizeof stamp, 0) < 0) return 1;
  for (size_t written = 0; written < total; written += length) {
    if (write(1, line, length) < 0) return 1;
  }
  return write(1, "END\n", 4) < 0;
}
