// The server over a real socket, for tests: what raw bytes in give as raw bytes out.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "api/fake_inspector.h"
#include "api/listener.h"
#include "api/server.h"
#include "registry/codec.h"
#include "registry/keys.h"
#include "store/memory_store.h"

namespace flotilla::api {

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/flotilla-api-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    path = folder + "/fleet.sock";
    thread = std::thread([this] { serve(); });
    while (!ready) std::this_thread::yield();
  }
  void TearDown() override {
    loop.stop();
    thread.join();
    std::filesystem::remove_all(folder);
  }
  // Everything the API needs lives on the loop's thread.
  void serve() {
    auto store = store::make_memory_store(loop);
    the_store = store.get();
    registry::Registry registry(*store, "/flotilla");
    registry::ClusterView view(*store, loop, "/flotilla");
    Api api({registry, view, inspector, "m1", [] { return true; }});
    auto address = parse_listen_address(path);
    auto listener = open_listener(*address);
    ASSERT_TRUE(listener) << listener.error().message;
    std::vector<base::Fd> listeners;
    listeners.push_back(std::move(*listener));
    Server server(loop, api, std::move(listeners), limits);
    the_api = &api;
    the_server = &server;
    const auto watch = view.subscribe([this](const registry::ClusterChange&) { ready = true; });
    registry.open([](const base::Result<void>&) {});
    view.open();
    loop.run();
  }
  // On the loop's thread.
  void schedule_here(const std::string& unit) {
    registry::ScheduleEntry entry;
    entry.hash = "1";
    entry.text = "[Service]\nExecStart=/x\n";
    entry.target = registry::TargetState::kLoaded;
    store::TxnRequest txn;
    txn.then_ops.emplace_back(
        store::PutOp{registry::Keys("/flotilla").schedule("m1", unit), registry::encode(entry), 0});
    the_store->txn(txn, [](const base::Result<store::TxnResponse>& done) { EXPECT_TRUE(done); });
  }
  base::Fd connect_client() const {
    base::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static void send_text(const base::Fd& fd, const std::string& text) {
    ASSERT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // Reads until `end` has been seen, or to the end of the connection.
  static std::string receive(const base::Fd& fd, const std::string& end) {
    std::string got;
    char buffer[4096];
    while (end.empty() || got.find(end) == std::string::npos) {
      const ssize_t count = read(fd.get(), buffer, sizeof buffer);
      if (count <= 0) break;
      got.append(buffer, static_cast<size_t>(count));
    }
    return got;
  }

  overlord::AsioLoop loop;
  FakeInspector inspector;
  // Calls `work` on the loop's thread and waits for it.
  void on_loop(const std::function<void()>& work) {
    std::atomic<bool> done = false;
    loop.post([&] {
      work();
      done = true;
    });
    while (!done) std::this_thread::yield();
  }
  std::string ask(const std::string& request, const std::string& end) const {
    const base::Fd fd = connect_client();
    send_text(fd, request);
    return receive(fd, end);
  }

  ServerLimits limits;
  store::Store* the_store = nullptr;
  Api* the_api = nullptr;
  Server* the_server = nullptr;
  std::string folder;
  std::string path;
  std::thread thread;
  std::atomic<bool> ready = false;
};

}  // namespace flotilla::api
