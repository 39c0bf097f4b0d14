#include "init/generators.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>

#include "init/conditions.h"
#include "unit/environment.h"

namespace flotilla::init {
namespace {

using base::FileKind;

constexpr Micros kTimeout{90'000'000};
constexpr size_t kPidTextSize = 12;
constexpr size_t kMaxPrograms = 1'000;
constexpr size_t kMaxOutput = size_t{1} << 20;
constexpr int kMaxDepth = 8;

// Their standard error goes to the log of the manager's own scope.
constexpr std::string_view kLogUnit = "init.scope";

// Removes what is inside; false: there is no such directory.
bool clear_tree(base::FileTree& tree, const std::string& path, int depth) {
  const auto entries = tree.list(path);
  if (!entries) return false;
  for (const base::DirectoryEntry& entry : *entries) {
    const std::string inside = path + "/" + entry.name;
    if (entry.kind == FileKind::kDirectory && depth < kMaxDepth)
      clear_tree(tree, inside, depth + 1);
    static_cast<void>(tree.remove(inside));
  }
  return true;
}

std::string read_all(int fd) {
  std::string text(kMaxOutput, '\0');
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return text;
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> list;
  list.reserve(texts.size() + 1);
  for (const std::string& text : texts) list.push_back(text.c_str());
  list.push_back(nullptr);
  return list;
}

}  // namespace

Generators::Run::Run(Generators& of, std::string path_of_program)
    : owner(of),
      path(std::move(path_of_program)),
      watch(Callback<void(const ChildExit&)>::to<&Run::on_exit>(*this)) {}

Generators::Generators(const ManagerOptions& options, ManagerEdges& edges)
    : options_(options),
      edges_(edges),
      timeout_(Callback<void()>::to<&Generators::on_timeout>(*this)) {}

Generators::~Generators() {
  for (const auto& run : runs_) {
    if (run->watch.is_watching()) edges_.processes.unwatch(run->watch);
  }
}

std::vector<std::string> Generators::directories(std::string_view kind) const {
  const std::string_view scope = options_.scope == ManagerScope::kUser ? "user" : "system";
  std::vector<std::string> list;
  for (const char* root : {"/run", "/etc", "/usr/local/lib", "/lib", "/usr/lib"}) {
    list.push_back(fmt::format("{}/systemd/{}-{}", root, scope, kind));
  }
  return list;
}

std::vector<std::string> Generators::find_programs(const base::FileTree& tree,
                                                   const std::vector<std::string>& directories) {
  std::map<std::string, std::string> programs;  // by name; empty: masked
  for (const std::string& directory : directories) {
    for (const base::DirectoryEntry& entry : tree.list(directory).value_or({})) {
      if (entry.name[0] == '.' || entry.kind == FileKind::kDirectory) continue;
      const std::string path = directory + "/" + entry.name;
      const auto stat = tree.stat(path);
      if (!stat || programs.count(entry.name) != 0) continue;
      const bool is_mask = stat->kind != FileKind::kRegular || stat->size == 0;
      if (!is_mask && (stat->mode & 0111) == 0) continue;
      programs.emplace(entry.name, is_mask ? std::string() : path);
      if (programs.size() >= kMaxPrograms) break;
    }
  }
  std::vector<std::string> paths;
  for (const auto& [name, path] : programs) {
    if (!path.empty()) paths.push_back(path);
  }
  return paths;
}

std::string Generators::output_directory(std::string_view suffix) const {
  return fmt::format("{}/systemd/generator{}", options_.runtime_directory, suffix);
}

bool Generators::clear_output() {
  bool is_there = false;
  for (const char* suffix : {"", ".early", ".late"}) {
    is_there = clear_tree(edges_.tree, output_directory(suffix), 0) || is_there;
  }
  return is_there;
}

void Generators::remove_empty_output() {
  for (const char* suffix : {"", ".early", ".late"}) {
    // Fails where something was generated, and that is what it is for.
    static_cast<void>(edges_.tree.remove(output_directory(suffix)));
  }
}

bool Generators::start(std::function<void(const std::vector<std::string>&)> done) {
  waiting_environment_ = find_programs(edges_.tree, directories("environment-generators"));
  std::reverse(waiting_environment_.begin(), waiting_environment_.end());
  waiting_ = find_programs(edges_.tree, directories("generators"));
  const bool has_output = clear_output();
  if (waiting_environment_.empty() && waiting_.empty()) {
    if (has_output) remove_empty_output();
    return false;
  }
  done_ = std::move(done);
  environment_.clear();
  edges_.timers.arm_after(timeout_, kTimeout);
  start_next_environment();
  return true;
}

// One after the other, by name: each sees what those before it said.
void Generators::start_next_environment() {
  in_environment_phase_ = true;
  while (!waiting_environment_.empty()) {
    auto run = std::make_unique<Run>(*this, std::move(waiting_environment_.back()));
    waiting_environment_.pop_back();
    run->output = base::Fd(memfd_create("environment", MFD_CLOEXEC));
    if (!run->output || !spawn(*run, {})) continue;
    runs_.push_back(std::move(run));
    return;
  }
  start_all();
}

void Generators::start_all() {
  in_environment_phase_ = false;
  starting_ = true;
  std::vector<std::string> arguments;
  for (const char* suffix : {"", ".early", ".late"}) {
    const std::string directory = output_directory(suffix);
    if (const auto made = edges_.tree.make_directories(directory, 0755); !made) {
      edges_.logs.message({}, 3, made.error().message);
    }
    arguments.push_back(edges_.tree.host_path(directory));
  }
  for (std::string& program : waiting_) {
    auto run = std::make_unique<Run>(*this, std::move(program));
    if (spawn(*run, arguments)) runs_.push_back(std::move(run));
  }
  waiting_.clear();
  starting_ = false;
  if (runs_.empty()) finish();
}

bool Generators::spawn(Run& run, const std::vector<std::string>& arguments) {
  std::vector<std::string> words{edges_.tree.host_path(run.path)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  unit::Environment environment(options_.environment);
  for (const std::string& assignment : environment_) environment.set_assignment(assignment);
  const bool is_user = options_.scope == ManagerScope::kUser;
  environment.set_assignment(is_user ? "SYSTEMD_SCOPE=user" : "SYSTEMD_SCOPE=system");
  environment.set_assignment("SYSTEMD_IN_INITRD=0");
  environment.set_assignment("SYSTEMD_FIRST_BOOT=0");
  // By this they know what kind of container they are in.
  if (const char* container = getenv("container"); container != nullptr && *container != '\0') {
    environment.set_assignment(std::string("container=") + container);
  }
  if (options_.host_values.architecture) {
    environment.set_assignment("SYSTEMD_ARCHITECTURE=" + *options_.host_values.architecture);
  }
  const ConditionWorld world = ConditionWorld::of_machine(edges_.host);
  if (world.virtualization != "none") {
    environment.set_assignment(fmt::format("SYSTEMD_VIRTUALIZATION={}:{}",
                                           world.is_container ? "container" : "vm",
                                           world.virtualization));
  }
  const std::vector<std::string>& variables = environment.assignments();
  const auto argv = pointers(words);
  auto envp = pointers(variables);
  std::string own_pid = "SYSTEMD_EXEC_PID=";
  const size_t name_size = own_pid.size();
  own_pid.resize(name_size + kPidTextSize);
  envp.insert(envp.begin(), own_pid.data());
  ExecSpec spec;
  spec.pid_texts[0] = own_pid.data() + name_size;
  spec.path = argv[0];
  spec.argv = argv.data();
  spec.environment = envp.data();
  const auto streams = edges_.logs.open_streams({kLogUnit, std::string_view("generators")});
  if (streams) spec.stdout_fd = spec.stderr_fd = streams->err >= 0 ? streams->err : streams->out;
  if (run.output) spec.stdout_fd = run.output.get();
  const SpawnResult result = edges_.spawner.spawn(spec);
  if (!result.is_running()) {
    edges_.logs.message(
        {}, 3, fmt::format("Failed to run {}: {}", run.path, base::describe_errno(result.error)));
  }
  if (result.pid <= 0) return false;
  edges_.processes.watch(run.watch, result.pid);
  return true;
}

void Generators::Run::on_exit(const ChildExit& exit) {
  if (exit.code != CLD_EXITED || exit.status != 0) {
    owner.edges_.logs.message({}, 3,
                              exit.code == CLD_EXITED
                                  ? fmt::format("{} failed with exit status {}.", path, exit.status)
                                  : fmt::format("{} terminated by signal {}.", path, exit.status));
  } else if (output) {
    owner.take_output(*this);
  }
  is_over = true;
  owner.on_run_over(*this);
}

// "NAME=value" lines as in an environment file.
void Generators::take_output(Run& run) {
  const auto said = unit::parse_environment_file(read_all(run.output.get()), run.path);
  if (!said) return edges_.logs.message({}, 4, said.error().message);
  for (const std::string& assignment : said->assignments()) environment_.push_back(assignment);
}

void Generators::on_run_over(Run&) {
  runs_.erase(std::remove_if(runs_.begin(), runs_.end(),
                             [](const std::unique_ptr<Run>& run) { return run->is_over; }),
              runs_.end());
  if (!runs_.empty() || starting_) return;
  in_environment_phase_ ? start_next_environment() : finish();
}

// As with services: who does not end in time is made to.
void Generators::on_timeout() {
  for (const auto& run : runs_) {
    edges_.logs.message({}, 3, fmt::format("{} does not end; killing it.", run->path));
    static_cast<void>(edges_.processes.signal(run->watch.pid(), SIGKILL));
  }
}

void Generators::finish() {
  edges_.timers.cancel(timeout_);
  edges_.logs.close_streams(kLogUnit);
  remove_empty_output();
  auto done = std::move(done_);
  done_ = nullptr;
  const std::vector<std::string> environment = std::move(environment_);
  environment_.clear();
  if (done) done(environment);
}

}  // namespace flotilla::init
