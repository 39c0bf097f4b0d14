// The methods of the Manager interface that are about unit files: enabling, masks, presets, lists.

#include <fnmatch.h>

#include <algorithm>

#include "init/bus_answer.h"
#include "init/bus_facade.h"
#include "init/bus_methods.h"
#include "init/bus_unit_files.h"
#include "init/bus_write.h"
#include "init/manager_impl.h"

namespace flotilla::init {

using base::Result;

namespace {

using Links = UnitFileLinks;

constexpr uint64_t kFlagRuntime = 1, kFlagForce = 2, kFlagPortable = 4;

Links::Lifetime lifetime_of(bool runtime) {
  return runtime ? Links::Lifetime::kRuntime : Links::Lifetime::kLasting;
}
Links::Force force_of(bool force) { return force ? Links::Force::kYes : Links::Force::kNo; }

// What nearly all of these methods take, in the order in which they take it.
struct Arguments {
  std::vector<std::string> names;
  Links::Lifetime lifetime = Links::Lifetime::kLasting;
  Links::Force force = Links::Force::kNo;
};

Arguments read_arguments(bus::MessageReader& reader) {
  Arguments arguments;
  arguments.names = reader.strings().value_or({});
  arguments.lifetime = lifetime_of(reader.boolean().value_or(false));
  arguments.force = force_of(reader.boolean().value_or(false));
  return arguments;
}

// False: it has been answered.
bool read_flags(BusRequest& request, bus::MessageReader& reader, Arguments& arguments) {
  arguments.names = reader.strings().value_or({});
  const uint64_t flags = reader.u64().value_or(0);
  if ((flags & ~(kFlagRuntime | kFlagForce | kFlagPortable)) != 0) {
    answer_error(request, kBusInvalidArgs, "Invalid argument");
    return false;
  }
  arguments.lifetime = lifetime_of((flags & kFlagRuntime) != 0);
  arguments.force = force_of((flags & kFlagForce) != 0);
  return true;
}

void note_changes(BusRequest& request, const Links::Changes& changes) {
  if (changes.empty()) return;
  request.manager.note_unit_files_changed();
  request.facade.emit_unit_files_changed();
}

void answer(BusRequest& request, const Result<Links::Changes>& changes) {
  // Some of it may have been done before it failed.
  if (!changes) {
    request.manager.note_unit_files_changed();
    return request.call.send_error(changes.error());
  }
  answer_with(request, [&](bus::MessageWriter& body) { write_file_changes(body, *changes); });
  note_changes(request, *changes);
}

void answer(BusRequest& request, const Result<Links::Enabled>& enabled) {
  if (!enabled) {
    request.manager.note_unit_files_changed();
    return request.call.send_error(enabled.error());
  }
  answer_with(request, [&](bus::MessageWriter& body) {
    body.boolean(enabled->carries_install_info);
    write_file_changes(body, enabled->changes);
  });
  note_changes(request, enabled->changes);
}

// Nothing for a word that is no mode: it has been answered.
std::optional<Links::PresetMode> read_mode(BusRequest& request, bus::MessageReader& reader) {
  const std::string word = reader.string().value_or("");
  if (word.empty() || word == "full") return Links::PresetMode::kFull;
  if (word == "enable-only") return Links::PresetMode::kEnableOnly;
  if (word == "disable-only") return Links::PresetMode::kDisableOnly;
  answer_error(request, kBusInvalidArgs, "Invalid argument");
  return std::nullopt;
}

void send_unit_files(BusRequest& request, const std::vector<std::string>& states,
                     const std::vector<std::string>& patterns) {
  const auto is_wanted = [&](const std::string& name) {
    return patterns.empty() ||
           std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
             return ::fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
           });
  };
  answer_with(request, [&](bus::MessageWriter& body) {
    body.open_array("(ss)");
    for (const UnitFileState& file : unit_file_links(request.manager).list(is_wanted)) {
      if (!states.empty() && std::find(states.begin(), states.end(), file.state) == states.end()) {
        continue;
      }
      body.open_struct("ss").string(file.path).string(file.state).close();
    }
    body.close();
  });
}

}  // namespace

void bus_link_unit_files(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const Arguments a = read_arguments(reader);
  answer(request, unit_file_links(request.manager).link(a.names, a.lifetime, a.force));
}

void bus_enable_unit_files(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const Arguments a = read_arguments(reader);
  answer(request, unit_file_links(request.manager).enable(a.names, a.lifetime, a.force));
}

void bus_enable_unit_files_with_flags(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  Arguments a;
  if (!read_flags(request, reader, a)) return;
  answer(request, unit_file_links(request.manager).enable(a.names, a.lifetime, a.force));
}

void bus_reenable_unit_files(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const Arguments a = read_arguments(reader);
  answer(request, unit_file_links(request.manager).reenable(a.names, a.lifetime, a.force));
}

void bus_disable_unit_files(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const Arguments a = read_arguments(reader);
  answer(request, unit_file_links(request.manager).disable(a.names, a.lifetime));
}

void bus_disable_unit_files_with_flags(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  Arguments a;
  if (!read_flags(request, reader, a)) return;
  answer(request, unit_file_links(request.manager).disable(a.names, a.lifetime));
}

void bus_mask_unit_files(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const Arguments a = read_arguments(reader);
  answer(request, unit_file_links(request.manager).mask(a.names, a.lifetime, a.force));
}

void bus_unmask_unit_files(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const Arguments a = read_arguments(reader);
  answer(request, unit_file_links(request.manager).unmask(a.names, a.lifetime));
}

void bus_revert_unit_files(BusRequest& request) {
  answer(request,
         unit_file_links(request.manager).revert(request.call.arguments().strings().value_or({})));
}

void bus_preset_unit_files(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const Arguments a = read_arguments(reader);
  answer(request, unit_file_links(request.manager)
                      .preset(a.names, a.lifetime, Links::PresetMode::kFull, a.force));
}

void bus_preset_unit_files_with_mode(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const std::vector<std::string> names = reader.strings().value_or({});
  const auto mode = read_mode(request, reader);
  if (!mode) return;
  const Links::Lifetime lifetime = lifetime_of(reader.boolean().value_or(false));
  const Links::Force force = force_of(reader.boolean().value_or(false));
  answer(request, unit_file_links(request.manager).preset(names, lifetime, *mode, force));
}

void bus_preset_all_unit_files(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const auto mode = read_mode(request, reader);
  if (!mode) return;
  const Links::Lifetime lifetime = lifetime_of(reader.boolean().value_or(false));
  const Links::Force force = force_of(reader.boolean().value_or(false));
  answer(request, unit_file_links(request.manager).preset_all(lifetime, *mode, force));
}

void bus_add_dependency_unit_files(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const std::vector<std::string> names = reader.strings().value_or({});
  const std::string target = reader.string().value_or("");
  const std::string kind = reader.string().value_or("");
  if (kind != "Wants" && kind != "Requires") {
    return answer_error(request, kBusInvalidArgs, "Invalid argument");
  }
  const Links::Lifetime lifetime = lifetime_of(reader.boolean().value_or(false));
  const Links::Force force = force_of(reader.boolean().value_or(false));
  answer(request, unit_file_links(request.manager)
                      .add_dependencies(names, target,
                                        kind == "Wants" ? Links::DependencyKind::kWants
                                                        : Links::DependencyKind::kRequires,
                                        lifetime, force));
}

void bus_get_unit_file_state(BusRequest& request) {
  const std::string name = request.call.arguments().string().value_or("");
  const Result<std::string> state = unit_file_links(request.manager).state_of(name);
  if (!state) return request.call.send_error(state.error());
  answer_with(request, [&](bus::MessageWriter& body) { body.string(*state); });
}

void bus_get_unit_file_links(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const std::string name = reader.string().value_or("");
  const Links::Lifetime lifetime = lifetime_of(reader.boolean().value_or(false));
  const auto links = unit_file_links(request.manager).links_of(name, lifetime);
  answer_with(request, [&](bus::MessageWriter& body) { body.strings(links); });
}

void bus_list_unit_files(BusRequest& request) { send_unit_files(request, {}, {}); }

void bus_list_unit_files_by_patterns(BusRequest& request) {
  bus::MessageReader arguments = request.call.arguments();
  const std::vector<std::string> states = arguments.strings().value_or({});
  send_unit_files(request, states, arguments.strings().value_or({}));
}

void bus_get_default_target(BusRequest& request) {
  const Result<std::string> target = unit_file_links(request.manager).default_target();
  if (!target) return request.call.send_error(target.error());
  answer_with(request, [&](bus::MessageWriter& body) { body.string(*target); });
}

void bus_set_default_target(BusRequest& request) {
  bus::MessageReader reader = request.call.arguments();
  const std::string name = reader.string().value_or("");
  const Links::Force force = force_of(reader.boolean().value_or(false));
  answer(request, unit_file_links(request.manager).set_default_target(name, force));
}

}  // namespace flotilla::init
