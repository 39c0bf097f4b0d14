#include "fctl/ssh.h"

#include <algorithm>
#include <cmath>

namespace flotilla::fctl {
namespace {

struct Host {
  std::string name;
  std::string port;  // or empty
};

// "host", "host:port", "[v6]", "[v6]:port"; a bare IPv6 address has no port.
Host split_host(std::string_view address) {
  if (!address.empty() && address.front() == '[') {
    const size_t end = address.find(']');
    if (end != std::string_view::npos) {
      const std::string_view rest = address.substr(end + 1);
      return {std::string(address.substr(1, end - 1)),
              std::string(rest.empty() ? rest : rest.substr(1))};
    }
  }
  const size_t colon = address.find(':');
  if (colon == std::string_view::npos || address.find(':', colon + 1) != std::string_view::npos) {
    return {std::string(address), {}};
  }
  return {std::string(address.substr(0, colon)), std::string(address.substr(colon + 1))};
}

// One word of a POSIX shell, for ssh's ProxyCommand, which also has "%" for itself.
std::string proxy_word(std::string_view word) {
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else if (c == '%') {
      quoted += "%%";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

void add_option(std::vector<std::string>& words, const std::string& option) {
  words.emplace_back("-o");
  words.push_back(option);
}

// A file name in an ssh option: its blanks and "%" would be read otherwise.
std::string option_path(std::string_view path) {
  std::string quoted = "\"";
  for (const char c : path) {
    quoted += c;
    if (c == '%') quoted += c;
  }
  return quoted + "\"";
}

// What is the same for the machine and for the bastion.
std::vector<std::string> common_words(const SshSettings& settings, const Host& host,
                                      int default_port) {
  std::vector<std::string> words{"ssh", "-l", settings.user};
  if (!host.port.empty()) {
    words.insert(words.end(), {"-p", host.port});
  } else if (default_port != 22) {
    words.insert(words.end(), {"-p", std::to_string(default_port)});
  }
  add_option(words, fmt::format("ConnectTimeout={}", settings.timeout_seconds));
  if (settings.checks_host_keys) {
    add_option(words, "StrictHostKeyChecking=ask");
    add_option(words, "UserKnownHostsFile=" + option_path(settings.known_hosts));
  } else {
    add_option(words, "StrictHostKeyChecking=no");
    add_option(words, "UserKnownHostsFile=/dev/null");
    add_option(words, "GlobalKnownHostsFile=/dev/null");
    add_option(words, "LogLevel=ERROR");  // else it warns of each key it does not keep
  }
  return words;
}

}  // namespace

base::Result<SshSettings> ssh_settings(const Flags& flags, const Environment& environment) {
  SshSettings settings;
  settings.user = flags.text("ssh-username");
  settings.timeout_seconds = std::max(1, static_cast<int>(std::ceil(flags.seconds("ssh-timeout"))));
  settings.checks_host_keys = flags.is_set("strict-host-key-checking");
  settings.tunnel = flags.text("tunnel");
  settings.forwards_agent = flags.is_set("forward-agent") || flags.is_set("A");
  settings.port = flags.number("ssh-port");
  if (settings.port < 1 || settings.port > 65535) {
    return base::invalid("--ssh-port: {} is no port", settings.port);
  }
  settings.known_hosts = flags.text("known-hosts-file");
  if (settings.known_hosts.compare(0, 2, "~/") == 0) {
    const std::string home = environment.variable("HOME").value_or("");
    settings.known_hosts = home + settings.known_hosts.substr(1);
    if (settings.checks_host_keys) {
      const std::string folder = settings.known_hosts.substr(0, settings.known_hosts.rfind('/'));
      FLOTILLA_TRY(environment.make_folder(folder));
    }
  }
  return settings;
}

std::vector<std::string> ssh_command(const SshSettings& settings, std::string_view address,
                                     const std::string& remote_command) {
  const Host host = split_host(address);
  std::vector<std::string> words = common_words(settings, host, settings.port);
  if (settings.forwards_agent) words.emplace_back("-A");
  if (!settings.tunnel.empty()) {
    const Host bastion = split_host(settings.tunnel);
    std::string proxy;
    for (const std::string& word : common_words(settings, bastion, 22)) {
      proxy += proxy_word(word) + " ";
    }
    add_option(words, "ProxyCommand=" + proxy + "-W '[%h]:%p' -- " + proxy_word(bastion.name));
  }
  words.insert(words.end(), {"--", host.name});
  if (!remote_command.empty()) words.push_back(remote_command);
  return words;
}

client::Endpoint tunnelled(const SshSettings& settings, const client::Endpoint& endpoint) {
  const Host bastion = split_host(settings.tunnel);
  client::Endpoint result;
  result.kind = client::Endpoint::Kind::kCommand;
  result.shown = client::describe(endpoint) + " through " + settings.tunnel;
  result.command = common_words(settings, bastion, 22);
  result.host = endpoint.host;
  result.is_tls = endpoint.is_tls;
  result.tls = endpoint.tls;
  if (endpoint.kind == client::Endpoint::Kind::kTcp) {
    const bool is_v6 = endpoint.host.find(':') != std::string::npos;
    result.command.insert(
        result.command.end(),
        {"-W", (is_v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + endpoint.port, "--",
         bastion.name});
  } else {
    result.command.insert(
        result.command.end(),
        {"-T", "--", bastion.name, remote_command_of({"fleetctl", "fd-forward", endpoint.path})});
  }
  return result;
}

std::string remote_command_of(const std::vector<std::string>& words) {
  std::string line = words[0];
  for (size_t i = 1; i < words.size(); ++i) {
    line += " \"";
    for (const char c : words[i]) {
      if (c == '"' || c == '\\' || c == '$' || c == '`') line += '\\';
      line += c;
    }
    line += '"';
  }
  return line;
}

}  // namespace flotilla::fctl
