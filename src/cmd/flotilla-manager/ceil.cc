// The one function of libm that is linked into the service manager, by libstdc++ for the sizes of
// its hash tables: with one of our own the library need not be found, mapped and relocated at each
// start.
#include <cstdint>

extern "C" double ceil(double value) noexcept;

double ceil(double value) noexcept {
  // From here on there is nothing behind the point; what is not a number fails both comparisons.
  constexpr double kAllWhole = 4503599627370496.0;
  if (!(value > -kAllWhole && value < kAllWhole)) return value;
  const auto whole = static_cast<double>(static_cast<int64_t>(value));
  return whole < value ? whole + 1 : whole;
}
