// How far a training has come: a line redrawn in place on a terminal, plain lines elsewhere.

#ifndef TALLY_CLIENT_CLI_PROGRESS_H_
#define TALLY_CLIENT_CLI_PROGRESS_H_

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace tally::cli {

struct ProgressState {
  uint64_t done = 0;               // samples trained by this command
  uint64_t total = 0;              // samples it will train, at least 1
  uint32_t accuracy_permille = 0;  // prequential: predicted before being learnt
};

// Milliseconds of a clock that never goes back.
using MillisecondClock = std::function<uint64_t()>;
uint64_t SteadyMilliseconds();

// On a terminal the line is redrawn at most ten times a second. Elsewhere a line is written when
// another tenth is done, at most one a second, so that logs stay short.
class Progress {
 public:
  // `err` is borrowed.
  Progress(std::ostream& err, bool terminal, MillisecondClock clock = SteadyMilliseconds);

  // Cheap enough for every mini-batch.
  void Update(const ProgressState& state);

  // Removes the line from a terminal, so that text may follow.
  void Clear();

 private:
  std::string Describe(const ProgressState& state, uint64_t now) const;

  std::ostream& err_;
  bool terminal_;
  MillisecondClock clock_;
  uint64_t started_ms_;
  uint64_t drawn_ms_;
  uint64_t drawn_tenths_ = 0;
  bool visible_ = false;
};

// "59 s", "3 min 20 s", "2 h 5 min".
std::string DurationText(uint64_t seconds);

// "96.98 %" of correct out of total; "-" when total is 0.
std::string PercentText(uint64_t correct, uint64_t total);

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_PROGRESS_H_
