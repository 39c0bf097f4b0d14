#include "scale/etcd_figures.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <stdexcept>

#include "base/fd.h"

namespace flotilla::bench {

namespace {

std::string fetch_metrics(const std::string& url) {
  std::array<char, 64> host{};
  unsigned port = 0;
  if (std::sscanf(url.c_str(), "http://%63[0-9.]:%u", host.data(), &port) != 2) {
    throw std::runtime_error("expected http://ADDRESS:PORT, got " + url);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, host.data(), &address.sin_addr);
  const base::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot connect to " + url + ": " + std::strerror(errno));
  }
  const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
  if (send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    throw std::runtime_error("cannot ask " + url + " for its metrics");
  }
  std::string answer;
  std::array<char, 65536> bytes{};
  for (ssize_t got = 0; (got = recv(fd.get(), bytes.data(), bytes.size(), 0)) > 0;) {
    answer.append(bytes.data(), static_cast<size_t>(got));
  }
  return answer;
}

uint64_t& figure_of(EtcdFigures& figures, const std::string& method) {
  if (method == "Txn") return figures.txns;
  if (method == "Put") return figures.puts;
  if (method == "Range") return figures.ranges;
  if (method == "LeaseGrant" || method == "LeaseRevoke") return figures.leases;
  if (method == "LeaseKeepAlive") return figures.keep_alives;
  if (method == "Watch") return figures.progress;
  return figures.others;
}

}  // namespace

EtcdFigures operator-(const EtcdFigures& a, const EtcdFigures& b) {
  return {a.txns - b.txns,
          a.puts - b.puts,
          a.ranges - b.ranges,
          a.leases - b.leases,
          a.keep_alives - b.keep_alives,
          a.watches - b.watches,
          a.progress - b.progress,
          a.others - b.others,
          a.told - b.told,
          a.cpu_seconds - b.cpu_seconds};
}

EtcdFigures read_etcd_figures(const std::string& url) {
  EtcdFigures figures;
  std::istringstream lines(fetch_metrics(url));
  bool has_any = false;
  for (std::string line; std::getline(lines, line);) {
    std::sscanf(line.c_str(), "process_cpu_seconds_total %lf", &figures.cpu_seconds);
    const bool is_received = line.rfind("grpc_server_msg_received_total{", 0) == 0;
    const bool is_begun = line.rfind("grpc_server_started_total{", 0) == 0;
    const bool is_sent = line.rfind("grpc_server_msg_sent_total{", 0) == 0;
    std::array<char, 64> method{};
    const size_t label = line.find("grpc_method=\"");
    const size_t value = line.rfind(' ');
    if ((!is_received && !is_sent && !is_begun) || label == std::string::npos ||
        value == std::string::npos ||
        std::sscanf(line.c_str() + label, "grpc_method=\"%63[A-Za-z]", method.data()) != 1) {
      continue;
    }
    has_any = true;
    const auto number = static_cast<uint64_t>(std::strtod(line.c_str() + value, nullptr));
    if (is_received) figure_of(figures, method.data()) += number;
    if (std::string(method.data()) != "Watch") continue;
    if (is_sent) figures.told += number;
    if (is_begun) figures.watches += number;
  }
  // A client of ours has one watch on a stream, and begins it by a message.
  figures.progress -= std::min(figures.progress, figures.watches);
  if (!has_any) throw std::runtime_error(url + "/metrics does not count requests");
  return figures;
}

}  // namespace flotilla::bench
