#include "fctl/commands.h"
#include "fctl/lower_state.h"

namespace flotilla::fctl {

int cmd_stop(Context& context) {
  return lower_units(context, {"stop", "stopped", "loaded", [](const std::string& state) {
                                 if (state == "inactive") return Lowering::Answer::kRefuse;
                                 if (state == "loaded") return Lowering::Answer::kSkip;
                                 return Lowering::Answer::kLower;
                               }});
}

}  // namespace flotilla::fctl
