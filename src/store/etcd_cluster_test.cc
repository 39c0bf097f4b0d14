#include "store/etcd_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace flotilla::store {

namespace {

constexpr const char* kEtcd = "/usr/bin/etcd";
constexpr const char* kEtcdctl = "/usr/bin/etcdctl";
constexpr const char* kPassword = "open sesame";

// In memory where there is such a folder: the tests are not about the disk.
std::string make_folder() {
  std::string pattern =
      access("/dev/shm", W_OK) == 0 ? "/dev/shm/flotilla-etcd-XXXXXX" : "/tmp/flotilla-etcd-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) abort();
  return pattern;
}

struct Outcome {
  int status = -1;
  std::string out;
};

Outcome run_shell(const std::string& command) {
  Outcome outcome;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> bytes{};
  for (size_t got = 0; (got = fread(bytes.data(), 1, bytes.size(), pipe)) > 0;) {
    outcome.out.append(bytes.data(), got);
  }
  outcome.status = ::pclose(pipe);
  return outcome;
}

}  // namespace

bool EtcdCluster::is_installed() { return access(kEtcd, X_OK) == 0 && access(kEtcdctl, X_OK) == 0; }

EtcdCluster::EtcdCluster(EtcdClusterOptions options)
    : options_(std::move(options)), folder_(make_folder()) {
  static int clusters = 0;
  // Nobody else listens on this process's address, and nobody calls from it.
  const auto pid = static_cast<unsigned>(getpid());
  address_ = fmt::format("127.{}.{}.{}", 64 + (pid >> 16) % 64, (pid >> 8) % 256, pid % 256);
  first_port_ = 2379 + 20 * clusters++;
  pids_.resize(options_.members);
  if (options_.is_tls) make_certificates();
  for (size_t i = 0; i < members(); ++i) start(i);
  if (options_.has_password) {
    etcdctl(fmt::format("user add 'root:{}'", kPassword));
    etcdctl("auth enable");
  }
}

EtcdCluster::~EtcdCluster() {
  for (size_t i = 0; i < members(); ++i) kill(i);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string EtcdCluster::url(size_t member) const {
  return fmt::format("{}://{}:{}", options_.is_tls ? "https" : "http", address_,
                     first_port_ + 2 * static_cast<int>(member));
}

std::string EtcdCluster::peer_url(size_t member) const {
  return fmt::format("http://{}:{}", address_, first_port_ + 1 + 2 * static_cast<int>(member));
}

void EtcdCluster::start(size_t member) {
  if (is_running(member)) return;
  const std::string name = fmt::format("m{}", member);
  std::string all;
  for (size_t i = 0; i < members(); ++i) {
    all += fmt::format("{}m{}={}", i == 0 ? "" : ",", i, peer_url(i));
  }
  std::vector<std::string> words{kEtcd,
                                 "--name=" + name,
                                 "--data-dir=" + path(name),
                                 "--listen-client-urls=" + url(member),
                                 "--advertise-client-urls=" + url(member),
                                 "--listen-peer-urls=" + peer_url(member),
                                 "--initial-advertise-peer-urls=" + peer_url(member),
                                 "--initial-cluster=" + all,
                                 "--logger=zap"};
  if (options_.is_tls) {
    words.push_back("--cert-file=" + path("server.pem"));
    words.push_back("--key-file=" + path("server.key"));
    words.push_back("--trusted-ca-file=" + path("ca.pem"));
    words.emplace_back("--client-cert-auth");
  }
  words.insert(words.end(), options_.more_arguments.begin(), options_.more_arguments.end());
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string log = path(name + ".log");
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(fd, STDOUT_FILENO);
    ::dup2(fd, STDERR_FILENO);
    ::execv(kEtcd, arguments.data());
    _exit(127);
  }
  pids_[member] = child;
}

void EtcdCluster::kill(size_t member) {
  if (!is_running(member)) return;
  ::kill(pids_[member], SIGKILL);
  ::waitpid(pids_[member], nullptr, 0);
  pids_[member] = 0;
}

void EtcdCluster::restart_all() {
  for (size_t i = 0; i < members(); ++i) kill(i);
  for (size_t i = 0; i < members(); ++i) start(i);
}

EtcdSettings EtcdCluster::credentials() const {
  EtcdSettings credentials;
  if (options_.is_tls) {
    credentials.ca_file = path("ca.pem");
    credentials.cert_file = path("client.pem");
    credentials.key_file = path("client.key");
  }
  if (options_.has_password) {
    credentials.username = "root";
    credentials.password = kPassword;
  }
  return credentials;
}

EtcdOptions EtcdCluster::client_options() const {
  std::string urls;
  for (size_t i = 0; i < members(); ++i) urls += fmt::format("{}{}", i == 0 ? "" : ",", url(i));
  auto options = make_etcd_options(urls, credentials());
  if (!options) {
    fmt::print(stderr, "{}\n", options.error().message);
    abort();
  }
  return std::move(*options);
}

std::string EtcdCluster::etcdctl(const std::string& arguments) const {
  std::string command = fmt::format("ETCDCTL_API=3 {} --endpoints={}", kEtcdctl, url(0));
  if (options_.is_tls) {
    command += fmt::format(" --cacert={} --cert={} --key={}", path("ca.pem"), path("client.pem"),
                           path("client.key"));
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  for (;;) {
    Outcome outcome = run_shell(command + " " + arguments);
    if (outcome.status == 0) return outcome.out;
    if (std::chrono::steady_clock::now() > give_up) {
      fmt::print(stderr, "{} {}: {}\n{}", command, arguments, outcome.out, logs());
      abort();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

std::string EtcdCluster::logs() const {
  std::string text;
  for (size_t i = 0; i < members(); ++i) {
    std::ifstream in(path(fmt::format("m{}.log", i)));
    std::ostringstream log;
    log << in.rdbuf();
    const std::string whole = log.str();
    text += fmt::format("m{}:\n{}\n", i,
                        whole.substr(whole.size() - std::min<size_t>(whole.size(), 4000)));
  }
  return text;
}

// An authority, and certificates of a server at the address and of a client; and another authority.
void EtcdCluster::make_certificates() const {
  const auto run = [&](const std::string& arguments) {
    const Outcome outcome = run_shell(fmt::format("cd {} && openssl {}", folder_, arguments));
    if (outcome.status == 0) return;
    fmt::print(stderr, "openssl {}: {}\n", arguments, outcome.out);
    abort();
  };
  const std::string new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  for (const std::string authority : {"ca", "other-ca"}) {
    run(fmt::format("req -x509 {} -days 2 -subj /CN={} -keyout {}.key -out {}.pem", new_key,
                    authority, authority, authority));
  }
  for (const std::string name : {"server", "client"}) {
    std::ofstream(path(name + ".ext")) << "subjectAltName=IP:" << address_ << "\n";
    run(fmt::format("req {} -subj /CN={} -keyout {}.key -out {}.csr", new_key, name, name, name));
    run(
        fmt::format("x509 -req -in {}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
                    "-extfile {}.ext -out {}.pem",
                    name, name, name));
  }
  run("x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days -1 -out "
      "client-expired.pem");
}

}  // namespace flotilla::store
