// When a certificate is of use. Pure but for the time of day.
#pragma once

#include <string_view>

namespace flotilla::store {

enum class Validity { kUnknown, kNotYet, kNow, kExpired };

// Of the first certificate in a PEM text; kUnknown where there is none that can be read.
Validity validity_of_certificate(std::string_view pem);

}  // namespace flotilla::store
