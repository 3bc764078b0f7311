#include "client/cli/progress.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/text/strings.h"

namespace tally::cli {
namespace {

constexpr uint64_t kRedrawMs = 100;
constexpr uint64_t kLineMs = 1000;
constexpr size_t kBarCells = 24;

std::string Bar(uint64_t done, uint64_t total) {
  const auto full = static_cast<size_t>(std::min(uint64_t{kBarCells}, done * kBarCells / total));
  return "[" + std::string(full, '#') + std::string(kBarCells - full, '.') + "]";
}

}  // namespace

uint64_t SteadyMilliseconds() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

Progress::Progress(std::ostream& err, bool terminal, MillisecondClock clock)
    : err_(err),
      terminal_(terminal),
      clock_(std::move(clock)),
      started_ms_(clock_()),
      drawn_ms_(started_ms_) {}

void Progress::Update(const ProgressState& state) {
  const uint64_t now = clock_();
  if (terminal_) {
    if (visible_ && now - drawn_ms_ < kRedrawMs) return;
    // Erase to the end of the line: the new text may be shorter.
    err_ << '\r' << Bar(state.done, state.total) << ' ' << Describe(state, now) << "\x1b[K"
         << std::flush;
    visible_ = true;
  } else {
    const uint64_t tenths = state.done * 10 / state.total;
    if (tenths == drawn_tenths_ || now - drawn_ms_ < kLineMs) return;
    drawn_tenths_ = tenths;
    err_ << Describe(state, now) << std::endl;
  }
  drawn_ms_ = now;
}

void Progress::Clear() {
  if (visible_) err_ << "\r\x1b[K" << std::flush;
  visible_ = false;
}

std::string Progress::Describe(const ProgressState& state, uint64_t now) const {
  const uint64_t elapsed_ms = std::max<uint64_t>(1, now - started_ms_);
  const uint64_t rest_ms =
      state.done == 0 ? 0
                      : (state.total - std::min(state.done, state.total)) * elapsed_ms / state.done;
  return text::StrCat(state.done * 100 / state.total, " %  ", state.done * 1000 / elapsed_ms,
                      " samples/s  accuracy ", PercentText(state.accuracy_permille, 1000), "  ETA ",
                      state.done == 0 ? "-" : DurationText((rest_ms + 999) / 1000));
}

std::string DurationText(uint64_t seconds) {
  if (seconds < 60) return text::StrCat(seconds, " s");
  if (seconds < 3600) return text::StrCat(seconds / 60, " min ", seconds % 60, " s");
  return text::StrCat(seconds / 3600, " h ", seconds / 60 % 60, " min");
}

std::string PercentText(uint64_t correct, uint64_t total) {
  if (total == 0) return "-";
  const uint64_t basis_points = correct * 10000 / total;
  const uint64_t hundredths = basis_points % 100;
  return text::StrCat(basis_points / 100, hundredths < 10 ? ".0" : ".", hundredths, " %");
}

}  // namespace tally::cli
