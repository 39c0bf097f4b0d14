#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "init/fake_spawner.h"
#include "init/linux_spawner_fixture.h"

namespace flotilla::init {
namespace {

using testing::HasSubstr;

TEST_P(Spawning, RunsAProgramAsOurChildAndSessionLeader) {
  ExecSpec spec = shell("echo $PPID $$; cut -d' ' -f6 /proc/$$/stat; exit 7");
  const SpawnResult result = spawner_->spawn(spec);
  ASSERT_TRUE(result.is_running());
  EXPECT_FALSE(result.pidfd);
  const std::string pid = std::to_string(result.pid);
  EXPECT_EQ(output(), std::to_string(getpid()) + " " + pid + "\n" + pid + "\n");
  EXPECT_EQ(WEXITSTATUS(wait(result)), 7);
}

TEST_P(Spawning, AMissingProgramIsStageExecAndExitCode203) {
  ExecSpec spec = shell("true");
  spec.path = "/no/such/program";
  expect_failure(spec, SpawnStage::kExec, ENOENT, 203);
}

TEST_P(Spawning, TheStepsThatFailSayWhichTheyWere) {
  ExecSpec spec = shell("true");
  spec.working_directory = "/no/such/directory";
  expect_failure(spec, SpawnStage::kChdir, ENOENT, 200);
  spec = shell("true");
  spec.stdin_fd = 100'000;
  expect_failure(spec, SpawnStage::kStdin, EBADF, 208);
  spec = shell("true");
  spec.stderr_fd = 100'000;
  expect_failure(spec, SpawnStage::kStderr, EBADF, 222);
  spec = shell("true");
  spec.oom_score_adjust = 5000;
  expect_failure(spec, SpawnStage::kOomAdjust, EINVAL, 206);
  spec = shell("true");
  const ResourceLimit limit{RLIMIT_NOFILE, {20, 10}};
  spec.limits = &limit;
  spec.limit_count = 1;
  expect_failure(spec, SpawnStage::kLimits, EINVAL, 205);
  spec = shell("true");
  spec.root = "/no/such/root";
  expect_failure(spec, SpawnStage::kChroot, ENOENT, 210);
}

TEST_P(Spawning, AMissingWorkingDirectoryMayBeAllowed) {
  ExecSpec spec = shell("pwd");
  spec.working_directory = "/no/such/directory";
  spec.working_directory_missing_ok = true;
  EXPECT_EQ(run(spec), "/\n");
}

TEST_P(Spawning, NothingButWhatIsPassedIsOpenInTheChild) {
  // The listing has the descriptor of the directory itself too.
  ExecSpec spec = shell("exec ls -1 /proc/self/fd");
  EXPECT_EQ(run(spec), "0\n1\n2\n3\n");
}

TEST_P(Spawning, PassesDescriptorsFromThreeOnInAnyOrderOfNumbers) {
  // Descriptors in the way of each other: two memfds, passed in both orders and twice.
  const base::Fd a(memfd_create("a", MFD_CLOEXEC)), b(memfd_create("b", MFD_CLOEXEC));
  const int passed[] = {b.get(), a.get(), b.get(), 3, 4, 1};
  ExecSpec spec =
      shell("for i in 3 4 5; do readlink /proc/$$/fd/$i; done; [ -e /proc/$$/fd/9 ] || echo end");
  spec.passed_fds = passed;
  spec.passed_fd_count = 6;
  EXPECT_EQ(run(spec), "/memfd:b (deleted)\n/memfd:a (deleted)\n/memfd:b (deleted)\nend\n");
}

TEST_P(Spawning, SwapsStandardStreams) {
  ExecSpec spec = shell("echo to-output; echo to-error >&2");
  spec.stderr_fd = spec.stdout_fd;
  spec.stdout_fd = 2;
  EXPECT_EQ(run(spec), "to-error\n");
}

TEST_P(Spawning, TheChildWritesItsOwnPidForListenPid) {
  char listen_pid[32] = "LISTEN_PID=", watchdog_pid[32] = "WATCHDOG_PID=";
  ExecSpec spec = shell("[ $LISTEN_PID = $$ ] && [ $WATCHDOG_PID = $$ ] && echo same");
  environment_ = {listen_pid, watchdog_pid, nullptr};
  spec.environment = environment_.data();
  spec.pid_texts[0] = listen_pid + 11;
  spec.pid_texts[2] = watchdog_pid + 13;
  EXPECT_EQ(run(spec), "same\n");
}

TEST_P(Spawning, AnIdleProcessWaitsForTheEndOfThePipe) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  base::Fd pipe_read(ends[0]), pipe_write(ends[1]);
  int out[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  base::Fd out_read(out[0]), out_write(out[1]);
  ExecSpec spec = shell("ls /proc/self/fd | wc -l");
  spec.stdout_fd = out_write.get();
  spec.idle_pipe_fd = pipe_read.get();
  const SpawnResult result = spawner_->spawn(spec);
  ASSERT_GT(result.pid, 0);
  out_write.reset();
  pollfd wanted{out_read.get(), POLLIN, 0};
  EXPECT_EQ(poll(&wanted, 1, 50), 0);  // nothing can come before the pipe ends
  pipe_write.reset();
  char text[16] = {};
  EXPECT_GT(read(out_read.get(), text, sizeof text), 0);
  EXPECT_STREQ(text, "4\n");  // 0, 1, 2 and what ls itself reads
  int status = 0;
  EXPECT_EQ(waitpid(result.pid, &status, 0), result.pid);
}

TEST_P(Spawning, AppliesLimitsUmaskNiceAndTheRest) {
  const ResourceLimit limit{RLIMIT_NOFILE, {123, 456}};
  ExecSpec spec = shell(
      "ulimit -Sn; ulimit -Hn; umask; cut -d' ' -f19 /proc/$$/stat; cat /proc/$$/oom_score_adj;"
      "grep NoNewPrivs /proc/$$/status; pwd");
  spec.limits = &limit;
  spec.limit_count = 1;
  spec.umask = 027;
  spec.nice = 5;
  spec.oom_score_adjust = 321;
  spec.no_new_privileges = true;
  spec.working_directory = "/usr";
  EXPECT_EQ(run(spec), "123\n456\n0027\n5\n321\nNoNewPrivs:\t1\n/usr\n");
}

TEST_P(Spawning, SignalsAreFreshInTheChild) {
  ExecSpec spec = shell("exec grep -E 'SigBlk|SigIgn' /proc/self/status");
  EXPECT_THAT(run(spec), HasSubstr("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001000\n"));
}

TEST_P(Spawning, SigpipeIsDefaultWhereAskedFor) {
  ExecSpec spec = shell("exec grep SigIgn /proc/self/status");
  spec.ignore_sigpipe = false;
  EXPECT_EQ(run(spec), "SigIgn:\t0000000000000000\n");
}

TEST_P(Spawning, TheKernelWritesThePidAndGivesAPidfdWhereAskedFor) {
  int32_t pid = 0;
  ExecSpec spec = shell("exit 0");
  spec.pid_location = &pid;
  spec.want_pidfd = true;
  const SpawnResult result = spawner_->spawn(spec);
  EXPECT_EQ(pid, result.pid);
  EXPECT_TRUE(result.pidfd);
  EXPECT_TRUE((fcntl(result.pidfd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  wait(result);
}

TEST_P(Spawning, ChangesUserAndGroups) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const gid_t groups[] = {4711, 4712};
  ExecSpec spec = shell("id -u; id -g; grep Groups /proc/$$/status");
  spec.uid = 65534;
  spec.gid = 65533;
  spec.set_groups = true;
  spec.groups = groups;
  spec.group_count = 2;
  EXPECT_EQ(run(spec), "65534\n65533\nGroups:\t4711 4712 \n");
}

TEST_P(Spawning, ABadCgroupMeansNoProcess) {
  ExecSpec spec = shell("true");
  spec.cgroup_fd = read_end_.get();
  const SpawnResult result = spawner_->spawn(spec);
  EXPECT_NE(result.error, 0);
  if (GetParam() == LinuxSpawner::CloneCall::kClone3) {
    EXPECT_EQ(result.pid, -1);
    EXPECT_EQ(result.stage, SpawnStage::kClone);
  } else {
    EXPECT_EQ(result.stage, SpawnStage::kCgroup);
    EXPECT_EQ(WEXITSTATUS(wait(result)), 219);
  }
}

TEST_P(Spawning, JoinsACgroupBeforeTheProgramRuns) {
  // Any directory with a file of that name takes what the child writes; the real one is the
  // tracker's to test.
  char pattern[] = "/tmp/flotilla-spawn-XXXXXX";
  const std::string directory = ::mkdtemp(pattern);
  const std::string file = directory + "/cgroup.procs";
  base::Fd(open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).reset();
  const base::Fd cgroup(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A high number is none of the descriptors that the child keeps.
  const base::Fd high(fcntl(cgroup.get(), F_DUPFD_CLOEXEC, 200));
  const std::string script = "cat " + file + "; ls /proc/$$/fd";
  ExecSpec spec = shell(script.c_str());
  spec.cgroup_fd = high.get();
  if (GetParam() == LinuxSpawner::CloneCall::kClone3) {
    EXPECT_EQ(spawner_->spawn(spec).error, EBADF);  // the kernel looks what it is
  } else {
    EXPECT_EQ(run(spec), "00\n1\n2\n");
  }
  unlink(file.c_str());
  rmdir(directory.c_str());
}

TEST_P(Spawning, ABadStreamLeavesTheOthersClosedHere) {
  ExecSpec spec = shell("true");
  base::Fd high(fcntl(write_end_.get(), F_DUPFD_CLOEXEC, 200));
  spec.stdout_fd = high.get();
  spec.stderr_fd = 100'000;
  write_end_.reset();
  const SpawnResult result = spawner_->spawn(spec);
  EXPECT_EQ(result.stage, SpawnStage::kStderr);
  wait(result);
  high.reset();
  EXPECT_EQ(output(), "");  // ends: nobody holds the pipe's other end
}

TEST_P(Spawning, ManySpawnsLeaveNoDescriptorBehind) {
  ExecSpec spec = shell("true");
  spec.path = "/bin/true";
  const int before = dup(0);
  close(before);
  for (int i = 0; i < 200; ++i) {
    const SpawnResult result = spawner_->spawn(spec);
    ASSERT_TRUE(result.is_running());
    wait(result);
  }
  const int after = dup(0);
  close(after);
  EXPECT_EQ(before, after);
}

INSTANTIATE_TEST_SUITE_P(Calls, Spawning,
                         testing::Values(LinuxSpawner::CloneCall::kClone3,
                                         LinuxSpawner::CloneCall::kClone),
                         [](const auto& parameter) {
                           return parameter.param == LinuxSpawner::CloneCall::kClone3 ? "Clone3"
                                                                                      : "Clone";
                         });

// Makes the kernel answer clone3 with `error` for this process, for good.
bool refuse_clone3(uint32_t error) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(code), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// In a process of its own, which a filter would outlive otherwise. Returns its exit code.
int spawn_without_clone3(uint32_t error) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (!refuse_clone3(error)) _exit(2);
    auto spawner = LinuxSpawner::create();
    if (!spawner || LinuxSpawner::probe() != LinuxSpawner::CloneCall::kClone) _exit(3);
    const char* const argv[] = {"/bin/sh", "-c", "exit 7", nullptr};
    const char* const environment[] = {nullptr};
    ExecSpec spec;
    spec.path = argv[0];
    spec.argv = argv;
    spec.environment = environment;
    const SpawnResult result = (*spawner)->spawn(spec);
    int status = -1;
    if (!result.is_running() || waitpid(result.pid, &status, 0) != result.pid) _exit(4);
    _exit(WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : 5);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(SpawningBehindAFilter, AnOlderCallIsUsedWhereClone3IsRefused) {
  EXPECT_EQ(LinuxSpawner::probe(), LinuxSpawner::CloneCall::kClone3);
  EXPECT_EQ(spawn_without_clone3(ENOSYS), 0);
  EXPECT_EQ(spawn_without_clone3(EPERM), 0);
}

TEST(FakeSpawner, RemembersSpecsAndFailsOnRequest) {
  FakeSpawner spawner;
  spawner.fail_next(SpawnStage::kExec, ENOENT);
  const char* const argv[] = {"a", "b", nullptr};
  const char* const environment[] = {"X=1", "X=2", nullptr};
  ExecSpec spec;
  spec.path = "/a";
  spec.argv = argv;
  spec.environment = environment;
  const SpawnResult failed = spawner.spawn(spec);
  EXPECT_EQ(failed.stage, SpawnStage::kExec);
  EXPECT_EQ(failed.error, ENOENT);
  EXPECT_TRUE(spawner.spawn(spec).is_running());
  EXPECT_EQ(spawner.spawned().size(), 2U);
  EXPECT_EQ(spawner.last().argv, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(spawner.last().variable("X"), "2");
  EXPECT_NE(spawner.find("/a"), nullptr);
  EXPECT_EQ(spawner.find("/b"), nullptr);
}

TEST_P(Spawning, SetsWhatSchedulingAndCoreDumpsAreTold) {
  ExecSpec spec = shell(
      "cat /proc/self/coredump_filter; chrt -p $$ | sed 's/.*: //'; grep Cpus_allowed_list "
      "/proc/self/status; uname -m");
  SpawnExtras extras;
  extras.sets_coredump_filter = true;
  extras.coredump_filter = 0x1f;
  extras.cpu_policy = 3;  // SCHED_BATCH
  const uint8_t cpus[8] = {1};
  extras.cpu_affinity = cpus;
  extras.cpu_affinity_size = sizeof cpus;
  spec.extras = &extras;
  EXPECT_THAT(run(spec), HasSubstr("0000001f\nSCHED_BATCH\n0\nCpus_allowed_list:\t0\n"));
}

// The memory that it belongs to is this process's own until the program is executed.
TEST_P(Spawning, TheCoredumpFilterOfAProcessLeavesOursAlone) {
  const auto own_filter = [] {
    std::ifstream file("/proc/self/coredump_filter");
    std::string text;
    std::getline(file, text);
    return text;
  };
  const std::string before = own_filter();
  ExecSpec spec = shell("cat /proc/self/coredump_filter");
  SpawnExtras extras;
  extras.sets_coredump_filter = true;
  extras.coredump_filter = 0x5;
  spec.extras = &extras;
  EXPECT_EQ(run(spec), "00000005\n");
  EXPECT_EQ(own_filter(), before);
}

TEST_P(Spawning, AStepThatWentWrongBeforeIsTheEndOfAProcessThatDidNothingElse) {
  ExecSpec spec = shell("echo not me");
  spec.fail_stage = SpawnStage::kStdout;
  spec.fail_error = ENOENT;
  expect_failure(spec, SpawnStage::kStdout, ENOENT, 209);
  EXPECT_EQ(output(), "");
}

TEST_P(Spawning, AmbientCapabilitiesOutsideOfTheBoundsAreLeftOut) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has capabilities to keep";
  ExecSpec spec = shell("grep CapAmb /proc/self/status");
  SpawnExtras extras;
  extras.limits_capabilities = true;
  extras.bounding_set = 1 << 5 | 1 << 8;  // CAP_KILL, CAP_SETPCAP
  extras.ambient_set = 1 << 5 | 1 << 6;
  spec.extras = &extras;
  EXPECT_EQ(run(spec), "CapAmb:\t0000000000000020\n");
}

TEST_P(Spawning, AKeyringOfItsOwnIsInNobodysWay) {
  ExecSpec spec = shell("echo runs");
  SpawnKeyring keyring;
  keyring.read_invocation("00112233445566778899aabbccddeeff");
  EXPECT_EQ(keyring.invocation_id[15], 0xff);
  spec.keyring = &keyring;
  EXPECT_EQ(run(spec), "runs\n");
}

TEST_P(Spawning, KeepsAmbientCapabilitiesOverAChangeOfUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has capabilities to keep";
  ExecSpec spec = shell("grep -E 'Cap(Eff|Bnd|Amb)|^Uid' /proc/self/status");
  SpawnExtras extras;
  extras.limits_capabilities = true;
  extras.bounding_set = 1 << 5 | 1 << 8;  // CAP_KILL, CAP_SETPCAP
  extras.ambient_set = 1 << 5;
  extras.sets_secure_bits = true;
  spec.extras = &extras;
  spec.uid = 1;
  const std::string text = run(spec);
  EXPECT_THAT(text, HasSubstr("Uid:\t1\t1\t1\t1"));
  EXPECT_THAT(text, HasSubstr("CapEff:\t0000000000000020"));
  EXPECT_THAT(text, HasSubstr("CapBnd:\t0000000000000120"));
  EXPECT_THAT(text, HasSubstr("CapAmb:\t0000000000000020"));
}

TEST_P(Spawning, StepsOfTheExtrasThatFailHaveTheirExitCodes) {
  ExecSpec spec = shell("true");
  SpawnExtras extras;
  spec.extras = &extras;
  const uint8_t nowhere[64] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                               0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                               0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  extras.cpu_affinity = nowhere;
  extras.cpu_affinity_size = sizeof nowhere;
  expect_failure(spec, SpawnStage::kCpuAffinity, EINVAL, 215);
  extras = {};
  extras.terminal = SpawnExtras::Terminal::kTake;
  expect_failure(spec, SpawnStage::kStdin, ENOTTY, 208);
  extras = {};
  extras.cpu_policy = 1;  // SCHED_FIFO has no priority 0
  expect_failure(spec, SpawnStage::kScheduler, EINVAL, 214);
}

}  // namespace
}  // namespace flotilla::init
