// What sandboxed units have besides their processes, over the death of a manager.
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/fake_keeper.h"
#include "init/manager_fixture.h"

namespace flotilla::init {
namespace {

// Makes nothing, and remembers what it made.
class FakeHelper final : public ExecHelper {
 public:
  const std::string& program() const noexcept override { return program_; }
  const SandboxPaths& paths() const noexcept override { return paths_; }
  base::Result<std::unique_ptr<HelperLaunch>> launch(const ExecSpec& plain, const sandbox::Order&,
                                                     const SandboxPlaces* places) override {
    auto launch = std::make_unique<HelperLaunch>();
    launch->spec = plain;
    last_tmp = places == nullptr ? std::string() : places->tmp_directory;
    return launch;
  }
  base::Status watch(HelperRun&) override { return {}; }
  base::Result<std::shared_ptr<SandboxPlaces>> make_places(std::string_view, PlacesWanted wanted,
                                                           pid_t) override {
    auto places = std::make_shared<SandboxPlaces>();
    ++made;
    if (wanted.tmp) places->tmp_directory = fmt::format("/tmp/{}", made);
    if (wanted.network) {
      int ends[2];
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
      places->network[0].reset(ends[0]);
      places->network[1].reset(ends[1]);
    }
    return places;
  }
  void release(std::shared_ptr<SandboxPlaces> places) override {
    if (places && places.use_count() == 1) removed.push_back(places->tmp_directory);
  }
  base::Result<std::shared_ptr<DynamicUser>> make_user(DynamicUser::Kind, const std::string& name,
                                                       const std::vector<std::string>&) override {
    auto user = std::make_shared<DynamicUser>();
    user->name = name;
    user->uid = user->gid = 61184;
    ++users;
    return user;
  }
  void release(std::shared_ptr<DynamicUser> user) override { users -= user ? 1 : 0; }
  bool has_credentials(const std::string&) const override { return true; }
  void remove_credentials(const std::string& directory) override { removed.push_back(directory); }
  void end_utmp(const sandbox::UtmpFiles& files, const std::string& id,
                const ChildExit& exit) override {
    ended.push_back(fmt::format("{} {} {}", files.utmp, id, exit.status));
  }
  void remove_ipc(uint32_t, uint32_t) override {}

  int made = 0, users = 0;
  std::string last_tmp;
  std::vector<std::string> removed, ended;

 private:
  std::string program_ = "/flotilla-exec";
  SandboxPaths paths_;
};

class AdoptedSandbox : public ManagerTest {
 protected:
  void SetUp() override {
    char directory[] = "/tmp/manager_sandbox_test_XXXXXX";
    ASSERT_NE(mkdtemp(directory), nullptr);
    directory_ = directory;
    open_side();
    keeper_ = &fake_keeper_;
    helper_ = &helper_made_;
  }
  void TearDown() override {
    manager_.reset();
    unlink((directory_ + "/side").c_str());
    rmdir(directory_.c_str());
  }
  void open_side() {
    std::vector<std::string> problems;
    auto side = StateSideFile::open(directory_ + "/side", BootId{1}, problems);
    ASSERT_TRUE(side) << side.error().message;
    side_file_ = std::move(*side);
    side_ = side_file_.get();
  }
  // The next manager gets from the keeper what it has.
  void die_and_come_again() {
    std::map<std::string, base::Fd> kept;
    for (const auto& [name, fd] : fake_keeper_.held) kept[name].reset(dup(fd));
    manager_.reset();
    state_.reset();
    open_side();
    make_manager();
    for (auto& [name, fd] : kept) {
      if (Manager::Impl::is_kept_for_fd_store(name)) {
        manager_->impl().take_back_stored(name, std::move(fd));
      }
    }
    ASSERT_TRUE(manager_->impl().adopt());
    manager_->impl().drop_unclaimed_stored();
    manager_->impl().look_for_gone_processes();
    settle();
  }
  void stop(const std::string& name) {
    ask(name, "stop");
    exit(main_pid(name), CLD_EXITED, 0);
  }

  std::string directory_;
  FakeKeeper fake_keeper_;
  FakeHelper helper_made_;
  std::unique_ptr<StateSideFile> side_file_;
};

TEST_F(AdoptedSandbox, CommandsOfTheNextManagerRunInThePlacesOfTheFirst) {
  unit("a.service",
       "[Service]\nPrivateTmp=yes\nPrivateNetwork=yes\nDynamicUser=yes\nSetCredential=x:y\n"
       "ExecStart=/bin/a\nExecReload=/bin/reload\n");
  boot();
  ask("a.service", "start");
  ASSERT_EQ(helper_made_.made, 1);
  EXPECT_EQ(fake_keeper_.held.size(), 2u) << "both ends of the network's keeper";
  die_and_come_again();
  EXPECT_EQ(helper_made_.users, 2) << "one of each manager";
  helper_made_.last_tmp.clear();
  ask("a.service", "reload");
  EXPECT_EQ(helper_made_.made, 1);
  EXPECT_EQ(helper_made_.last_tmp, "/tmp/1");
  exit(spawner_.last().pid, CLD_EXITED, 0);
  stop("a.service");
  EXPECT_EQ(helper_made_.users, 1);
  EXPECT_EQ(helper_made_.removed,
            (std::vector<std::string>{"/run/credentials/a.service", "/tmp/1"}));
  EXPECT_TRUE(fake_keeper_.held.empty());
  EXPECT_EQ(side_->find("a.service", SideKind::kSandboxPlaces), "");
}

TEST_F(AdoptedSandbox, UnitsThatShareANamespaceShareItStill) {
  unit("a.service", "[Service]\nPrivateTmp=yes\nExecStart=/bin/a\n");
  unit("b.service",
       "[Unit]\nJoinsNamespaceOf=a.service\n[Service]\nPrivateTmp=yes\nExecStart=/bin/b\n");
  boot();
  ask("a.service", "start");
  ask("b.service", "start");
  ASSERT_EQ(helper_made_.made, 1);
  die_and_come_again();
  stop("a.service");
  EXPECT_EQ(helper_made_.removed, std::vector<std::string>());
  stop("b.service");
  EXPECT_EQ(helper_made_.removed, std::vector<std::string>{"/tmp/1"});
}

TEST_F(AdoptedSandbox, PlacesThatADyingManagerWasJustRemovingAreRemoved) {
  unit("a.service", "[Service]\nPrivateTmp=yes\nExecStart=/bin/a\n");
  boot();
  ask("a.service", "start");
  const std::string text(side_->find("a.service", SideKind::kSandboxPlaces));
  ASSERT_NE(text, "");
  exit(main_pid("a.service"), CLD_EXITED, 1);
  helper_made_.removed.clear();
  ASSERT_TRUE(side_->put("a.service", SideKind::kSandboxPlaces, text));
  die_and_come_again();
  EXPECT_EQ(helper_made_.removed, std::vector<std::string>{"/tmp/1"});
  EXPECT_EQ(side_->find("a.service", SideKind::kSandboxPlaces), "");
}

TEST_F(AdoptedSandbox, WhatClientsHaveSetInTheEnvironmentStays) {
  unit("a.service", "[Service]\nExecStart=/bin/a\n");
  boot();
  manager_->impl().take_client_environment({"B=2", "A=one two"});
  die_and_come_again();
  ask("a.service", "start");
  EXPECT_EQ(spawner_.last().variable("A"), "one two");
  EXPECT_EQ(spawner_.last().variable("B"), "2");
  EXPECT_EQ(spawner_.last().variable("PATH"), "/usr/bin");
}

TEST(SandboxPlaces, AreWrittenDownAndReadAgain) {
  SandboxPlaces places;
  places.number = 7;
  places.tmp_directory = "/tmp/x";
  places.var_tmp_directory = "/var/tmp/y z";
  places.ipc[0].reset(dup(STDIN_FILENO));
  const auto record = parse_places(text_of(places));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->number, 7u);
  EXPECT_FALSE(record->network);
  EXPECT_TRUE(record->ipc);
  EXPECT_EQ(record->tmp_directory, "/tmp/x");
  EXPECT_EQ(record->var_tmp_directory, "/var/tmp/y z");
  for (const char* const bad :
       {"", "x", "0 --\n\n\n", "1 --", "1 --/tmp", "99999999999999999999"}) {
    EXPECT_FALSE(parse_places(bad)) << bad;
  }
}

}  // namespace
}  // namespace flotilla::init
