#include "fctl/commands.h"
#include "fctl/lower_state.h"

namespace flotilla::fctl {

int cmd_unload(Context& context) {
  return lower_units(context, {"unload", "unloaded", "inactive", [](const std::string& state) {
                                 return state == "inactive" ? Lowering::Answer::kSkip
                                                            : Lowering::Answer::kLower;
                               }});
}

}  // namespace flotilla::fctl
